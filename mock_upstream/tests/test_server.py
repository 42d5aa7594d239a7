"""The shell: frames, closes and faults on real sockets, on the virtual clock."""

import asyncio
from pathlib import Path

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus

from conformance.wire.durations import SECOND
from conformance.wire.frames import Direction, Kind, Leg
from conformance.wire.script import Script
from mock_upstream.actions import Abort, Action, Close, HalfOpen, Mark, NoPong, Send
from mock_upstream.assignment import Assignment, Handshake
from mock_upstream.connection import PING_EVERY
from mock_upstream.server import MockUpstream
from mock_upstream.tests.puppet import Puppet, say
from mock_upstream.tests.scenes import lines, now, play, tape


def test_frames_of_one_step_arrive_in_order_and_are_recorded_on_both_sides() -> None:
    async def scene() -> None:
        recorder = tape()
        puppet = Puppet(lambda frame: [say("a"), say("b", scripted="rule")], hello=[say("session.created")])
        async with (
            MockUpstream(new_session=puppet, sink=recorder.leg(Leg.UPSTREAM)) as mock,
            connect(f"{mock.url}?model=m") as client,
        ):
            await client.send('{"type": "x"}')
            assert [orjson.loads(await client.recv())["type"] for _ in range(3)] == ["session.created", "a", "b"]
        assert lines(recorder) == [
            ("up", "open", ""),
            ("down", "text", "session.created"),
            ("up", "text", "x"),
            ("down", "text", "a"),
            ("down", "text", "b"),
            ("up", "close", ""),
        ]
        assert [frame.scripted for frame in recorder.frames] == [None, None, None, None, "rule", None]
        assert recorder.frames[0].data == {"path": "/v1/realtime", "query": {"model": "m"}, "subprotocol": None}
        assert recorder.frames[-1].data == {"code": 1000, "reason": ""}

    play(scene)


def test_what_is_due_at_the_same_instant_leaves_in_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        puppet = Puppet(lambda frame: [say("delta", n=n) for n in range(50)])
        async with MockUpstream(new_session=puppet) as mock, connect(mock.url) as client:
            (connection,) = mock._connections
            written: list[bytes] = []
            write = connection._transport.write

            def watched(data: bytes) -> None:
                written.append(data)
                write(data)

            monkeypatch.setattr(connection._transport, "write", watched)
            await client.send("{}")
            for _ in range(50):
                await client.recv()
            assert len(written) == 1

    play(scene)


def test_a_session_is_woken_at_its_deadline() -> None:
    async def scene() -> None:
        puppet = Puppet(plan=[(30_000, [say("rate_limits.updated")]), (15 * SECOND, [Close(1001, "expired")])])
        async with MockUpstream(new_session=puppet) as mock, connect(mock.url) as client:
            began = now()
            await client.recv()
            assert now() - began == 30_000
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
            assert now() - began == 15 * SECOND
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "expired")
        assert puppet.woken == [30_000, 15 * SECOND]

    play(scene)


def test_the_session_closes_and_nothing_more_is_sent_or_heard() -> None:
    async def scene() -> None:
        recorder = tape()
        puppet = Puppet(lambda frame: [say("error"), Close(4000, "invalid_request_error.x", "r"), say("late")])
        async with MockUpstream(new_session=puppet, sink=recorder.leg(Leg.UPSTREAM)) as mock, connect(mock.url) as client:
            await client.send("1")
            await client.send("2")
            assert orjson.loads(await client.recv()) == {"type": "error"}
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4000, "invalid_request_error.x")
        assert puppet.received == ["1"]
        assert lines(recorder)[2:] == [("down", "text", "error"), ("down", "close", "")]
        assert recorder.frames[-1].scripted == "r"

    play(scene)


def test_a_client_that_vanishes_is_recorded_as_1006_and_told_to_the_session() -> None:
    async def scene() -> None:
        recorder = tape()
        puppet = Puppet()
        async with MockUpstream(new_session=puppet, sink=recorder.leg(Leg.UPSTREAM)) as mock:
            client = await connect(mock.url)
            client.transport.abort()
            await client.wait_closed()
            await asyncio.sleep(1)
        assert len(puppet.ended) == 1
        assert lines(recorder) == [("up", "open", ""), ("up", "close", "")]
        assert recorder.frames[-1].data["code"] == 1006

    play(scene)


