"""The mock against a bare server with the same bytes: sessions a second, small deltas, CPU; then lateness, memory, a peer.

Run ``python -m bench.mock [--quick]``. Server and client are processes pinned to a core each; the two servers take turns
within one run, so that only ratios are judged. The last line is a peer mock's figures, if ``npx`` can run it.
"""

import asyncio
import sys
from collections.abc import Mapping
from typing import Any, Final

from bench import audio, memory, peer
from bench.load import deltas, pin, sessions
from bench.processes import AT_ONCE, Server, pair
from bench.telling import misses, tell_ratio

LONG: Final[Mapping[str, Any]] = {**AT_ONCE, "transcript": ["word " * 2_000]}


async def compare_sessions(at_once: int, seconds: float, rounds: int) -> None:
    """Compare sessions a second and their p99; the best of the rounds counts for either server."""
    rate = {"mock": 0.0, "bare": 0.0}
    p99 = {"mock": float("inf"), "bare": float("inf")}
    async with pair(AT_ONCE) as (mock, bare):
        for number in range(rounds + 1):
            for name, one in (("bare", bare), ("mock", mock)):
                result = await sessions(one.port, at_once, seconds if number else seconds / 4)
                if number:  # the first round warms up
                    rate[name] = max(rate[name], result.rate)
                    p99[name] = min(p99[name], result.p99)
    tell_ratio(f"sessions/s, {at_once} at once", rate, "≥", 0.8)
    tell_ratio(f"p99 of a session, {at_once} at once, ms", p99, "≤", 1.5)


async def compare_deltas(turns: int, rounds: int) -> None:
    """Compare small deltas a second and the server's CPU per delta."""
    rate = {"mock": 0.0, "bare": 0.0}
    cpu = {"mock": float("inf"), "bare": float("inf")}
    async with pair(LONG) as (mock, bare):
        for number in range(rounds + 1):
            for name, one in (("bare", bare), ("mock", mock)):
                a_second, each = await _measure_deltas(one, turns)
                if number:
                    rate[name], cpu[name] = max(rate[name], a_second), min(cpu[name], each)
    tell_ratio("small deltas/s", rate, "≥", 1.5)
    tell_ratio("server CPU per small delta, µs", cpu, "≤", 0.6)


async def _measure_deltas(one: Server, turns: int) -> tuple[float, float]:
    before = await one.cpu()
    seconds, count = await deltas(one.port, turns)
    return count / seconds, (await one.cpu() - before) / count * 1e6


async def measure(*, quick: bool) -> None:
    """Measure what needs processes and real time."""
    seconds, rounds = (1.0, 2) if quick else (3.0, 4)
    for at_once in (50, 200):
        await compare_sessions(at_once, seconds, rounds)
    await compare_deltas(10 if quick else 40, rounds)
    await audio.speaking(seconds * 2)
    await audio.listening(seconds * 2)
    await peer.measure(50, seconds)


def main() -> None:
    """Measure and print; the exit status tells whether every goal was reached."""
    quick = "--quick" in sys.argv
    memory.over_sessions(1_000 if quick else 10_000)
    memory.over_an_hour()
    pin(1)
    asyncio.run(measure(quick=quick))
    sys.exit(bool(misses))


if __name__ == "__main__":
    main()
