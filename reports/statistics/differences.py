"""Whether two pass rates differ: Fisher between two groups, Barnard against a baseline, Holm over all that is shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Count:
    """``failed`` of ``n`` attempts."""

    failed: int
    n: int

    @property
    def passed(self) -> int:
        """The others."""
        return self.n - self.failed

    @property
    def rate(self) -> float:
        """The failure rate; 0 when nothing was tried."""
        return self.failed / self.n if self.n else 0.0


@lru_cache(maxsize=4096)
def fisher(a: Count, b: Count) -> float:
    """Return the two-sided p of Fisher's exact test that the groups fail at the same rate; 1 when a group is empty."""
    if not a.n or not b.n:
        return 1.0
    import numpy as np
    from scipy.stats import fisher_exact

    return min(1.0, float(fisher_exact(np.array([[a.failed, b.failed], [a.passed, b.passed]])).pvalue))


@lru_cache(maxsize=4096)
def barnard_worse(now: Count, baseline: Count) -> float:
    """Return the one-sided p of Barnard's exact test that ``now`` fails no more often than ``baseline``; 1 if one is empty.

    SciPy takes the groups as *columns*: with groups as rows the same counts give another, wrong p without a word.
    """
    if not now.n or not baseline.n or now.rate <= baseline.rate:
        return 1.0
    from scipy.stats import barnard_exact

    table = [[now.failed, baseline.failed], [now.passed, baseline.passed]]
    return min(1.0, float(barnard_exact(table, alternative="greater").pvalue))


def holm(ps: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values in the order given (Holm 1979, step-down)."""
    order = sorted(range(len(ps)), key=lambda index: ps[index])
    adjusted = [1.0] * len(ps)
    floor = 0.0
    for rank, index in enumerate(order):
        floor = max(floor, min(1.0, (len(ps) - rank) * ps[index]))
        adjusted[index] = floor
    return adjusted
