"""Time to the first error: Kaplan and Meier's curve, and the log-rank test between two groups.

An attempt that ended without an error is censored at its window's end: it says "not until then", and no more.
"""

from dataclasses import dataclass
from math import isnan


@dataclass(frozen=True, slots=True)
class Times:
    """A group's attempts, in seconds: when those that failed did, and until when the others were watched."""

    failed: tuple[float, ...]
    censored: tuple[float, ...]

    @property
    def n(self) -> int:
        """How many attempts."""
        return len(self.failed) + len(self.censored)


@dataclass(frozen=True, slots=True)
class Curve:
    """A step function: from ``times[i]`` on, the share ``alive[i]`` is still without error. Starts at (0, 1)."""

    times: tuple[float, ...]
    alive: tuple[float, ...]
    end: float

    def at(self, second: float) -> float:
        """Return the share without error at a second."""
        return next(share for time, share in zip(reversed(self.times), reversed(self.alive), strict=True) if time <= second)


def kaplan_meier(group: Times) -> Curve:
    """Return the curve; flat at 1 when nothing failed, and without any attempt."""
    end = max((*group.failed, *group.censored), default=0.0)
    if not group.failed:
        return Curve((0.0,), (1.0,), end)
    from scipy.stats import CensoredData, ecdf

    found = ecdf(CensoredData(uncensored=group.failed, right=group.censored)).sf
    times, alive = [0.0], [1.0]
    for time, share in zip(found.quantiles, found.probabilities, strict=True):
        if share < alive[-1] - 1e-12:
            times.append(float(time))
            alive.append(float(share))
    return Curve(tuple(times), tuple(alive), end)


def log_rank(a: Times, b: Times) -> float | None:
    """Return the two-sided p that both groups fail alike over time; None when the test has nothing to say.

    SciPy gives NaN when nothing failed in either group, or when one is empty: then there is no p to show.
    """
    if not a.n or not b.n or not (a.failed or b.failed):
        return None
    import numpy as np
    from scipy.stats import CensoredData, logrank

    with np.errstate(divide="ignore", invalid="ignore"):
        p = float(
            logrank(
                CensoredData(uncensored=a.failed, right=a.censored),
                CensoredData(uncensored=b.failed, right=b.censored),
            ).pvalue
        )
    return None if isnan(p) else min(1.0, p)
