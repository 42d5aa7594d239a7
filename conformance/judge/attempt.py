"""Judging an attempt: a pure function of its cell, its recording and its target.

Besides the scenario's checks and the rules, an attempt fails by what happened to it: a wait that timed out, a connection
that could not be made, a subject that died. What befell the harness or the infrastructure is an error, not a failure.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import conformance.rules  # noqa: F401  registers every rule
from conformance.judge.blame import Evidence
from conformance.judge.checks import Held, Outcome, evaluate
from conformance.judge.instants import Instants
from conformance.judge.law import BROKEN, apply_rules, has_subject, own_script, worst_lateness
from conformance.judge.words import error_words, pattern_words
from conformance.rules.model import RULES, Rule
from conformance.scenario.model import Cell, Check, Wait
from conformance.targets.model import Target, Upstream
from conformance.verdicts import Blame, CheckKind, CheckResult, Level, Verdict, worst
from conformance.wire import recording as wire
from conformance.wire.durations import Micros, format_duration
from conformance.wire.frames import Frame, Kind, Leg
from conformance.wire.index import Index
from conformance.wire.patterns import pattern_type
from conformance.wire.script import FAULTS

_LOG_LINES: Final = 5
_ACTIONS: Final = ("connect", "send", "audio", "close", "run")
_IDS: Final = re.compile(r"\b(sess|conv|item|resp|event|call|rtc|req)_[A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found. ``observed`` are the ids of the rules that had something to look at, broken or not.

    ``faulted`` tells whether the fault that the attempt was under did anything.
    """

    verdict: Verdict
    checks: tuple[CheckResult, ...]
    observed: tuple[str, ...] = ()
    faulted: bool = False


def judge(cell: Cell, recording: wire.Recording, target: Target, rules: Mapping[str, Rule] = RULES) -> Judgement:
    """Judge one attempt."""
    # In our own process, and in front of the real API, a Realtime client is led past the reference proxy.
    if message := target.refuses(cell):
        return _only(CheckResult("speaks", CheckKind.EXPECT, Verdict.UNSUPPORTED, message=message))
    footer = recording.footer
    if footer is None:
        message = "the recording has no end: the run was killed while this attempt was under way"
        return _only(CheckResult("attempt", CheckKind.EXPECT, Verdict.ERROR, Blame.HARNESS, message))
    if footer.outcome is wire.Outcome.CANCELLED:
        message = footer.message or "the attempt was cancelled"
        return _only(CheckResult("attempt", CheckKind.EXPECT, Verdict.NOT_OBSERVED, None, message, footer.t))
    if footer.outcome is wire.Outcome.ERROR:
        message = footer.message or "the harness failed"
        return _only(CheckResult("attempt", CheckKind.EXPECT, Verdict.ERROR, Blame.HARNESS, message, footer.t))
    attempt = Attempt(cell, recording, target)
    for mark in attempt.index.marks("mock-failed"):
        message = f"our own mock failed ({mark.data.get('error')}) and hung up; please report it with this recording"
        return _only(CheckResult("attempt", CheckKind.EXPECT, Verdict.ERROR, Blame.HARNESS, message, mark.t, mark.seq))
    findings = apply_rules(cell, attempt.index, target, rules)
    checks = (*attempt.accidents(), *map(attempt.check, cell.checks), *findings.results)
    return Judgement(worst([check.verdict for check in checks]), checks, findings.observed, _faulted(attempt.index))


def _faulted(index: Index) -> bool:
    spec = FAULTS.get(index.recording.header.fault or "")
    if spec is not None and spec.scope == "handshake":
        return bool(index.others(Leg.UPSTREAM, Kind.OPEN))
    return spec is not None and any(mark.data.get("name") == spec.name for mark in index.marks("fault"))


