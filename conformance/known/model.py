"""An entry of known.yaml, and which attempts and results it speaks of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from conformance.results import AttemptResult
from conformance.verdicts import CheckResult


class Expect(StrEnum):
    """How a known failure behaves."""

    FAILS = "fails"
    FLAKY = "flaky"


@dataclass(frozen=True, slots=True)
class Entry:
    """One known failure: a check's or a rule's id, where it fails, with which error, and why that is accepted.

    ``scenario`` (globs allowed) and ``target`` None mean any; ``when`` are matrix values the cell must have. ``error`` is a
    text that the failure's cause or message must hold. ``max_rate`` (0..1) bounds a flaky one. ``place`` says where it is.
    """

    check: str
    reason: str
    scenario: str | None = None
    when: Mapping[str, Any] = field(default_factory=dict)
    target: str | None = None
    expect: Expect = Expect.FAILS
    max_rate: float | None = None
    error: str | None = None
    issue: str | None = None
    place: str = "known.yaml"

    def covers(self, attempt: AttemptResult) -> bool:
        """Tell whether it speaks of this attempt."""
        return (
            (self.scenario is None or fnmatchcase(attempt.scenario, self.scenario))
            and (self.target is None or self.target == attempt.target)
            and all(name in attempt.cell and _equal(value, attempt.cell[name]) for name, value in self.when.items())
        )

    def fits(self, result: CheckResult) -> bool:
        """Tell whether this is the failure it means: its check, with its error."""
        if result.id != self.check:
            return False
        return self.error is None or self.error in result.message or self.error in (result.cause or "")


def _equal(value: Any, other: Any) -> bool:
    """Tell whether two matrix values are the same; true is not 1."""
    return bool(value == other) and isinstance(value, bool) is isinstance(other, bool)


@dataclass(frozen=True, slots=True)
class Known:
    """The entries of a known.yaml, in its order."""

    entries: tuple[Entry, ...] = ()

    def covering(self, attempt: AttemptResult) -> list[Entry]:
        """Return the entries that speak of an attempt."""
        return [entry for entry in self.entries if entry.covers(attempt)]
