"""The token budget that ``rate_limits.updated`` reports: it is used by responses and refills within a minute.

``reset_seconds`` is the time to refill, cut to milliseconds (11 recorded samples, ground truth §5.8).
"""

from typing import Any

from conformance.wire.durations import SECOND, Micros

_MINUTE = 60


class RateLimits:
    """Tokens per minute."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0.0
        self._at: Micros = 0

    def use(self, tokens: int, now: Micros) -> dict[str, Any]:
        """Take tokens from the budget and return the ``tokens`` entry."""
        refilled = (now - self._at) / SECOND * self._limit / _MINUTE
        self._used = min(self._limit, max(0.0, self._used - refilled) + tokens)
        self._at = now
        remaining = round(self._limit - self._used)
        reset = (self._limit - remaining) * _MINUTE * 1000 // self._limit / 1000
        return {"name": "tokens", "limit": self._limit, "remaining": remaining, "reset_seconds": reset}
