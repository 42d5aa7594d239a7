"""The scenario, read: what the client does, how the mock deviates, what must and must not be seen.

`conformance.scenario.load` makes these from YAML. A `Scenario` may still hold ``${…}``; a `Cell` never does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from conformance.verdicts import Level
from conformance.wire.durations import Micros
from conformance.wire.frames import Leg
from conformance.wire.patterns import Pattern
from conformance.wire.script import Script, ScriptRule

SCRIPTED: Final = "scripted"
"""The tag of a scenario that says nothing without its script; the real API is not tried on it."""


class Speaks(StrEnum):
    """The protocol of the client leg."""

    VOICE_AGENT = "voice-agent"
    REALTIME = "realtime"


@dataclass(frozen=True, slots=True)
class Anchor:
    """An instant: the first time a step took effect, or an event was seen on a leg."""

    step: str | None = None
    leg: Leg | None = None
    pattern: Pattern | None = None

    def __str__(self) -> str:
        return self.step if self.step is not None else f"{self.leg}:{self.pattern}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What the client does next. ``at`` is an absolute offset from the previous step's instant, or from ``after``."""

    id: str | None = None
    after: Anchor | None = None
    at: Micros | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect(Step):
    """Open a connection; a second one in a scenario is a reconnect. ``headers`` and ``query`` are added to the request."""

    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Send(Step):
    """Send a message: a mapping goes out as JSON text, a string verbatim as text, bytes as a binary frame."""

    message: Mapping[str, Any] | str | bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Audio(Step):
    """Send audio in the background: a WAV below the scenario folder, or ``silence`` / ``tone`` of a duration."""

    source: str
    duration: Micros | None = None
    chunk: Micros = 20_000
    realtime: bool = True
    """False sends all chunks at once (``pace: burst``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(Step):
    """Wait for an event received after the previous wait matched; ``save`` maps variable names to dotted paths."""

    leg: Leg
    pattern: Pattern
    within: Micros
    save: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold(Step):
    """Let time pass."""

    duration: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Close(Step):
    """Close the connection; ``late`` bounds the late window (None: the default 5 s), ``abort`` skips the handshake."""

    code: int = 1000
    reason: str = ""
    late: Micros | None = None
    abort: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Step):
    """Run a registered Python step."""

    name: str
    args: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Check:
    """An ``expect`` or ``forbid``. ``count`` None means at least one (expect); a pattern such as ``{"$gt": 1}`` a range."""

    id: str
    forbid: bool
    leg: Leg
    pattern: Pattern
    after: Anchor | None = None
    before: Anchor | None = None
    within: Micros | None = None
    count: int | Mapping[str, int] | None = None
    level: Level = Level.MUST
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Mutant:
    """A deviation under which the checks in ``fails`` must fail, and no others but those in ``also``."""

    id: str
    rules: tuple[ScriptRule, ...]
    fails: tuple[str, ...]
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cell:
    """A scenario with one choice of its matrix values, every ``${…}`` replaced but those a ``save`` fills at run time."""

    scenario: str
    flow: str
    title: str
    path: Path
    values: Mapping[str, Any]
    speaks: Speaks
    refs: tuple[str, ...]
    tags: tuple[str, ...]
    steps: tuple[Step, ...]
    script: Script
    checks: tuple[Check, ...]
    mutants: tuple[Mutant, ...]

    @property
    def needs_script(self) -> bool:
        """True for what the tag ``scripted`` marks: only the mock can show what is expected."""
        return SCRIPTED in self.tags

    @property
    def label(self) -> str:
        """The matrix values as node ids show them: ``null-10000``; empty without a matrix."""
        return "-".join(label_value(value) for value in self.values.values())


@dataclass(frozen=True, slots=True)
class Scenario:
    """One file, read. ``matrix`` holds each key's labels, in order; ``cell_list`` is never empty.

    ``doubts`` are sentences with their places about what is allowed and yet looks like a slip of the pen.
    """

    path: Path
    matrix: Mapping[str, tuple[Any, ...]]
    cell_list: tuple[Cell, ...]
    doubts: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The scenario's path below its root."""
        return self.cell_list[0].scenario

    @property
    def flow(self) -> str:
        """What the scenario exercises."""
        return self.cell_list[0].flow

    def cells(self) -> list[Cell]:
        """Return every combination of the matrix values, in the order of the file."""
        return list(self.cell_list)


def label_value(value: Any) -> str:
    """Write a matrix value for a node id."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
