"""A virtual clock: an asyncio loop whose time advances only when nothing is left to do, over real sockets.

Theory. The loop asks its selector to sleep until the next timer. Ours first polls. If something is ready, it is done at the
present instant. If nothing is, the loop may *jump* to that timer, provided that nothing outside the loop can still make
something ready:

- *Executor jobs* (name resolution included, which asyncio runs there) and *subprocesses* are counted. While one is pending,
  the loop really sleeps until the timer: virtual time then passes no faster than the wall's, so a slow job causes no false
  timeout, and no measured duration enters the virtual time, since a wake-up leaves it where it was.
- *Unix sockets and socketpairs* deliver synchronously: what `send` accepted is in the peer's queue, and room that `recv`
  made is writable, before the system call returns. So an empty poll proves that every byte written was read, or that its
  reader has paused. A paused reader waits for its own program, perhaps for a timer; counting bytes would deadlock there.
- *TCP to ourselves* passes through the kernel's soft interrupts, which a loaded machine may defer. A byte is in flight when
  the sending socket still holds it unacknowledged (``SIOCOUTQ``) and the socket it is meant for, also ours, is being
  read; a connection is while its connect is not answered. While something is in flight, and for one honest millisecond
  anyway (a closed socket cannot be asked for its last segment), the loop sleeps as above. A peer in another process
  cannot be asked: such subjects belong on the real clock.

If nothing is ready, scheduled or pending, nothing can ever happen again: `Deadlock` is raised instead of hanging.

Time is integer microseconds. Timers are rounded up to the next one, and a delay that is not zero takes at least one, so
that code which sleeps "the rest" of a float always arrives. A raw thread that calls `call_soon_threadsafe` cannot be
seen; use an executor.
"""

import asyncio
import errno
import fcntl
import math
import selectors
import socket
import struct
import termios
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from contextvars import Context
from typing import Any, Final, TypeVar, TypeVarTuple

from conformance.wire.durations import SECOND, Micros, format_duration

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_TCP_SETTLE: Final = 0.001
"""How long, in real seconds, an empty poll must last before it is believed while TCP sockets are open."""

_ROUNDING: Final = 1e-4
"""What a float second's product with a million may be off by (µs), for times up to a year."""


class Deadlock(RuntimeError):  # noqa: N818 (a state of the program, named as people name it)
    """Nothing is ready, scheduled or pending: the program waits for something that cannot happen."""


