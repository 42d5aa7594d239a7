"""Pacing of the real API: attempts start a little apart, and one that it refuses at the door is made again, a few times.

Only a handshake refused with HTTP 429 or 5xx is tried again: then nothing has been said yet. The attempt begins anew, with
a new recording, so that our patience is no part of its times. A ``server_error`` inside a session is a result and stands.
"""

from email.utils import parsedate_to_datetime
from random import Random
from typing import Final

from conformance.runner.failures import RefusedError
from conformance.wire.durations import MILLISECOND, SECOND, Micros

TRIES: Final = 4
FIRST_PAUSE: Final[Micros] = SECOND
"""The pause after the first refusal; it doubles with each, times 0.5 to 1.5 by chance."""
LONGEST_ASKED: Final[Micros] = 10 * SECOND
"""A server that asks for a longer pause (``Retry-After``) is not waited for: the attempt says so instead."""
SPREAD: Final[Micros] = 500 * MILLISECOND
"""Attempts that may start at once start within this."""


class Pacing:
    """The pauses of one attempt; the same seed gives the same ones."""

    def __init__(self, seed: int) -> None:
        """Draw from the attempt's seed."""
        self._random = Random(f"pacing {seed}")
        self._refusals = 0

    def start(self) -> Micros:
        """Return how long to wait before the first try."""
        return round(self._random.uniform(0, SPREAD))

    def after(self, refusal: RefusedError, unix_now: float) -> Micros | None:
        """Return how long to wait before the next try; None when there is to be none."""
        self._refusals += 1
        if self._refusals >= TRIES or not (refusal.status == 429 or refusal.status >= 500):
            return None
        pause = round((FIRST_PAUSE << (self._refusals - 1)) * self._random.uniform(0.5, 1.5))
        asked = asked_pause(refusal.retry_after, unix_now)
        if asked is None:
            return pause
        return max(asked, pause) if asked <= LONGEST_ASKED else None

    def describe(self) -> str:
        """Say how often the attempt was refused."""
        return f"{self._refusals} {'try' if self._refusals == 1 else 'tries'}"


def asked_pause(retry_after: str | None, unix_now: float) -> Micros | None:
    """Read ``Retry-After``: seconds, or a date (RFC 9110 §10.2.3); None without one that can be read."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdecimal():
        return int(text) * SECOND
    try:
        until = parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0, round((until - unix_now) * SECOND))
