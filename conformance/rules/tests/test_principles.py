"""How rules judge, whatever the rule (the principles of the catalogue), and the rules on clients, upstreams and gateways."""
# ruff: noqa: E501  # a line of a timeline is one frame

import pytest

from conformance.rules.model import RULES, Case
from conformance.rules.tests.says import CONFLICT, DONE, OUTPUT, USER, USER_SEEN, case, says
from conformance.rules.view import view
from conformance.verdicts import Level

SERVER_ERROR = '{"event_id": "e9", "error": {"type": "server_error", "code": null, "message": "The server had an error."}}'


def test_one_finding_per_cause_not_one_per_event() -> None:
    appends = "\n".join(f"0.{n} upstream up input_audio_buffer.append 20ms" for n in range(2, 9))
    assert says("RT-READY-AUDIO", f"use connected\n{appends}") == ["input_audio_buffer.append"]
    first = f"use connected\n{appends}\n0.9 upstream up response.create\n0.95 upstream up session.update"
    assert says("RT-UPDATE-FIRST", first) == ["input_audio_buffer.append", "response.create"]


def test_what_a_script_withheld_starts_no_deadline() -> None:
    never_confirmed = f'use ready\n0.1 upstream up conversation.item.create {USER}\n0.2 upstream down mark withheld @s {{"event": {{"type": "conversation.item.added"}}}}\n9 end'
    assert says("RT-TURN-ANSWERED", never_confirmed.replace("mark withheld @s", "mark withheld")) is None
    never_done = 'use responding\n0.2 upstream down response.output_text.done {"response_id": "r1", "item_id": "a", "text": "x"}\n9 end'
    assert says("VA-DONE-COMES", never_done) is None


def test_after_the_clients_close_only_the_rules_named_for_it_apply() -> None:
    timeline = """use ready
        0.500 client   up   close 1000
        0.600 upstream up   response.create
        0.700 upstream up   response.create
        0.800 upstream down error {"error": {"type": "server_error", "message": "late"}}
        9.000 end"""
    found = {id_ for id_, rule in RULES.items() if rule.judge(case(timeline))}
    assert found <= {"RT-CLOSE-QUIET", "RT-FORMAT-DECLARED", "UP-VALID-EVENTS"}
    assert says("RT-CLOSE-QUIET", timeline) == ["response.create"]


def test_an_error_is_the_fault_of_the_request_it_names_else_of_the_oldest_open_one() -> None:
    timeline = f"""use ready
        0.100 upstream up   conversation.item.create {USER.replace('{"item"', '{"event_id": "mine", "item"', 1)}
        0.200 upstream up   response.create
        0.300 upstream down error {{"error": {{"type": "invalid_request_error", "code": null, "event_id": "mine", "message": "?"}}}}"""
    exchange = view(case(timeline)).links[0].exchange
    assert exchange.items[0].refused is not None
    assert exchange.creates[0].refused is None
    unnamed = timeline.replace('"event_id": "mine", "message"', '"message"')
    assert view(case(unnamed)).links[0].exchange.items[0].refused is not None
    about = timeline.replace('"code": null, "event_id": "mine"', '"code": null, "param": "response.voice"')
    assert view(case(about)).links[0].exchange.creates[0].refused is not None


def test_a_conflict_takes_back_the_response_that_seemed_to_answer_the_create() -> None:
    timeline = f"""use asked
        0.120 upstream up   response.create
        0.130 upstream down response.created {{"response": {{"id": "r0"}}}}
        0.140 upstream down error {CONFLICT}"""
    exchange = view(case(timeline)).links[0].exchange
    assert exchange.creates[0].refused is not None
    assert exchange.responses[0].create is None


def test_two_sessions_at_once_are_judged_apart() -> None:
    timeline = """
        0.000 client     up   open
        0.001 client#1   up   open
        0.002 client#1   up   Settings
        0.003 upstream   up   open
        0.004 client     up   Settings
        0.005 upstream#1 up   open
        0.010 upstream   up   session.update {"session": {}}
        0.020 upstream   down session.updated
        0.020 client#1   down SettingsApplied
        0.030 client     up   binary 20ms
        9.000 end"""
    links = view(case(timeline)).links
    assert [(link.upstream.number, link.client.number if link.client else None) for link in links] == [(0, 1), (1, 0)]
    assert says("VA-READY-AFTER-UPDATED", timeline) == []


def test_a_reconnect_belongs_to_the_new_client_connection() -> None:
    timeline = """
        0.000 client     up   open
        0.001 upstream   up   open
        1.000 client     up   close 1000
        1.001 upstream   up   close 1000
        2.000 client#1   up   open
        2.001 upstream#1 up   open"""
    assert [link.client.number for link in view(case(timeline)).links if link.client] == [0, 1]


