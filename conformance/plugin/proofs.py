"""Proof that each check of a scenario can fail: its mutants run once, and a recording of each cell is spoiled."""

from collections.abc import Sequence
from dataclasses import dataclass

from conformance.judge import judge_mutant, prove
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
