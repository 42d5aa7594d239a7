"""Durations: text with a unit in scenarios, integer microseconds everywhere inside."""

import re
from typing import Final

Micros = int
"""A time or a duration in integer microseconds; times count from the start of the attempt."""

MILLISECOND: Final = 1_000
SECOND: Final = 1_000_000

_UNITS: Final = {"us": 1, "ms": MILLISECOND, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h)")


def parse_duration(text: str) -> Micros:
    """Read a duration such as ``40ms``, ``1.5s`` or ``2m`` and return microseconds.

    Raises:
        ValueError: the text is not a non-negative number directly followed by us, ms, s, m or h.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a duration; write a number with a unit, such as 40ms, 1.5s or 2m")
    return round(float(match[1]) * _UNITS[match[2]])


def format_duration(duration: Micros) -> str:
    """Write a duration for people: ``40ms``, ``1.5s``, ``12s``."""
    if abs(duration) < SECOND:
        return f"{duration / MILLISECOND:g}ms"
    return f"{duration / SECOND:g}s"


def to_seconds(duration: Micros) -> float:
    """Return the duration in seconds, exact to the microsecond."""
    return duration / SECOND
