"""Both clocks pass the same tests; each asserts the loop's own time and, where it matters, the wall's."""

import asyncio
import gc
import sys
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import pytest

from conformance.clock import Clock, Deadlock, run, sleep_until, stopwatch


@dataclass(frozen=True)
class Measured:
    result: Any
    loop_s: float
    wall_s: float


def measure(main: Coroutine[Any, Any, Any], clock: Clock) -> Measured:
    async def timed() -> tuple[Any, float]:
        loop = asyncio.get_running_loop()
        start = loop.time()
        result = await main
        return result, loop.time() - start

    start = time.monotonic()
    result, loop_s = run(timed(), clock=clock)
    return Measured(result, loop_s, time.monotonic() - start)


@pytest.fixture(params=list(Clock), ids=str)
def clock(request: pytest.FixtureRequest) -> Clock:
    return Clock(request.param)


def test_a_sleep_takes_its_time_on_the_loop_and_no_wall_time_on_the_virtual_one(clock: Clock) -> None:
    measured = measure(asyncio.sleep(0.05, "slept"), clock)
    assert measured.result == "slept"
    assert 0.05 <= measured.loop_s < 60
    if clock is Clock.VIRTUAL:
        assert measured.loop_s == 0.05
    else:
        assert measured.wall_s >= 0.05


def test_an_hour_passes_at_once_on_the_virtual_clock() -> None:
    measured = measure(asyncio.sleep(3600), Clock.VIRTUAL)
    assert measured.loop_s == 3600
    assert measured.wall_s < 60


def test_timers_run_in_the_order_of_their_times(clock: Clock) -> None:
    async def main() -> list[str]:
        order: list[str] = []
        loop = asyncio.get_running_loop()
        start = loop.time()

        async def later(delay: float, name: str) -> None:
            await sleep_until(start + delay, loop)
            order.append(name)

        await asyncio.gather(later(0.03, "c"), later(0.01, "a"), later(0.02, "b"))
        return order

    assert run(main(), clock=clock) == ["a", "b", "c"]


def test_a_timeout_fires_at_its_time(clock: Clock) -> None:
    async def main() -> str:
        try:
            async with asyncio.timeout(0.02):
                await asyncio.sleep(60)
        except TimeoutError:
            return "timed out"
        return "slept"

    measured = measure(main(), clock)
    assert measured.result == "timed out"
    assert 0.02 <= measured.loop_s < 60


def test_the_virtual_time_is_a_whole_number_of_microseconds() -> None:
    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        times = []
        for delay in (0.1, 1e-7, 1 / 3, 0.0123456789):
            await asyncio.sleep(delay)
            times.append(loop.time())
        return times

    assert run(main()) == [0.1, 0.100001, 0.433335, 0.445681]


def test_sleeping_the_rest_of_a_float_arrives() -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(1.3)
        deadline = 0.1 + 0.2 + 1.0 + 2e-16  # a float's breath after 1.3
        assert deadline > loop.time()
        turns = 0
        while loop.time() < deadline:
            await asyncio.sleep(deadline - loop.time())
            turns += 1
        return turns

    assert run(main()) == 1


def test_a_deadlock_is_an_error_that_says_who_waits() -> None:
    async def main() -> None:
        asyncio.current_task().set_name("the-one-that-waits")  # type: ignore[union-attr]
        await asyncio.sleep(2)
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Deadlock, match=r"at 2s nothing is ready.*the-one-that-waits in .*test_clock\.py:\d+"):
        run(main())


def test_an_executor_job_keeps_the_clock_from_running_ahead(clock: Clock) -> None:
    def job() -> str:
        time.sleep(0.05)
        return "done"

    async def main() -> str:
        async with asyncio.timeout(60):
            return await asyncio.to_thread(job)

    measured = measure(main(), clock)
    assert measured.result == "done"
    assert measured.loop_s < 60
    assert measured.wall_s >= 0.05
    if clock is Clock.VIRTUAL:
        assert measured.loop_s == 0  # what the job took in real time is not in the virtual time


