"""CPU and bytes of a report: 240 attempts, and 10,000 attempts of which a quarter fails.

Run ``python bench/report.py [ATTEMPTS]``; ``--profile`` shows where the time goes.
"""

import cProfile
import pstats
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import reports
from conformance.results import Results
from reports.tests.runs import large_run

GOALS = {240: (None, 500), 10_000: (5.0, 5_000)}
"""Attempts: CPU seconds and KB at most."""


def measure(folder: Path, results: Results) -> tuple[float, float, float]:
    """Write a report and return its CPU seconds, wall seconds and size in KB."""
    cpu, wall = time.process_time(), time.perf_counter()
    reports.write(folder, results)
    spent = time.process_time() - cpu, time.perf_counter() - wall
    return *spent, (folder / "report.html").stat().st_size / 1000


def main() -> None:
    """Print a line per size."""
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()] or list(GOALS)
    missed = False
    for attempts in numbers:
        with TemporaryDirectory() as name:
            results = large_run(attempts, Path(name))
            profile = cProfile.Profile() if "--profile" in sys.argv else None
            if profile is not None:
                profile.enable()
            cpu, wall, kilobytes = measure(Path(name), results)
            if profile is not None:
                profile.disable()
                pstats.Stats(profile).sort_stats("cumulative").print_stats(35)
        seconds, most = GOALS.get(attempts, (None, None))
        goal = ", ".join(filter(None, [f"{seconds:g} s" if seconds else "", f"{most:,} KB" if most else ""]))
        print(f"{attempts:>6,} attempts: {cpu:5.2f} s CPU, {wall:5.2f} s, {kilobytes:7,.0f} KB (goal: {goal or 'none'})")  # noqa: T201
        missed |= (seconds is not None and cpu > seconds) or (most is not None and kilobytes > most)
    sys.exit(missed)


if __name__ == "__main__":
    main()
