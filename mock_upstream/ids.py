"""Ids and random text of one session, in the form of `conformance.wire.ids`, all from one seeded source.

A turn makes dozens of ids; random bytes mapped through a table of 256 digits cost a tenth of 16 single draws.
"""

from random import Random
from typing import Final

from conformance.wire.durations import SECOND, Micros
from conformance.wire.ids import ALPHABET, clock_digits

_DIGITS: Final = "".join(ALPHABET[byte % len(ALPHABET)] for byte in range(256)).encode()
_BLOCK: Final = 16


class Ids:
    """The ids of one connection: the same seed and the same calls give the same ids."""

    def __init__(self, seed: int, conn: int, epoch: int) -> None:
        """Start; ``epoch`` is the unix second that time 0 stands for."""
        self._bytes = Random(f"{seed}/{conn}").randbytes
        self._epoch = epoch
        self._second = -1
        self._clock = ""

    def make(self, prefix: str, now: Micros) -> str:
        """Return a new id such as ``item_`` + 21 digits."""
        second = now // SECOND
        if second != self._second:
            self._second = second
            self._clock = clock_digits(self._epoch + second)
        return f"{prefix}_{self._clock}{self.digits(_BLOCK)}"

    def call(self) -> str:
        """Return a new ``call_`` id; these carry no clock."""
        return f"call_{self.digits(_BLOCK)}"

    def digits(self, count: int) -> str:
        """Return random letters and digits."""
        return self._bytes(count).translate(_DIGITS).decode("ascii")

    def obfuscation(self, delta: str) -> str:
        """Return padding that brings a delta to a multiple of 16 characters (403 recorded deltas, ground truth §5.7)."""
        return self.digits(-len(delta) % _BLOCK)
