"""A connection fed with bytes directly: whatever comes, nothing is raised and the connection ends or goes on properly."""

import asyncio
import struct
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mock_upstream.actions import Abort, Action, Close, HalfOpen
from mock_upstream.connection import MAX_FRAME
from mock_upstream.server import MockUpstream
from mock_upstream.tests.puppet import Puppet, say

UPGRADE = (
    b"GET /v1/realtime?model=m HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nAuthorization: Bearer sk-any\r\n\r\n"
)


class Memory(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.writes = 0
        self.closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closing
        self.written += bytes(data)
        self.writes += 1

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...
    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None: ...
    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = True

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


async def feed(*segments: bytes) -> tuple[bytes, Puppet]:
    """Feed the segments to a fresh connection; return what it wrote, and the puppet behind it."""
    puppet = Puppet(lambda frame: [say("answer")], hello=[say("session.created")])
    mock = MockUpstream(new_session=puppet)
    connection, transport = mock._connect(), Memory()
    connection.connection_made(transport)
    for segment in segments:
        if not transport.closing:
            connection.data_received(segment)
            await asyncio.sleep(0)
    connection.eof_received()
    connection.connection_lost(None)
    assert mock._failures == []
    assert len(puppet.ended) == len(puppet.setups)
    return transport.written, puppet


def masked(first: int, body: bytes) -> bytes:
    return struct.pack("!BB", first, 0x80 | len(body)) + bytes(4) + body


@settings(deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=5))
@example([b"GET / HTTP/1.1\r\nbroken header\r\n\r\n"])
@example([b"GET /v1/realtime HTTP/1.0\r\n\r\n"])
@example([b"POST /v1/realtime/client_secrets HTTP/1.1\r\nContent-Length: -1\r\n\r\n"])
@example([b"G", b"E", b"T", b" /health HTTP/1.1\r\n\r\n"])
def test_no_bytes_instead_of_a_request_break_it(segments: list[bytes]) -> None:
    asyncio.run(feed(*segments))


@settings(deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=5))
@example([b"\x81\xff" + struct.pack("!Q", 2**63)])
@example([b"\x80\x80" + bytes(4)])
@example([masked(0x88, b"\x00"), masked(0x81, b"late")])
@example([masked(0x88, struct.pack("!H", 1005))])
@example([masked(0x01, b"{"), masked(0x09, b"ping"), masked(0x80, b"}")])
def test_no_bytes_instead_of_frames_break_it(segments: list[bytes]) -> None:
    written, puppet = asyncio.run(feed(UPGRADE, *segments))
    assert written.startswith(b"HTTP/1.1 101 ")
    assert len(puppet.ended) == 1


@pytest.mark.parametrize("cut", [1, 3, 40, len(UPGRADE) - 1])
def test_a_request_may_come_in_pieces(cut: int) -> None:
    written, puppet = asyncio.run(feed(UPGRADE[:cut], UPGRADE[cut:], masked(0x81, b"{}")))
    assert written.startswith(b"HTTP/1.1 101 ")
    assert puppet.received == ["{}"]


FRAMES = masked(0x81, b"{}") + masked(0x89, b"1234")


@pytest.mark.parametrize("upgrade", [UPGRADE, UPGRADE.replace(b"Host: x", b"Sec-WebSocket-Protocol: realtime")])
@pytest.mark.parametrize("cut", [len(UPGRADE) - 5, len(UPGRADE), len(UPGRADE) + 3, len(UPGRADE) + len(FRAMES)])
def test_frames_that_do_not_wait_for_the_answer_are_answered_after_it(upgrade: bytes, cut: int) -> None:
    stream = upgrade + FRAMES
    written, puppet = asyncio.run(feed(stream[:cut], stream[cut:]))
    assert puppet.received == ["{}"]
    assert written.startswith(b"HTTP/1.1 101 ")
    greeted = written.find(b"session.created")
    assert 0 < greeted < min(written.find(b'"answer"'), written.find(b"\x8a\x041234"))


@pytest.mark.parametrize("method", [b"GET", b"POST", b"HEAD"])
@pytest.mark.parametrize("target", [b"http://[x/v1/realtime", b"//[x", b"[", b"http://\xe2\x84\x80/"])
@pytest.mark.parametrize("head", [UPGRADE, b"GET / HTTP/1.1\r\n\r\n"])
def test_a_target_that_is_no_url_is_not_found(method: bytes, target: bytes, head: bytes) -> None:
    written, _ = asyncio.run(feed(b" ".join([method, target, head.split(b" ", 2)[2]])))
    assert written.startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 400 "))


def test_a_connection_is_let_go_even_if_its_end_fails() -> None:
    async def scene() -> None:
        mock = MockUpstream(new_session=Puppet())
        connection = mock._connect()
        connection.connection_made(Memory())
        connection._end = None  # type: ignore[assignment, method-assign]
        with pytest.raises(TypeError):
            connection.connection_lost(None)
        assert mock._connections == set()

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("code", "reason", "frame"),
    [
        (1005, "", b"\x88\x00"),
        (4000, "x" * 200, b"\x88\x7d\x0f\xa0" + b"x" * 123),
        (4000, "\u00e9" * 100, b"\x88\x7c\x0f\xa0" + "\u00e9".encode() * 61),
    ],
)
def test_a_close_says_as_much_as_its_frame_holds(code: int, reason: str, frame: bytes) -> None:
    async def scene() -> bytes:
        puppet = Puppet(hello=[say("session.created"), Close(code, reason)])
        connection, transport = MockUpstream(new_session=puppet)._connect(), Memory()
        connection.connection_made(transport)
        connection.data_received(UPGRADE)
        connection.connection_lost(None)
        return transport.written

    assert asyncio.run(scene()).endswith(frame)


def test_a_ping_between_fragments_is_answered_and_the_message_is_whole() -> None:
    written, puppet = asyncio.run(feed(UPGRADE, masked(0x01, b"{"), masked(0x89, b"1234"), masked(0x80, b"}")))
    assert b"\x8a\x041234" in written
    assert puppet.received == ["{}"]


def test_a_frame_beyond_the_limit_closes_1009() -> None:
    written, puppet = asyncio.run(feed(UPGRADE, struct.pack("!BBQ", 0x82, 0xFF, MAX_FRAME + 1) + bytes(4)))
    assert struct.pack("!H", 1009) in written
    assert puppet.received == []


@pytest.mark.parametrize("last", [(), (Abort(),), (HalfOpen(),)], ids=["open", "reset", "half-open"])
def test_the_answers_to_frames_of_one_read_leave_in_one_write(last: tuple[Action, ...]) -> None:
    async def writes() -> tuple[int, bytes]:
        answers: list[list[Action]] = [[say("first")], [say("second"), *last]]
        puppet = Puppet(lambda frame: answers.pop(0), hello=[say("session.created")])
        connection, transport = MockUpstream(new_session=puppet)._connect(), Memory()
        connection.connection_made(transport)
        connection.data_received(UPGRADE)
        before = transport.writes
        connection.data_received(masked(0x81, b"{}") * 2)
        count = transport.writes - before
        connection.connection_lost(None)
        return count, transport.written

    count, written = asyncio.run(writes())
    assert count == 1
    assert 0 < written.find(b'"first"') < written.find(b'"second"')


def test_the_upgrade_and_the_first_event_leave_in_one_write() -> None:
    written, _ = asyncio.run(feed(UPGRADE))
    head, _, frames = written.partition(b"\r\n\r\n")
    assert b"101" in head
    assert frames.startswith(b"\x81")
    assert b"session.created" in frames
