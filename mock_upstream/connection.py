"""One connection: asyncio's callbacks around the sans-I/O protocol of ``websockets``, with no task of its own.

``websockets.server.ServerProtocol`` does the framing and both handshakes. This class moves bytes, keeps timers (opening,
closing, pings) and offers what a mock needs and a server library has not: many frames in one write, plain HTTP beside
the upgrade, a reset, a half-open peer, unanswered pings. Everything happens inside a callback, so the order of events is
the order of bytes, and a virtual clock sees no hidden step.
"""

import asyncio
import logging
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, cast

from websockets.extensions.permessage_deflate import enable_server_permessage_deflate
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State

from conformance.wire.closing import NO_CODE
from mock_upstream.framing import Framing, Upgrade, frame_header, read_upgrade
from mock_upstream.http import HttpRequest, error_response, read_request

LOG: Final = logging.getLogger("mock_upstream")

MAX_FRAME: Final = 64 * 2**20
"""Bytes: an append of 15 MiB (ground truth §5.1) is 20 MiB once encoded, and hostile clients send more."""
PING_EVERY: Final = 20.26
"""Seconds (a live probe of 70 s idle, 2026-09-18); the payload has four bytes."""
OPENING: Final = 10.0
CLOSING: Final = 10.0
STOPPING: Final = 1.0
"""Seconds a peer has to finish a handshake before the connection is dropped; less when the server stops."""
_LONGEST_REASON: Final = 123
"""Bytes: what a control frame holds beside the code (RFC 6455 §5.5)."""
_WRITE_HIGH: Final = 2**20
_RESET: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a connection ended: 1006 without a closing handshake, 1005 when the client gave no code."""

    code: int
    reason: str
    by_client: bool


class Listener(Protocol):
    """Who hears what an accepted connection brings."""

    def message(self, frame: str | bytes) -> None:
        """Take a whole message: text or binary."""

    def flush(self) -> None:
        """Let what was recorded be in its file: what was queued is about to be sent."""

    def closed(self, ending: Ending) -> None:
        """Learn, once, that the connection ended other than by our own `close` or `abort`."""


class Connection(asyncio.Protocol):
    """A client's connection, from the first byte to the last."""

    def __init__(
        self,
        on_made: "Callable[[Connection], None]",
        on_request: "Callable[[Connection, HttpRequest], None]",
        on_lost: "Callable[[Connection], None]",
        *,
        deflate: bool = False,
    ) -> None:
        self._on_made = on_made
        self._on_request = on_request
        self._on_lost = on_lost
        self._deflate = deflate
        self._framing: Framing
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._listener: Listener | None = None
        self._upgrade: Request | Upgrade | None = None
        self._early: bytearray | None = bytearray()
        self._held: bytearray | None = None
        """What came behind the opening handshake before that was answered."""
        self._parts: list[bytes] = []
        self._parts_are_text = True
        self._ended = False
        self._reading = False
        self._silent = False
        self._timer: asyncio.TimerHandle | None = None
        self._pings = 0
        self._pongs = 0

    # What the server asks for

    @property
    def is_open(self) -> bool:
        """Whether frames can still be sent."""
        return self._framing.state is State.OPEN and not self._ended and not self._transport.is_closing()

    def respond(self, response: bytes) -> None:
        """Answer with plain HTTP and hang up."""
        self._stop_timer()
        self._transport.write(response)
        self._transport.close()

    def accept(self, listener_of: Callable[[str | None], Listener]) -> Listener | None:
        """Answer the upgrade; return the listener made for the chosen subprotocol, None if the handshake was no good."""
        if self._transport.is_closing():
            return None
        if self._upgrade is None:
            self.respond(error_response(426, "invalid_request_error", "Ask for a WebSocket with `Upgrade: websocket`."))
            return None
        if isinstance(self._upgrade, Upgrade):
            self._framing.writes.append(self._upgrade.response)
        else:
            self._framing.send_response(self._framing.accept(self._upgrade))
        self._stop_timer()
        if self._framing.state is not State.OPEN:
            self.flush()
            self._close_soon()
            return None
        self._listener = listener_of(self._framing.subprotocol)
        self._timer = self._loop.call_later(PING_EVERY, self._ping)
        if self._held:
            self._loop.call_soon(self._read_held)
        else:
            self._held = None
        return self._listener

    def wait(self, seconds: float, then: Callable[[], None]) -> None:
        """Let the opening handshake take this much longer, even if the client does not wait for it."""
        self._stop_timer()
        self._loop.call_later(seconds, then)

    def send(self, payload: bytes, *, binary: bool = False) -> None:
        """Queue one frame; `flush` writes all that is queued at once."""
        if not self.is_open:
            return
        if self._framing.extensions:
            (self._framing.send_binary if binary else self._framing.send_text)(payload)
        else:
            self._framing.writes += (frame_header(0x82 if binary else 0x81, len(payload)), payload)

    def send_many(self, texts: Sequence[bytes]) -> None:
        """Queue text frames."""
        if self._framing.extensions or not self.is_open:
            for text in texts:
                self.send(text)
            return
        self._framing.send_texts(texts)

    def flush(self) -> None:
        """Write what is queued, in one write; during a read that is put off to its end."""
        if not self._reading:
            self._write_queued()

    def _write_queued(self) -> None:
        if self._listener is not None:
            self._listener.flush()
        queued = self._framing.data_to_send()
        if not queued or self._transport.is_closing():
            return
        ends = not queued[-1]
        self._transport.write(queued[0] if len(queued) == 1 else b"".join(queued))
        if ends:
            # Once both sides have said close, the client says no more: a half-close would only wait for its end of stream.
            if self._framing.close_rcvd is None and self._transport.can_write_eof():
                self._transport.write_eof()
            else:
                self._transport.close()

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake."""
        if self.is_open:
            self._ended = True
            if code == NO_CODE:
                self._framing.send_close()
            else:
                self._framing.send_close(code, reason.encode()[:_LONGEST_REASON].decode(errors="ignore"))
            self.flush()
            self._close_soon()

    def abort(self) -> None:
        """Reset the connection: TCP sends RST, a Unix socket just ends."""
        self._write_queued()
        self._ended = True
        self._stop_timer()
        end: socket.socket | None = self._transport.get_extra_info("socket")
        if end is not None and end.family != socket.AF_UNIX:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    def hang_up(self) -> None:
        """Drop a handshake under way and a half-open peer at once; give a closing handshake a moment."""
        self._stop_timer()
        if self._silent or self._listener is None:
            self._transport.abort()
        else:
            self._timer = self._loop.call_later(STOPPING, self._transport.abort)

    def go_silent(self) -> None:
        """Read and write no more, but keep the connection."""
        self._write_queued()
        self._ended = self._silent = True
        self._stop_timer()
        self._transport.pause_reading()

    def ignore_pings(self) -> None:
        """Answer no ping from now on."""
        self._framing.answers_pings = False

    # What asyncio tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the time that the opening handshake may take."""
        transport = cast("asyncio.Transport", transport)  # what create_server makes; uvloop's is no subclass of it
        self._transport = transport
        transport.set_write_buffer_limits(_WRITE_HIGH)
        self._timer = self._loop.call_later(OPENING, transport.abort)
        self._on_made(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes: HTTP first, then frames; answers to all frames of one read leave in one write."""
        self._reading = True
        if self._held is not None:
            self._held += data
            if len(self._held) > MAX_FRAME:
                self._transport.abort()
        elif self._early is None:
            self._read_frames(data)
        else:
            self._early += data
            self._read_http(bytes(self._early))
        self._reading = False
        if self._early is None:
            if self._framing.close_expected() and not self._ended:
                self._end_by_peer()
            self.flush()

    def eof_received(self) -> None:
        """Take the client's end of stream; the transport closes itself after it."""
        if self._early is None:
            self._framing.receive_eof()
            self.flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's signature)
        """Tell the listener, unless the closing handshake or we ourselves have."""
        self._stop_timer()
        try:
            if not self._ended:
                self._end(Ending(CloseCode.ABNORMAL_CLOSURE, "", by_client=True))
        finally:  # or the server would wait for this connection when it stops
            self._listener = None
            if self._early is None:
                self._framing.parser.close()  # a generator that holds its own object would wait for the garbage collector
            self._on_lost(self)

    def pause_writing(self) -> None:
        """Hear no more from a client that does not read."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Hear the client again."""
        if not self._silent:
            self._transport.resume_reading()

    # Inside

    def _read_http(self, early: bytes) -> None:
        """Hand over a request once it is whole; one that asks for an upgrade is the framing's, but for the usual one."""
        head, separator, behind = early.partition(b"\r\n\r\n")
        if not separator or not early.startswith(b"GET ") or b"\r\nupgrade:" not in head.lower():
            request = read_request(early)
            if request is not None:
                self._early = bytearray()
                self._on_request(self, request)
            return
        head += separator
        upgrade = None if self._deflate else read_upgrade(head)
        extensions = enable_server_permessage_deflate(None) if self._deflate else None
        state = State.CONNECTING if upgrade is None else State.OPEN
        self._framing = Framing(extensions=extensions, state=state, max_size=MAX_FRAME, logger=LOG)
        self._early, self._held = None, bytearray(behind)
        if upgrade is not None:
            self._ask(upgrade, upgrade.request)
            return
        self._read_frames(head)
        if self._upgrade is None:  # else the library has said what is wrong with it
            self.respond(error_response(400, "invalid_request_error", "This is no opening handshake of a WebSocket."))

    def _read_held(self) -> None:
        held, self._held = self._held, None
        if held and not self._transport.is_closing():
            self.data_received(bytes(held))

    def _ask(self, upgrade: Request | Upgrade, request: HttpRequest) -> None:
        self._upgrade = upgrade
        self._on_request(self, request)

    def _read_frames(self, data: bytes) -> None:
        texts, rest = self._framing.take_texts(data)
        if rest:
            self._framing.receive_data(rest)
        for text in texts:
            self._parts_are_text = True
            self._deliver(text)
        for event in self._framing.events_received():
            if isinstance(event, Frame):
                self._take(event)
            elif isinstance(event, Request):
                self._ask(event, HttpRequest.of_upgrade(event))

    def _take(self, frame: Frame) -> None:
        match frame.opcode:
            case Opcode.TEXT | Opcode.BINARY | Opcode.CONT:
                if frame.opcode is not Opcode.CONT:
                    self._parts_are_text = frame.opcode is Opcode.TEXT
                self._parts.append(bytes(frame.data))
                if frame.fin:
                    message, self._parts = b"".join(self._parts), []
                    self._deliver(message)
            case Opcode.PONG:
                self._pongs = self._pings
            case _:
                pass

    def _deliver(self, message: bytes) -> None:
        if self._listener is None or self._ended:
            return
        if not self._parts_are_text:
            self._listener.message(message)
            return
        try:
            text = message.decode()
        except UnicodeDecodeError as error:
            self._framing.fail(CloseCode.INVALID_DATA, f"{error.reason} at position {error.start}")
        else:
            self._listener.message(text)

    def _ping(self) -> None:
        if not self.is_open:
            return
        if self._pongs != self._pings:
            self._framing.fail(CloseCode.INTERNAL_ERROR, "keepalive ping timeout")
            self._end_by_peer()
            self.flush()
            return
        self._pings += 1
        self._framing.send_ping(struct.pack(">I", self._pings))
        self.flush()
        self._timer = self._loop.call_later(PING_EVERY, self._ping)

    def _end_by_peer(self) -> None:
        """The closing handshake began, by the client's close frame or because it broke the protocol."""
        received, sent = self._framing.close_rcvd, self._framing.close_sent
        if received is not None:
            self._end(Ending(received.code, received.reason, by_client=True))
        elif sent is not None:
            self._end(Ending(sent.code, sent.reason, by_client=False))
        self._close_soon()

    def _end(self, ending: Ending) -> None:
        self._ended = True
        if self._listener is not None:
            self._listener.closed(ending)

    def _close_soon(self) -> None:
        self._stop_timer()
        self._timer = self._loop.call_later(CLOSING, self._transport.abort)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
