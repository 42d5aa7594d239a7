"""A proxy that is not ours as the subject: one process (or none, if it runs already) for all attempts of a run.

The upstream is our mock, or the tap in front of the real API. The process is started with the first attempt, its end
is noticed and takes down the attempts that were under way, and the next attempt starts it anew.
"""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidMessage

from conformance.client import Dial
from conformance.real.api import RealApi
from conformance.runner.attempt import Attempt
from conformance.runner.failures import HarnessError, SubjectError, explain
from conformance.runner.in_process import MODEL, with_headers
from conformance.runner.refusals import Refusals
from conformance.scenario.model import Connect, Speaks
from conformance.targets.model import Target, Upstream
from conformance.targets.pairing import Pairing
from conformance.targets.process import ProxyProcess
from conformance.wire.durations import SECOND, Micros
from conformance.wire.frames import Direction, Frame, Leg
from conformance.wire.recording import Outcome
from mock_upstream.server import MockUpstream
from mock_upstream.tap import Tap

_LOG: Final = logging.getLogger(__name__)
READY: Final[Micros] = 20 * SECOND
"""How long a proxy may take until something listens on its port."""
HANDSHAKE: Final = 10.0
"""Seconds in which a client's handshake must be answered."""
FLOOD: Final = 50_000
"""So many frames down to one client are no conversation any more."""
_ENOUGH_FAILURES: Final = 2
_LARGEST_FRAME: Final = 64 * 1024 * 1024
_ANY_KEY: Final = "Bearer any-key-will-do"


class ExternalSubject:
    """Drives an external proxy; an async context manager that outlives its attempts and always stops the process."""

    def __init__(self, target: Target, *, log: Path | None = None, ready: Micros = READY, flood: int = FLOOD) -> None:
        """Describe it; ``log`` is the file that keeps what the process writes.

        Raises:
            HarnessError: the real API is wanted and the environment names no usable address or key.
        """
        self._target = target
        self._log = log
        self._ready = ready
        self._flood = flood
        self._api = _real_api() if target.upstream is Upstream.REAL else None
        self._stack = AsyncExitStack()
        self._starting = asyncio.Lock()
        self._upstream: MockUpstream | Tap | None = None
        self._pairing = Pairing()
        self._process: ProxyProcess | None = None
        self._url = target.url or ""
        self._watch: asyncio.Task[None] | None = None
        self._unusable: SubjectError | HarnessError | None = None
        """Why no attempt can be made; trying again with each of a library would take hours to say the same."""
        self._was_reached = False
        self._failed_handshakes = 0
        self._ended_idle: str | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """The key, if there is one."""
        return () if self._api is None else self._api.secrets

    async def __aenter__(self) -> Self:
        """Nothing is started before the first attempt."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the process and everything it started, then the upstream."""
        await self.stop()

    async def stop(self) -> None:
        """Stop the process and everything it started, then the upstream."""
        if self._watch is not None:
            self._watch.cancel()
        if self._process is not None:
            await self._process.stop()
        try:
            await self._stack.aclose()
        except ExceptionGroup as failures:  # the run's results must not be lost for it
            _LOG.error("Our own upstream failed during this run; please report it.", exc_info=failures)

    @asynccontextmanager
    async def join(self, attempt: Attempt) -> AsyncIterator[Dial]:
        """Make the proxy ready for an attempt and give the driver its dial.

        Raises:
            HarnessError: our own side cannot be made ready.
            SubjectError: the proxy does not start, or ended while nothing was asked of it.
        """
        async with self._starting:
            await self._make_ready()
        attempt.recorder.listeners.append(_FloodGuard(attempt, self._flood))
        if self._api is not None:
            attempt.recorder.listeners.append(Refusals(attempt, self._api))
        await self._pairing.take_turn(attempt)
        try:
            yield partial(self._dial, attempt)
        finally:
            self._pairing.leave(attempt)

    async def _dial(self, attempt: Attempt, step: Connect) -> ClientConnection:
        await self._pairing.take_turn(attempt)
        speaks_realtime = attempt.plan.cell.speaks is Speaks.REALTIME
        parts = urlsplit(self._url)
        query = {"model": MODEL} if speaks_realtime else {}
        query |= {**dict(parse_qsl(parts.query, keep_blank_values=True)), **step.query}
        headers = {"Authorization": _ANY_KEY} if speaks_realtime else {}
        try:
            connection = await connect(
                urlunsplit(parts._replace(query=urlencode(query))),
                additional_headers=with_headers(headers, step.headers),
                compression=None,
                max_size=_LARGEST_FRAME,
                open_timeout=HANDSHAKE,
                ping_interval=None,
                proxy=None,
            )
        except BaseException as error:
            self._pairing.end_turn(attempt)
            if isinstance(error, TimeoutError | OSError | InvalidMessage):
                self._note_unreachable(attempt, error)
            raise
        self._was_reached = True
        self._pairing.connected(attempt)
        return connection

    def _note_unreachable(self, attempt: Attempt, error: Exception) -> None:
        """End an attempt whose client cannot connect, and after two in a row every other, unless it was possible before."""
        if self._was_reached or (self._process is not None and not self._process.is_running):
            return  # what then happens is the attempt's own affair, or the process's end
        sentence = explain(error, self._url)
        own = self._target.command is not None
        failure = SubjectError(Outcome.UNUSABLE, sentence, self._last_lines) if own else HarnessError(sentence)
        self._failed_handshakes += 1
        if self._failed_handshakes >= _ENOUGH_FAILURES:
            self._unusable = failure
        attempt.break_off(failure)

    # The process

    async def _make_ready(self) -> None:
        if self._unusable is not None:
            raise self._unusable
        if self._upstream is None:
            self._upstream = await self._listen()
        if self._target.command is None:
            return
        if self._ended_idle is not None:
            sentence, self._ended_idle = self._ended_idle, None
            raise SubjectError(Outcome.DIED, sentence, self._last_lines)
        if self._process is None or not self._process.is_running:
            await self._start(self._target.command, self._upstream.url)

    async def _start(self, command: str, upstream_url: str) -> None:
        port = _free_port()

        def fill(text: str) -> str:
            return text.replace("{port}", str(port)).replace("{upstream_url}", upstream_url)

        self._url = fill(self._target.url or "")
        env = {name: fill(value) for name, value in self._target.env.items()}
        self._process = process = ProxyProcess(fill(command), env, self._log)
        await process.start()
        parts = urlsplit(self._url)
        host, own_port = parts.hostname or "127.0.0.1", parts.port or (443 if parts.scheme == "wss" else 80)
        if await process.listening(host, own_port, self._ready / SECOND):
            self._watch = asyncio.create_task(self._watch_over(process))
            return
        await process.settle()
        if process.is_running:
            sentence = (
                f"the proxy runs, but nothing listens on {host}:{own_port} after {self._ready / SECOND:g} s: "
                "check that its command takes {port} and that --proxy-url names the same"
            )
        else:
            sentence = f"the proxy {process.describe_exit()} before it listened on {host}:{own_port}"
        await process.stop()
        self._unusable = SubjectError(Outcome.UNUSABLE, sentence, process.last_lines)
        raise self._unusable

    async def _watch_over(self, process: ProxyProcess) -> None:
        """When the process ends, end the attempts that are under way."""
        assert process.exited is not None  # noqa: S101 (it was started)
        await asyncio.wait({process.exited})
        await process.settle()
        attempts = self._pairing.running
        sentence = f"the proxy {process.describe_exit()} during the attempt"
        if not attempts:
            self._ended_idle = f"the proxy {process.describe_exit()} after the attempt before this one; it is started anew"
        for attempt in attempts:
            attempt.break_off(SubjectError(Outcome.DIED, sentence, process.last_lines))
        await process.stop()

    @property
    def _last_lines(self) -> tuple[str, ...]:
        return () if self._process is None else self._process.last_lines

    async def _listen(self) -> MockUpstream | Tap:
        port = self._target.mock_port or 0
        upstream: MockUpstream | Tap = (
            MockUpstream(self._pairing.assign, port=port)
            if self._api is None
            else Tap(self._api.address, self._pairing.assign, port=port, headers=self._api.headers)
        )
        try:
            await self._stack.enter_async_context(upstream)
        except OSError as error:
            raise HarnessError(
                f"our upstream cannot listen on 127.0.0.1:{port} ({error.strerror or error}): "
                "stop what uses the port, or choose another mock port"
            ) from None
        return upstream