def test_an_abort_resets_the_connection() -> None:
    async def scene() -> None:
        recorder = tape()
        puppet = Puppet(lambda frame: [Abort("r")])
        async with MockUpstream(new_session=puppet, sink=recorder.leg(Leg.UPSTREAM)) as mock:
            client = await connect(mock.url)
            await client.send("{}")
            with pytest.raises(ConnectionClosedError) as closed:
                await client.recv()
            assert closed.value.rcvd is None
            assert isinstance(closed.value.__cause__, ConnectionResetError)
        assert recorder.frames[-1].data["code"] == 1006
        assert recorder.frames[-1].dir is Direction.DOWN

    play(scene, clock="real")


def test_a_half_open_connection_neither_hears_nor_speaks_nor_ends() -> None:
    async def scene() -> None:
        puppet = Puppet(lambda frame: [HalfOpen(), say("never")], plan=[(5 * SECOND, [say("never")])])
        async with MockUpstream(new_session=puppet) as mock:
            client = await connect(mock.url, ping_interval=None)
            await client.send("{}")
            await client.send("{}")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.recv(), 60)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(await client.ping(), 60)
            assert puppet.received == ["{}"]
            client.transport.abort()

    play(scene)


def test_pings_are_answered_until_the_session_says_no() -> None:
    async def scene() -> None:
        puppet = Puppet(lambda frame: [NoPong(), say("ok")])
        async with MockUpstream(new_session=puppet) as mock, connect(mock.url, ping_interval=None) as client:
            await (await client.ping())
            await client.send("{}")
            await client.recv()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(await client.ping(), 60)

    play(scene)


def test_it_pings_as_recorded_and_drops_a_client_that_does_not_answer() -> None:
    async def scene() -> None:
        pings: list[tuple[float, bytes]] = []

        class Deaf(ClientConnection):
            answers = True

            def data_received(self, data: bytes) -> None:
                if data[0] == 0x89:
                    pings.append((asyncio.get_running_loop().time(), data[2:]))
                    if not self.answers:
                        return
                super().data_received(data)

        async with MockUpstream(new_session=Puppet()) as mock:
            client = await connect(mock.url, ping_interval=None, create_connection=Deaf)
            await asyncio.sleep(2.5 * PING_EVERY)
            assert [round(at, 2) for at, _ in pings] == [20.26, 40.52]
            assert {len(payload) for _, payload in pings} == {4}
            Deaf.answers = False
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1011

    play(scene)


def test_connections_of_one_server_are_separate_attempts() -> None:
    async def scene() -> None:
        tapes = [tape(), tape()]
        puppet = Puppet(hello=[say("session.created")])
        over: list[int] = []

        def assign(handshake: Handshake) -> Assignment:
            number = int(handshake.headers["x-attempt"])
            sink = tapes[number].leg(Leg.UPSTREAM)
            return Assignment(Script(), 10 + number, 1_790_000_000, now, sink, number, None, lambda: over.append(number))

        async with MockUpstream(assign, new_session=puppet) as mock:
            for number in (1, 0):
                async with connect(f"{mock.url}?model=m&intent=i", additional_headers={"X-Attempt": str(number)}) as client:
                    await client.recv()
        assert [lines(one) for one in tapes] == 2 * [
            [("up", "open", ""), ("down", "text", "session.created"), ("up", "close", "")]
        ]
        assert [(setup.seed, setup.conn, setup.model, setup.intent) for setup in puppet.setups] == [
            (11, 1, "m", "i"),
            (10, 0, "m", "i"),
        ]
        assert over == [1, 0]

    play(scene)


def test_an_assignment_may_take_its_time() -> None:
    async def scene() -> None:
        puppet = Puppet(hello=[say("session.created")])

        async def assign(handshake: Handshake) -> Assignment:
            await asyncio.sleep(1)
            return Assignment(Script(), 0, 0, now)

        async with MockUpstream(assign, new_session=puppet) as mock, connect(mock.url) as client:
            await client.recv()
            assert now() == SECOND

    play(scene)


def test_a_failing_assignment_is_a_500_and_is_raised_on_leaving() -> None:
    def assign(handshake: Handshake) -> Assignment:
        raise LookupError("whose is this?")

    async def scene() -> None:
        async with MockUpstream(assign, new_session=Puppet()) as mock:
            with pytest.raises(InvalidStatus) as refused:
                await connect(mock.url)
            assert refused.value.response.status_code == 500

    with pytest.raises(ExceptionGroup) as raised:
        play(scene)
    assert isinstance(raised.value.exceptions[0], LookupError)


