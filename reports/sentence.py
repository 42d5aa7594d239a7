"""A verdict in words: one sentence in parts to be set apart, the facts behind it, and what to do next."""

from dataclasses import dataclass
from enum import StrEnum


class Tone(StrEnum):
    """How the page looks at first sight."""

    GREEN = "pass"
    RED = "fail"
    GREY = "error"


class Part(StrEnum):
    """How a part of the sentence is set."""

    PLAIN = "plain"
    FAIL = "fail"
    PASS = "pass"
    STRONG = "strong"


@dataclass(frozen=True, slots=True)
class Sentence:
    """The verdict, in parts to be set apart; ``next`` says what to do, ``command`` repeats the run.

    ``facts`` are (question, answer) pairs behind it: since when, whose fault, what cures it, how sure.
    """

    tone: Tone
    parts: tuple[tuple[str, Part], ...]
    facts: tuple[tuple[str, str], ...]
    next: str
    command: str

    def __str__(self) -> str:
        return "".join(text for text, _ in self.parts)
