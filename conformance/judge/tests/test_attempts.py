from dataclasses import replace
from typing import Any

import pytest

from conformance.judge import judge
from conformance.rules.model import Case, Finding, Rule, RuleKind
from conformance.scenario.model import Check, Connect, Mutant, Send, Speaks, Wait
from conformance.targets.model import Target, Upstream
from conformance.tests.build import TARGET, cell, expect, forbid, parse_timeline
from conformance.verdicts import Blame, CheckResult, Level, Verdict
from conformance.wire.frames import Leg
from conformance.wire.script import Reply, Script, ScriptRule

IDLE = """
    header {"fault": "idle-error"}
    0.000 client   up   open {}
    0.001 client   up   Settings {"agent": {"greeting": "Hello"}}
    0.010 upstream up   open {}
    0.011 upstream down session.created {}
    0.012 upstream up   session.update {}
    0.013 upstream down session.updated {}
    0.014 client   down SettingsApplied {}
    0.015 client   down ConversationText {"role": "assistant", "content": "Hello"}
    5.011 upstream down error @--fault {"error": {"type": "server_error", "message": "The server had an error"}}
    5.012 client   down Error {"code": "server_error", "description": "The server had an error"}
    12.020 client  up   close 1000
    12.021 end
"""
QUIET = forbid("no-error-while-idle", "client", "Error", after="client:ConversationText", within="12s")


def result_of(
    check: Check | str, timeline: str, *, target: Target = TARGET, rules: Any = None, **options: Any
) -> CheckResult:
    checks = () if isinstance(check, str) else (check,)
    judgement = judge(cell(*checks, **options), parse_timeline(timeline), target, rules=rules or {})
    id_ = check if isinstance(check, str) else check.id
    return next(result for result in judgement.checks if result.id == id_)


def test_the_message_says_what_was_expected_what_was_seen_and_when() -> None:
    result = result_of(QUIET, IDLE)
    assert result.message == (
        "no Error was allowed within 12s of ConversationText; "
        "Error 'server_error: The server had an error' came 4.997s after it"
    )
    assert (result.t, result.windows) == (5_012_000, ((15_000, 12_015_000),))
    assert result.cause == "server_error: The server had an error"


def test_what_is_missing_says_whether_it_came_too_late() -> None:
    late = expect("applied", "client", "SettingsApplied", within="10ms")
    assert result_of(late, IDLE).message == (
        "expected SettingsApplied within 10ms of the first client frame; the first came 3ms too late"
    )
    never = expect("x", "client", "FunctionCallRequest", within="2s")
    assert result_of(never, IDLE).message.endswith("; none came")


def test_the_idle_error_of_a_fault_is_blamed_on_the_upstream() -> None:
    assert result_of(QUIET, IDLE).blame is Blame.UPSTREAM


def test_an_error_without_any_upstream_cause_is_blamed_on_the_proxy() -> None:
    invented = IDLE.replace("upstream down error @--fault", "client up mark note")
    assert result_of(QUIET, invented).blame is Blame.PROXY


def test_a_proxy_that_reports_the_upstreams_silence_is_not_blamed_for_it() -> None:
    silent = """
        0.001 client   up   Settings {}
        0.010 upstream up   open {}
        20.00 client   down Error {"code": "upstream_timeout", "description": "The upstream did not answer."}
        21.00 client   up   close 1000
    """
    assert result_of(forbid("x", "client", "Error"), silent).blame is Blame.UPSTREAM
    answered = silent.replace("20.00", "0.011 upstream down session.created {}\n20.00")
    assert result_of(forbid("x", "client", "Error"), answered).blame is Blame.PROXY


def test_a_fault_that_acts_without_a_frame_of_its_own_is_the_upstreams() -> None:
    silent = """
        header {"fault": "silent-model"}
        0.001 client   up   Settings {}
        0.010 upstream down mark fault {"name": "silent-model"}
        9.00 client   up   close 1000
    """
    assert result_of(expect("x", "client", "ConversationText", within="5s"), silent).blame is Blame.UPSTREAM


def test_an_upstream_error_that_never_reached_the_client_is_blamed_on_the_proxy() -> None:
    swallowed = "\n".join(line for line in IDLE.splitlines() if "down Error" not in line)
    assert result_of(expect("shown", "client", "Error"), swallowed).blame is Blame.PROXY


