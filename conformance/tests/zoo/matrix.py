"""The matrix: which rule catches which broken proxy, in which cell, with whom to blame; and its page in the docs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from conformance.judge import judge
from conformance.rules.model import RULES
from conformance.runner import AttemptPlan, record
from conformance.scenario.load import library, load
from conformance.scenario.model import Cell
from conformance.tests.zoo.animal import ZOO, Animal
from conformance.verdicts import CheckKind, CheckResult, Verdict

EXHIBITS: Final = Path(__file__).parent
PAGE: Final = Path(__file__).parents[3] / "docs" / "zoo.md"
_BROKEN: Final = (Verdict.FAIL, Verdict.WARN)
_HEAD: Final = """# The zoo

Each of these proxies is the reference proxy with one defect, and each is caught by the rule that names its defect, blame
`proxy`, in the scenario shown. The reference proxy itself keeps every rule of API and contract in the whole library.
Policies are switched on for their own animals only. This page is printed by `python -m conformance.tests.zoo`; a test keeps
it current.

| rule | kind | the defect | seen in |
|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Catch:
    """What the animal's own rule said, in the first cell in which it failed."""

    cell: Cell
    result: CheckResult


@cache
def cells(scenario: str) -> Sequence[Cell]:
    """Return the cells of a library scenario, or of one of the zoo's own exhibits."""
    folder = EXHIBITS if scenario.startswith("exhibits/") else library()
    return load(folder / f"{scenario}.yaml").cells()


def broken(animal: Animal, cell: Cell) -> list[CheckResult]:
    """Return the rules that a broken proxy breaks in a cell."""
    plan = AttemptPlan(cell=cell, target=animal.on_target)
    recording = record(plan, translator=animal.translator)
    checks = judge(cell, recording, animal.on_target).checks
    return [check for check in checks if check.kind is CheckKind.RULE and check.verdict in _BROKEN]


def catch(animal: Animal) -> Catch | None:
    """Drive an animal through the cells of its scenario until its rule fails."""
    for cell in cells(animal.seen_in):
        for result in broken(animal, cell):
            if result.id == animal.rule:
                return Catch(cell, result)
    return None


def matrix() -> str:
    """Return the page: one row an animal, in the order of the catalogue."""
    return _HEAD + "".join(f"{row}\n" for row in rows())


def rows() -> Iterator[str]:
    """Yield the rows of the table."""
    order = list(RULES)
    for animal in sorted(ZOO, key=lambda animal: order.index(animal.rule)):
        yield f"| {animal.rule} | {RULES[animal.rule].kind} | {animal.defect} | `{animal.seen_in}` |"
