"""Which rules are on, and what their findings come to."""

from dataclasses import replace

import pytest

from conformance.judge import judge
from conformance.judge.tests.attempts import IDLE, result_of
from conformance.rules.model import Case, Finding, Rule, RuleKind
from conformance.scenario.model import Mutant, Speaks
from conformance.targets.model import Target
from conformance.tests.build import TARGET, cell, expect, parse_timeline
from conformance.verdicts import Blame, Level, Verdict
from conformance.wire.script import Reply, Script, ScriptRule


def rule_of(kind: RuleKind, *findings: Finding, id_: str = "XX-TEST", level: Level = Level.MUST) -> dict[str, Rule]:
    blame = Blame.UPSTREAM if kind is RuleKind.UPSTREAM else Blame.PROXY
    return {id_: Rule(id_, "s", "w", "src", kind, blame, lambda case: findings, level)}


FOUND = Finding("error", "a server_error", 5_011_000, event=8)


def test_a_server_that_is_driven_directly_has_one_leg() -> None:
    server = Target(url="ws://127.0.0.1:9", speaks=frozenset(Speaks))
    direct = """
        0.001 client   up   response.create {}
        0.100 client   down response.created {}
        1.000 client   down response.done {}
        2.000 client   up   close 1000
    """
    done = expect("x", "upstream", "response.done", after="upstream:response.created", within="2s")
    assert result_of(done, direct, target=server, speaks=Speaks.REALTIME).verdict is Verdict.PASS
    gateway = replace(server, mock_port=9)
    assert result_of(done, direct, target=gateway, speaks=Speaks.REALTIME).verdict is Verdict.BLOCKED


def test_a_rules_findings_are_results_one_per_cause() -> None:
    rules = rule_of(RuleKind.API, FOUND, replace(FOUND, cause="other", level=Level.SHOULD))
    judgement = judge(cell(), parse_timeline(IDLE), TARGET, rules=rules)
    assert [(r.id, r.cause, r.verdict) for r in judgement.checks] == [
        ("XX-TEST", "error", Verdict.FAIL),
        ("XX-TEST", "other", Verdict.WARN),
    ]
    assert (judgement.verdict, judgement.observed) == (Verdict.FAIL, ("XX-TEST",))


def test_a_rule_with_nothing_to_look_at_never_lowers_an_attempt() -> None:
    rules = {"XX": Rule("XX", "s", "w", "src", RuleKind.API, Blame.PROXY, lambda case: None)}
    judgement = judge(cell(), parse_timeline(IDLE), TARGET, rules=rules)
    assert (judgement.verdict, judgement.checks, judgement.observed) == (Verdict.PASS, (), ())


def test_a_rule_that_crashes_is_an_error_and_hides_no_other_rule() -> None:
    def crash(case: Case) -> None:
        raise KeyError("item")

    rules = {"XX": Rule("XX", "s", "w", "src", RuleKind.API, Blame.PROXY, crash), **rule_of(RuleKind.API, FOUND)}
    judgement = judge(cell(), parse_timeline(IDLE), TARGET, rules=rules)
    assert [(r.id, r.verdict) for r in judgement.checks] == [("XX", Verdict.ERROR), ("XX-TEST", Verdict.FAIL)]


def test_a_rule_that_crashes_on_what_our_lateness_might_explain_is_an_error_too() -> None:
    parsed = parse_timeline(IDLE)
    assert parsed.footer is not None
    footer = replace(parsed.footer, lateness=1_000)
    made = replace(parsed, header=replace(parsed.header, clock="real"), footer=footer)

    def crash(case: Case) -> tuple[Finding, ...]:
        if case.recording is not made:
            raise KeyError("item")
        return (FOUND,)

    rules = {"XX": Rule("XX", "s", "w", "src", RuleKind.API, Blame.PROXY, crash)}
    assert [(r.id, r.verdict, r.blame) for r in judge(cell(), made, TARGET, rules=rules).checks] == [
        ("XX", Verdict.ERROR, Blame.HARNESS)
    ]


def test_what_the_scenarios_own_script_made_is_info_for_upstream_rules_and_a_faults_never() -> None:
    own = Script(rules=(ScriptRule("--fault", at=5_000_000, reply=(Reply({"type": "error"}),)),))
    upstream, api = rule_of(RuleKind.UPSTREAM, FOUND), rule_of(RuleKind.API, FOUND)
    assert result_of("XX-TEST", IDLE, rules=upstream, script=own).verdict is Verdict.INFO
    assert result_of("XX-TEST", IDLE, rules=upstream).verdict is Verdict.FAIL
    assert result_of("XX-TEST", IDLE, rules=api, script=own).verdict is Verdict.FAIL
    mutant = Mutant("m", rules=own.rules, fails=())
    mutated = IDLE.replace('"fault": "idle-error"', '"mutant": "m"')
    assert result_of("XX-TEST", mutated, rules=upstream, script=own, mutants=(mutant,)).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("kind", "speaks", "named", "off", "is_on"),
    [
        (RuleKind.POLICY, Speaks.VOICE_AGENT, False, False, False),
        (RuleKind.POLICY, Speaks.VOICE_AGENT, True, False, True),
        (RuleKind.CONTRACT, Speaks.VOICE_AGENT, False, False, True),
        (RuleKind.CONTRACT, Speaks.REALTIME, False, False, False),
        (RuleKind.CONTRACT, Speaks.REALTIME, True, False, True),
        (RuleKind.API, Speaks.REALTIME, False, False, True),
        (RuleKind.API, Speaks.VOICE_AGENT, True, True, False),
    ],
)
def test_which_rules_are_on(kind: RuleKind, speaks: Speaks, named: bool, off: bool, is_on: bool) -> None:
    target = Target(speaks=frozenset(Speaks), rules_off={"XX-TEST": "why"} if off else {})
    by_scenario = cell(speaks=speaks, refs=("XX-TEST",) if named else ())
    by_target = replace(target, rules_on={"XX-TEST": "why"} if named else {})
    for subject, on in ((by_scenario, target), (cell(speaks=speaks), by_target)):
        judgement = judge(subject, parse_timeline(IDLE), on, rules=rule_of(kind, FOUND))
        assert (judgement.observed == ("XX-TEST",)) is is_on


