"""The shell of the reference proxy: WebSockets on both sides of a `Translator` for each client.

It carries frames and out the translator's actions, in their order, and calls it when its deadline has come. A session
that fails ends alone. Memory is bounded: frames by size, a peer that does not read by its socket.
"""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import orjson
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import Server, ServerConnection, serve, unix_serve
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from conformance.reference_proxy.actions import Action, CloseClient, CloseUpstream, ToClient, ToUpstream
from conformance.reference_proxy.translator import Translator
from conformance.wire.durations import SECOND, Micros

_LOG: Final = logging.getLogger(__name__)
_LARGEST_CLIENT_FRAME: Final = 32 * 1024 * 1024
_BACKLOG: Final = 1024
_CLOSE_TIMEOUT: Final = 2.0

Dial = Callable[[], Awaitable[Connection]]
"""Opens one upstream connection."""


class ReferenceProxy:
    """Serves the reference proxy; an async context manager."""

    def __init__(
        self,
        dial: Dial,
        *,
        translator: Callable[[], Translator] = Translator,
        host: str = "127.0.0.1",
        port: int = 0,
        unix_path: Path | str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Serve on ``host``:``port`` (0: any free one), or on a Unix socket; ``dial`` connects each client's upstream."""
        self._dial = dial
        self._translator = translator
        self._host = host
        self._port = port
        self._unix_path = unix_path
        self._tls = tls
        self._server: Server | None = None

    @property
    def port(self) -> int:
        """The TCP port served on; 0 on a Unix socket."""
        if self._server is None or self._unix_path is not None:
            return self._port
        port: int = next(iter(self._server.sockets)).getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """Where clients connect."""
        if self._unix_path is not None:
            return "ws://localhost/"
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'wss' if self._tls else 'ws'}://{host}:{self.port}/"

    async def __aenter__(self) -> Self:
        """Start to serve."""
        serve_here = (
            partial(serve, host=self._host, port=self._port)
            if self._unix_path is None
            else partial(unix_serve, path=str(self._unix_path))
        )
        self._server = await serve_here(
            self._handle,
            max_size=_LARGEST_CLIENT_FRAME,
            compression=None,
            close_timeout=_CLOSE_TIMEOUT,
            select_subprotocol=_select_subprotocol,
            ssl=self._tls,
            backlog=_BACKLOG,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every session with 1001 and stop."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _handle(self, client: ServerConnection) -> None:
        await Session(client, self._dial, self._translator()).run()


class Session:
    """One client, its upstream and the translator between them."""

    def __init__(self, client: Connection, dial: Dial, translator: Translator) -> None:
        """Wire the two; nothing is dialled yet."""
        self._client = client
        self._dial = dial
        self._translator = translator
        self._upstream: Connection | None = None
        self._order = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        self._start = self._loop.time()
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at: Micros = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Carry frames until the client's connection has ended; then nothing of the session is left."""
        self._spawn(self._run_upstream())
        try:
            async for frame in self._client:
                await self._perform(self._translator.client_frame(frame, self._now()))
        except ConnectionClosed:
            pass  # how the client left makes no difference upstream
        finally:
            await self._perform(self._translator.client_closed(self._now()))
            if self._alarm is not None:
                self._alarm.cancel()
            tasks = [task for task in self._tasks if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._upstream is not None:
                await self._upstream.close()

    async def _run_upstream(self) -> None:
        try:
            self._upstream = upstream = await self._dial()
        except (OSError, InvalidHandshake, TimeoutError) as error:
            await self._perform(self._translator.upstream_refused(explain_refusal(error), self._now()))
            return
        await self._perform(self._translator.upstream_opened(self._now()))
        with contextlib.suppress(ConnectionClosed):
            async for frame in upstream:
                await self._perform(self._translator.upstream_frame(frame, self._now()))
        code = upstream.close_code or 1006
        await self._perform(self._translator.upstream_closed(code, upstream.close_reason or "", self._now()))

    async def _perform(self, actions: Iterable[Action]) -> None:
        """Carry out actions after those that came before, then set the alarm."""
        async with self._order:
            for action in actions:
                with contextlib.suppress(
                    ConnectionClosed
                ):  # the reader of that side sees it, too, and tells the translator
                    await self._carry_out(action)
        self._set_alarm()

    async def _carry_out(self, action: Action) -> None:
        match action:
            case ToClient(message):
                await self._client.send(message if isinstance(message, bytes) else orjson.dumps(message).decode())
            case ToUpstream(event) if self._upstream is not None:
                await self._upstream.send(event if isinstance(event, bytes) else orjson.dumps(event).decode())
            case CloseClient(code, reason):
                await self._client.close(code, reason)
            case CloseUpstream(code, reason) if self._upstream is not None:
                await self._upstream.close(code, reason)
            case _:
                pass  # the upstream is not there

    def _set_alarm(self) -> None:
        deadline = self._translator.deadline()
        if deadline is None or (self._alarm is not None and self._alarm_at <= deadline):
            return  # an alarm that rings too early does no harm; while somebody speaks, each frame puts the deadline off
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = deadline
        self._alarm = self._loop.call_at(self._start + deadline / SECOND, self._on_alarm)

    def _on_alarm(self) -> None:
        self._alarm = None
        self._spawn(self._wake())

    async def _wake(self) -> None:
        """Ask the translator and take the turn to carry out in one go: a frame that came first goes out first."""
        await self._perform(self._translator.wake(self._now()))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_task_end)

    def _on_task_end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _LOG.error("A session failed and was closed; the others go on.", exc_info=error)
            self._spawn(self._client.close(1011, "the proxy failed"))

    def _now(self) -> Micros:
        return round((self._loop.time() - self._start) * SECOND)


def _select_subprotocol(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Take the first one offered: browsers put a token there, and hang up if none is chosen."""
    return next(iter(offered), None)


def explain_refusal(error: Exception) -> str:
    """Say why the upstream could not be dialled."""
    match error:
        case InvalidStatus():
            return f"The upstream refused the connection with HTTP {error.response.status_code}."
        case TimeoutError():
            return "The upstream did not answer the handshake in time."
        case _:
            return f"The upstream cannot be reached: {error}."