class Attempt:
    """An attempt whose recording is complete, with what judging it needs."""

    def __init__(self, cell: Cell, recording: wire.Recording, target: Target) -> None:
        """Index the recording."""
        self.cell = cell
        self._subject = has_subject(cell, target)
        one_leg = not self._subject and all(frame.leg is Leg.CLIENT for frame in recording.frames)
        self.index = Index(recording, one_leg=one_leg)
        self.instants = Instants(cell, self.index)
        self._is_real_api = target.upstream is Upstream.REAL
        self._evidence = Evidence(self.index, own_script(cell, recording), self._subject)
        self._late = self.index.marks("lateness") if recording.header.clock == "real" else []
        self._lateness = worst_lateness(self.index)

    def check(self, check: Check) -> CheckResult:
        """Judge one check of the scenario."""
        outcome = evaluate(check, self.index, self.instants)
        kind = CheckKind.FORBID if check.forbid else CheckKind.EXPECT
        result = CheckResult(check.id, kind, Verdict.PASS, windows=outcome.windows)
        match outcome.held:
            case Held.YES:
                return result
            case Held.BLOCKED:
                return replace(result, verdict=_weigh(Verdict.BLOCKED, check.level), message=outcome.message)
            case Held.UNWATCHED:
                return replace(result, verdict=_weigh(Verdict.NOT_OBSERVED, check.level), message=outcome.message)
            case Held.NO:
                return self._broken(check, outcome, result)

    def accidents(self) -> Iterator[CheckResult]:
        """Yield what happened to the attempt: the subject's death, failed connections, waits that timed out."""
        footer = self.index.recording.footer
        if footer is not None and footer.outcome in (wire.Outcome.DIED, wire.Outcome.UNUSABLE):
            log = "".join(f"\n  | {line}" for line in footer.log[-_LOG_LINES:])
            message = f"{footer.message or 'the subject ended during the attempt'}{log}"
            yield CheckResult("subject", CheckKind.EXPECT, Verdict.FAIL, Blame.PROXY, message, footer.t, cause="died")
        for mark in self.index.marks("connect-failed"):
            yield self._no_connection(mark)
        for mark in self.index.marks("wait-timeout"):
            yield self._timeout(mark)

    def _broken(self, check: Check, outcome: Outcome, result: CheckResult) -> CheckResult:
        result = replace(
            result,
            message=outcome.message,
            t=outcome.deadline,
            event=None if outcome.frame is None else outcome.frame.seq,
            cause=_cause(outcome),
        )
        late = self._excuse(check, outcome)
        if late is not None:
            return replace(result, verdict=Verdict.ERROR, blame=Blame.HARNESS, message=f"{outcome.message}; but {late}")
        if outcome.frame is not None:
            blame = self._evidence.of_seen(outcome.frame, check)
        else:
            pattern = self.instants.fill(check.pattern)
            blame = self._evidence.of_missing(check.leg, pattern, outcome.origin, outcome.deadline)
        verdict = BROKEN[check.level]
        if blame is Blame.HARNESS and verdict is Verdict.FAIL:
            verdict = Verdict.ERROR
        return replace(result, verdict=verdict, blame=blame)

    def _excuse(self, check: Check, outcome: Outcome) -> str | None:
        """Return how the harness's own lateness may have broken a check; None if it cannot have."""
        if self._lateness > 0 and evaluate(check, self.index, self.instants, self._lateness).held is Held.YES:
            return f"the harness itself was up to {format_duration(self._lateness)} late"
        if check.within is None:
            return None
        for mark in self._late:
            late = _lateness(mark)
            if late > check.within and mark.t - late <= outcome.deadline:
                return f"the client itself sent {format_duration(late)} late"
        return None

    def _no_connection(self, mark: Frame) -> CheckResult:
        reason = mark.data.get("message") or f"HTTP {mark.data.get('status')}"
        result = CheckResult(
            f"connect:{_name(mark)}",
            CheckKind.EXPECT,
            Verdict.FAIL,
            self._evidence.of_no_connection(),
            f"the client could not connect: {reason}",
            mark.t,
            mark.seq,
            cause="connect-failed",
        )
        if not self._subject and self._is_real_api:
            return replace(result, verdict=Verdict.ERROR, blame=Blame.HARNESS)
        if self._evidence.is_refusal_asked_for() or self._expects_refusal():
            return replace(result, verdict=Verdict.INFO, blame=None)
        return result

    def _expects_refusal(self) -> bool:
        return any(
            not check.forbid and pattern_type(check.pattern) == "open" and self.index.matching(check.leg, check.pattern)
            for check in self.cell.checks
        )

    def _timeout(self, mark: Frame) -> CheckResult:
        step = _step(self.cell, mark)
        if not isinstance(step, Wait):
            message = f"the client waited in vain for {mark.data.get('pattern')}, the anchor of this step"
            return CheckResult(f"wait:{_name(mark)}", CheckKind.EXPECT, Verdict.BLOCKED, None, message, mark.t, mark.seq)
        check = Check(f"wait:{_name(mark)}", False, step.leg, step.pattern, within=step.within)
        pattern = self.instants.fill(step.pattern)
        message = f"the client waited {format_duration(step.within)} for {pattern_words(pattern)}; none came"
        result = CheckResult(check.id, CheckKind.EXPECT, Verdict.FAIL, None, message, mark.t, mark.seq, cause="missing")
        arrivals = self.index.matching(step.leg, pattern)
        missed = next((frame for frame in arrivals if self._last_action(mark) < frame.seq < mark.seq), None)
        if missed is not None:
            message += f" any more: one had come at {format_duration(missed.t)}, before this wait began"
            result = replace(result, message=message)
            # Across the legs that order is nobody's promise, so the script itself raced; on one leg it is the sender's.
            if self._last_wait_leg(mark) not in (None, step.leg):
                return replace(result, verdict=Verdict.ERROR, blame=Blame.HARNESS)
        if any(mark.t < frame.t <= mark.t + self._lateness for frame in arrivals):
            late = f"; but the harness itself was up to {format_duration(self._lateness)} late"
            return replace(result, verdict=Verdict.ERROR, blame=Blame.HARNESS, message=message + late)
        return replace(result, blame=self._evidence.of_missing(step.leg, pattern, mark.t - step.within, mark.t))

    def _last_wait_leg(self, mark: Frame) -> Leg | None:
        """Return the leg of the wait that matched last before a mark."""
        waits = [step for step in self.index.marks("step") if step.seq < mark.seq and step.data.get("verb") == "wait"]
        step = _step(self.cell, waits[-1]) if waits else None
        return step.leg if isinstance(step, Wait) else None

    def _last_action(self, mark: Frame) -> int:
        """Return the place of the client's last own action before a mark: what came after it answers it."""
        acts = [step for step in self.index.marks("step") if step.data.get("verb") in _ACTIONS]
        acts += self.index.marks("skipped")  # a closed connection takes no action any more; what came before is no answer
        return max((act.seq for act in acts if act.seq < mark.seq), default=-1)


def _only(result: CheckResult) -> Judgement:
    return Judgement(result.verdict, (result,))


def _weigh(verdict: Verdict, level: Level) -> Verdict:
    return verdict if level is Level.MUST else BROKEN[level]


def _cause(outcome: Outcome) -> str:
    """Return what a failure is about, the same for each attempt that fails alike: no times, no counts."""
    if outcome.frame is None:
        return "missing"
    error = error_words(outcome.frame.data)
    if error is None:
        return outcome.frame.type or str(outcome.frame.kind)
    return _IDS.sub(r"\1_…", error)


def _lateness(mark: Frame) -> Micros:
    late = mark.data.get("us")
    return late if isinstance(late, int) else 0


def _name(mark: Frame) -> str:
    return str(mark.data.get("id") or mark.data.get("index"))


def _step(cell: Cell, mark: Frame) -> object:
    number = mark.data.get("index")
    return cell.steps[number] if isinstance(number, int) and 0 <= number < len(cell.steps) else None
