"""Connections without sockets: two ends that hand each other whole messages.

They have the few methods of websockets' `Connection` that the driver and the proxy's shell use. What one end sends
is in the other's inbox at once and read in a later turn of the loop, as with a socket. A close overtakes nothing: what
was sent before it is received before it. Closing takes no time, even when the peer has gone silent, and there are no pings.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final, Protocol

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, ConnectionClosedOK
from websockets.frames import Close
from websockets.http11 import Request
from websockets.protocol import State

Message = str | bytes
ABNORMAL: Final = 1006
_NORMAL: Final = (1000, 1001)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a connection ended, seen from one end: the close frames it saw and sent; none of either after an abort."""

    received: Close | None = None
    sent: Close | None = None
    received_first: bool | None = None

    def as_error(self) -> ConnectionClosed:
        """Return what websockets raises for it."""
        kind = ConnectionClosedOK if self.received is not None and self.received.code in _NORMAL else ConnectionClosedError
        return kind(self.received, self.sent, self.received_first)


class Peer(Protocol):
    """The other end."""

    def take(self, message: Message) -> None:
        """Receive a message."""

    def end(self, ended: Ended) -> None:
        """Learn that the connection is over."""


class MemoryConnection:
    """One end. It stands in for websockets' own connection, its ``protocol`` and its ``transport`` at once."""

    subprotocol: str | None = None
    send_in_progress = None

    def __init__(self, path: str = "/") -> None:
        """Make an end that has no peer yet."""
        self.request = Request(path, Headers())
        self.state = State.OPEN
        self.close_code: int | None = None
        self.close_reason: str | None = None
        self.peer: Peer | None = None
        self._inbox: deque[Message] = deque()
        self._ended = Ended()
        self._loop = asyncio.get_running_loop()
        self._reader: asyncio.Future[None] | None = None
        self._over: asyncio.Future[None] = self._loop.create_future()

    # What the shells use of a connection

    async def send(self, message: Message, text: bool | None = None) -> None:
        """Send one message.

        Raises:
            ConnectionClosed: the connection is over.
        """
        if self.state is not State.OPEN:
            raise self._ended.as_error()
        self._hand_over(message.decode() if text and isinstance(message, bytes) else message)

    async def recv(self, decode: bool | None = None) -> Message:  # noqa: ARG002  # as websockets has it
        """Return the next message.

        Raises:
            ConnectionClosed: the connection is over and everything that came before is read.
        """
        while not self._inbox:
            if self.state is State.CLOSED:
                raise self._ended.as_error()
            self._reader = self._loop.create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        return self._inbox.popleft()

    async def __aiter__(self) -> AsyncIterator[Message]:
        """Yield messages until the connection closes normally.

        Raises:
            ConnectionClosedError: it ended otherwise.
        """
        try:
            while True:
                yield await self.recv()
        except ConnectionClosedOK:
            return

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close both ends."""
        if self.state is State.OPEN:
            said = Close(code, reason)
            self.end(Ended(said, said, received_first=False))
            if self.peer is not None:
                self.peer.end(Ended(said, said, received_first=True))
        await asyncio.sleep(0)

    async def ping(self) -> None:
        """Do nothing: an end that is there is alive."""

    async def wait_closed(self) -> None:
        """Return when the connection is over."""
        await asyncio.shield(self._over)

    # What they use of its protocol and its transport

    @property
    def protocol(self) -> "MemoryConnection":
        """Stands in for the protocol, for `websockets.asyncio.connection.broadcast`."""
        return self

    @property
    def transport(self) -> "MemoryConnection":
        """Stands in for the transport."""
        return self

    def send_text(self, payload: bytes) -> None:
        """Send text."""
        self._hand_over(payload.decode())

    def send_binary(self, payload: bytes) -> None:
        """Send binary."""
        self._hand_over(payload)

    def send_data(self) -> None:
        """Do nothing: what was sent has been handed over."""

    def get_extra_info(self, _: str) -> None:
        """Return nothing: there is no socket."""

    def abort(self) -> None:
        """End both ends without a word."""
        for end in (self, self.peer):
            if end is not None:
                end.end(Ended())

    # What passes between the ends

    def take(self, message: Message) -> None:
        """Put a message into the inbox."""
        self._inbox.append(message)
        self._wake()

    def end(self, ended: Ended) -> None:
        """Be over; what is in the inbox can still be read."""
        if self.state is not State.OPEN:
            return
        self.state = State.CLOSED
        self._ended = ended
        self.close_code = ABNORMAL if ended.received is None else ended.received.code
        self.close_reason = "" if ended.received is None else ended.received.reason
        self._over.set_result(None)
        self._wake()

    def _hand_over(self, message: Message) -> None:
        if self.state is State.OPEN and self.peer is not None:
            self.peer.take(message)

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
