"""A folder of runs over time: the pass rate per flow and per check, and when each failure was first and last seen."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from conformance.results import AttemptResult
from conformance.verdicts import Verdict

from .evidence import broken
from .reading import Run
from .statistics.rates import Interval, wilson
from .tally import BROKEN, OUTSIDE, flows


@dataclass(frozen=True, slots=True)
class Point:
    """A run's count for one line of the history; ``run`` is its index, oldest first."""

    run: int
    passed: int
    n: int

    @property
    def rate(self) -> float:
        """The pass rate."""
        return self.passed / self.n

    @property
    def interval(self) -> Interval:
        """Wilson's interval of the pass rate."""
        return wilson(self.passed, self.n)


@dataclass(frozen=True, slots=True)
class Course:
    """A flow, or a check in a flow, over the runs in which it was tried."""

    flow: str
    check: str
    target: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """A check that failed in a flow at least once: ``first`` and ``last`` are runs by index, ``runs`` in how many.

    ``tried`` counts the runs since it was first seen that tried the flow; ``still`` says whether the last of them failed.
    """

    flow: str
    check: str
    target: str
    blame: str
    first: int
    last: int
    runs: int
    tried: int
    still: bool


@dataclass(frozen=True, slots=True)
class History:
    """What the runs tell together; runs that could not be read have no points."""

    runs: tuple[Run, ...]
    flows: tuple[Course, ...]
    checks: tuple[Course, ...]
    failures: tuple[Failure, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """What could not be read, by run."""
        return tuple(f"{run.name}: {problem}" for run in self.runs for problem in run.problems)


def history(runs: Sequence[Run]) -> History:
    """Put runs, oldest first, side by side."""
    by_flow: dict[tuple[str, str], list[Point]] = defaultdict(list)
    by_check: dict[tuple[str, str, str], dict[int, tuple[int, int]]] = defaultdict(dict)
    blames: dict[tuple[str, str, str], str] = {}
    for index, run in enumerate(runs):
        for group in flows(run.results.attempts):
            counted = group.tally
            if counted.n:
                by_flow[group.flow, group.target].append(Point(index, counted.passed, counted.n))
            for check, failed, blame in _failed(group.attempts):
                key = (group.flow, check, group.target)
                by_check[key][index] = (counted.n - failed, counted.n)
                blames.setdefault(key, blame)
    failures = [_failure(key, blames[key], found, by_flow[key[0], key[2]]) for key, found in by_check.items()]
    failures.sort(key=lambda failure: (not failure.still, -failure.last, failure.flow, failure.check))
    return History(
        runs=tuple(runs),
        flows=tuple(Course(flow, "", target, tuple(points)) for (flow, target), points in sorted(by_flow.items())),
        checks=tuple(
            Course(flow, check, target, _filled(by_check[flow, check, target], by_flow[flow, target]))
            for flow, check, target in sorted(by_check)
        ),
        failures=tuple(failures),
    )


def _failed(attempts: Iterable[AttemptResult]) -> list[tuple[str, int, str]]:
    """Count, per check, the attempts in which it failed."""
    counts: dict[str, int] = defaultdict(int)
    blames: dict[str, str] = {}
    for attempt in attempts:
        if attempt.verdict in OUTSIDE:
            continue
        for id_, blame in {check.id: check.blame for check in broken(attempt) if check.verdict in BROKEN}.items():
            counts[id_] += 1
            blames.setdefault(id_, blame.value if blame is not None else "")
        if attempt.verdict is Verdict.FAIL and not attempt.checks:
            counts["fail"] += 1
            blames.setdefault("fail", "")
    return [(id_, count, blames[id_]) for id_, count in sorted(counts.items())]


def _filled(found: dict[int, tuple[int, int]], tried: Iterable[Point]) -> tuple[Point, ...]:
    """Add the runs that tried the flow without the check failing."""
    return tuple(Point(point.run, *found.get(point.run, (point.n, point.n))) for point in tried)


def _failure(key: tuple[str, str, str], blame: str, found: dict[int, tuple[int, int]], tried: Sequence[Point]) -> Failure:
    flow, check, target = key
    first, last = min(found), max(found)
    since = [point.run for point in tried if point.run >= first]
    return Failure(flow, check, target, blame, first, last, len(found), len(since), bool(since) and since[-1] == last)