def test_the_rules_never_crash_on_values_of_any_type() -> None:
    odd = ["null", "5", '"x"', "[]", "[5]", '{"a": 5}', "true"]
    fields = (
        "item",
        "response",
        "session",
        "error",
        "delta",
        "audio",
        "functions",
        "id",
        "call_id",
        "item_id",
        "transcript",
        "content",
        "output",
        "response_id",
        "event_id",
        "part",
        "text",
        "role",
    )
    types = (
        "conversation.item.create",
        "conversation.item.added",
        "response.created",
        "response.done",
        "session.update",
        "session.updated",
        "error",
        "response.output_audio.delta",
        "response.function_call_arguments.done",
        "response.output_text.delta",
        "input_audio_buffer.append",
        "input_audio_buffer.committed",
        "response.output_item.added",
        "session.created",
        "response.create",
        "conversation.item.input_audio_transcription.completed",
    )
    messages = (
        "Settings",
        "InjectUserMessage",
        "FunctionCallResponse",
        "ConversationText",
        "FunctionCallRequest",
        "Error",
        "Transcript",
    )
    lines = ["use ready"]
    for value in odd:
        body = "{" + ", ".join(f'"{field}": {value}' for field in fields) + f', "agent": {value}, "result": {value}}}'
        nested = f'{{"item": {{"id": {value}, "content": {value}, "role": "assistant", "type": {value}}}, "response": {{"id": {value}, "output": {value}, "status": {value}, "status_details": {value}}}, "error": {{"code": {value}, "event_id": {value}, "param": {value}}}, "agent": {{"context": {{"messages": {value}}}, "greeting": {value}}}}}'
        for payload in (body, nested):
            lines += [f"0.5 upstream {way} {type_} {payload}" for type_ in types for way in ("up", "down")]
            lines += [f"0.5 client {way} {type_} {payload}" for type_ in messages for way in ("up", "down")]
    hostile = case("\n".join([*lines, "40 end"]))
    for rule in RULES.values():
        rule.judge(hostile)


def test_cl_ready_only_informs_where_our_own_driver_plays_the_client() -> None:
    timeline = 'use connected\n0.02 client up Settings\n0.03 client up binary 20ms\n0.04 client up mark step {"index": 1}'
    findings = RULES["CL-READY"].judge(case(timeline))
    assert findings
    assert findings[0].level is Level.INFO


CLIENT = """header {"speaks": "realtime"}
    0.000 upstream up   open
    0.010 upstream down session.created {"event_id": "event_1", "session": {"type": "realtime"}}
"""


def test_a_client_that_dies_at_an_event_is_found_by_its_silence() -> None:
    mic = "\n".join(f"0.{n} upstream up input_audio_buffer.append 20ms" for n in range(2, 8))
    event = '0.75 upstream down response.audio_transcript.delta {"response_id": "r1", "delta": "Hi"}'
    assert says("CL-SURVIVES-EVENT", f"{CLIENT}{mic}\n{event}\n9 end", subject=False) == ["response.audio_transcript.delta"]
    goes_on = f"{event}\n0.8 upstream up input_audio_buffer.append 20ms\n0.9 upstream up input_audio_buffer.append 20ms"
    assert says("CL-SURVIVES-EVENT", f"{CLIENT}{mic}\n{goes_on}\n2 end", subject=False) == []


def test_a_client_may_close_at_the_end_and_after_the_upstream_did() -> None:
    assert says("CL-STAYS-CONNECTED", f"{CLIENT}5 upstream up close 1000", subject=False) == []
    again = f"{CLIENT}1 upstream down close 1001\n2 upstream#1 up open\n9 end"
    assert says("CL-STAYS-CONNECTED", again, subject=False) == []


GATEWAY = 'header {"speaks": "realtime"}\nuse realtime\n'
PASSED = '0.1 client up response.create {"event_id": "a", "response": {"metadata": {"n": 1}}}\n'


@pytest.mark.parametrize(
    ("seen", "causes"),
    [
        ('0.2 upstream up response.create {"event_id": "a", "response": {"metadata": {"n": 1}}}', []),
        (
            '0.2 upstream up response.create {"event_id": "a", "response": {"metadata": {"n": 2}}}',
            ["up response.create response.metadata.n"],
        ),
        ("", ["up response.create"]),
    ],
)
def test_a_gateway_passes_events_unchanged(seen: str, causes: list[str]) -> None:
    assert says("GW-TRANSPARENT", f"{GATEWAY}{PASSED}{seen}\n9 end") == causes


