"""The law applied: which rules are on for an attempt, and what they found, as check results.

Rules of the API and of the upstream are always on; the contract holds for voice-agent scenarios; policy is on where the
target (``rules_on``) or the scenario (``refs``, or a check's ``ref``) names it; the target's ``rules_off`` wins over all.
Pass-through rules (``GW-…``) need a Realtime client and a gateway to judge.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from conformance.rules.model import Case, Finding, Rule, RuleKind
from conformance.scenario.model import Cell, Speaks
from conformance.targets.model import Target
from conformance.verdicts import Blame, CheckKind, CheckResult, Level, Verdict
from conformance.wire.frames import Leg
from conformance.wire.index import Index
from conformance.wire.patterns import Pattern, pattern_type
from conformance.wire.recording import Recording

_GATEWAY: Final = "GW-"
_ERRORS: Final = ("Error", "error", "response.done")
BROKEN: Final = {Level.MUST: Verdict.FAIL, Level.SHOULD: Verdict.WARN, Level.INFO: Verdict.INFO}
"""What a broken check or rule of each level comes to."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What the rules said: the findings as results, and the ids of the rules that had something to look at."""

    results: tuple[CheckResult, ...]
    observed: tuple[str, ...]


def has_subject(cell: Cell, target: Target) -> bool:
    """Tell whether something stands between driver and upstream: always, but for a Realtime server driven directly."""
    if cell.speaks is Speaks.VOICE_AGENT:
        return True
    return target.command is not None or (target.url is not None and target.mock_port is not None)


def own_script(cell: Cell, recording: Recording) -> frozenset[str]:
    """Return the ids of the script rules that are the scenario's own, not those of the mutant that ran."""
    running = next((mutant for mutant in cell.mutants if mutant.id == recording.header.mutant), None)
    foreign = {rule.id for rule in running.rules} if running is not None else set()
    return frozenset(rule.id for rule in cell.script.rules) - foreign


def case_of(cell: Cell, recording: Recording, target: Target) -> Case:
    """Return what the rules may look at."""
    return Case(
        recording=recording,
        client_rate=target.client_rate,
        first_commit_min=target.first_commit_min,
        expected_errors=tuple(
            check.pattern
            for check in cell.checks
            if not check.forbid and check.leg is Leg.CLIENT and _may_be_error(check.pattern)
        ),
        subject=has_subject(cell, target),
        settings=target.settings,
        own_script=own_script(cell, recording),
    )


def is_on(rule: Rule, cell: Cell, target: Target) -> bool:
    """Tell whether a rule holds for a scenario on a target."""
    if rule.id in target.rules_off:
        return False
    if rule.id.startswith(_GATEWAY):
        return cell.speaks is Speaks.REALTIME and has_subject(cell, target)
    if rule.kind in (RuleKind.API, RuleKind.UPSTREAM):
        return True
    if rule.kind is RuleKind.CONTRACT and cell.speaks is Speaks.VOICE_AGENT:
        return True
    return rule.id in target.rules_on or rule.id in cell.refs or any(check.ref == rule.id for check in cell.checks)


def apply_rules(cell: Cell, index: Index, target: Target, rules: Mapping[str, Rule]) -> Findings:
    """Judge a recording by every rule that is on."""
    case = case_of(cell, index.recording, target)
    seen = {frame.seq: frame for frame in index.frames}
    results: list[CheckResult] = []
    observed: list[str] = []
    for rule in rules.values():
        if not is_on(rule, cell, target):
            continue
        try:
            findings = rule.judge(case)
        except Exception as error:  # noqa: BLE001  a rule's own fault must not hide what the other rules found
            results.append(_crashed(rule, error))
            continue
        if findings is None:
            continue
        observed.append(rule.id)
        for finding in findings:
            frame = None if finding.event is None else seen.get(finding.event)
            waived = rule.kind is RuleKind.UPSTREAM and frame is not None and frame.scripted in case.own_script
            results.append(_result(rule, finding, case.subject, waived=waived))
    return Findings(tuple(results), tuple(observed))


def _result(rule: Rule, finding: Finding, subject: bool, *, waived: bool) -> CheckResult:
    blame = finding.blame or rule.blame
    if blame is Blame.PROXY and not subject:
        blame = Blame.CLIENT
    verdict = BROKEN[finding.level or rule.level]
    if blame is Blame.HARNESS and verdict is Verdict.FAIL:
        verdict = Verdict.ERROR
    return CheckResult(
        id=rule.id,
        kind=CheckKind.RULE,
        verdict=Verdict.INFO if waived else verdict,
        blame=blame,
        message=f"{finding.message} (scripted by this scenario)" if waived else finding.message,
        t=finding.t,
        event=finding.event,
        cause=finding.cause,
    )


def _crashed(rule: Rule, error: Exception) -> CheckResult:
    message = f"the rule itself failed on this recording: {type(error).__name__}: {error}; please report it"
    return CheckResult(rule.id, CheckKind.RULE, Verdict.ERROR, Blame.HARNESS, message, cause="crash")


def _may_be_error(pattern: Pattern) -> bool:
    if isinstance(pattern, str) and pattern == "*":
        return False
    return any(fnmatchcase(name, pattern_type(pattern)) for name in _ERRORS)
