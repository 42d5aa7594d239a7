"""What is started ahead of pytest: bounded, stopped in time, and never lost once it is paid for."""

import asyncio
import time
from collections.abc import Callable

import pytest

from conformance.plugin.lookahead import LookAhead

Made = LookAhead[int, int]


def until(true: Callable[[], bool]) -> None:
    ends = time.monotonic() + 10
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.01)


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
    until(lambda: len(started) >= 6)
    time.sleep(0.05)
    assert len(started) <= 1 + 2 * 3
    made.stop()
    made.close()


def test_what_is_done_and_was_not_asked_for_is_handed_over_at_the_end(started: list[int]) -> None:
    made = ahead(started)
    made.obtain(1)
    until(lambda: len(started) >= 6)
    time.sleep(0.05)  # the last of them is done a turn of its loop later
    assert made.stop() == []
    assert sorted(made.finished()) == [(key, key * 10) for key in started if key != 1]
    assert not made.has_pending
    made.close()


def test_nothing_new_starts_when_it_may_not_and_what_was_started_can_still_be_asked_for(started: list[int]) -> None:
    may = [True]
    made = ahead(started, lambda: may[0])
    made.obtain(1)
    until(lambda: len(started) >= 6)
    may[0] = False
    time.sleep(0.05)
    begun = list(started)
    assert [made.obtain(key) for key in begun if key != 1] == [key * 10 for key in begun if key != 1]
    assert not made.has_pending
    assert started == begun
    made.stop()
    made.close()