class _FloodGuard:
    """Breaks an attempt off when its client is flooded, before memory is."""

    def __init__(self, attempt: Attempt, limit: int) -> None:
        self._attempt = attempt
        self._limit = limit
        self._seen = 0

    def __call__(self, frame: Frame) -> None:
        if frame.leg is Leg.CLIENT and frame.dir is Direction.DOWN:
            self._seen += 1
            if self._seen == self._limit:
                sentence = f"the proxy flooded its client with {self._limit:,} frames"
                self._attempt.break_off(SubjectError(Outcome.UNUSABLE, sentence))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _real_api() -> RealApi:
    try:
        return RealApi.from_environment()
    except ValueError as error:
        raise HarnessError(str(error)) from None


class ExternalSubjects:
    """The external subjects of a run, one per target; their logs go into its folder."""

    def __init__(self, folder: Path) -> None:
        """Start with none; ``folder`` is the run's."""
        self._folder = folder
        self._subjects: dict[str, ExternalSubject] = {}

    def of(self, target: Target) -> ExternalSubject | None:
        """Return the subject of a target; None if the target is in this process.

        Raises:
            HarnessError: the real API is wanted and the environment names no usable address or key.
        """
        if not target.is_external:
            return None
        if target.name not in self._subjects:
            self._subjects[target.name] = ExternalSubject(target, log=self._folder / f"{target.name}.log")
        return self._subjects[target.name]

    async def stop(self) -> None:
        """Stop every process."""
        await asyncio.gather(*(subject.stop() for subject in self._subjects.values()))
