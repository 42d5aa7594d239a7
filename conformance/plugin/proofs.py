"""Proof that each check of a scenario can fail: its mutants run once, and a recording of each cell is spoiled.

What the proofs broke is half of the requirements coverage; the other half is what the attempts let the rules look at.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import conformance.rules  # noqa: F401  registers every rule
from conformance.judge import Judged, coverage, judge_mutant, prove
from conformance.results import AttemptResult
from conformance.rules.model import RULES
from conformance.runner import AttemptPlan, record
from conformance.scenario.model import Cell
from conformance.targets.model import Target
from conformance.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class ScenarioProof:
    """What broke under each mutant, and a sentence per mutant or check that proves nothing."""

    broken: dict[str, tuple[str, ...]]
    problems: tuple[str, ...]


def prove_scenario(cells: Sequence[Cell], target: Target, seed: int) -> ScenarioProof:
    """Run a scenario's mutants on its first cell, and spoil a recording of each cell until every check has failed once."""
    problems: list[str] = []
    broken: dict[str, tuple[str, ...]] = {}
    for mutant in cells[0].mutants:
        plan = AttemptPlan(cell=cells[0], target=target, seed=seed, mutant=mutant)
        verdict = judge_mutant(cells[0], mutant, record(plan), target)
        broken[mutant.id] = verdict.broken
        if verdict.verdict is not Verdict.PASS:
            problems.append(verdict.message)
    caught = {id_ for ids in broken.values() for id_ in ids}
    unproven = {check.id for check in cells[0].checks} - caught
    for cell in cells:
        if unproven:
            proofs = prove(cell, record(AttemptPlan(cell=cell, target=target, seed=seed)), target)
            unproven -= {proof.check_id for proof in proofs if proof.spoiled_by is not None}
    problems += [f"{id_}: neither a mutant nor a spoiled recording can make this check fail" for id_ in sorted(unproven)]
    return ScenarioProof(broken, tuple(problems))


def coverage_of(attempts: Sequence[AttemptResult], proofs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return for every rule which scenarios let it look at something, and which mutants broke it."""
    judged = [Judged(attempt.scenario, attempt.observed) for attempt in attempts]
    judged += [
        Judged(proof["scenario"], mutant=mutant, broken=tuple(rule for rule in ids if rule in RULES))
        for proof in proofs
        for mutant, ids in proof["broken"].items()
    ]
    return [asdict(covered) for covered in coverage(judged)]
