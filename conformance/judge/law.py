"""The law applied: which rules are on for an attempt, and what they found, as check results.

Rules of the API and of the upstream are always on; the contract holds for voice-agent scenarios; policy is on where the
target (``rules_on``) or the scenario (``refs``, or a check's ``ref``) names it; the target's ``rules_off`` wins over all.
Pass-through rules (``GW-…``) need a Realtime client and a gateway to judge.

What the scenario does itself is shown (``info``) and never counts: what its own script made, for the upstream's rules, and
what our own driver sent as its client. A client that no driver of ours plays is a subject like any other. Nor does a proxy
answer for what nobody could see: once a half-open mock reads no more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from conformance.judge.lateness import excused
from conformance.rules.model import Case, Finding, Rule, RuleKind
from conformance.scenario.model import Cell, Speaks
from conformance.targets.model import Target
from conformance.verdicts import Blame, CheckKind, CheckResult, Level, Verdict
from conformance.wire.durations import Micros, format_duration
from conformance.wire.frames import Direction, Frame, Kind, Leg
from conformance.wire.index import Index
from conformance.wire.patterns import Pattern, pattern_type
from conformance.wire.recording import Recording

_GATEWAY: Final = "GW-"
_BY_PROXY: Final = ((Leg.UPSTREAM, Direction.UP), (Leg.CLIENT, Direction.DOWN))
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
        changes=target.changes,
        own_script=own_script(cell, recording),
    )


def rules_on(cell: Cell, target: Target, rules: Mapping[str, Rule]) -> list[Rule]:
    """Return the rules that hold for a scenario on a target."""
    voice_agent = cell.speaks is Speaks.VOICE_AGENT
    gateway = not voice_agent and has_subject(cell, target)
    named = {*target.rules_on, *cell.refs, *(check.ref for check in cell.checks)}
    kinds = {RuleKind.API, RuleKind.UPSTREAM} | ({RuleKind.CONTRACT} if voice_agent else set())

    def is_on(rule: Rule) -> bool:
        if rule.id.startswith(_GATEWAY):
            return gateway
        return rule.kind in kinds or (rule.kind is RuleKind.CONTRACT and rule.realtime) or rule.id in named

    return [rule for rule in rules.values() if rule.id not in target.rules_off and is_on(rule)]


def apply_rules(cell: Cell, index: Index, target: Target, rules: Mapping[str, Rule]) -> Findings:
    """Judge a recording by every rule that is on."""
    case = case_of(cell, index.recording, target)
    driven = bool(index.marks("step"))
    deaf = _deaf_from(index)
    lateness = worst_lateness(index)
    results: list[CheckResult] = []
    observed: list[str] = []
    for rule in rules_on(cell, target, rules):
        try:
            findings = rule.judge(case)
            late = excused(rule, tuple(findings or ()), case, lateness)
        except Exception as error:  # noqa: BLE001  a rule's own fault must not hide what the other rules found
            results.append(_crashed(rule, error))
            continue
        if findings is None:
            continue
        observed.append(rule.id)
        if not findings:
            continue
        seen = {frame.seq: frame for frame in index.frames}
        for finding in findings:
            if finding.cause in late:
                results.append(_late(rule, finding, lateness))
                continue
            frame = None if finding.event is None else seen.get(finding.event)
            passes_on = cell.speaks is Speaks.REALTIME and not rule.id.startswith(_GATEWAY)
            blame = _blame(finding.blame or rule.blame, frame, index, case.subject, passes_on=passes_on)
            own = rule.kind is RuleKind.UPSTREAM and frame is not None and frame.scripted in case.own_script
            unheard = blame is Blame.PROXY and deaf is not None and not _was_seen(deaf, frame)
            results.append(_result(rule, finding, blame, waived=own or unheard or (blame is Blame.CLIENT and driven)))
    return Findings(tuple(results), tuple(observed))


def _deaf_from(index: Index) -> Frame | None:
    """Return the mark from which on the mock read nothing, so that nobody can say what the subject sent or answered."""
    marks = (mark for mark in index.marks("fault") if mark.data.get("name") == "half-open")
    return min(marks, key=lambda mark: mark.t, default=None)


def _was_seen(deaf: Frame, frame: Frame | None) -> bool:
    """True for what the subject said before the mock went deaf, and for what went up on another connection since."""
    if frame is None or (frame.leg, frame.dir) not in _BY_PROXY:
        return False
    return frame.t < deaf.t or (frame.leg is Leg.UPSTREAM and frame.conn != deaf.conn)


def _blame(blame: Blame, frame: Frame | None, index: Index, subject: bool, *, passes_on: bool) -> Blame:
    """Return the client instead of the proxy where there is none, or where a gateway only passed on what the client sent.

    A voice-agent proxy is never excused so: passing a client's message on is what it must not do.
    """
    if blame is not Blame.PROXY:
        return blame
    if not subject:
        return Blame.CLIENT
    if not passes_on or frame is None or (frame.leg, frame.dir) != (Leg.UPSTREAM, Direction.UP):
        return blame
    binary = frame.kind is Kind.BINARY
    sent = index.others(Leg.CLIENT, Kind.BINARY) if binary else index.texts(Leg.CLIENT, frame.type)
    same = (each.data == frame.data or (binary and each.data.get("sha256") == frame.data.get("sha256")) for each in sent)
    return Blame.CLIENT if any(same) else blame


def _result(rule: Rule, finding: Finding, blame: Blame, *, waived: bool) -> CheckResult:
    verdict = BROKEN[finding.level or rule.level]
    if blame is Blame.HARNESS and verdict is Verdict.FAIL:
        verdict = Verdict.ERROR
    return CheckResult(
        id=rule.id,
        kind=CheckKind.RULE,
        verdict=Verdict.INFO if waived else verdict,
        blame=blame,
        message=f"{finding.message} (this scenario's own doing)" if waived else finding.message,
        t=finding.t,
        event=finding.event,
        cause=finding.cause,
    )


def worst_lateness(index: Index) -> Micros:
    """Return by how much the harness itself was late at worst, in µs; the virtual clock is never late."""
    recording = index.recording
    if recording.header.clock != "real" or recording.footer is None:
        return 0
    marks = (mark.data.get("us") for mark in index.marks("lateness"))
    return max([recording.footer.lateness, *(late for late in marks if isinstance(late, int))])


def _late(rule: Rule, finding: Finding, lateness: Micros) -> CheckResult:
    message = f"{finding.message}; but the harness itself was up to {format_duration(lateness)} late"
    verdict = Verdict.ERROR if BROKEN[finding.level or rule.level] is Verdict.FAIL else Verdict.INFO
    return CheckResult(rule.id, CheckKind.RULE, verdict, Blame.HARNESS, message, finding.t, finding.event, finding.cause)


def _crashed(rule: Rule, error: Exception) -> CheckResult:
    message = f"the rule itself failed on this recording: {type(error).__name__}: {error}; please report it"
    return CheckResult(rule.id, CheckKind.RULE, Verdict.ERROR, Blame.HARNESS, message, cause="crash")


def _may_be_error(pattern: Pattern) -> bool:
    if isinstance(pattern, str) and pattern == "*":
        return False
    return any(fnmatchcase(name, pattern_type(pattern)) for name in _ERRORS)
