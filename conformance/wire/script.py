"""The rule-and-fault model: how a script tells the mock to deviate.

`conformance.scenario` reads it from YAML; the mock, the tap and replay take these objects. `mock_upstream.faults` carries
them out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from conformance.wire.durations import Micros
from conformance.wire.patterns import Pattern
from conformance.wire.recording import Recording


@dataclass(frozen=True, slots=True)
class Fault:
    """A named deviation (see `FAULTS`) with its parameters."""

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """One event a script sends: a partial event that is completed to a valid one, unless ``raw``."""

    event: Mapping[str, Any]
    raw: bool = False


@dataclass(frozen=True, slots=True)
class ScriptRule:
    """One exception to the faithful mock.

    ``when`` names a client event the mock receives, or a server event it is about to send; ``at`` an offset from
    the opening of the connection. Exactly one of the two is set. ``reply`` replaces the profile's answer (or the server
    event named by ``when``); without ``reply`` and ``fault`` the profile's own answer is only delayed. A rule is spent
    after ``times`` matches (``at`` rules after one). ``conn`` limits the rule to one connection of the attempt.
    """

    id: str
    when: Pattern | None = None
    at: Micros | None = None
    delay: Micros = 0
    times: int | None = None
    reply: tuple[Reply, ...] | None = None
    fault: Fault | None = None
    probability: float = 1.0
    conn: int | None = None


@dataclass(frozen=True, slots=True)
class ReplaySource:
    """A recording to serve in place of the faithful mock; see `mock_upstream.replay` for what ``strict`` asks.

    ``audio_dir`` is where ``--keep-audio`` kept the bodies by hash.
    """

    recording: Recording
    strict: bool = False
    audio_dir: Path | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """The upstream side of a scenario: a profile (a model's defaults), its dialect, and the exceptions to it.

    ``settings`` are the mock's knobs that a profile gives defaults for (``transcript``, ``chunk_ms``, ``pace`` …; see
    `mock_upstream.profiles`). ``replay`` serves a recorded session instead; rules are then ignored.
    """

    profile: str = "realtime-ga"
    rules: tuple[ScriptRule, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    replay: ReplaySource | None = None


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """A row of the fault table: what the fault does and the parameters it takes, with their defaults.

    ``scope`` says what it acts on: ``session`` (armed when the connection opens, may stand alone), ``event`` (on the
    event its rule matched), ``connection`` (on the socket) or ``handshake`` (instead of the upgrade).
    """

    name: str
    scope: str
    does: str
    params: Mapping[str, Any] = field(default_factory=dict)


_CHOSEN: Final[Mapping[str, Any]] = {"on": "*", "percent": 100, "times": 1_000_000}
"""On a command line, where no rule names the event: which server events, how many percent of them, how often at most."""

FAULTS: Final[Mapping[str, FaultSpec]] = {
    spec.name: spec
    for spec in (
        FaultSpec(
            "idle-error",
            "session",
            "One shot: `after` from session.created, if no commit and no response.create ever arrived and "
            "the effective idle_timeout_ms is null, a server_error. No public recording of the API supports it: "
            "never a default.",
            {"after": "5s"},
        ),
        FaultSpec("idle-error-close", "session", "idle-error, then close 1000.", {"after": "5s"}),
        FaultSpec("idle-error-rolling", "session", "idle-error, `after` from any last activity.", {"after": "5s"}),
        FaultSpec("error-after-created", "session", "A server_error right after session.created.", {"after": "0ms"}),
        FaultSpec("error-after-append", "session", "A server_error after the first append, then close 1000."),
        FaultSpec("error-after-turn", "session", "A server_error 1 to 2 s after response.done.", {"after": "1.5s"}),
        FaultSpec(
            "close-after-first-text", "session", "Close 1000 after the first text item, no reply.", {"after": "2.7s"}
        ),
        FaultSpec("silent-model", "session", "Commits and items are acknowledged; no response gives any output."),
        FaultSpec("string-deltas", "session", "Transcript deltas are strings, as documented."),
        FaultSpec("object-deltas", "session", 'Transcript deltas are objects {"text": …}.'),
        FaultSpec("reject-session-audio", "session", "session.audio is refused as an unknown parameter."),
        FaultSpec("delay", "event", "The event goes out `by` later; others may overtake it.", {"by": "500ms", **_CHOSEN}),
        FaultSpec("drop", "event", "The event is withheld.", _CHOSEN),
        FaultSpec("duplicate", "event", "The event goes out twice.", _CHOSEN),
        FaultSpec("reorder", "event", "The event goes out after the next one.", _CHOSEN),
        FaultSpec("corrupt", "event", "The event's JSON is broken, so that it cannot be read.", _CHOSEN),
        FaultSpec("truncate", "event", "The event's JSON is cut off in the middle.", _CHOSEN),
        FaultSpec("binary", "event", "The event goes out as a binary frame.", _CHOSEN),
        FaultSpec("oversize", "event", "The event carries a field of `size` bytes.", {"size": 17_000_000, **_CHOSEN}),
        FaultSpec("stall", "event", "This event and all later ones are withheld; the connection stays open.", _CHOSEN),
        FaultSpec("close", "connection", "Close with `code` and `reason`.", {"code": 1011, "reason": "", "after": "0ms"}),
        FaultSpec("abort", "connection", "Reset the connection (RST), no closing handshake.", {"after": "0ms"}),
        FaultSpec("half-open", "connection", "Stop reading and writing; the connection stays open.", {"after": "0ms"}),
        FaultSpec("no-pong", "connection", "Pings are not answered.", {"after": "0ms"}),
        FaultSpec("refuse-tcp", "handshake", "Reset (RST) before the upgrade is answered: to a client, nobody is there."),
        FaultSpec("refuse-401", "handshake", "HTTP 401 instead of the upgrade."),
        FaultSpec("refuse-403", "handshake", "HTTP 403 instead of the upgrade."),
        FaultSpec("refuse-429", "handshake", "HTTP 429 instead of the upgrade."),
        FaultSpec("refuse-500", "handshake", "HTTP 500 instead of the upgrade."),
        FaultSpec("slow-accept", "handshake", "The upgrade is answered `after` the request.", {"after": "3s"}),
    )
}
"""Every named fault; the docs' table is printed from it."""
