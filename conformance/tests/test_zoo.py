"""The zoo matrix has no hole, and the healthy proxy breaks no rule in the whole library."""

from pathlib import Path

import pytest

from conformance.judge import judge
from conformance.rules.model import RULES, RuleKind
from conformance.runner import AttemptPlan, record
from conformance.scenario.load import library, load
from conformance.targets.model import Target
from conformance.tests.zoo import ZOO, Animal, catch, matrix
from conformance.tests.zoo.matrix import PAGE, cells
from conformance.verdicts import Blame, CheckKind, Verdict

SCENARIOS = sorted(path for path in library().rglob("*.yaml") if path.parent != library())
BROKEN = (Verdict.FAIL, Verdict.WARN)
TAME = [animal for animal in ZOO if RULES[animal.rule].kind is RuleKind.POLICY]


@pytest.mark.parametrize("animal", ZOO, ids=lambda animal: f"{animal.rule}-{animal.name}")
def test_a_broken_proxy_is_caught_by_the_rule_that_names_its_defect(animal: Animal) -> None:
    caught = catch(animal)
    assert caught is not None
    assert caught.result.blame is Blame.PROXY


def test_every_rule_on_a_proxy_has_its_animal() -> None:
    concerned = {id_ for id_ in RULES if id_.startswith(("RT-", "VA-"))}
    assert concerned == {animal.rule for animal in ZOO}


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_healthy_proxy_breaks_no_rule(path: Path) -> None:
    for cell in load(path).cells():
        checks = judge(cell, record(AttemptPlan(cell=cell)), Target()).checks
        found = [check for check in checks if check.kind is CheckKind.RULE and check.verdict in BROKEN]
        assert not found, cell.label


@pytest.mark.parametrize("animal", TAME, ids=lambda animal: animal.name)
def test_a_proxy_that_differs_in_policy_only_breaks_nothing_while_the_policy_is_off(animal: Animal) -> None:
    for cell in cells(animal.seen_in):
        target = Target(rules_off={id_: "off" for id_, rule in RULES.items() if rule.kind is RuleKind.POLICY})
        recording = record(AttemptPlan(cell=cell), translator=animal.translator)
        checks = judge(cell, recording, target).checks
        found = [check for check in checks if check.kind is CheckKind.RULE and check.verdict in BROKEN]
        assert not found, cell.label


def test_the_page_is_the_matrix() -> None:
    assert PAGE.read_text("utf-8") == matrix()
