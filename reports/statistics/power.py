"""What n attempts can show at all, so that a green page is not read as more than it is."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from .differences import Count, barnard_worse, fisher
from .rates import zero_bound

ALPHA: Final = 0.05
POWER: Final = 0.8
PRESETS: Final = (5, 20, 40, 60)
"""The values of ``COUNT`` the Makefile and the documentation speak of."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What ``n`` attempts per arm can prove; rates in 0..1, None where no rate would do.

    ``none_proves``: 0 failures rule out any higher rate. ``seen``: the smallest share of failures which, against none, is
    significant (Barnard, one-sided). ``true``: the failure rate that Fisher's test (two-sided) finds in 8 runs of 10.
    """

    n: int
    none_proves: float
    seen: float | None
    true: float | None


def reach(n: int) -> Reach:
    """Return what ``n`` attempts per arm can prove."""
    return Reach(n, zero_bound(n), smallest_seen(n), detectable(n, n))


def smallest_seen(n: int) -> float | None:
    """Return the smallest share of failures in ``n`` which is significantly worse than 0 of ``n``."""
    return next((k / n for k in range(1, n + 1) if barnard_worse(Count(k, n), Count(0, n)) < ALPHA), None)


@lru_cache(maxsize=1024)
def detectable(n: int, other: int, power: float = POWER) -> float | None:
    """Return the true failure rate among ``n`` that is found with ``power`` against ``other`` attempts without failure.

    Found = Fisher's two-sided p below 5 %. None when not even a rate of 1 would be, as with 3 against 3.
    """
    needed = next((k for k in range(1, n + 1) if fisher(Count(k, n), Count(0, other)) < ALPHA), None)
    if needed is None:
        return None
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if at_least(needed, n, middle) >= power else (middle, high)
    return high


def at_least(k: int, n: int, rate: float) -> float:
    """Return the probability of ``k`` or more failures in ``n`` at a true rate."""
    from scipy.stats import binom

    return float(binom.sf(k - 1, n, rate))
