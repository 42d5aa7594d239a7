"""Attempts that wait in real time, started ahead of pytest so that many wait at once.

pytest runs its items one by one in the main thread; a background loop keeps up to ``concurrency`` of the attempts that
come next in flight. What was started ahead and is no longer wanted is cancelled, and recorded as such.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Future
from threading import Lock, Thread
from typing import Any, Generic, TypeVar

Key = TypeVar("Key")
Result = TypeVar("Result")

_STOP_TIMEOUT_S = 60.0


class LookAhead(Generic[Key, Result]):
    """Runs ``start(key)`` for the keys in order, at most ``concurrency`` at a time.

    At most ``room`` results wait to be asked for: with an early stop (``-x``) in view few, so that it has not run
    everything; else many, so that one long attempt does not keep the others waiting. What nobody has asked for yet starts
    only while ``may_start()`` says so.
    """

    def __init__(
        self,
        start: Callable[[Key], Coroutine[Any, Any, Result]],
        order: Sequence[Key],
        concurrency: int,
        may_start: Callable[[], bool] = lambda: True,
        room: int | None = None,
    ) -> None:
        """Start the background loop; nothing is in flight yet. ``room`` is twice the concurrency unless given."""
        self._room = 2 * concurrency if room is None else room
        self._start = start
        self._may_start = may_start
        self._waiting = list(order)
        self._concurrency = concurrency
        self._pending: dict[Key, Future[Result]] = {}
        self._lock = Lock()
        self._stopping = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="attempts", daemon=True)
        self._thread.start()

    def obtain(self, key: Key) -> Result:
        """Wait for the result of a key (started now if it was not ahead); what comes next is in flight meanwhile."""
        with self._lock:
            if key in self._waiting:
                self._waiting.remove(key)
            if key not in self._pending:
                self._pending[key] = self._submit(key)
        self._fill()
        try:
            return self._pending[key].result()
        finally:
            with self._lock:
                future = self._pending[key]
                if future.done():
                    del self._pending[key]

    @property
    def has_pending(self) -> bool:
        """True while there are keys in flight, or with a result that nobody has asked for."""
        with self._lock:
            return bool(self._pending)

    def finished(self) -> list[tuple[Key, Result | Exception]]:
        """Hand over what nobody has asked for: results, and what was raised in place of one."""
        with self._lock:
            done = [(key, future) for key, future in self._pending.items() if future.done()]
            for key, _ in done:
                del self._pending[key]
        ended = [(key, future, future.exception()) for key, future in done if not future.cancelled()]
        return [
            (key, future.result() if error is None else error)
            for key, future, error in ended
            if error is None or isinstance(error, Exception)
        ]

    def call(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run one piece of work on the background loop and wait for it."""

        async def run() -> None:
            await work()

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(_STOP_TIMEOUT_S)

    def stop(self) -> list[Key]:
        """Cancel what is in flight and return its keys; `call` still works until `close`."""
        with self._lock:
            self._stopping = True
            cancelled = [key for key, future in self._pending.items() if not future.done()]
        self.call(self._cancel_all)
        return cancelled

    def close(self) -> None:
        """End the background loop."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_STOP_TIMEOUT_S)
        if not self._thread.is_alive():
            self._loop.close()

    def _fill(self) -> None:
        with self._lock:
            in_flight = sum(not future.done() for future in self._pending.values())
            while (
                not self._stopping
                and self._may_start()
                and self._waiting
                and in_flight < self._concurrency
                and len(self._pending) < self._room
            ):
                key = self._waiting.pop(0)
                self._pending[key] = self._submit(key)
                in_flight += 1

    def _submit(self, key: Key) -> Future[Result]:
        future = asyncio.run_coroutine_threadsafe(self._attempt(key), self._loop)
        future.add_done_callback(lambda _: self._loop.call_soon_threadsafe(self._fill))
        return future

    async def _attempt(self, key: Key) -> Result:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await self._start(key)

    async def _cancel_all(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
