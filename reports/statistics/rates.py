"""A pass rate with its interval, and what no failure in n proves."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval of a proportion, both ends in 0..1."""

    low: float
    high: float


def wilson(k: int, n: int, confidence: float = CONFIDENCE) -> Interval:
    """Return Wilson's score interval for ``k`` of ``n``: the one to show (Wilson 1927; Newcombe 1998, method 3).

    Raises:
        ValueError: ``n`` is 0 or ``k`` is outside 0..n.
    """
    return _interval(k, n, confidence, "wilson")


def clopper_pearson(k: int, n: int, confidence: float = CONFIDENCE) -> Interval:
    """Return the exact interval, never too narrow: the one to gate on (Clopper and Pearson 1934).

    Raises:
        ValueError: ``n`` is 0 or ``k`` is outside 0..n.
    """
    return _interval(k, n, confidence, "exact")


def zero_bound(n: int, confidence: float = CONFIDENCE) -> float:
    """Return the failure rate that 0 failures in ``n`` rule out, one-sided: 0 of 5 only proves < 45 %.

    Raises:
        ValueError: ``n`` is 0: nothing was tried, nothing is ruled out.
    """
    if n < 1:
        raise ValueError("0 attempts prove nothing; a bound needs n >= 1")
    return float(1 - (1 - confidence) ** (1 / n))


@lru_cache(maxsize=4096)
def _interval(k: int, n: int, confidence: float, method: Literal["wilson", "exact"]) -> Interval:
    if n < 1 or not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is no proportion; an interval needs 0 <= k <= n and n >= 1")
    from scipy.stats import binomtest

    found = binomtest(k, n).proportion_ci(confidence_level=confidence, method=method)
    return Interval(float(found.low), float(found.high))
