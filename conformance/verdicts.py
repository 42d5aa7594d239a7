"""Verdicts, blame and levels: the words in which the harness judges (DESIGN: checks, attempts, cells)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from conformance.wire.durations import Micros


class Verdict(StrEnum):
    """Of a check or an attempt. ``info`` is shown and never counts."""

    PASS = "pass"
    FAIL = "fail"
    WARN = "warn"
    INFO = "info"
    BLOCKED = "blocked"
    """Its anchor never happened."""
    NOT_OBSERVED = "not-observed"
    UNSUPPORTED = "unsupported"
    ERROR = "error"
    """The harness or the infrastructure failed; outside the rate."""


SEVERITY: Final = (
    Verdict.FAIL,
    Verdict.ERROR,
    Verdict.BLOCKED,
    Verdict.NOT_OBSERVED,
    Verdict.WARN,
    Verdict.UNSUPPORTED,
    Verdict.PASS,
)
"""An attempt's verdict is the first of these that any of its checks has."""


def worst(verdicts: list[Verdict]) -> Verdict:
    """Return the attempt's verdict; pass when nothing lowers it."""
    return next((verdict for verdict in SEVERITY if verdict in verdicts), Verdict.PASS)


class Blame(StrEnum):
    """Who broke it."""

    CLIENT = "client"
    PROXY = "proxy"
    UPSTREAM = "upstream"
    HARNESS = "harness"


class Level(StrEnum):
    """How much a check weighs: a broken must fails, a broken should warns, info is only shown."""

    MUST = "must"
    SHOULD = "should"
    INFO = "info"


class CheckKind(StrEnum):
    """Where a check comes from."""

    EXPECT = "expect"
    FORBID = "forbid"
    RULE = "rule"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check said of one attempt. ``event`` is the ``seq`` of the frame that decided it, ``t`` when it happened.

    ``cause`` tells apart the findings of one rule. ``windows`` are the intervals [from, to] the check looked at, for the
    report to shade; empty when it looked at everything.
    """

    id: str
    kind: CheckKind
    verdict: Verdict
    blame: Blame | None = None
    message: str = ""
    t: Micros | None = None
    event: int | None = None
    cause: str | None = None
    windows: tuple[tuple[Micros, Micros], ...] = ()
