"""What is started ahead of pytest: bounded, stopped in time, and never lost once it is paid for."""

import asyncio
from collections.abc import Callable

import pytest

from conformance.plugin.lookahead import LookAhead

Made = LookAhead[int, int]


async def settle() -> None:
    """Let the background loop do all that is ready, and what follows from it: nothing there waits for time."""
    for _ in range(50):
        await asyncio.sleep(0)


@pytest.fixture
def started() -> list[int]:
    return []


def ahead(started: list[int], may_start: Callable[[], bool] = lambda: True) -> Made:
    async def start(key: int) -> int:
        started.append(key)
        await asyncio.sleep(0)
        return key * 10

    return LookAhead(start, range(1, 100, 2), 3, may_start)


def test_no_more_than_twice_the_concurrency_waits_to_be_asked_for(started: list[int]) -> None:
    made = ahead(started)
    assert made.obtain(1) == 10
    made.call(settle)
    assert 2 * 3 <= len(started) <= 1 + 2 * 3
    made.stop()
    made.close()


def test_what_is_done_and_was_not_asked_for_is_handed_over_at_the_end(started: list[int]) -> None:
    made = ahead(started)
    made.obtain(1)
    made.call(settle)
    assert made.stop() == []
    assert sorted(made.finished()) == [(key, key * 10) for key in started if key != 1]
    assert not made.has_pending
    made.close()


def test_what_raised_and_was_not_asked_for_is_handed_over_too() -> None:
    async def start(key: int) -> int:
        await asyncio.sleep(0)
        if key == 5:
            raise OSError("no space left")
        return key * 10

    made = LookAhead(start, range(1, 100, 2), 3)
    made.obtain(1)
    made.call(settle)
    made.stop()
    handed = dict(made.finished())
    assert handed[3] == 30
    assert isinstance(handed[5], OSError)
    made.close()


def test_nothing_new_starts_when_it_may_not_and_what_was_started_can_still_be_asked_for(started: list[int]) -> None:
    may = [True]
    made = ahead(started, lambda: may[0])
    made.obtain(1)
    made.call(settle)
    may[0] = False
    begun = list(started)
    assert [made.obtain(key) for key in begun if key != 1] == [key * 10 for key in begun if key != 1]
    assert not made.has_pending
    assert started == begun
    made.stop()
    made.close()
