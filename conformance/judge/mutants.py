"""Mutants: under a scenario's deviations at least the checks in ``fails`` must fail, and no others but those in ``also``.

A check fails when it is broken, whatever its level. Both lists may name rules, too; one in ``fails`` must find something.
Rules and waits that neither list names are free: a mutant is a deviation, so the upstream's rules rightly see it, and what
a deviant upstream makes a proxy do is the business of the library's own scenarios.
"""

from dataclasses import dataclass

from conformance.judge.attempt import Attempt, judge
from conformance.judge.checks import Held, evaluate
from conformance.scenario.model import Cell, Mutant
from conformance.targets.model import Target
from conformance.verdicts import CheckKind, Verdict
from conformance.wire.recording import Outcome, Recording


@dataclass(frozen=True, slots=True)
class MutantVerdict:
    """What a mutant showed. ``broken`` are the ids of all checks and rules that failed under it."""

    mutant: str
    verdict: Verdict
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    message: str = ""


def judge_mutant(cell: Cell, mutant: Mutant, recording: Recording, target: Target) -> MutantVerdict:
    """Tell whether the right checks failed under a mutant. ``recording`` is one of ``cell`` run with its rules in front."""
    footer = recording.footer
    if footer is None or footer.outcome is not Outcome.FINISHED:
        reason = "was cut off" if footer is None else footer.message or f"ended as {footer.outcome}"
        return MutantVerdict(mutant.id, Verdict.ERROR, message=f"mutant {mutant.id}: the attempt {reason}")
    attempt = Attempt(cell, recording, target)
    checks = {check.id for check in cell.checks if evaluate(check, attempt.index, attempt.instants).held is Held.NO}
    judgement = judge(cell, recording, target)
    others = {
        result.id
        for result in judgement.checks
        if result.verdict in (Verdict.FAIL, Verdict.WARN) and (result.kind is CheckKind.RULE or result.id not in checks)
    }
    missing = tuple(id_ for id_ in mutant.fails if id_ not in checks | others)
    unexpected = tuple(check.id for check in cell.checks if check.id in checks - {*mutant.fails, *mutant.also})
    verdict = Verdict.FAIL if missing or unexpected else Verdict.PASS
    said = [f"{id_} did not fail" for id_ in missing]
    said += [f"{id_} failed, which neither `fails` nor `also` names" for id_ in unexpected]
    message = f"mutant {mutant.id}: {'; '.join(said)}" if said else ""
    return MutantVerdict(mutant.id, verdict, missing, unexpected, tuple(sorted(checks | others)), message)
