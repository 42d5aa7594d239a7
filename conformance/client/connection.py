"""One connection of the client leg: what goes over it is recorded as it goes."""

import asyncio
from contextlib import suppress

import orjson
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.connection import broadcast
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.protocol import State

from conformance.client.python_steps import Message
from conformance.wire.frames import BINARY, CLOSE, DOWN, OPEN, TEXT, UP, Direction
from conformance.wire.recording import Sink
from mock_upstream.tapped import ABNORMAL, abort, describe_request


class Line:
    """An open WebSocket of the client leg. Its reader records what comes; `send` and `close` record what goes.

    A frame is recorded just before it is written, and writing does not yield to the loop in between, so on both legs the
    recording has causes before their effects.
    """

    def __init__(self, socket_: ClientConnection, conn: int, sink: Sink) -> None:
        """Record the opening and start to listen."""
        self.conn = conn
        self._socket = socket_
        self._sink = sink
        self._close_recorded = False
        request = socket_.request
        sink(conn, UP, OPEN, describe_request(request.path if request else "/", socket_.subprotocol))
        self._reader = asyncio.create_task(self._read(), name=f"client line {conn}")
        self._closing: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """True until either side closes."""
        return not self._close_recorded and self._socket.state is State.OPEN

    def send(self, message: Message) -> None:
        """Write one frame: a mapping as JSON text, a string verbatim as text, bytes as a binary frame.

        Like a browser's ``send`` it never blocks; what the peer does not read yet waits in memory.
        """
        is_binary = isinstance(message, bytes)
        self._sink(self.conn, UP, BINARY if is_binary else TEXT, message)
        body = message if isinstance(message, (str, bytes)) else orjson.dumps(message)
        broadcast((self._socket,), body, text=not is_binary)

    async def ping(self) -> bool:
        """Send a ping; False if the connection ended before. Control frames are not recorded, only the step is."""
        try:
            await self._socket.ping()
        except ConnectionClosed:
            return False
        return True

    def close(self, code: int, reason: str) -> None:
        """Start the closing handshake; `wait_closed` waits for its end."""
        self._record_close(UP, code, reason)
        self._closing = asyncio.create_task(self._socket.close(code, reason), name=f"client line {self.conn} closes")

    async def listen(self, until: float) -> None:
        """Return at loop time ``until``, or when the connection is closed."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await asyncio.shield(self._reader)

    def abort(self) -> None:
        """Cut the connection off without a closing handshake; over TCP by a reset."""
        self._record_close(UP, ABNORMAL, "")
        abort(self._socket)

    def drop(self) -> None:
        """Cut the connection off, should it still be open, and record nothing more of it."""
        if self.is_open:
            self.abort()
        self._reader.cancel()

    async def wait_closed(self) -> None:
        """Return once the connection is closed and everything it carried is recorded."""
        if self._closing is not None:
            await self._closing
        await asyncio.shield(self._reader)

    async def _read(self) -> None:
        try:
            while True:
                message = await self._socket.recv()
                self._sink(self.conn, DOWN, TEXT if isinstance(message, str) else BINARY, message)
        except ConnectionClosed as closed:
            theirs, ours = closed.rcvd, closed.sent
            if theirs is not None and (ours is None or closed.rcvd_then_sent):
                self._record_close(DOWN, theirs.code, theirs.reason)
            elif ours is not None:  # we failed the connection: the peer broke WebSocket itself
                self._record_close(UP, ours.code, ours.reason)
            else:
                self._record_close(DOWN, ABNORMAL, "")

    def _record_close(self, direction: Direction, code: int, reason: str) -> None:
        if not self._close_recorded:
            self._close_recorded = True
            self._sink(self.conn, direction, CLOSE, {"code": code, "reason": reason})


def describe_failure(error: BaseException) -> tuple[int | None, str]:
    """Return the HTTP status of a refused handshake (None without one), and what happened in one line."""
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        return status, f"the handshake was refused with HTTP {status}"
    if isinstance(error, TimeoutError):
        return None, "no handshake within the time allowed"
    return None, str(error) or type(error).__name__
