"""Who is to blame for a check that failed."""

import pytest

from conformance.judge.tests.attempts import IDLE, QUIET, result_of
from conformance.scenario.model import Speaks
from conformance.targets.model import Target
from conformance.tests.build import expect, forbid
from conformance.verdicts import Blame, Verdict
from conformance.wire.script import Script, ScriptRule

WRITTEN = '{"response": {"status": "completed", "output": [{"content": [{"type": "text"}]}]}}'


def test_the_idle_error_of_a_fault_is_blamed_on_the_upstream() -> None:
    assert result_of(QUIET, IDLE).blame is Blame.UPSTREAM


def test_an_error_without_any_upstream_cause_is_blamed_on_the_proxy() -> None:
    invented = IDLE.replace("upstream down error @--fault", "client up mark note")
    assert result_of(QUIET, invented).blame is Blame.PROXY


def test_an_upstream_error_that_is_told_twice_is_the_upstreams_once_and_the_proxys_then() -> None:
    once = """
        0.001 client   up   Settings {}
        0.100 upstream down error @own {"error": {"type": "server_error", "message": "It broke."}}
        0.101 client   down Error {"description": "It broke."}
    """
    again = '0.102 client down Error {"description": "It broke."}'
    end = "9.00 client up close 1000"
    assert result_of(forbid("x", "client", "Error"), f"{once}\n{end}").blame is Blame.UPSTREAM
    one = expect("x", "client", "Error", count=1)
    assert result_of(one, f"{once}\n{again}\n{end}").blame is Blame.PROXY
    second = '0.102 upstream down error {"error": {"type": "server_error", "message": "It broke."}}'
    assert result_of(one, f"{once}\n{second}\n{again.replace('0.102', '0.103')}\n{end}").blame is Blame.UPSTREAM


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
    assert result_of(expect("x", "upstream", "response.done", within="5s"), heard).blame is blame


@pytest.mark.parametrize(("rms", "blame"), [(3_000, Blame.UPSTREAM), (20, Blame.PROXY)])
def test_speech_that_the_upstreams_own_detection_never_noticed_is_its_own_to_notice(rms: int, blame: Blame) -> None:
    """What is too soft for any detector may have been spoilt on its way."""
    spoken = f"""
        0.001 client   up   Settings {{}}
        0.013 upstream down session.updated {{"session": {{"turn_detection": {{"type": "server_vad"}}}}}}
        0.020 upstream up   input_audio_buffer.append {{"audio": {{"bytes": 9600, "ms": 200, "rms": {[rms] * 10}}}}}
        9.000 client   up   close 1000
    """
    for told in ("UserStartedSpeaking", "binary"):
        assert result_of(expect("x", "client", told, within="5s"), spoken).blame is blame


@pytest.mark.parametrize(("asked", "blame"), [("{}", Blame.UPSTREAM), ('{"output_modalities": ["text"]}', Blame.PROXY)])
def test_an_answer_in_writing_to_a_proxy_that_asked_for_none_is_the_upstreams(asked: str, blame: Blame) -> None:
    written = f"""
        0.001 client   up   Settings {{}}
        0.010 upstream up   session.update {{"session": {asked}}}
        0.020 upstream down session.updated {{"session": {asked}}}
        1.000 upstream up   response.create {{}}
        1.100 upstream down response.created {{"response": {{}}}}
        1.200 upstream down response.done {WRITTEN}
        9.000 client   up   close 1000
    """
    assert result_of(expect("x", "client", "binary", within="5s"), written).blame is blame


@pytest.mark.parametrize("code", ["[]", "[5]", "{}", "5", "null"])
def test_an_upstream_error_of_any_shape_is_blamed_on_somebody(code: str) -> None:
    odd = f"""
        0.001 client   up   Settings {{}}
        0.100 upstream down error {{"error": {{"type": {code}, "code": {code}, "param": {code}, "message": {code}}}}}
        0.101 client   down Error {{"code": {code}, "description": {code}}}
        9.000 client   up   close 1000
    """
    assert result_of(forbid("x", "client", "Error"), odd).blame is Blame.UPSTREAM


