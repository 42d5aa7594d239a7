"""Every rule of the catalogue has an example it finds kept and one it finds broken, and says nothing of nothing."""

import pytest

from conformance.rules import CATALOGUE
from conformance.rules.examples import example
from conformance.rules.model import RULES, Case, RuleKind
from conformance.verdicts import Blame
from conformance.wire.recording import Header, Recording

BLAMES = {"RT": Blame.PROXY, "GW": Blame.PROXY, "VA": Blame.PROXY, "CL": Blame.CLIENT, "UP": Blame.UPSTREAM}


def test_the_rules_are_those_of_the_catalogue_in_its_order() -> None:
    assert tuple(RULES) == CATALOGUE
    assert len(RULES) == 87


@pytest.mark.parametrize("id_", CATALOGUE)
def test_a_rule_finds_nothing_in_the_recording_that_keeps_it(id_: str) -> None:
    assert RULES[id_].judge(example(id_).keeps) == []


@pytest.mark.parametrize("id_", CATALOGUE)
def test_a_rule_finds_what_breaks_it_and_whom_to_blame(id_: str) -> None:
    case = example(id_).breaks
    findings = RULES[id_].judge(case)
    assert findings
    for finding in findings:
        assert (finding.blame or RULES[id_].blame) is BLAMES[id_[:2]]
        assert finding.message
        assert finding.cause
        assert finding.event is None or case.recording.frames[finding.event].seq == finding.event


@pytest.mark.parametrize("id_", CATALOGUE)
def test_a_rule_with_nothing_to_look_at_says_so(id_: str) -> None:
    assert RULES[id_].judge(Case(Recording(Header(), ()), first_commit_min=500_000)) is None


@pytest.mark.parametrize("id_", CATALOGUE)
def test_a_rule_says_what_it_rests_on(id_: str) -> None:
    rule = RULES[id_]
    assert rule.sentence
    assert rule.why.endswith(".")
    assert rule.source


@pytest.mark.parametrize("id_", [id_ for id_ in CATALOGUE if id_[:2] in ("RT", "VA") and id_ != "VA-FRAME-TYPE"])
def test_an_example_that_keeps_its_rule_keeps_the_rest_of_api_and_contract(id_: str) -> None:
    case = example(id_).keeps
    binding = [rule for rule in RULES.values() if rule.kind in (RuleKind.API, RuleKind.CONTRACT)]
    broken = {rule.id: [finding.message for finding in found] for rule in binding if (found := rule.judge(case))}
    assert not broken
