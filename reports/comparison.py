"""Group against group: flow against flow, cell against cell, target against target, with what the counts allow to say."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import Final

from conformance.results import AttemptResult

from .evidence import times
from .statistics.differences import fisher, holm
from .statistics.power import detectable
from .statistics.survival import log_rank
from .tally import Group, Tally, cells, flows

_MOST: Final = 24
"""Rows of the table; what is left out is counted below it."""
_PAIRS: Final = 400
"""Pairs tested within one kind; a run with more groups compares each with the one that fails least."""


class Kind(StrEnum):
    """What differs between the two sides."""

    FLOW = "flows"
    CELL = "cells"
    TARGET = "targets"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two groups and what sets them apart; ``within`` is what they share: a target, a scenario or a flow.

    ``p`` is Fisher's, two-sided; ``holm`` corrects it over all pairs tested. ``log_rank`` compares the times to the first
    error, None when that test has nothing to say. ``detects`` is the true failure rate that the smaller of both groups
    would reveal in 8 runs of 10, None when it reveals nothing.
    """

    kind: Kind
    within: str
    a_name: str
    b_name: str
    a: Tally
    b: Tally
    p: float
    holm: float
    log_rank: float | None
    detects: float | None

    @property
    def difference(self) -> float:
        """The pass rate of a less that of b, in -1..1."""
        return self.b.failures.rate - self.a.failures.rate

    @property
    def significant(self) -> bool:
        """True when the corrected p is below 5 %."""
        return self.holm < 0.05


@dataclass(frozen=True, slots=True)
class Comparison:
    """The pairs shown, most telling first; ``silent`` pairs without a failure on either side; ``cut`` more were tested."""

    pairs: tuple[Pair, ...]
    silent: int
    cut: int


def compare(attempts: Iterable[AttemptResult]) -> Comparison:
    """Compare flows on a target, cells of a scenario on a target, and targets in a flow.

    A pair in which nothing failed cannot become significant whatever is corrected, so it is no part of Holm's family
    (Tarone 1990); it is counted as silent. The family is everything tested, also what the table has no room for.
    """
    listed = tuple(attempts)
    by_flow = flows(listed)
    several = len({group.target for group in by_flow}) > 1
    candidates = [
        *_pairs(Kind.FLOW, by_flow, lambda group: group.target, lambda group: group.flow),
        *_pairs(Kind.CELL, cells(listed), lambda group: _scenario(group, several), lambda group: group.label),
        *_pairs(Kind.TARGET, by_flow, lambda group: group.flow, lambda group: group.target),
    ]
    telling = [candidate for candidate in candidates if candidate.a.tally.failed or candidate.b.tally.failed]
    ps = [fisher(found.a.tally.failures, found.b.tally.failures) for found in telling]
    ranked = sorted(zip(holm(ps), ps, telling, strict=True), key=lambda row: (row[0], row[1], *row[2].order))
    shown = sorted(ranked[:_MOST], key=lambda row: list(Kind).index(row[2].kind))
    return Comparison(
        tuple(_pair(candidate, p, adjusted) for adjusted, p, candidate in shown),
        silent=len(candidates) - len(telling),
        cut=len(ranked) - len(shown),
    )


@dataclass(frozen=True, slots=True)
class _Candidate:
    kind: Kind
    within: str
    a_name: str
    b_name: str
    a: Group
    b: Group

    @property
    def order(self) -> tuple[float, int, str, str, str]:
        gap = abs(self.a.tally.failures.rate - self.b.tally.failures.rate)
        return (-gap, list(Kind).index(self.kind), self.within, self.a_name, self.b_name)


def _pair(candidate: _Candidate, p: float, adjusted: float) -> Pair:
    a, b = candidate.a.tally, candidate.b.tally
    return Pair(
        kind=candidate.kind,
        within=candidate.within,
        a_name=candidate.a_name,
        b_name=candidate.b_name,
        a=a,
        b=b,
        p=p,
        holm=adjusted,
        log_rank=log_rank(times(candidate.a.attempts), times(candidate.b.attempts)),
        detects=detectable(min(a.n, b.n), max(a.n, b.n)),
    )


def _scenario(group: Group, several_targets: bool) -> str:
    return f"{group.scenario} on {group.target}" if several_targets else group.scenario


def _pairs(
    kind: Kind, groups: Sequence[Group], within: Callable[[Group], str], name: Callable[[Group], str]
) -> list[_Candidate]:
    families: dict[str, list[Group]] = {}
    for group in groups:
        if group.tally.n:
            families.setdefault(within(group), []).append(group)
    found = []
    for shared, family in families.items():
        pairs: Iterable[tuple[Group, Group]] = combinations(family, 2)
        if len(family) * (len(family) - 1) // 2 > _PAIRS:
            best = min(family, key=lambda group: (group.tally.failures.rate, name(group)))
            pairs = ((group, best) for group in family if group is not best)
        found += [_Candidate(kind, shared, name(a), name(b), a, b) for a, b in pairs]
    return found