def test_a_failing_session_closes_1011_and_is_raised_on_leaving() -> None:
    def fail(frame: str | bytes) -> list[Action]:
        raise ZeroDivisionError

    async def scene() -> None:
        recorder = tape()
        mocks = MockUpstream(new_session=Puppet(fail), sink=recorder.leg(Leg.UPSTREAM))
        async with mocks as mock, connect(mock.url) as client:
            await client.send("{}")
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1011
            assert lines(recorder)[-2:] == [("down", "mark", "mock-failed"), ("down", "close", "")]
            assert recorder.frames[-2].data == {"error": "ZeroDivisionError"}

    with pytest.raises(ExceptionGroup) as raised:
        play(scene)
    assert isinstance(raised.value.exceptions[0], ZeroDivisionError)


def test_large_and_fragmented_frames_come_in_whole() -> None:
    async def scene() -> None:
        puppet = Puppet(lambda frame: [say("ok")])
        async with MockUpstream(new_session=puppet) as mock, connect(mock.url) as client:
            await client.send("x" * (21 * 2**20))
            await client.send(b"\x00" * (17 * 2**20))
            await client.send(["{", '"a":', "1}"])
            for _ in range(3):
                await client.recv()
        assert [len(frame) for frame in puppet.received] == [21 * 2**20, 17 * 2**20, 7]
        assert [type(frame) for frame in puppet.received] == [str, bytes, str]

    play(scene)


def test_text_that_is_no_utf8_closes_1007_and_says_so_in_the_recording() -> None:
    async def scene() -> None:
        recorder = tape()
        async with MockUpstream(new_session=Puppet(), sink=recorder.leg(Leg.UPSTREAM)) as mock, connect(mock.url) as client:
            await client.send(b"\xff\xfe", text=True)
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1007
        assert recorder.frames[-1].data["code"] == 1007
        assert recorder.frames[-1].dir is Direction.DOWN

    play(scene)


def test_binary_frames_marks_and_unreadable_text_reach_the_recording() -> None:
    async def scene() -> None:
        recorder = tape()
        actions: list[Action] = [Send(b"\x00\x01", None, "r", binary=True), Send(b'{"type":', None, "r")]
        actions.append(Mark({"mark": "withheld"}, "r"))
        async with (
            MockUpstream(new_session=Puppet(hello=actions), sink=recorder.leg(Leg.UPSTREAM)) as mock,
            connect(mock.url) as client,
        ):
            assert await client.recv() == b"\x00\x01"
            assert await client.recv() == '{"type":'
        assert [frame.kind for frame in recorder.frames][1:4] == [Kind.BINARY, Kind.TEXT, Kind.MARK]

    play(scene)


def test_leaving_closes_what_is_open_with_1001() -> None:
    async def scene() -> None:
        recorder = tape()
        async with MockUpstream(new_session=Puppet(), sink=recorder.leg(Leg.UPSTREAM)) as mock:
            client = await connect(mock.url)
        await client.wait_closed()
        assert client.close_code == 1001
        assert recorder.frames[-1].data["code"] == 1001

    play(scene)


def test_leaving_does_not_wait_for_clients_that_do_not_answer() -> None:
    async def scene() -> None:
        async with MockUpstream(new_session=Puppet()) as mock:
            _, writer = await asyncio.open_connection("127.0.0.1", mock.port)
            stuck = await connect(mock.url)
            stuck.transport.pause_reading()
        assert now() <= 2 * SECOND
        writer.close()
        stuck.transport.abort()

    play(scene)


def test_permessage_deflate_is_only_used_when_asked_for() -> None:
    async def scene() -> None:
        for deflate in (False, True):
            async with MockUpstream(new_session=Puppet(), deflate=deflate) as mock, connect(mock.url) as client:
                assert bool(client.protocol.extensions) is deflate

    play(scene)


def test_a_unix_socket_serves_too(tmp_path: Path) -> None:
    async def scene() -> None:
        path = str(tmp_path / "s")
        async with (
            MockUpstream(unix_path=path, new_session=Puppet(hello=[say("session.created")])) as mock,
            unix_connect(path, uri=f"{mock.url}?model=m") as client,
        ):
            assert orjson.loads(await client.recv()) == {"type": "session.created"}

    play(scene)


def test_two_hundred_clients_at_once_are_all_served() -> None:
    async def scene() -> None:
        puppet = Puppet(hello=[say("session.created")])
        async with MockUpstream(new_session=puppet) as mock:

            async def one() -> None:
                async with connect(mock.url) as client:
                    await client.recv()

            await asyncio.gather(*(one() for _ in range(200)))
        assert len(puppet.setups) == 200
        assert len({setup.seed for setup in puppet.setups}) == 200

    play(scene)
