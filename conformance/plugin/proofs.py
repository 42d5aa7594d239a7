"""Proof that each check of a scenario can fail: its mutants run once, and a recording of each cell is spoiled."""

from collections.abc import Sequence

from conformance.judge import judge_mutant, prove
from conformance.runner import AttemptPlan, record
from conformance.scenario.model import Cell
from conformance.targets.model import Target
from conformance.verdicts import Verdict


def prove_scenario(cells: Sequence[Cell], target: Target, seed: int) -> list[str]:
    """Return a sentence per mutant that did not do what it says, and per check that nothing could break."""
    problems: list[str] = []
    broken: set[str] = set()
    for mutant in cells[0].mutants:
        plan = AttemptPlan(cell=cells[0], target=target, seed=seed, mutant=mutant)
        verdict = judge_mutant(cells[0], mutant, record(plan), target)
        broken.update(verdict.broken)
        if verdict.verdict is not Verdict.PASS:
            problems.append(verdict.message)
    unproven: dict[str, None] = {check.id: None for check in cells[0].checks if check.id not in broken}
    for cell in cells:
        if not unproven:
            break
        for proof in prove(cell, record(AttemptPlan(cell=cell, target=target, seed=seed)), target):
            if proof.spoiled_by is not None:
                unproven.pop(proof.check_id, None)
    problems += [f"{id_}: neither a mutant nor a spoiled recording can make this check fail" for id_ in unproven]
    return problems
