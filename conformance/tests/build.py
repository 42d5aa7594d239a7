"""Small builders for tests: a cell from its steps and checks, a recording from its text form."""

from pathlib import Path
from typing import Any

from conformance.rules.timeline import parse_timeline
from conformance.scenario.model import Anchor, Cell, Check, Mutant, Speaks, Step
from conformance.targets.model import Target
from conformance.verdicts import Level
from conformance.wire.durations import parse_duration
from conformance.wire.frames import Leg
from conformance.wire.patterns import Pattern
from conformance.wire.script import Script

__all__ = ["TARGET", "anchor", "cell", "expect", "forbid", "parse_timeline"]

TARGET = Target()


def anchor(text: str) -> Anchor:
    """Read ``client:Error`` or ``upstream:response.done`` as an event, anything else as a step's id."""
    leg, colon, pattern = text.partition(":")
    return Anchor(leg=Leg(leg), pattern=pattern) if colon else Anchor(step=text)


def expect(id_: str, leg: str, pattern: Pattern, **options: Any) -> Check:
    """Make an ``expect``; ``after`` and ``before`` as `anchor` reads them, ``within`` as a duration with a unit."""
    return _check(id_, leg, pattern, forbid_=False, **options)


def forbid(id_: str, leg: str, pattern: Pattern, **options: Any) -> Check:
    """Make a ``forbid``; options as for `expect`."""
    return _check(id_, leg, pattern, forbid_=True, **options)


def _check(
    id_: str,
    leg: str,
    pattern: Pattern,
    *,
    forbid_: bool,
    after: str | None = None,
    before: str | None = None,
    within: str | None = None,
    level: str = "must",
    **rest: Any,
) -> Check:
    return Check(
        id=id_,
        forbid=forbid_,
        leg=Leg(leg),
        pattern=pattern,
        after=None if after is None else anchor(after),
        before=None if before is None else anchor(before),
        within=None if within is None else parse_duration(within),
        level=Level(level),
        **rest,
    )


def cell(
    *checks: Check,
    steps: tuple[Step, ...] = (),
    script: Script | None = None,
    mutants: tuple[Mutant, ...] = (),
    refs: tuple[str, ...] = (),
    speaks: Speaks = Speaks.VOICE_AGENT,
    values: dict[str, Any] | None = None,
    scenario: str = "greeting/idle",
) -> Cell:
    """Make a cell of a scenario that lives nowhere."""
    return Cell(
        scenario=scenario,
        flow=scenario.partition("/")[0],
        title="",
        path=Path(f"scenarios/{scenario}.yaml"),
        values=values or {},
        speaks=speaks,
        refs=refs,
        tags=(),
        steps=steps,
        script=script or Script(),
        checks=checks,
        mutants=mutants,
    )
