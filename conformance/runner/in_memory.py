"""The subject in this process without a socket: the same cores and shells, wired by whole messages in memory.

The fastest way to make an attempt, for exploring many; the recording differs from that over WebSockets only where WebSocket
itself shows (pings, closing handshakes that take time).
"""

import asyncio
import errno
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import cast
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.frames import Close
from websockets.http11 import Response

from conformance.client import Dial
from conformance.reference_proxy.translator import Translator
from conformance.runner.attempt import Attempt
from conformance.runner.in_process import AUTHORIZATION, MODEL, with_headers
from conformance.runner.memory import ABNORMAL, Ended, MemoryConnection, Message, Peer
from conformance.runner.memory_proxy import MemoryProxy
from conformance.scenario.model import Connect, Speaks
from conformance.wire.durations import SECOND
from conformance.wire.frames import Direction, Kind
from mock_upstream.actions import Setup
from mock_upstream.auth import public_query, shown_key, without_secrets
from mock_upstream.connection import Connection, Ending
from mock_upstream.handshakes import handshake_fault
from mock_upstream.live import Live
from mock_upstream.server import PATH, core_of


class InMemory:
    """The reference proxy (or a broken one) and the mock, in memory."""

    secrets: tuple[str, ...] = ()

    def __init__(self, translator: Callable[[], Translator] = Translator) -> None:
        """Choose what translates."""
        self._translator = translator

    @asynccontextmanager
    async def join(self, attempt: Attempt) -> AsyncIterator[Dial]:
        """Give the driver a dial that makes a proxy session, or a mock session, for each connection."""
        failures: list[Exception] = []

        async def to_mock(connect: Connect) -> ClientConnection:
            client = MemoryConnection(_path(PATH, {"model": MODEL, **connect.query}))
            client.peer = await _open_mock(client, attempt, connect, failures)
            return cast("ClientConnection", client)

        async def to_proxy(connect: Connect) -> ClientConnection:
            client = MemoryConnection(_path("/", connect.query))
            client.peer = MemoryProxy(client, open_upstream, self._translator())
            return cast("ClientConnection", client)

        async def open_upstream(near: Peer) -> Peer:
            return await _open_mock(near, attempt, Connect(), failures)

        yield to_mock if attempt.plan.cell.speaks is Speaks.REALTIME else to_proxy
        if failures:
            raise ExceptionGroup("the mock itself failed; please report it", failures)


async def _open_mock(client: Peer, attempt: Attempt, connect: Connect, failures: list[Exception]) -> Peer:
    """Open a session of the mock.

    Raises:
        InvalidStatus: the script or the fault refuses the handshake.
        ConnectionResetError: it refuses even the connection.
    """
    query = {"model": MODEL, **connect.query}
    headers = {name.lower(): value for name, value in with_headers(AUTHORIZATION, connect.headers).items()}
    assignment = attempt.assign()
    opening = {"path": PATH, "query": public_query(query), "subprotocol": None}
    fault, scripted = handshake_fault(assignment)
    if fault is not None and fault.refuses:
        attempt.upstream_sink(assignment.conn, Direction.UP, Kind.OPEN, {**opening, "status": fault.status}, scripted)
        attempt.closed()
        if fault.status is None:
            raise ConnectionResetError(errno.ECONNRESET, "the upstream reset the connection")
        raise InvalidStatus(Response(fault.status, "", Headers()))
    if fault is not None:
        await asyncio.sleep(fault.delay / SECOND)
    attempt.upstream_sink(assignment.conn, Direction.UP, Kind.OPEN, opening, scripted)
    key = shown_key(headers, ())
    setup = Setup(
        script=assignment.script,
        seed=assignment.seed,
        epoch=assignment.epoch,
        conn=assignment.conn,
        model=query.get("model"),
        intent=query.get("intent"),
        query=query,
        headers=without_secrets(headers),
        key=key,
        valid_key=key is not None,
        fault=assignment.fault,
    )
    end = _MockEnd(client)
    end.serve(setup, attempt, failures)
    return end


class _MockEnd:
    """The mock's end: what `Live` asks of a connection."""

    def __init__(self, client: Peer) -> None:
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._live: Live
        self._is_silent = False

    def serve(self, setup: Setup, attempt: Attempt, failures: list[Exception]) -> None:
        """Start the session."""

        def ended(_: Live, error: Exception | None) -> None:
            attempt.closed()
            if error is not None:
                failures.append(error)

        connection = cast("Connection", self)
        self._live = Live(
            core_of(setup), connection, conn=setup.conn, now=attempt.now, sink=attempt.upstream_sink, on_end=ended
        )
        self._loop.call_soon(self._live.start)

    # What comes from the client

    def take(self, message: Message) -> None:
        """Pass a message on in a later turn of the loop, as a socket would."""
        if not self._is_silent:
            self._loop.call_soon(self._live.message, message)

    def end(self, ended: Ended) -> None:
        """Pass the end on, after the messages before it."""
        code, reason = (ABNORMAL, "") if ended.received is None else (ended.received.code, ended.received.reason)
        if not self._is_silent:
            self._loop.call_soon(self._close_live, Ending(code, reason, by_client=True))

    def _close_live(self, ending: Ending) -> None:
        if not self._is_silent:
            self._is_silent = True
            self._live.closed(ending)

    # What the session asks for

    def send(self, payload: bytes, *, binary: bool = False) -> None:
        """Send a frame."""
        self._client.take(payload if binary else payload.decode())

    def flush(self) -> None:
        """Do nothing: what was sent has arrived."""

    def close(self, code: int, reason: str) -> None:
        """Close the client's end."""
        self._is_silent = True
        said = Close(code, reason)
        self._client.end(Ended(said, said, received_first=True))

    def abort(self) -> None:
        """Cut the client off."""
        self._is_silent = True
        self._client.end(Ended())

    def go_silent(self) -> None:
        """Hear nothing more."""
        self._is_silent = True

    def ignore_pings(self) -> None:
        """Do nothing: there are no pings."""


def _path(path: str, query: Mapping[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path
