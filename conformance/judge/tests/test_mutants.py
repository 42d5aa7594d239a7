import pytest

from conformance.judge import Judged, coverage, judge_mutant
from conformance.rules.model import Rule, RuleKind
from conformance.scenario.model import Check, Mutant
from conformance.tests.build import TARGET, cell, expect, forbid, parse_timeline
from conformance.verdicts import Blame, Verdict

MUTATED = """
    header {"mutant": "m"}
    0.000 client   up   Settings {}
    5.000 client   down Error {"code": "server_error"}
    12.02 client   up   close 1000
"""
QUIET = forbid("quiet", "client", "Error", level="should")
APPLIED = expect("applied", "client", "SettingsApplied", within="2s")
READS = expect("reads", "client", "Settings")


@pytest.mark.parametrize(
    ("fails", "also", "checks", "message"),
    [
        (("quiet",), (), (QUIET, READS), ""),
        (("quiet",), ("applied",), (QUIET, APPLIED), ""),
        (("reads",), ("quiet",), (QUIET, READS), "mutant m: reads did not fail"),
        (("quiet",), (), (QUIET, APPLIED), "mutant m: applied failed, which neither `fails` nor `also` names"),
        (("quiet", "XX-1"), (), (QUIET,), "mutant m: XX-1 did not fail"),
    ],
)
def test_the_named_checks_must_fail_and_only_those(
    fails: tuple[str, ...], also: tuple[str, ...], checks: tuple[Check, ...], message: str
) -> None:
    mutant = Mutant("m", (), fails, also)
    verdict = judge_mutant(cell(*checks, mutants=(mutant,)), mutant, parse_timeline(MUTATED), TARGET)
    assert verdict.message == message
    assert verdict.verdict is (Verdict.FAIL if message else Verdict.PASS)


def test_a_blocked_check_has_not_failed() -> None:
    blocked = forbid("b", "client", "Error", after="upstream:response.created")
    mutant = Mutant("m", (), ("b",))
    verdict = judge_mutant(cell(blocked), mutant, parse_timeline(MUTATED), TARGET)
    assert verdict.missing == ("b",)


def test_a_mutant_whose_attempt_was_cut_off_shows_nothing() -> None:
    mutant = Mutant("m", (), ("quiet",))
    cut = parse_timeline(MUTATED + '\n12.1 end error {"message": "cannot pair"}')
    assert judge_mutant(cell(QUIET), mutant, cut, TARGET).verdict is Verdict.ERROR


def test_coverage_tells_who_observes_and_who_breaks_each_rule() -> None:
    rules = {id_: Rule(id_, "", "", "", RuleKind.API, Blame.PROXY, lambda case: None) for id_ in ("A-1", "A-2")}
    judged = [
        Judged("text/turn", ("A-1",)),
        Judged("idle/wait", ("A-1",)),
        Judged("text/turn", ("A-1",)),
        Judged("idle/wait", mutant="error-at-5s", broken=("A-1", "quiet")),
    ]
    first, second = coverage(judged, rules)
    assert (first.observed_by, first.broken_by) == (("text/turn", "idle/wait"), ("idle/wait#error-at-5s",))
    assert (second.observed_by, second.is_observed) == ((), False)
