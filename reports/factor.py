"""What cures it: the matrix key or the target whose values split failing attempts from passing ones."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from conformance.results import AttemptResult

from .statistics.differences import Count, fisher, holm
from .tally import BROKEN, OUTSIDE, tally
from .text import value_of

_TARGET: Final = "target"


@dataclass(frozen=True, slots=True)
class Factor:
    """A key and its values: where it fails, where it does not. ``p`` is Fisher's, corrected over all keys tried.

    ``clean`` is True when nothing failed among ``cured``; else the values only fail less.
    """

    key: str
    failing: tuple[str, ...]
    curing: tuple[str, ...]
    broken: Count
    cured: Count
    p: float

    @property
    def clean(self) -> bool:
        """True when the cure is complete."""
        return self.cured.failed == 0

    @property
    def is_target(self) -> bool:
        """True when targets, not matrix values, split the attempts."""
        return self.key == _TARGET


def find_factor(attempts: Iterable[AttemptResult]) -> Factor | None:
    """Return the key that tells failing from passing best, if any does significantly; a complete cure goes first."""
    counted = [attempt for attempt in attempts if attempt.verdict not in OUTSIDE]
    keys = sorted({key for attempt in counted for key in attempt.cell} - {_TARGET})
    found = [factor for key in [*keys, _TARGET] if (factor := _split(key, counted)) is not None]
    corrected = holm([factor.p for factor in found])
    telling = [
        (not factor.clean, p, factor.key, Factor(*_fields(factor), p))
        for factor, p in zip(found, corrected, strict=True)
        if p < 0.05
    ]
    return min(telling)[-1] if telling else None


def find_factors(attempts: Iterable[AttemptResult]) -> list[Factor]:
    """Return the best factor; where it is clean but not all it leaves fail, also the clean one among those, if any."""
    listed = list(attempts)
    first = find_factor(listed)
    if first is None or not first.clean or first.broken.failed == first.broken.n:
        return [first] if first is not None else []
    inside = [attempt for attempt in listed if value_at(first.key, attempt) in first.failing]
    second = find_factor(inside)
    return [first, second] if second is not None and second.clean else [first]


def value_at(key: str, attempt: AttemptResult) -> str | None:
    """Return an attempt's value of a matrix key or its target, as factors name them; None if it has none."""
    if key == _TARGET:
        return attempt.target
    return value_of(attempt.cell[key]) if key in attempt.cell else None


def _fields(factor: Factor) -> tuple[str, tuple[str, ...], tuple[str, ...], Count, Count]:
    return (factor.key, factor.failing, factor.curing, factor.broken, factor.cured)


def _split(key: str, attempts: Sequence[AttemptResult]) -> Factor | None:
    groups: dict[str, list[AttemptResult]] = {}
    for attempt in attempts:
        if (found := value_at(key, attempt)) is not None:
            groups.setdefault(found, []).append(attempt)
    if len(groups) < 2:
        return None
    counts = {name: tally(group).failures for name, group in groups.items()}
    clean = tuple(name for name in counts if not counts[name].failed)
    least = min(counts.values(), key=lambda count: count.rate).rate
    curing = clean or tuple(name for name in counts if counts[name].rate == least)
    failing = tuple(name for name in counts if name not in curing)
    if not failing:
        return None
    broken, cured = _sum(counts[name] for name in failing), _sum(counts[name] for name in curing)
    return Factor(
        key, tuple(sorted(failing, key=_order)), tuple(sorted(curing, key=_order)), broken, cured, fisher(broken, cured)
    )


def _order(value: str) -> tuple[bool, float, str]:
    return (not value.isdigit(), float(value) if value.isdigit() else 0.0, value)


def _sum(counts: Iterable[Count]) -> Count:
    listed = list(counts)
    return Count(sum(count.failed for count in listed), sum(count.n for count in listed))


def failing(attempts: Iterable[AttemptResult]) -> list[AttemptResult]:
    """Return the failures nobody had announced."""
    return [attempt for attempt in attempts if attempt.verdict in BROKEN and attempt.known is None]