class _JumpingSelector(selectors.DefaultSelector):
    """A selector that, asked to sleep, moves `now` instead, unless `outside` says that other work is pending."""

    def __init__(self, outside: Callable[[], bool], deadlock: Callable[[], Deadlock]) -> None:
        super().__init__()
        self.now: Micros = 0
        self._outside = outside
        self._deadlock = deadlock
        self._tcp: set[int] = set()
        self._watched = 0

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Watch a file, and remember it if it is a TCP socket, also when it is later paused."""
        key = super().register(fileobj, events, data)
        (self._tcp.add if _is_tcp(key.fd) else self._tcp.discard)(key.fd)
        self._watched = len(self.get_map())
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """Watch a file no more."""
        key = super().unregister(fileobj)
        self._watched = len(self.get_map())
        return key

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; if nothing is, let ``timeout`` seconds (None: for ever) pass on the virtual clock."""
        if self._watched == 1 and timeout is not None and (timeout <= 0 or not self._outside()):
            # Only the loop's own wake-up pipe is watched: nobody is there to write to it, or the loop is awake anyway.
            self.now += round(timeout * SECOND) if timeout > 0 else 0
            return []
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        ready = self._wait_outside(timeout)
        if ready or timeout is None:
            return ready
        self.now += round(timeout * SECOND)
        return []

    def _wait_outside(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        """Sleep for real, at most ``timeout``, for as long as work outside the loop could make something ready."""
        if self._outside():
            return super().select(timeout)
        slept = 0.0
        while self._tcp and (timeout is None or slept < timeout):
            ready = super().select(_TCP_SETTLE)
            if ready:
                return ready
            slept += _TCP_SETTLE
            if not self._in_flight():
                break
        if timeout is None:
            raise self._deadlock()
        return []

    def _in_flight(self) -> bool:
        """Tell whether a TCP connection is being made, or holds bytes for a socket of ours that is being read."""
        reading: dict[tuple[Any, Any], bool] = {}
        unacknowledged = []
        for fd in tuple(self._tcp):
            key = self.get_map().get(fd)
            watched = 0 if key is None else key.events
            try:
                with _borrowed(fd) as end:
                    if not _is_connected(end):
                        if watched & selectors.EVENT_WRITE:
                            return True
                        continue
                    ours, theirs = end.getsockname(), end.getpeername()
                    (held,) = struct.unpack("i", fcntl.ioctl(fd, termios.TIOCOUTQ, b"\0\0\0\0"))
            except OSError:  # closed since
                self._tcp.discard(fd)
                continue
            reading[ours, theirs] = bool(watched & selectors.EVENT_READ)
            if held:
                unacknowledged.append((theirs, ours))
        return any(reading.get(receiver, False) for receiver in unacknowledged)


@contextmanager
def _borrowed(fd: int) -> Iterator[socket.socket]:
    """Yield a socket object for a file descriptor that stays somebody else's."""
    borrowed = socket.socket(fileno=fd)
    try:
        yield borrowed
    finally:
        borrowed.detach()


def _is_connected(end: socket.socket) -> bool:
    try:
        end.getpeername()
    except OSError as error:
        if error.errno == errno.ENOTCONN:
            return False
        raise
    return True


def _is_tcp(fd: int) -> bool:
    try:
        with _borrowed(fd) as end:
            return end.family in (socket.AF_INET, socket.AF_INET6) and end.type == socket.SOCK_STREAM
    except OSError:
        return False


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on the virtual clock; its time starts at 0."""

    def __init__(self) -> None:
        self._pending = 0
        self._children: list[asyncio.SubprocessTransport] = []
        self._clock = _JumpingSelector(self._is_work_outside, self._explain_deadlock)
        super().__init__(self._clock)

    def time(self) -> float:
        """Return the virtual time in seconds, a whole number of microseconds."""
        return self._clock.now / SECOND

    def micros(self) -> Micros:
        """Return the virtual time in microseconds."""
        return self._clock.now

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Schedule a callback; a time ahead of now is rounded up to a microsecond ahead of now."""
        exact = when * SECOND
        due = math.ceil(exact - _ROUNDING)
        if due <= self._clock.now < exact:
            due = self._clock.now + 1
        return super().call_at(due / SECOND, callback, *args, context=context)

    def run_in_executor(  # type: ignore[override]  # typeshed's is generic in the arguments; this one only counts
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Run a job in a thread or process; until it is done the clock does not jump."""
        future: asyncio.Future[Any] = super().run_in_executor(executor, func, *args)
        self._pending += 1
        future.add_done_callback(self._settle)
        return future

    async def subprocess_exec(self, *args: Any, **kwargs: Any) -> Any:
        """Start a process; while it lives the clock does not jump."""
        return await self._start_child(super().subprocess_exec(*args, **kwargs))

    async def subprocess_shell(self, *args: Any, **kwargs: Any) -> Any:
        """Start a shell; while it lives the clock does not jump."""
        return await self._start_child(super().subprocess_shell(*args, **kwargs))

    async def shutdown_default_executor(self, *args: Any, **kwargs: Any) -> None:
        """Wait, really, for the executor's threads to end."""
        self._pending += 1
        try:
            await super().shutdown_default_executor(*args, **kwargs)
        finally:
            self._pending -= 1

    def end(self) -> None:
        """Cancel what still runs, let it end, and close."""
        try:
            self.run_until_complete(self._wind_down(asyncio.all_tasks(self)))
        finally:
            self.close()

    async def _wind_down(self, left: Iterable[asyncio.Task[Any]]) -> None:
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self.shutdown_asyncgens()
        await self.shutdown_default_executor()

    async def _start_child(self, start: Any) -> Any:
        self._pending += 1
        try:
            transport, protocol = await start
        finally:
            self._pending -= 1
        self._children.append(transport)
        return transport, protocol

    def _settle(self, _: object) -> None:
        self._pending -= 1

    def _is_work_outside(self) -> bool:
        if self._children:
            self._children = [child for child in self._children if child.get_returncode() is None]
        return self._pending > 0 or bool(self._children)

    def _explain_deadlock(self) -> Deadlock:
        waiting = sorted(_where(task) for task in asyncio.all_tasks(self))
        return Deadlock(
            f"at {format_duration(self._clock.now)} nothing is ready, scheduled or pending, "
            f"yet {len(waiting)} task(s) wait: {'; '.join(waiting)}"
        )


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Run ``main`` to its end on a fresh loop and return what it returns; tasks left over are cancelled.

    `asyncio.Runner` turns an interrupt into a cancellation; to do so it formats the task twice, which costs more than all
    else about a loop. Here an interrupt is raised where the program is, and its tasks are cancelled then.

    Raises:
        Deadlock: ``main`` waits for something that cannot happen any more.
    """
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.end()


def _where(task: asyncio.Task[Any]) -> str:
    """Say where a task waits: its own stack shows the outermost coroutine only, so follow what each one awaits."""
    place = ""
    waiting: Any = task.get_coro()
    while waiting is not None:
        frame = getattr(waiting, "cr_frame", None) or getattr(waiting, "gi_frame", None)
        if frame is not None:
            place = f" in {frame.f_code.co_filename}:{frame.f_lineno}"
        waiting = getattr(waiting, "cr_await", None) or getattr(waiting, "gi_yieldfrom", None)
    return f"{task.get_name()}{place}"
