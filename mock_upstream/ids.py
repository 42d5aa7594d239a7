"""Ids and random text of one session, in the form of `conformance.wire.ids`, all from one seeded source.

A turn makes dozens of ids; random bytes mapped through a table of 256 digits, drawn by the thousand, cost a tenth of single
draws.
"""

from random import Random
from typing import Final

from conformance.wire.durations import SECOND, Micros
from conformance.wire.ids import ALPHABET, clock_digits

_DIGITS: Final = "".join(ALPHABET[byte % len(ALPHABET)] for byte in range(256)).encode()
BLOCK: Final = 16
"""Random digits of an id, and the length that obfuscation fills up to a multiple of."""
_POOL: Final = 640
"""Digits drawn at a time: about what a session of one turn needs."""


class Ids:
    """The ids of one connection: the same seed and the same calls give the same ids."""

    def __init__(self, seed: int, conn: int, epoch: int) -> None:
        """Start; ``epoch`` is the unix second that time 0 stands for."""
        self._bytes = Random(seed << 16 | conn).randbytes
        self._pool = ""
        self._next = 0
        self._epoch = epoch
        self._second = -1
        self._clock = ""

    def make(self, prefix: str, now: Micros) -> str:
        """Return a new id such as ``item_`` + 21 digits."""
        if now // SECOND != self._second:
            self._read_clock(now)
        start = self._next
        self._next = end = start + BLOCK
        if end <= len(self._pool):
            return f"{prefix}_{self._clock}{self._pool[start:end]}"
        self._next = start
        return f"{prefix}_{self._clock}{self.digits(BLOCK)}"

    def stem(self, prefix: str, now: Micros) -> str:
        """Return what the ids of this second begin with; `BLOCK` random digits make it an id."""
        if now // SECOND != self._second:
            self._read_clock(now)
        return f"{prefix}_{self._clock}"

    def _read_clock(self, now: Micros) -> None:
        self._second = now // SECOND
        self._clock = clock_digits(self._epoch + self._second)

    def call(self) -> str:
        """Return a new ``call_`` id; these carry no clock."""
        return f"call_{self.digits(BLOCK)}"

    def digits(self, count: int) -> str:
        """Return random letters and digits."""
        end = self._next + count
        while end > len(self._pool):
            left = self._pool[self._next :]
            self._pool = left + self._bytes(_POOL).translate(_DIGITS).decode("ascii")
            self._next, end = 0, count
        start, self._next = self._next, end
        return self._pool[start:end]

    def obfuscation(self, delta: str) -> str:
        """Return padding that brings a delta to a multiple of 16 characters (403 recorded deltas, ground truth §5.7)."""
        return self.digits(-len(delta) % BLOCK)