@pytest.mark.parametrize("items", ["5", "[5]", '[{"content": 5}]', '[{"content": [5]}]'])
def test_an_answer_of_any_shape_can_be_asked_whether_it_was_in_writing(items: str) -> None:
    odd = f"""
        0.001 client   up   Settings {{}}
        1.200 upstream down response.done {{"response": {{"status": "completed", "output": {items}}}}}
        9.000 client   up   close 1000
    """
    assert result_of(expect("x", "client", "binary", within="5s"), odd).blame is Blame.PROXY


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


def test_an_upstream_that_is_slow_to_take_a_call_is_blamed_for_what_waits_for_it() -> None:
    slow = """
        0.001 client   up   Settings {}
        0.010 upstream up   mark dialled {}
        4.000 upstream up   open {}
        4.100 upstream down session.updated {}
        4.200 client   down SettingsApplied {}
        5.000 client   up   close 1000
    """
    assert result_of(expect("x", "client", "SettingsApplied", within="2s"), slow).blame is Blame.UPSTREAM
    unmarked = slow.replace("mark dialled", "mark note")
    assert result_of(expect("x", "client", "SettingsApplied", within="2s"), unmarked).blame is Blame.PROXY


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


def test_what_the_upstream_should_have_refused_is_its_own_where_the_scenario_asks_it_directly() -> None:
    accepted = """
        0.010 client up   input_audio_buffer.commit {}
        0.011 client down input_audio_buffer.committed {}
    """
    refused = expect("x", "client", "input_audio_buffer.committed", count=0)
    assert result_of(refused, accepted, speaks=Speaks.REALTIME).blame is Blame.UPSTREAM


@pytest.mark.parametrize(("status", "blame"), [("101", Blame.PROXY), ("500", Blame.UPSTREAM), ("null", Blame.UPSTREAM)])
def test_an_upgrade_that_is_recorded_with_its_status_is_no_refusal(status: str, blame: Blame) -> None:
    opened = f"""
        0.001 client   up   Settings {{}}
        0.010 upstream up   open {{"status": {status}}}
        0.020 client   down close 1011
    """
    assert result_of(forbid("x", "client", "close"), opened).blame is blame


def test_a_close_at_the_client_after_the_upstreams_is_the_upstreams() -> None:
    closed = """
        0.001 client   up   Settings {}
        0.010 upstream down close 1011 "boom"
        0.012 client   down close 1011 "boom"
    """
    stays = forbid("x", "client", "close")
    assert result_of(stays, closed).blame is Blame.UPSTREAM
    assert result_of(stays, closed.replace("upstream down close", "upstream up   close")).blame is Blame.PROXY


def test_an_end_that_comes_by_the_clock_is_the_upstreams_whatever_it_is_called() -> None:
    ended = """
        0.001 client   up   Settings {}
        0.010 upstream up   session.update {}
        5.000 upstream down error {"error": {"type": "invalid_request_error", "code": "CODE", "message": "no"}}
        5.001 client   down Error {"code": "CODE", "description": "no"}
    """
    quiet = forbid("x", "client", "Error")
    for code in ("session_expired", "idle_timeout"):
        assert result_of(quiet, ended.replace("CODE", code)).blame is Blame.UPSTREAM
    assert result_of(quiet, ended.replace("CODE", "invalid_value")).blame is Blame.PROXY


def test_what_is_missing_once_a_proxy_has_hung_up_of_itself_is_the_proxys() -> None:
    hung_up = """
        0.001 client   up   Settings {}
        0.010 upstream up   open {}
        0.011 upstream down session.created {}
        1.000 upstream up   response.create {}
        1.100 upstream down response.created {"response": {"id": "r1"}}
        1.200 client   down close 1000
        1.201 upstream up   close 1000
    """
    done = expect("x", "upstream", "response.done", within="5s")
    assert result_of(done, hung_up).blame is Blame.PROXY
    assert result_of(done, hung_up.replace("1.200", "2.300").replace("1.201", "2.301")).blame is Blame.UPSTREAM
    assert result_of(done, hung_up.replace("1.200", "1.150 upstream down close 1011\n1.200")).blame is Blame.UPSTREAM
