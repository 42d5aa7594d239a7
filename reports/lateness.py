"""The harness's own lateness: how far its clock hand lagged behind what it had planned, attempt by attempt."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from conformance.results import AttemptResult
from conformance.wire.durations import MILLISECOND

from .library import Library

_WORST: Final = 5
_NOTABLE: Final = 10 * MILLISECOND


@dataclass(frozen=True, slots=True)
class Lateness:
    """Lateness in ms over ``n`` attempts; ``late`` of them above 10 ms, ``worst`` the latest five of those."""

    n: int
    median: float
    p99: float
    maximum: float
    late: int
    worst: tuple[tuple[AttemptResult, float], ...]


def lateness(attempts: Sequence[AttemptResult], library: Library) -> Lateness | None:
    """Read it out of the recordings' footers; None when no recording says."""
    found = [(attempt, late) for attempt in attempts if (late := library.lateness(attempt)) is not None]
    if not found:
        return None
    ranked = sorted((late for _, late in found))
    worst = sorted(found, key=lambda row: -row[1])[:_WORST]
    return Lateness(
        n=len(ranked),
        median=ranked[len(ranked) // 2] / MILLISECOND,
        p99=ranked[min(len(ranked) - 1, len(ranked) * 99 // 100)] / MILLISECOND,
        maximum=ranked[-1] / MILLISECOND,
        late=sum(late > _NOTABLE for late in ranked),
        worst=tuple((attempt, late / MILLISECOND) for attempt, late in worst if late > _NOTABLE),
    )