def test_a_proxy_that_told_all_it_was_given_swallowed_nothing() -> None:
    one_answer = """
        header {"fault": "silent-model"}
        0.001 client   up   InjectUserMessage {}
        0.100 upstream down response.output_text.done {"text": "One"}
        0.101 client   down ConversationText {"role": "assistant", "content": "One"}
        1.000 upstream down mark fault {"name": "silent-model"}
        9.000 client   up   close 1000
    """
    second = expect("x", "client", {"type": "ConversationText", "role": "assistant", "content": "Two"}, within="5s")
    assert result_of(second, one_answer).blame is Blame.UPSTREAM
    assert result_of(second, one_answer.replace("client   down Conv", "client   down Other")).blame is Blame.PROXY


def test_a_swallowed_error_must_be_the_one_that_was_expected() -> None:
    other = """
        header {"fault": "idle-error-close"}
        0.001 client   up   Settings {}
        5.000 upstream down mark fault {"name": "idle-error-close"}
        5.000 upstream down error {"error": {"type": "server_error", "message": "oops"}}
        9.000 client   up   close 1000
    """
    assert result_of(expect("x", "client", {"type": "Error", "code": "session_expired"}), other).blame is Blame.UPSTREAM
    assert result_of(expect("x", "client", {"type": "Error", "code": "server_error"}), other).blame is Blame.PROXY


def test_an_answer_to_a_call_that_never_was_is_the_clients() -> None:
    invented = """
        0.001 client   up   FunctionCallResponse {"id": "call_x"}
        0.010 upstream up   conversation.item.create {"item": {"type": "function_call_output", "call_id": "call_x"}}
        0.020 upstream down error {"error": {"type": "invalid_request_error", "code": "invalid_tool_call_id"}}
        0.021 client   down Error {"code": "invalid_tool_call_id"}
    """
    quiet = forbid("x", "client", "Error")
    assert result_of(quiet, invented).blame is Blame.CLIENT
    called = '0.000 client down FunctionCallRequest {"functions": [{"id": "call_x"}]}\n' + invented
    assert result_of(quiet, called).blame is Blame.PROXY


def test_a_handshake_that_the_upstream_cannot_use_is_the_proxys() -> None:
    refused = """
        0.001 client   up   Settings {}
        0.002 upstream up   open {"path": "/v1/realtime"}
        0.003 upstream down error {"error": {"type": "invalid_request_error", "code": "missing_model"}}
        0.003 upstream down close 4000
        0.004 client   down Error {"code": "missing_model"}
        9.000 client   up   close 1000
    """
    applied = expect("x", "client", "SettingsApplied", within="2s")
    assert result_of(applied, refused).blame is Blame.PROXY
    assert result_of(forbid("x", "client", "Error"), refused).blame is Blame.PROXY
    failed = refused.replace("invalid_request_error", "server_error")
    assert result_of(applied, failed).blame is Blame.UPSTREAM
    keyless = refused.replace("missing_model", "invalid_api_key")
    assert result_of(applied, keyless).blame is Blame.HARNESS


def test_an_answer_that_a_fault_doubled_is_the_upstreams() -> None:
    doubled = """
        header {"fault": "duplicate"}
        0.010 upstream up   session.update {}
        0.020 upstream up   session.update {}
        0.021 upstream down session.updated {}
        0.022 upstream down mark fault {"name": "duplicate"}
        0.022 upstream down session.updated {}
    """
    once = expect("x", "upstream", "session.updated", count=1)
    assert result_of(once, doubled).blame is Blame.UPSTREAM
    assert result_of(once, doubled.replace("down mark fault", "down mark note")).blame is Blame.PROXY


def test_what_a_mutant_withheld_is_blamed_on_the_upstream() -> None:
    stalled = """
        header {"mutant": "never-updated"}
        0.001 client   up   Settings {}
        0.012 upstream up   session.update {}
        0.012 upstream down mark withheld @never-updated/1 {"event": {"type": "session.updated"}}
        5.000 client   up   close 1000
    """
    assert result_of(expect("x", "client", "SettingsApplied", within="2s"), stalled).blame is Blame.UPSTREAM


