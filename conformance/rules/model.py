"""A rule: a law of the protocol as a pure function over a recording, with what a reader needs to believe it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from conformance.verdicts import Blame, Level
from conformance.wire.durations import Micros
from conformance.wire.patterns import Pattern
from conformance.wire.recording import Recording


class RuleKind(StrEnum):
    """What a rule rests on: the API's law, the voice-agent contract, a product's choice, or the upstream's own duty."""

    API = "api"
    CONTRACT = "contract"
    POLICY = "policy"
    UPSTREAM = "upstream"


@dataclass(frozen=True, slots=True)
class Case:
    """What a rule may look at: the recording, and what the scenario and the target say about it.

    ``client_rate`` (Hz) and ``first_commit_min`` (µs) are the target's; ``expected_errors`` are the patterns of the
    scenario's ``expect`` checks on the client leg, which make a client-visible error asked for; ``subject`` is False when
    the driver speaks to the upstream directly, so that there is no proxy to blame. ``own_script`` are the ids of the
    scenario's own script rules: only what those made (`Frame.scripted`) is waived for the upstream; what a mutant or a
    ``--fault`` made is scripted too, under other ids, and never waived.
    """

    recording: Recording
    client_rate: int | None = None
    first_commit_min: Micros = 0
    expected_errors: tuple[Pattern, ...] = ()
    subject: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)
    changes: tuple[str, ...] = ()
    """Dotted paths (globs allowed) of the fields that a pass-through gateway's target declares it changes."""
    cache: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """Where the rules keep the view of the recording that they share."""
    own_script: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause for which a rule is broken: the frame (``seq``) that breaks it, when, and a sentence that says how.

    ``cause`` is an event type, a parameter path, or the id of the upstream event that set it off: its identity. ``blame``
    overrides the rule's own; ``level`` likewise.
    """

    cause: str
    message: str
    t: Micros
    event: int | None = None
    blame: Blame | None = None
    level: Level | None = None


Judge = Callable[[Case], Sequence[Finding] | None]
"""Returns the findings, an empty sequence when the rule was kept, None when it had nothing to look at."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of `rules.md`."""

    id: str
    sentence: str
    why: str
    source: str
    kind: RuleKind
    blame: Blame
    judge: Judge
    level: Level = Level.MUST
    realtime: bool = False
    """True for a contract rule that holds for Realtime clients, too (its findings then carry their own level)."""
    excludes: str | None = None
    """The policy that asks for the opposite: a target turns on one of the two."""


RULES: Final[dict[str, Rule]] = {}
"""Every rule by id, in the order of the catalogue."""


def rule(
    id: str,  # noqa: A002
    sentence: str,
    *,
    why: str,
    source: str,
    kind: RuleKind,
    blame: Blame = Blame.PROXY,
    level: Level = Level.MUST,
    realtime: bool = False,
    excludes: str | None = None,
) -> Callable[[Judge], Judge]:
    """Register the decorated function as a rule."""

    def register(judge: Judge) -> Judge:
        if id in RULES:
            raise ValueError(f"rule {id} is defined twice")
        RULES[id] = Rule(id, sentence, why, source, kind, blame, judge, level, realtime, excludes)
        return judge

    return register
