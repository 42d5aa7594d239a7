"""The scenario library against the law: every rule is observed by some scenario, and the reference proxy keeps them all."""

from collections.abc import Iterator

import pytest

from conformance.judge import Judged, coverage, judge
from conformance.judge.tests.gateways import GATEWAY, Gateway
from conformance.rules.model import RULES, RuleKind
from conformance.runner import AttemptPlan, record
from conformance.runner.in_memory import InMemory
from conformance.scenario.load import is_scenario, library, load
from conformance.scenario.model import Cell, Speaks
from conformance.targets.model import Target
from conformance.tests.build import TARGET
from conformance.verdicts import Blame, Verdict
from conformance.wire.durations import MILLISECOND
from conformance.wire.recording import Recording
from conformance.wire.script import Fault

THROUGH_A_GATEWAY = "text/realtime"
"""One Realtime scenario that is recorded through a gateway, too; more are in `test_gateways`."""


EVERY_POLICY = Target(
    rules_on={id_: "to see whether it is observed" for id_, rule in RULES.items() if rule.kind is RuleKind.POLICY},
    first_commit_min=100 * MILLISECOND,
)


def cells() -> Iterator[Cell]:
    for path in sorted(library().rglob("*.yaml")):
        if is_scenario(path):
            yield from load(path).cells()


@pytest.fixture(scope="module")
def recorded() -> list[tuple[Cell, Recording]]:
    return [(cell, record(AttemptPlan(cell=cell, target=TARGET, seed=0), subject=InMemory())) for cell in cells()]


def test_the_reference_proxy_passes_the_whole_library(recorded: list[tuple[Cell, Recording]]) -> None:
    assert len(recorded) > 300
    red = [
        f"{cell.scenario}[{cell.label}]: {check.verdict} {check.id}: {check.message}"
        for cell, recording in recorded
        for check in judge(cell, recording, TARGET).checks
        if check.verdict not in (Verdict.PASS, Verdict.INFO)
    ]
    assert red == []


def test_every_rule_is_observed_by_some_scenario(recorded: list[tuple[Cell, Recording]]) -> None:
    judged = [Judged(cell.scenario, judge(cell, recording, EVERY_POLICY).observed) for cell, recording in recorded]
    for cell in (cell for cell in cells() if cell.scenario == THROUGH_A_GATEWAY):
        passed = record(AttemptPlan(cell=cell, target=GATEWAY, seed=0), subject=Gateway())
        judged.append(Judged(cell.scenario, judge(cell, passed, GATEWAY).observed))
    found = coverage(judged)
    assert [each.rule for each in found] == list(RULES)
    assert [each.rule for each in found if not each.is_observed] == []


def test_the_idle_error_shows_in_greeting_and_idle_alone_and_is_cured_by_an_idle_timeout() -> None:
    """The seeds' table: firm audio passes; greeting and idle fail at about 5 s where no idle timeout is set."""
    seen: dict[str, set[Verdict]] = {}
    for cell in cells():
        if cell.flow not in ("firm-audio", "greeting", "idle") or cell.speaks is not Speaks.VOICE_AGENT:
            continue
        plan = AttemptPlan(cell=cell, target=TARGET, seed=0, fault=Fault("idle-error"))
        judgement = judge(cell, record(plan, subject=InMemory()), TARGET)
        cured = cell.flow == "firm-audio" or cell.values.get("idle_timeout_ms") is not None
        seen.setdefault(f"{cell.flow} {'without' if cured else 'with'} the error", set()).add(judgement.verdict)
        if judgement.verdict is Verdict.FAIL:
            failed = [check for check in judgement.checks if check.verdict is Verdict.FAIL]
            assert {check.blame for check in failed} == {Blame.UPSTREAM}
    assert seen == {
        "firm-audio without the error": {Verdict.PASS},
        "greeting with the error": {Verdict.FAIL},
        "greeting without the error": {Verdict.PASS},
        "idle with the error": {Verdict.FAIL},
        "idle without the error": {Verdict.PASS},
    }
