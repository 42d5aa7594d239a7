"""Counting attempts: who passed, who is outside the rate, and whether a group is stable or flaky."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from conformance.results import AttemptResult
from conformance.verdicts import Verdict

from .statistics.differences import Count
from .statistics.rates import Interval, wilson
from .text import label_of, plural, value_of, words

BROKEN: Final = frozenset({Verdict.FAIL, Verdict.BLOCKED, Verdict.NOT_OBSERVED})
"""Verdicts that count against a subject."""
OUTSIDE: Final = frozenset({Verdict.ERROR, Verdict.UNSUPPORTED})
"""Verdicts that say nothing of a subject; they leave the rate's denominator."""


class Standing(StrEnum):
    """What a group of attempts did."""

    STABLE_PASS = "stable-pass"
    FLAKY = "flaky"
    STABLE_FAIL = "stable-fail"
    NONE = "none"
    """Nothing in it counts."""


def given_up(attempts: Iterable[AttemptResult]) -> list[AttemptResult]:
    """Return the attempts that ended in an error and were not made again (``--reruns``)."""
    failed: dict[tuple[object, ...], AttemptResult] = {}
    for attempt in attempts:
        which = (*attempt.cell_key, attempt.attempt)
        failed.pop(which, None)
        if attempt.verdict is Verdict.ERROR:
            failed[which] = attempt
    return list(failed.values())


@dataclass(frozen=True, slots=True)
class Tally:
    """``passed`` of ``n``, and ``errors`` and ``unsupported`` beside them. ``known``: failed as announced."""

    n: int
    passed: int
    errors: int
    unsupported: int
    known: int

    @property
    def failed(self) -> int:
        """How many did not pass, known or not."""
        return self.n - self.passed

    @property
    def unexpected(self) -> int:
        """How many failures nobody had announced."""
        return self.failed - self.known

    @property
    def failures(self) -> Count:
        """The failures as a count to test with."""
        return Count(self.failed, self.n)

    @property
    def standing(self) -> Standing:
        """Stable or flaky."""
        if not self.n:
            return Standing.NONE
        return Standing.STABLE_PASS if not self.failed else Standing.FLAKY if self.passed else Standing.STABLE_FAIL

    @property
    def interval(self) -> Interval | None:
        """Wilson's interval of the pass rate; None when nothing counts."""
        return wilson(self.passed, self.n) if self.n else None


def tally(attempts: Iterable[AttemptResult]) -> Tally:
    """Count attempts."""
    n = passed = errors = unsupported = known = 0
    for attempt in attempts:
        if attempt.verdict in OUTSIDE:
            errors += attempt.verdict is Verdict.ERROR
            unsupported += attempt.verdict is Verdict.UNSUPPORTED
            continue
        n += 1
        if attempt.verdict in BROKEN:
            known += attempt.known is not None
        else:
            passed += 1
    return Tally(n, passed, errors, unsupported, known)


@dataclass(frozen=True, slots=True)
class Group:
    """Attempts that belong together under a name: a cell, a scenario or a flow on one target."""

    flow: str
    target: str
    attempts: tuple[AttemptResult, ...]
    scenario: str = ""
    label: str = ""

    @property
    def tally(self) -> Tally:
        """The counts."""
        return tally(self.attempts)


def cells(attempts: Iterable[AttemptResult]) -> tuple[Group, ...]:
    """Group by cell and target, by name and matrix value: the order of execution is shuffled by the seed."""
    groups: dict[tuple[str, ...], list[AttemptResult]] = {}
    for attempt in attempts:
        groups.setdefault((attempt.flow, *attempt.cell_key), []).append(attempt)
    ordered = sorted(
        groups.values(),
        key=lambda g: (g[0].flow, g[0].scenario, g[0].target, tuple(map(_rank, g[0].cell.values())), g[0].cell_key),
    )
    return tuple(Group(g[0].flow, g[0].target, tuple(g), g[0].scenario, label_of(g[0].cell)) for g in ordered)


def flows(attempts: Iterable[AttemptResult]) -> tuple[Group, ...]:
    """Group by flow and target, by name."""
    groups: dict[tuple[str, str], list[AttemptResult]] = {}
    for attempt in attempts:
        groups.setdefault((attempt.flow, attempt.target), []).append(attempt)
    return tuple(Group(flow, target, tuple(group)) for (flow, target), group in sorted(groups.items()))


def describe(groups: Sequence[Group], most: int = 3) -> str:
    """Say what the cells of groups share: the matrix keys with at most ``most`` values among them, then how many cells."""
    made = [group.attempts[0].cell for group in groups]
    told = []
    for key in made[0]:
        if all(key in cell for cell in made):
            ranked = sorted((cell[key] for cell in made), key=_rank)
            values = list(dict.fromkeys(map(value_of, ranked)))
            told += [f"{key} {words(values, 'or')}"] if len(values) <= most else []
    if len(groups) > 1:
        told.append(plural(len(groups), "cell"))
    return " · ".join(told) or groups[0].scenario


def _rank(value: object) -> tuple[int, float, str]:
    """Sort matrix values: null, then numbers as numbers, then words."""
    if value is None:
        return (0, 0.0, "")
    return (1, float(value), "") if isinstance(value, int | float) else (2, 0.0, value_of(value))