@pytest.mark.parametrize("named", [True, False])
def test_pass_through_rules_hold_for_gateways_only(named: bool) -> None:
    rules = rule_of(RuleKind.API, FOUND, id_="GW-TRANSPARENT")
    gateway = Target(url="ws://127.0.0.1:9", mock_port=9, speaks=frozenset(Speaks))
    server = replace(gateway, mock_port=None)
    realtime, agent = cell(speaks=Speaks.REALTIME), cell()
    observed = [
        judge(subject, parse_timeline(IDLE), target, rules=rules).observed
        for subject, target in ((realtime, gateway), (realtime, server), (agent, gateway))
    ]
    assert observed == [("GW-TRANSPARENT",), (), ()]


def test_what_our_own_driver_does_wrong_as_a_client_is_shown_and_never_counts() -> None:
    gateway = Target(url="ws://127.0.0.1:9", mock_port=9, speaks=frozenset(Speaks))
    server = replace(gateway, mock_port=None)
    passed_on = """
        0.001 client   up   mark step {"index": 0, "id": "x", "verb": "send", "edge": "start"}
        0.002 client   up   session.update {"bogus": 1}
        0.003 upstream up   session.update {"bogus": 1}
        1.000 end
    """
    rules = rule_of(RuleKind.API, Finding("bogus", "unknown parameter", 3000, event=2))
    for target, timeline, verdict, blame in (
        (gateway, passed_on, Verdict.INFO, Blame.CLIENT),
        (server, passed_on, Verdict.INFO, Blame.CLIENT),
        (
            gateway,
            passed_on.replace('client   up   session.update {"bogus": 1}', "client   up   session.update {}"),
            Verdict.FAIL,
            Blame.PROXY,
        ),
        (server, passed_on.replace("mark step", "mark note"), Verdict.FAIL, Blame.CLIENT),
    ):
        result = result_of("XX-TEST", timeline, rules=rules, target=target, speaks=Speaks.REALTIME)
        assert (result.verdict, result.blame) == (verdict, blame)


def test_nothing_is_held_against_a_proxy_once_the_mock_reads_no_more() -> None:
    deaf = """
        header {"fault": "half-open"}
        0.001 client   up   Settings {}
        0.010 upstream down mark fault {"name": "half-open"}
        9.000 client   up   close 1000
    """
    rules = rule_of(RuleKind.CONTRACT, Finding("Settings", "Settings led to no session.update", 9_000_000))
    assert result_of("XX-TEST", deaf, rules=rules).verdict is Verdict.INFO
    assert result_of("XX-TEST", deaf.replace("half-open", "delay"), rules=rules).verdict is Verdict.FAIL


@pytest.mark.parametrize(("conn", "verdict"), [("", Verdict.INFO), ("#1", Verdict.FAIL)])
def test_what_goes_up_beside_a_connection_that_reads_no_more_is_held_against_the_proxy(conn: str, verdict: Verdict) -> None:
    beside = f"""
        header {{"fault": "half-open"}}
        1.000 upstream   down mark fault {{"name": "half-open"}}
        2.000 upstream{conn} up   KeepAlive {{}}
        9.000 client     up   close 1000
    """
    (sent,) = [frame.seq for frame in parse_timeline(beside).frames if frame.type == "KeepAlive"]
    rules = rule_of(RuleKind.API, Finding("KeepAlive", "KeepAlive is no Realtime event", 2_000_000, event=sent))
    assert result_of("XX-TEST", beside, rules=rules).verdict is verdict


def test_what_a_slow_handshake_delayed_is_the_upstreams() -> None:
    slow = """
        header {"fault": "slow-accept"}
        0.001 client   up   Settings {}
        3.000 upstream up   open {}
        3.010 client   down SettingsApplied {}
        9.000 client   up   close 1000
    """
    assert result_of(expect("x", "client", "SettingsApplied", within="2s"), slow).blame is Blame.UPSTREAM


def test_without_a_proxy_what_a_proxy_would_be_blamed_for_is_the_clients() -> None:
    server = Target(url="ws://127.0.0.1:9", speaks=frozenset(Speaks))
    result = result_of("XX-TEST", IDLE, rules=rule_of(RuleKind.API, FOUND), target=server, speaks=Speaks.REALTIME)
    assert result.blame is Blame.CLIENT
