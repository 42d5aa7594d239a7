"""In memory an attempt gives what it gives over WebSockets."""

import asyncio
from collections import Counter

import pytest
from websockets.asyncio.connection import broadcast
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK
from websockets.protocol import State

from conformance.clock import run
from conformance.runner import AttemptPlan, InMemory, record
from conformance.runner.memory import MemoryConnection
from conformance.runner.tests.fakes import cell_of
from conformance.runner.tests.test_in_process import CLOSE, CONNECT, FIRM_AUDIO, READY, TEXT, settings, timeouts, wait
from conformance.scenario.model import Close, Connect, Hold, Send, Speaks, Step
from conformance.wire.durations import SECOND
from conformance.wire.frames import Kind
from conformance.wire.recording import Outcome, Recording, dump
from conformance.wire.script import Fault

BETA = (Connect(headers={"openai-beta": "realtime=v1"}, query={"token": "t"}), wait("error"))
NO_KEY = (Connect(headers={"authorization": ""}), wait("error"))
REALTIME = (CONNECT, wait("session.created"), Send(message={"type": "nonsense"}), wait("error"), CLOSE)


def seen(recording: Recording) -> Counter[tuple[object, ...]]:
    return Counter((frame.t, frame.leg, frame.conn, frame.dir, frame.kind, frame.type) for frame in recording.frames)


@pytest.mark.parametrize(
    ("steps", "speaks", "fault"),
    [
        (TEXT, Speaks.VOICE_AGENT, None),
        (FIRM_AUDIO, Speaks.VOICE_AGENT, None),
        (REALTIME, Speaks.REALTIME, None),
        (BETA, Speaks.REALTIME, None),
        (NO_KEY, Speaks.REALTIME, None),
        ((*READY, CLOSE, *READY, CLOSE), Speaks.VOICE_AGENT, None),
        ((*READY, Hold(duration=12 * SECOND)), Speaks.VOICE_AGENT, Fault("idle-error-close")),
        ((CONNECT, settings(), wait("Error")), Speaks.VOICE_AGENT, Fault("refuse-401")),
        ((CONNECT, settings(), wait("Error")), Speaks.VOICE_AGENT, Fault("refuse-tcp")),
        ((*READY, CLOSE), Speaks.VOICE_AGENT, Fault("slow-accept")),
        ((*READY, Close(abort=True)), Speaks.VOICE_AGENT, None),
    ],
    ids=["text", "firm-audio", "realtime", "beta", "no-key", "reconnect", "closed", "refused", "reset", "slow", "abort"],
)
def test_the_same_frames_cross_both_legs_at_the_same_times(
    steps: tuple[Step, ...], speaks: Speaks, fault: Fault | None
) -> None:
    plan = AttemptPlan(cell=cell_of(*steps, speaks=speaks), fault=fault)
    over_sockets, in_memory = record(plan), record(plan, subject=InMemory())
    assert seen(in_memory) == seen(over_sockets)
    openings = [
        [frame.data for frame in recording.frames if frame.kind is Kind.OPEN] for recording in (in_memory, over_sockets)
    ]
    assert openings[0] == openings[1]
    assert not timeouts(in_memory)
    assert in_memory.footer == over_sockets.footer
    assert in_memory.footer is not None
    assert in_memory.footer.outcome is Outcome.FINISHED


def test_the_same_seed_gives_the_same_recording() -> None:
    plan = AttemptPlan(cell=cell_of(*TEXT), seed=3)
    assert len({dump(record(plan, subject=InMemory())) for _ in range(10)}) == 1


def pair(path: str = "/") -> tuple[MemoryConnection, MemoryConnection]:
    client, server = MemoryConnection(path), MemoryConnection(path)
    client.peer, server.peer = server, client
    return client, server


def test_messages_arrive_in_order_and_before_the_close() -> None:
    async def main() -> list[str | bytes]:
        client, server = pair("/agent")
        await client.send("one")
        broadcast((client,), b"two", text=False)  # type: ignore[arg-type]
        await client.send(b"three", text=True)
        await client.close(1000, "done")
        received = [message async for message in server]
        assert (server.close_code, server.close_reason, server.state) == (1000, "done", State.CLOSED)
        return received

    assert run(main()) == ["one", b"two", "three"]


def test_the_end_of_a_connection_is_raised_as_websockets_raises_it() -> None:
    async def main() -> None:
        client, server = pair()
        await server.close(1011, "broken")
        with pytest.raises(ConnectionClosedError) as raised:
            await client.recv()
        assert raised.value.rcvd is not None
        assert (raised.value.rcvd.code, raised.value.rcvd_then_sent) == (1011, True)
        with pytest.raises(ConnectionClosedError):
            await server.send("too late")
        client, server = pair()
        await client.close()
        with pytest.raises(ConnectionClosedOK):
            await server.recv()
        client, server = pair()
        client.transport.abort()
        await server.wait_closed()
        assert server.close_code == 1006

    run(main())


def test_a_reader_that_waits_is_woken() -> None:
    async def main() -> str | bytes:
        client, server = pair()
        reader = asyncio.create_task(server.recv())
        await asyncio.sleep(1)
        await client.send("hello")
        return await reader

    assert run(main()) == "hello"