def test_what_the_scenarios_own_script_withholds_is_for_the_proxy_to_cope_with() -> None:
    own = Script(rules=(ScriptRule("slow", when="session.update"),))
    withheld = """
        0.001 client   up   Settings {}
        0.012 upstream up   session.update {}
        0.012 upstream down mark withheld @slow {"event": {"type": "session.updated"}}
        40.00 client   up   close 1000
    """
    refusal = expect("x", "client", "Error", within="35s")
    assert result_of(refusal, withheld, script=own).blame is Blame.PROXY


def test_a_proxy_that_does_not_send_its_part_up_is_blamed() -> None:
    nothing = """
        0.001 client   up   Settings {}
        0.010 upstream down session.created {}
        5.000 client   up   close 1000
    """
    assert result_of(expect("x", "upstream", "session.update", within="2s"), nothing).blame is Blame.PROXY


@pytest.mark.parametrize(("detection", "blame"), [('{"type": "server_vad"}', Blame.UPSTREAM), ("null", Blame.PROXY)])
def test_what_the_upstream_sends_of_itself_is_its_own_to_send(detection: str, blame: Blame) -> None:
    """Without turn detection it is the proxy that must ask: seen with a proxy that never committed."""
    heard = f"""
        0.001 client   up   Settings {{}}
        0.013 upstream down session.updated {{"session": {{"audio": {{"input": {{"turn_detection": {detection}}}}}}}}}
        0.020 upstream up   input_audio_buffer.append 500ms
        9.000 client   up   close 1000
    """
    committed = expect("x", "upstream", "input_audio_buffer.committed", within="5s")
    assert result_of(committed, heard).blame is blame
    assert result_of(expect("x", "upstream", "response.done", within="5s"), heard).blame is Blame.PROXY


@pytest.mark.parametrize(("responds", "blame"), [("true", Blame.UPSTREAM), ("false", Blame.PROXY)])
def test_a_turn_that_the_upstream_ended_is_its_own_to_answer_unless_told_not_to(responds: str, blame: Blame) -> None:
    ended = f"""
        0.001 client   up   Settings {{}}
        0.013 upstream down session.updated {{"session": {{"turn_detection": {{"create_response": {responds}}}}}}}
        0.020 upstream up   input_audio_buffer.append 500ms
        1.000 upstream down input_audio_buffer.committed {{}}
        9.000 client   up   close 1000
    """
    assert result_of(expect("x", "client", "binary", within="5s"), ended).blame is blame


def test_an_upstream_that_leaves_a_request_unanswered_is_blamed() -> None:
    silent = """
        0.001 client   up   Settings {}
        0.010 upstream up   session.update {}
        5.000 client   up   close 1000
    """
    assert result_of(expect("x", "client", "SettingsApplied", within="2s"), silent).blame is Blame.UPSTREAM


@pytest.mark.parametrize("named", [True, False])
def test_an_invalid_request_is_blamed_on_whoever_sent_the_offending_event(named: bool) -> None:
    refused = (
        """
        0.001 client   up   Settings {}
        0.010 upstream up   session.update {"event_id": "ours", "session": {"bogus": 1}}
        0.015 upstream up   input_audio_buffer.append 20ms
        0.020 upstream down error {"error": {"type": "invalid_request_error", "code": "unknown_parameter", "message": "no",
    """.rstrip()
        + (' "event_id": "ours"}}' if named else ' "param": "session.bogus"}}')
        + """
        0.021 client   down Error {"code": "unknown_parameter", "description": "no"}
        1.000 client   up   close 1000
    """
    )
    refused = refused.replace('\n         "', ' "')
    quiet = forbid("x", "client", "Error")
    assert result_of(quiet, refused).blame is Blame.PROXY


def test_an_invalid_request_that_a_gateway_passed_on_is_blamed_on_the_client() -> None:
    passed = """
        0.001 client   up   response.create {"event_id": "mine", "bogus": 1}
        0.002 upstream up   response.create {"event_id": "mine", "bogus": 1}
        0.020 upstream down error {"error": {"type": "invalid_request_error", "event_id": "mine", "message": "no"}}
        0.021 client   down error {"error": {"type": "invalid_request_error", "event_id": "mine", "message": "no"}}
    """
    gateway = Target(url="ws://127.0.0.1:9", mock_port=9, speaks=frozenset({Speaks.REALTIME}))
    result = result_of(forbid("x", "client", "error"), passed, target=gateway, speaks=Speaks.REALTIME)
    assert result.blame is Blame.CLIENT