def test_a_gateway_passes_events_once_and_in_order() -> None:
    twice = '0.2 upstream up response.create {"event_id": "a", "response": {"metadata": {"n": 1}}}\n' * 2
    assert says("GW-TRANSPARENT", f"{GATEWAY}{PASSED}{twice}9 end") == ["up extra response.create"]
    swapped = "0.1 client up input_audio_buffer.clear\n0.1 client up response.cancel\n0.2 upstream up response.cancel\n0.2 upstream up input_audio_buffer.clear\n"
    assert says("GW-TRANSPARENT", f"{GATEWAY}{swapped}9 end")


def test_a_gateway_may_write_a_number_in_another_way() -> None:
    sent = '0.1 upstream down rate_limits.updated {"event_id": "x", "reset": 1.0}\n'
    assert (
        says("GW-TRANSPARENT", f'{GATEWAY}{sent}0.1 client down rate_limits.updated {{"event_id": "x", "reset": 1}}\n9 end')
        == []
    )
    assert says(
        "GW-TRANSPARENT", f'{GATEWAY}{sent}0.1 client down rate_limits.updated {{"event_id": "x", "reset": true}}\n9 end'
    )


def test_a_gateway_that_drops_one_of_many_alike_is_said_to_have_dropped_it() -> None:
    sent = "".join(f"0.1 client up input_audio_buffer.append {n}ms\n" for n in (20, 30, 40, 50))
    kept = "0.2 upstream up input_audio_buffer.append 20ms\n"
    assert says("GW-TRANSPARENT", f"{GATEWAY}{sent}{kept}9 end") == ["up input_audio_buffer.append"]


def test_a_gateway_may_change_the_fields_its_target_declares() -> None:
    seen = '0.2 upstream up response.create {"event_id": "b", "response": {"metadata": {"n": 1}}}\n9 end'
    assert says("GW-TRANSPARENT", f"{GATEWAY}{PASSED}{seen}") == ["up response.create event_id"]
    assert says("GW-TRANSPARENT", f"{GATEWAY}{PASSED}{seen}", changes=("event_id",)) == []


def test_a_gateway_passes_closes_and_audio() -> None:
    audio = "0.1 client up input_audio_buffer.append 20ms\n0.1 upstream up input_audio_buffer.append 20ms\n"
    closed = "1 client up close 1000\n1.01 upstream up close 1000\n9 end"
    assert says("GW-TRANSPARENT", f"{GATEWAY}{audio}{closed}") == []
    assert says("GW-TRANSPARENT", f"{GATEWAY}{audio}1 upstream down close 1001\n1.1 client down close 1011\n9 end") == [
        "down close code"
    ]
    assert says("GW-TRANSPARENT", f"{GATEWAY}{audio}1 upstream down close 1001\n9 end") == ["down close"]


def test_what_the_scenarios_own_script_wrote_is_waived_for_the_upstream() -> None:
    timeline = f"use ready\n5 upstream down error @mine {SERVER_ERROR}\n9 end"
    assert says("UP-NO-ERROR", timeline) == ["error server_error"]
    assert says("UP-NO-ERROR", timeline, own_script=frozenset({"mine"})) == []
    assert says("UP-NO-ERROR", timeline, own_script=frozenset({"other"})) == ["error server_error"]


def test_an_error_that_the_scenario_expects_is_asked_for_unless_a_fault_runs() -> None:
    told = '5 client down Error {"code": null, "description": "The server had an error."}\n9 end'
    timeline = f"use ready\n5 upstream down error {SERVER_ERROR}\n{told}"
    assert says("UP-NO-ERROR", timeline, expected_errors=("Error",)) == []
    faulty = f'header {{"fault": "idle-error"}}\n{timeline}'
    assert says("UP-NO-ERROR", faulty, expected_errors=("Error",)) == ["error server_error"]


@pytest.mark.parametrize(
    ("ending", "causes"),
    [
        ("3 upstream down close 1000", ["close 1000"]),
        (
            '3 upstream down error {"error": {"type": "invalid_request_error", "code": "session_expired"}}\n3 upstream down close 1001',
            [],
        ),
        (
            '3 upstream down error {"error": {"type": "invalid_request_error", "code": "invalid_model"}}\n3 upstream down close 4000',
            [],
        ),
        ('3 upstream down error {"error": {"type": "server_error"}}\n3 upstream down close 1000', ["close 1000"]),
        ("3 client up close 1000\n3.1 upstream up close 1000", []),
    ],
)
def test_an_upstream_may_close_for_expiry_and_fatal_refusals_only(ending: str, causes: list[str]) -> None:
    assert says("UP-STAYS-OPEN", f"use ready\n{ending}\n9 end") == causes


