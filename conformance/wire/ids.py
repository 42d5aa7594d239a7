"""Ids as the Realtime API makes them: a prefix, five base-62 digits of the clock, sixteen random ones.

Source: 25 recordings; ``decode(sess_…) + 3600`` equals the session's ``expires_at`` (ground truth §5.5).
"""

from functools import lru_cache
from random import Random
from typing import Final

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_EPOCH: Final = 1_576_800_000
_CLOCK_DIGITS: Final = 5
_RANDOM_DIGITS: Final = 16


@lru_cache(maxsize=64)
def clock_digits(unix_seconds: int) -> str:
    """Return the five digits that carry the time of an id."""
    value = unix_seconds - _EPOCH
    digits = []
    for _ in range(_CLOCK_DIGITS):
        value, digit = divmod(value, 62)
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))


def random_digits(random: Random, count: int = _RANDOM_DIGITS) -> str:
    """Return ``count`` random base-62 digits."""
    return "".join(random.choices(ALPHABET, k=count))


def make_id(prefix: str, unix_seconds: int, random: Random) -> str:
    """Make an id such as ``item_`` + 21 digits; ``call_`` ids carry no clock."""
    clock = "" if prefix == "call" else clock_digits(unix_seconds)
    return f"{prefix}_{clock}{random_digits(random)}"


def decode_clock(identifier: str) -> int:
    """Return the unix second in which an id was made.

    Raises:
        ValueError: the id has not the form that the API gives its own ids.
    """
    _, _, digits = identifier.partition("_")
    if len(digits) != _CLOCK_DIGITS + _RANDOM_DIGITS or any(digit not in ALPHABET for digit in digits):
        raise ValueError(f"{identifier!r} carries no clock")
    value = 0
    for digit in digits[:_CLOCK_DIGITS]:
        value = value * 62 + ALPHABET.index(digit)
    return value + _EPOCH