def test_a_response_too_many_is_the_proxys() -> None:
    twice = """
        0.001 client   up   InjectUserMessage {}
        0.010 upstream up   response.create {}
        0.011 upstream up   response.create {}
    """
    result = result_of(expect("x", "upstream", "response.create", count=1), twice)
    assert (result.verdict, result.blame, result.event) == (Verdict.FAIL, Blame.PROXY, 2)


def test_an_answer_too_many_is_whose_request_it_answers() -> None:
    updated = """
        0.010 upstream up   session.update {}
        0.011 upstream down session.updated {}
        0.020 upstream up   session.update {}
        0.021 upstream down session.updated {}
    """
    once = expect("x", "upstream", "session.updated", count=1)
    assert result_of(once, updated).blame is Blame.PROXY
    assert result_of(once, updated.replace("0.020 upstream up", "0.020 client   up")).blame is Blame.UPSTREAM


def test_a_close_at_the_client_after_the_upstreams_is_the_upstreams() -> None:
    closed = """
        0.001 client   up   Settings {}
        0.010 upstream down close 1011 "boom"
        0.012 client   down close 1011 "boom"
    """
    stays = forbid("x", "client", "close")
    assert result_of(stays, closed).blame is Blame.UPSTREAM
    assert result_of(stays, closed.replace("upstream down close", "upstream up   close")).blame is Blame.PROXY


def test_a_wait_that_timed_out_fails_itself() -> None:
    waiting = """
        0.001 client   up   Settings {}
        0.010 upstream down session.created {}
        5.001 client   up   mark wait-timeout {"index": 1, "id": null, "pattern": "SettingsApplied"}
        6.000 end
    """
    steps = (Send(message={"type": "Settings"}), Wait(leg=Leg.CLIENT, pattern="SettingsApplied", within=5_000_000))
    result = result_of("wait:1", waiting, steps=steps)
    assert (result.verdict, result.blame) == (Verdict.FAIL, Blame.PROXY)
    assert result.message == "the client waited 5s for SettingsApplied; none came"


def test_a_wait_for_what_came_before_it_began_is_the_scripts_own_race() -> None:
    """Seen on the real clock: the upstream's response.done overtook the text that an earlier wait was for."""
    racing = """
        0.100 client   up   mark step {"index": 0, "id": null, "verb": "send", "edge": "start"}
        0.700 upstream down response.done {}
        0.800 client   down ConversationText {}
        0.800 client   up   mark step {"index": 1, "id": null, "verb": "wait", "edge": "start", "event": 2}
        5.800 client   up   mark wait-timeout {"index": 2, "id": null, "pattern": "response.done"}
        6.000 end
    """
    waits = tuple(
        Wait(leg=leg, pattern=pattern, within=5_000_000)
        for leg, pattern in ((Leg.CLIENT, "ConversationText"), (Leg.UPSTREAM, "response.done"))
    )
    steps = (Send(message={"type": "InjectUserMessage"}), *waits)
    result = result_of("wait:2", racing, steps=steps)
    assert (result.verdict, result.blame) == (Verdict.ERROR, Blame.HARNESS)
    earlier = racing.replace("0.700 upstream", "0.050 upstream").replace("0.100 client ", "0.060 client ")
    lines = earlier.splitlines()
    lines[1], lines[2] = lines[2], lines[1]
    assert result_of("wait:2", "\n".join(lines), steps=steps).verdict is Verdict.FAIL
    one_leg = racing.replace("upstream down response.done", "client   down AgentAudioDone")
    waits = (waits[0], Wait(leg=Leg.CLIENT, pattern="AgentAudioDone", within=5_000_000))
    result = result_of("wait:2", one_leg, steps=(steps[0], *waits))
    assert (result.verdict, result.blame) == (Verdict.FAIL, Blame.PROXY)
    assert result.message == (
        "the client waited 5s for AgentAudioDone; none came any more: one had come at 700ms, before this wait began"
    )


def test_a_connection_that_could_not_be_made_fails_by_the_subject() -> None:
    failed = """
        0.001 client up mark connect-failed {"index": 0, "id": "in", "status": 502, "message": "HTTP 502"}
    """
    result = result_of("connect:in", failed, steps=(Connect(id="in"),))
    assert (result.verdict, result.blame) == (Verdict.FAIL, Blame.PROXY)
    real = Target(name="real", upstream=Upstream.REAL, speaks=frozenset({Speaks.REALTIME}))
    result = result_of("connect:in", failed, target=real, speaks=Speaks.REALTIME)
    assert (result.verdict, result.blame) == (Verdict.ERROR, Blame.HARNESS)


