"""Mistakes: what is wrong with a scenario file, where, and what was probably meant."""

from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

_LONGEST: Final = 80
"""Characters of a wrong value that a message repeats."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a file; lines and columns count from 1."""

    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake, as ``file:line:column: sentence``."""

    file: str
    place: Place
    sentence: str

    def __str__(self) -> str:
        return f"{self.file}:{self.place.line}:{self.place.column}: {self.sentence}"


class ScenarioError(ValueError):
    """A scenario cannot be used; ``mistakes`` holds every mistake found, in the order of the files."""

    def __init__(self, mistakes: Collection[Mistake]) -> None:
        """Join the mistakes, one per line."""
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(map(str, mistakes)))


def shown(value: object) -> str:
    """Return a value as a message may hold it: whoever wrote megabytes of it knows the rest."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def did_you_mean(word: str, known: Collection[str]) -> str:
    """Return ``; did you mean 'within'?`` when a known word is close, else nothing."""
    close = get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""