def test_a_busy_thread_of_50_ms_does_not_let_an_hour_pass(clock: Clock) -> None:
    def burn() -> int:
        end = time.monotonic() + 0.05
        turns = 0
        while time.monotonic() < end:
            turns += 1
        return turns

    async def main() -> bool:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(60)
                ticks += 1

        ticker = asyncio.create_task(tick())
        assert await asyncio.to_thread(burn) > 0
        ticker.cancel()
        return ticks == 0

    assert run(main(), clock=clock)


def test_a_cancelled_job_no_longer_holds_the_clock() -> None:
    async def main() -> float:
        job = asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.02)
        job.cancel()
        await asyncio.sleep(100)
        return asyncio.get_running_loop().time()

    assert run(main()) == 100


def test_name_resolution_keeps_the_clock_from_running_ahead(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow_resolver(*_: object, **__: object) -> list[Any]:
        time.sleep(0.05)
        return [(2, 1, 6, "", ("127.0.0.1", 80))]

    monkeypatch.setattr("socket.getaddrinfo", slow_resolver)

    async def main() -> Any:
        async with asyncio.timeout(60):
            return await asyncio.get_running_loop().getaddrinfo("somewhere.example", 80)

    measured = measure(main(), clock)
    assert measured.result[0][4] == ("127.0.0.1", 80)
    assert measured.loop_s < 60


def test_a_live_subprocess_keeps_the_clock_from_running_ahead(clock: Clock) -> None:
    async def main() -> bytes:
        async with asyncio.timeout(200):
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-c", "print('from the child')", stdout=asyncio.subprocess.PIPE
            )
            out, _ = await child.communicate()
            return out

    measured = measure(main(), clock)
    assert measured.result == b"from the child\n"
    assert measured.loop_s < 200


def test_the_clock_jumps_again_when_the_subprocess_has_ended() -> None:
    async def main() -> int | None:
        child = await asyncio.create_subprocess_shell("exit 3")
        code = await child.wait()
        await asyncio.sleep(3600)
        return code

    measured = measure(main(), Clock.VIRTUAL)
    assert measured.result == 3
    assert measured.loop_s >= 3600
    assert measured.wall_s < 200


def test_time_passes_as_slowly_as_the_walls_while_a_subprocess_waits_for_us() -> None:
    async def main() -> int:
        child = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE)
        await asyncio.sleep(0.03)
        assert child.stdin is not None
        child.stdin.close()
        return await child.wait()

    measured = measure(main(), Clock.VIRTUAL)
    assert measured.result == 0
    assert measured.loop_s == 0.03
    assert measured.wall_s >= 0.03


def test_tasks_left_over_are_cancelled(clock: Clock) -> None:
    cancelled = []

    async def forever() -> None:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def main() -> None:
        task = asyncio.create_task(forever())
        await asyncio.sleep(0)
        assert not task.done()

    run(main(), clock=clock)
    assert cancelled == [True]


def test_an_unknown_clock_is_refused() -> None:
    with pytest.raises(ValueError, match="sundial"):
        run(asyncio.sleep(0), clock="sundial")


def test_a_loop_leaves_nothing_open() -> None:
    for _ in range(20):
        run(asyncio.sleep(1))
    gc.collect()  # a leak would raise a ResourceWarning, which is an error here


def test_a_stopwatch_counts_microseconds_from_now(clock: Clock) -> None:
    async def main() -> tuple[int, int, int]:
        first = stopwatch()
        await asyncio.sleep(0.0125)
        second = stopwatch()
        await asyncio.sleep(0.001)
        return first(), second(), stopwatch()()

    early, late, fresh = run(main(), clock=clock)
    if clock is Clock.VIRTUAL:
        assert (early, late, fresh) == (13_500, 1_000, 0)
    assert early >= 13_500
    assert late >= 1_000