def test_a_proxy_may_pass_on_the_refusal_that_the_scenario_scripted() -> None:
    refused = """
        0.001 upstream up open {"status": 401}
        0.002 client   up mark connect-failed {"index": 0, "id": null, "status": 502, "message": "HTTP 502"}
    """
    assert result_of("connect:0", refused).verdict is Verdict.INFO
    assert result_of("connect:0", 'header {"fault": "refuse-401"}\n' + refused).blame is Blame.UPSTREAM


def test_a_subject_that_died_fails_the_attempt_with_its_last_words() -> None:
    died = """
        0.001 client up Settings {}
        0.500 end died {"message": "the proxy exited with code 139", "log": ["a", "Segmentation fault"]}
    """
    judgement = judge(cell(expect("x", "client", "SettingsApplied", within="2s")), parse_timeline(died), TARGET, rules={})
    subject, applied = judgement.checks
    assert (judgement.verdict, subject.blame) == (Verdict.FAIL, Blame.PROXY)
    assert subject.message == "the proxy exited with code 139\n  | a\n  | Segmentation fault"
    assert applied.verdict is Verdict.NOT_OBSERVED


@pytest.mark.parametrize(
    ("end", "verdict", "blame"),
    [
        ('1.0 end error {"message": "cannot pair"}', Verdict.ERROR, Blame.HARNESS),
        ('1.0 end cancelled {"message": "Ctrl-C"}', Verdict.NOT_OBSERVED, None),
    ],
)
def test_what_befell_the_harness_is_no_failure(end: str, verdict: Verdict, blame: Blame | None) -> None:
    judgement = judge(cell(QUIET), parse_timeline(f"0.0 client up Settings {{}}\n{end}"), TARGET, rules={})
    assert [(r.verdict, r.blame) for r in judgement.checks] == [(verdict, blame)]
    assert judgement.verdict is verdict


def test_a_recording_that_was_cut_off_is_an_error_of_the_harness() -> None:
    recording = replace(parse_timeline(IDLE), footer=None)
    assert judge(cell(QUIET), recording, TARGET, rules={}).verdict is Verdict.ERROR


def test_what_an_external_target_does_not_speak_is_unsupported() -> None:
    external = Target(url="ws://127.0.0.1:9", mock_port=9)
    realtime = cell(QUIET, speaks=Speaks.REALTIME)
    assert judge(realtime, parse_timeline(IDLE), external).verdict is Verdict.UNSUPPORTED
    assert judge(realtime, parse_timeline(IDLE), TARGET, rules={}).verdict is not Verdict.UNSUPPORTED


REAL_LATE = """
    header {"clock": "real"}
    0.000 client up   Settings {}
    2.040 client down SettingsApplied {}
    6.000 end finished {"lateness": 60000}
"""


def test_a_failed_check_that_the_harness_own_lateness_explains_is_an_error() -> None:
    applied = expect("x", "client", "SettingsApplied", within="2s")
    assert result_of(applied, REAL_LATE).verdict is Verdict.ERROR
    assert result_of(applied, REAL_LATE.replace("60000", "30000")).verdict is Verdict.FAIL
    assert result_of(applied, REAL_LATE.replace('"real"', '"virtual"')).verdict is Verdict.FAIL


def test_a_forbidden_event_that_lateness_may_have_moved_into_the_window_is_an_error() -> None:
    quiet = forbid("x", "client", "SettingsApplied", within="2050ms")
    assert result_of(quiet, REAL_LATE).verdict is Verdict.ERROR
    assert result_of(forbid("x", "client", "SettingsApplied", within="3s"), REAL_LATE).verdict is Verdict.FAIL


def test_a_client_frame_sent_later_than_the_checks_own_window_is_an_error_of_the_harness() -> None:
    late = """
        header {"clock": "real"}
        0.000 client   up   Settings {}
        1.000 client   up   mark lateness {"index": 1, "us": 700000}
        1.200 upstream up   input_audio_buffer.append 20ms
        6.000 end
    """
    check = expect("x", "upstream", "input_audio_buffer.append", within="450ms", count=3)
    result = result_of(check, late)
    assert (result.verdict, result.blame) == (Verdict.ERROR, Blame.HARNESS)


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
