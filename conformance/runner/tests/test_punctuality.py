"""The harness knows when it was not there."""

import asyncio
import gc
import time
import weakref

from conformance.clock import Clock, run
from conformance.runner.punctuality import _HEARTS, WINDOW, Absence, watching


def test_a_loop_that_was_busy_was_late_for_as_long() -> None:
    async def main() -> int:
        with watching() as absence:
            await asyncio.sleep(0.03)
            time.sleep(0.3)  # noqa: ASYNC251  # what a starved machine does to us
            await asyncio.sleep(0.03)
        return absence.worst

    assert run(main(), clock=Clock.REAL) >= 250_000


def test_only_who_watched_was_late_and_the_beat_ends_with_the_last_of_them() -> None:
    async def main() -> tuple[int, int, bool]:
        with watching() as first:
            time.sleep(0.1)  # noqa: ASYNC251  # what a starved machine does to us
            await asyncio.sleep(0.03)
        with watching() as later:
            pass
        return first.worst, later.worst, _HEARTS[asyncio.get_running_loop()].beats

    first, later, beats = run(main(), clock=Clock.REAL)
    assert first >= 50_000
    assert (later, beats) == (0, False)


def test_a_loop_that_is_over_is_not_kept() -> None:
    async def main() -> weakref.ref[asyncio.AbstractEventLoop]:
        with watching():
            await asyncio.sleep(0.03)
        return weakref.ref(asyncio.get_running_loop())

    loop = run(main(), clock=Clock.REAL)
    gc.collect()
    assert loop() is None


def test_short_absences_add_up_within_two_seconds_and_no_longer() -> None:
    absence = Absence()
    for number in range(20):
        absence.note(number * WINDOW // 10, 50_000)
    assert absence.worst == 10 * 50_000


def test_long_absences_are_told_one_by_one() -> None:
    told: list[int] = []
    absence = Absence(told.append)
    for late in (20_000, 150_000, 99_000, 3_000_000):
        absence.note(0, late)
    assert told == [150_000, 3_000_000]