def test_a_fatal_error_and_its_close_may_come_instead_of_the_session() -> None:
    fatal = '0 upstream up open\n0.1 upstream down error {"event_id": "e", "error": {"type": "invalid_request_error"}}\n0.1 upstream down close 3000'
    assert says("UP-CREATED-FIRST", fatal) == []
    assert says("UP-CREATED-FIRST", "0 upstream up open\n20 end") == ["session.created"]


def test_a_commit_or_the_end_may_leave_a_start_without_its_stop() -> None:
    audio = "use ready\n0.1 upstream up input_audio_buffer.append 2s\n"
    start = 'upstream down input_audio_buffer.speech_started {"audio_start_ms": 100, "item_id": "i1"}\n'
    assert says("UP-VAD-PAIRS", f"{audio}0.5 {start}9 end") == []
    assert says("UP-VAD-PAIRS", f"{audio}0.5 {start}0.6 upstream down input_audio_buffer.committed\n0.7 {start}9 end") == []
    assert says("UP-VAD-PAIRS", f"{audio}0.5 {start}0.7 {start}9 end") == ["input_audio_buffer.speech_started"]
    far = start.replace("100", "90000")
    assert says("UP-VAD-PAIRS", f"{audio}0.5 {far}9 end") == ["offset"]


def test_an_answer_within_15_s_is_an_answer() -> None:
    asked = f'use ready\n0.1 upstream up conversation.item.create {USER}\n0.2 upstream down conversation.item.added {USER_SEEN}\n0.2 upstream up response.create\n0.3 upstream down response.created {{"response": {{"id": "r1"}}}}\n'
    assert says("UP-ANSWERS", f"{asked}14 upstream down {DONE}\n20 end") == []
    assert says("UP-ANSWERS", f"{asked}14 end") is None
    assert says("UP-ANSWERS", f"{asked}20 end") == ["response.create"]


def test_hostile_frames_hurt_their_own_session_at_most() -> None:
    two = """
        0.000 client     up   open
        0.001 upstream   up   open
        0.010 client#1   up   open
        0.011 upstream#1 up   open
        0.100 client     up   binary 3B
    """
    assert says("VA-SURVIVES-CLIENT", f"{two}\n0.2 client down close 1003\n9 end") == []
    assert says("VA-SURVIVES-CLIENT", f"{two}\n0.2 client#1 down close 1011\n9 end") == ["neighbour"]
    failed = '0.3 client#2 up mark connect-failed {"message": "refused"}'
    assert says("VA-SURVIVES-CLIENT", f"{two}\n{failed}\n9 end") == ["connect"]


def test_binary_json_goes_up_as_audio_and_is_not_executed() -> None:
    settings = '0.1 client up binary {"type": "Settings"}\n'
    assert says(
        "VA-FRAME-TYPE",
        f'0 client up open\n0 upstream up open\n{settings}0.2 upstream up session.update {{"session": {{}}}}\n9 end',
    ) == ["Settings"]
    reply = '0.3 client up binary {"type": "FunctionCallResponse", "id": "c1", "content": "sunny"}\n'
    assert says("VA-FRAME-TYPE", f"use called\n{reply}0.4 upstream up conversation.item.create {OUTPUT}\n9 end") == [
        "FunctionCallResponse"
    ]
    assert says("VA-FRAME-TYPE", f"use called\n{reply}9 end") == []


def test_broken_text_never_becomes_audio() -> None:
    timeline = 'use ready\n0.1 client up text "no JSON at all"\n9 end'
    assert says("VA-FRAME-TYPE", timeline) == []
    assert says("VA-FRAME-TYPE", timeline.replace("9 end", "0.2 upstream up input_audio_buffer.append 20ms\n9 end")) == [
        "text"
    ]


def test_judging_nothing_is_not_observed_by_any_rule() -> None:
    empty = Case(case("0 end").recording)
    assert not [id_ for id_, rule in RULES.items() if rule.judge(empty) is not None]


def test_a_client_message_passed_up_in_a_binary_frame_is_still_no_realtime_event() -> None:
    timeline = 'use ready\n0.1 client up KeepAlive\n0.1 upstream up binary {"type": "KeepAlive"}'
    assert says("RT-KNOWN-EVENTS", timeline) == ["KeepAlive"]
    assert says("RT-TEXT-FRAMES", timeline) == ["binary"]
