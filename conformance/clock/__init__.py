"""Run a coroutine on a fresh event loop, in virtual or in real time.

On the virtual clock (see `conformance.clock.virtual` for its theory) a program that sleeps an hour takes a millisecond, and
the same program gives the same times in every run.
"""

import asyncio
from collections.abc import Callable, Coroutine
from enum import StrEnum
from typing import Any, TypeVar

from conformance.clock.virtual import Deadlock, VirtualLoop, run_virtually
from conformance.wire.durations import SECOND, Micros

__all__ = ["Clock", "Deadlock", "VirtualLoop", "run", "sleep_until", "stopwatch"]

T = TypeVar("T")


class Clock(StrEnum):
    """How time passes."""

    VIRTUAL = "virtual"
    REAL = "real"


def stopwatch() -> Callable[[], Micros]:
    """Return a function that tells the microseconds since now, on the running loop's clock."""
    loop = asyncio.get_running_loop()
    if isinstance(loop, VirtualLoop):
        micros, began = loop.micros, loop.micros()
        return micros if began == 0 else lambda: micros() - began
    start = loop.time()
    return lambda: round((loop.time() - start) * SECOND)


async def sleep_until(when: float, loop: asyncio.AbstractEventLoop) -> None:
    """Sleep until a loop's time. It spares what `asyncio.sleep` asks the system for, with each frame of audio."""
    awake = loop.create_future()
    timer = loop.call_at(when, _wake, awake)
    try:
        await awake
    except asyncio.CancelledError:
        timer.cancel()
        raise


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)


def run(main: Coroutine[Any, Any, T], *, clock: Clock | str = Clock.VIRTUAL) -> T:
    """Run ``main`` to its end on a fresh loop and return what it returns.

    The loop's ``time()`` starts at 0 on the virtual clock, anywhere on the real one. Tasks left over are cancelled.

    Raises:
        Deadlock: virtual only; ``main`` waits for something that cannot happen any more.
        ValueError: ``clock`` is neither ``virtual`` nor ``real``.
    """
    try:
        virtual = Clock(clock) is Clock.VIRTUAL
    except ValueError:
        main.close()
        raise
    if virtual:
        return run_virtually(main)
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        return runner.run(main)
