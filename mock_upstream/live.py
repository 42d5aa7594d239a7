"""A session on a connection: frames and the time go in, actions are carried out, both are recorded.

The pure session decides; this decides nothing. All frames of one step leave in one write. The timer is the session's own
deadline, and a step is never earlier than the deadline that caused it, whatever a float second made of it.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, Protocol

from conformance.wire.durations import SECOND, Micros
from conformance.wire.frames import BINARY, CLOSE, DOWN, MARK, TEXT, UP, Direction
from conformance.wire.recording import Sink
from mock_upstream.actions import Abort, Action, Close, HalfOpen, Mark, NoPong, Send
from mock_upstream.connection import Connection, Ending

LOG: Final = logging.getLogger("mock_upstream")
_ABNORMAL: Final = 1006
_INTERNAL_ERROR: Final = 1011


class Core(Protocol):
    """What a session is to its shell; `mock_upstream.session.Session` is one."""

    def open(self, now: Micros) -> Sequence[Action]:
        """Begin."""

    def receive(self, frame: str | bytes, now: Micros) -> Sequence[Action]:
        """Take a client's message."""

    def wake(self, now: Micros) -> Sequence[Action]:
        """Do what has become due."""

    def deadline(self) -> Micros | None:
        """Tell when something becomes due."""

    def closed(self, now: Micros) -> None:
        """Learn that the client is gone."""


class Live:
    """One session that a client talks to."""

    def __init__(
        self,
        core: Core,
        connection: Connection,
        *,
        conn: int,
        now: Callable[[], Micros],
        sink: Sink | None,
        on_end: Callable[["Live", Exception | None], None],
    ) -> None:
        self._core = core
        self._connection = connection
        self._conn = conn
        self._now = now
        self._sink = sink
        self._prefers_bytes: bool = getattr(sink, "prefers_bytes", False)
        self._many: Callable[[int, Direction, Sequence[bytes]], None] | None = getattr(sink, "many", None)
        self._flush: Callable[[], None] | None = getattr(sink, "flush", None)
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._due: Micros | None = None
        self._over = False

    def start(self) -> None:
        """Let the session speak first."""
        self._step(self._core.open)

    def message(self, frame: str | bytes) -> None:
        """Give the session a client's message."""
        if self._sink is not None:
            self._sink(self._conn, UP, TEXT if isinstance(frame, str) else BINARY, frame)
        self._step(partial(self._core.receive, frame))

    def flush(self) -> None:
        """Let the recording be as far as the client will be."""
        if self._flush is not None and not self._over:
            self._flush()

    def closed(self, ending: Ending) -> None:
        """Record how the connection ended, and tell the session."""
        self._record_close(UP if ending.by_client else DOWN, ending.code, ending.reason)
        self._core.closed(self._now())
        self._finish()

    def stop(self, code: int = 1001, reason: str = "") -> None:
        """Close from outside: the server goes away."""
        if not self._over:
            self._close(Close(code, reason))

    def _step(self, step: Callable[[Micros], Sequence[Action]], at: Micros | None = None) -> None:
        now = self._now()
        try:
            self._carry_out_all(step(now if at is None else max(now, at)))
        except Exception as error:  # a session that raises is our bug; the client must not wait for ever
            LOG.exception("the session failed; please report it with this recording")
            if self._sink is not None:  # or a judge would take what follows for the upstream's end
                failed = {"mark": "mock-failed", "error": type(error).__name__}
                self._sink(self._conn, DOWN, MARK, failed)
            self._close(Close(_INTERNAL_ERROR, "the mock failed; its log says how"), error)
        self._connection.flush()
        if not self._over:
            self._schedule()

    def _carry_out_all(self, actions: Sequence[Action]) -> None:
        """Carry out a step; a run of ordinary events, perhaps hundreds of deltas, goes out and is recorded together."""
        run: list[bytes] = []
        for action in actions:
            if not isinstance(action, Send):
                self._send_run(run)
                self._carry_out(action)
            elif self._many is not None and action.is_ordinary:
                run.append(action.text)
            else:
                self._send_run(run)
                self._send(action)
        self._send_run(run)

    def _send_run(self, run: list[bytes]) -> None:
        if not run:
            return
        if self._many is not None and not self._over:
            self._connection.send_many(run)
            self._many(self._conn, DOWN, run)
        run.clear()

    def _send(self, send: Send) -> None:
        if self._over:
            return
        self._connection.send(send.text, binary=send.binary)
        if self._sink is None:
            return
        body: str | bytes | Mapping[str, Any] | None
        if send.binary or (self._prefers_bytes and send.is_readable):
            body = send.text
        elif send.is_readable:
            body = send.event
        else:
            body = send.text.decode("utf-8", "replace")
        kind = BINARY if send.binary else TEXT
        self._sink(self._conn, DOWN, kind, body or b"", send.scripted)

    def _carry_out(self, action: Action) -> None:
        if self._over:
            return
        match action:
            case Mark(body, scripted):
                if self._sink is not None:
                    self._sink(self._conn, DOWN, MARK, body, scripted)
            case Close():
                self._close(action)
            case Abort(scripted):
                self._connection.flush()
                self._record_close(DOWN, _ABNORMAL, "", scripted)
                self._connection.abort()
                self._finish()
            case HalfOpen():
                self._connection.flush()
                self._connection.go_silent()
                self._finish()
            case NoPong():
                self._connection.ignore_pings()

    def _close(self, close: Close, error: Exception | None = None) -> None:
        self._record_close(DOWN, close.code, close.reason, close.scripted)
        self._connection.close(close.code, close.reason)
        self._finish(error)

    def _record_close(self, direction: Direction, code: int, reason: str, scripted: str | None = None) -> None:
        if self._sink is not None:
            self._sink(self._conn, direction, CLOSE, {"code": code, "reason": reason}, scripted)

    def _finish(self, error: Exception | None = None) -> None:
        if not self._over:
            self._over = True
            if self._timer is not None:
                self._timer.cancel()
            self._on_end(self, error)

    def _schedule(self) -> None:
        due = self._core.deadline()
        if due == self._due:
            return
        self._due = due
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due is not None:
            wait = max(0, due - self._now()) / SECOND
            self._timer = self._loop.call_at(self._loop.time() + wait, self._wake, due)

    def _wake(self, due: Micros) -> None:
        self._due = self._timer = None
        self._step(self._core.wake, due)
