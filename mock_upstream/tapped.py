"""A tapped connection: one to a real upstream that records what crosses it.

In process it stands in for the proxy's own connection; `mock_upstream.tap` puts it behind a listening socket.
"""

import socket
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.connection import Connection
from websockets.exceptions import ConnectionClosed

from conformance.wire.frames import Direction, Kind
from conformance.wire.recording import Sink
from mock_upstream.auth import public_query

ABNORMAL: Final = 1006
"""The code that stands for an end without a closing handshake."""


class Tapped:
    """A connection to the upstream that records what crosses it, in the order in which it does."""

    def __init__(self, connection: ClientConnection, sink: Sink | None, conn: int) -> None:
        """Record the opening; ``conn`` numbers the connection within its attempt; no sink records nothing."""
        self._connection = connection
        self._sink = sink
        self._conn = conn
        self._closed = False
        request = connection.request
        self._record(Direction.UP, Kind.OPEN, describe_request(request.path if request else "", connection.subprotocol))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def send(self, message: str | bytes) -> None:
        """Send one message up."""
        self._record(Direction.UP, _kind(message), message)
        await self._connection.send(message)

    async def recv(self, decode: bool | None = None) -> str | bytes:
        """Return the next message from the upstream.

        Raises:
            ConnectionClosed: there is none; the end is recorded.
        """
        try:
            message = await self._connection.recv(decode)
        except ConnectionClosed as error:
            self._record_close(Direction.DOWN, *close_of(error))
            raise
        self._record(Direction.DOWN, _kind(message), message)
        return message

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Yield messages until the connection closes normally."""
        with suppress(ConnectionClosed):
            while True:
                yield await self.recv()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close towards the upstream."""
        self._record_close(Direction.UP, code, reason)
        await self._connection.close(code, reason)

    def abort(self) -> None:
        """End the connection without a closing handshake."""
        self._record_close(Direction.UP, ABNORMAL, "")
        abort(self._connection)

    def _record(self, direction: Direction, kind: Kind, body: str | bytes | Mapping[str, Any]) -> None:
        if self._sink is not None:
            self._sink(self._conn, direction, kind, body)

    def _record_close(self, direction: Direction, code: int, reason: str) -> None:
        if not self._closed:
            self._closed = True
            self._record(direction, Kind.CLOSE, {"code": code, "reason": reason})


def describe_request(target: str, subprotocol: str | None) -> dict[str, Any]:
    """Return what an ``open`` frame says of a request: its path, its query without secrets, the chosen subprotocol."""
    parts = urlsplit(target)
    return {"path": parts.path, "query": public_query(dict(parse_qsl(parts.query))), "subprotocol": subprotocol}


def close_of(error: ConnectionClosed) -> tuple[int, str]:
    """Return the code and reason with which the peer closed; 1006 when it did not say goodbye."""
    if error.rcvd is not None:
        return error.rcvd.code, error.rcvd.reason
    return ABNORMAL, ""


def abort(connection: Connection) -> None:
    """End a connection without a closing handshake: with RST on TCP."""
    transport: Any = connection.transport
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _kind(message: str | bytes) -> Kind:
    return Kind.TEXT if isinstance(message, str) else Kind.BINARY
