# ruff: noqa: E501  # a line of a timeline is one frame
"""What the client is told: readiness, errors, closes, texts, speaking."""

import pytest

from conformance.rules.model import RULES
from conformance.rules.tests.says import CONFLICT, DONE, case, says

SETTINGS = "use connected\n0.02 client up Settings\n"
UPDATE = '0.02 upstream up session.update {"session": {"type": "realtime"}}\n'
REFUSAL = (
    '0.03 upstream down error {"error": {"type": "invalid_request_error", "code": "unknown_parameter", '
    '"param": "session.x", "message": "Unknown parameter."}}\n'
)


def test_readiness_is_due_2_s_after_updated() -> None:
    ready = f"{SETTINGS}{UPDATE}0.6 upstream down session.updated\n"
    assert says("VA-READY", f"{ready}2.5 client down SettingsApplied\n9 end") == []
    assert says("VA-READY", f"{ready}2.7 client down SettingsApplied\n9 end") == ["SettingsApplied"]
    assert says("VA-READY", f"{ready}2.0 end") is None


@pytest.mark.parametrize(
    "ending",
    [
        REFUSAL,
        '0.03 upstream down close 1011 "internal error"\n',
        "0.03 upstream down close 1006\n",
    ],
)
def test_a_refusal_or_an_end_before_ready_must_be_seen_within_10_s(ending: str) -> None:
    start = f"{SETTINGS}{UPDATE}{ending}"
    assert says("VA-READY", f"{start}15 end")
    assert says("VA-READY", f"{start}5 end") is None
    assert says("VA-READY", f'{start}9 client down Error {{"code": null}}\n15 end') == []
    assert says("VA-READY", f"{start}9 client down close 1011\n15 end") == []


def test_a_refused_handshake_and_settings_that_lead_to_nothing_must_be_seen() -> None:
    refused = '0 client up open\n0 client up Settings\n0.01 upstream up open {"status": 401}\n'
    assert says("VA-READY", f"{refused}15 end")
    assert says("VA-READY", f"{refused}0.02 client down close 1011\n15 end") == []
    assert says("VA-READY", f"{SETTINGS}15 end")
    assert says("VA-READY", "0 client up open\n0 client up Settings\n15 end")


def test_an_upstream_that_is_silent_is_a_matter_of_policy() -> None:
    assert says("VA-READY", f"{SETTINGS}{UPDATE}40 end") is None
    assert says("VA-READY-TIMEOUT", f"{SETTINGS}{UPDATE}40 end") == ["session.update"]


def error(t: float, code: str, message: str = "It broke.", type_: str = "server_error") -> str:
    return f'{t} upstream down error {{"error": {{"type": "{type_}", "code": {code}, "message": "{message}"}}}}\n'


def shown(t: float, code: str, message: str = "It broke.") -> str:
    return f'{t} client down Error {{"code": {code}, "description": "{message}"}}\n'


def test_an_error_must_arrive_within_a_second_and_a_failed_response_too() -> None:
    assert says("VA-ERROR-FORWARDED", f"use ready\n{error(1, 'null')}{shown(1.9, 'null')}9 end") == []
    late = says("VA-ERROR-FORWARDED", f"use ready\n{error(1, 'null')}{shown(2.2, 'null')}9 end")
    assert late == ["error server_error"]
    failed = (
        'use responding\n1 upstream down response.done {"response": {"id": "r1", "status": "failed", "status_details": '
        '{"error": {"type": "server_error", "code": "rate_limit_exceeded", "message": "Too fast."}}}}\n'
    )
    assert says("VA-ERROR-FORWARDED", f"{failed}9 end") == ["response.done rate_limit_exceeded"]
    assert (
        says("VA-ERROR-FORWARDED", f"{failed}{shown(1, chr(34) + 'rate_limit_exceeded' + chr(34), 'Too fast.')}9 end") == []
    )


def test_an_error_may_wait_for_the_running_responses_text() -> None:
    timeline = f"use responding\n{error(0.5, 'null')}3 upstream down {DONE}\n{shown(3.2, 'null')}9 end"
    assert says("VA-ERROR-FORWARDED", timeline) == []
    assert says("VA-ERROR-FORWARDED", timeline.replace("3.2 client", "4.2 client")) == ["error server_error"]
    silent = f"use responding\n{error(0.5, 'null')}9 end"
    assert says("VA-ERROR-FORWARDED", silent) == ["error server_error"]


def test_the_active_response_conflict_is_left_to_policy() -> None:
    assert says("VA-ERROR-FORWARDED", f"use responding\n0.5 upstream down error {CONFLICT}\n9 end") is None


def test_a_close_that_names_the_error_explains_it() -> None:
    closed = '1 client down close 1011 "It broke."'
    assert says("VA-ERROR-FORWARDED", f"use ready\n{error(1, 'null')}{closed}\n9 end") == []
    assert says("VA-ERROR-FORWARDED", f"use ready\n{error(1, 'null')}1 client down close 1011\n9 end") == [
        "error server_error"
    ]


def test_two_errors_need_two_messages_but_one_event_sent_twice_needs_one() -> None:
    two = f"use ready\n{error(1, 'null', 'One.')}{error(1.1, 'null', 'Two.')}{shown(1.2, 'null', 'One.')}9 end"
    assert says("VA-ERROR-FORWARDED", two) == ["error server_error"]
    twice = (
        'use ready\n1 upstream down error {"event_id": "e7", "error": {"type": "server_error", "message": "One."}}\n'
        '1 upstream down error {"event_id": "e7", "error": {"type": "server_error", "message": "One."}}\n'
    )
    assert says("VA-ERROR-FORWARDED", f"{twice}{shown(1.2, 'null', 'One.')}9 end") == []


@pytest.mark.parametrize(
    ("own", "told", "kept"),
    [
        ('"rate_limit_exceeded"', '"rate_limit_exceeded"', True),
        ('"rate_limit_exceeded"', '"unknown"', False),
        ('"rate_limit_exceeded"', "null", False),
        ("null", "null", True),
        ("null", '"server_error"', True),
        ("null", '"unknown"', True),
        ("null", '"upstream_error"', True),
        ("null", '"idle_timeout"', False),
        ("null", '"session_max_duration"', False),
    ],
)
def test_codes_are_the_upstreams_own_or_claim_nothing(own: str, told: str, kept: bool) -> None:
    timeline = f"use ready\n{error(1, own, 'idle for too long')}{shown(1, told, 'idle for too long')}9 end"
    assert says("VA-ERROR-CODE", timeline) == ([] if kept else ["Error"])


@pytest.mark.parametrize(
    ("before", "kept"),
    [
        ("1 upstream down close 1011\n", True),
        ('1 upstream down text "{not json"\n', True),
        ("1 upstream down binary 20ms\n", True),
        ("1 client up Dance\n", True),
        ('1 client up text "hello"\n', True),
        ('1 client up InjectUserMessage {"content": 5}\n', True),
        ('1 upstream down conversation.created {"conversation": {}}\n', False),
        ("1 upstream down rate_limits.updated\n", False),
        ('1 upstream down something.new {"x": 1}\n', False),
        ('1 upstream down response.done {"response": {"id": "r1", "status": "cancelled"}}\n', False),
        ("1 client up KeepAlive\n", False),
    ],
)
def test_an_error_needs_a_reason(before: str, kept: bool) -> None:
    findings = says(
        "VA-ERROR-HONEST", f'use ready\n{before}1.1 client down Error {{"code": "unmapped", "description": "?"}}\n9 end'
    )
    assert (findings == []) is kept


def test_giving_up_on_a_silent_upstream_is_honest() -> None:
    timeline = f'{SETTINGS}{UPDATE}15 client down Error {{"code": "upstream_timeout", "description": "?"}}\n20 end'
    assert says("VA-ERROR-HONEST", timeline) == []


@pytest.mark.parametrize(
    ("code", "seen", "explained", "what"),
    [
        (1011, True, False, "client down close 1000"),
        (1011, True, False, "client down close 1005"),
        (1011, True, True, "client down close 1011"),
        (1006, True, True, "client down close 1011"),
        (1000, True, True, "client down close 1000"),
        (1011, True, True, 'client down Error {"code": "upstream_closed"}'),
    ],
)
def test_after_ready_any_end_but_1000_needs_an_explanation(code: int, seen: bool, explained: bool, what: str) -> None:
    timeline = f"use ready\n1 upstream down close {code}\n1.1 {what}\n9 end"
    assert (says("VA-CLOSE-SEEN", timeline) == []) is seen
    assert bool(says("VA-CLOSE-EXPLAINED", timeline)) is not explained


def test_before_ready_even_1000_needs_an_explanation() -> None:
    timeline = f"{SETTINGS}{UPDATE}1 upstream down close 1000\n1.1 client down close 1000\n9 end"
    assert says("VA-CLOSE-EXPLAINED", timeline) == ["closed with 1000"]


def test_an_error_just_before_its_close_explains_the_close() -> None:
    timeline = (
        f"use ready\n{error(1, 'null')}{shown(1, 'null')}1 upstream down close 1001\n1.1 client down close 1000\n9 end"
    )
    assert says("VA-CLOSE-EXPLAINED", timeline) == []


def test_a_client_that_is_refused_in_turn_has_seen_the_refusal() -> None:
    refused = '0.01 upstream up open {"status": 401}\n0.02 client up open {"status": 502}\n9 end'
    assert says("VA-CLOSE-SEEN", refused) is None
    assert says("VA-CLOSE-SEEN", '0 client up open\n0.01 upstream up open {"status": 401}\n9 end') == [
        "refused the handshake with 401"
    ]


def test_a_close_by_the_proxy_or_after_the_clients_is_no_upstream_end() -> None:
    assert says("VA-CLOSE-SEEN", "use ready\n1 upstream up close 1000\n9 end") is None
    assert says("VA-CLOSE-SEEN", "use ready\n1 client up close 1000\n1.1 upstream down close 1011\n9 end") is None


TEXT = '"text": "Hello."'
ITEM = (
    '"item": {"id": "a1", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello."}]}'
)
TOLD = '0.5 client down ConversationText {"role": "assistant", "content": "Hello."}\n'
CARRIERS = [
    f'response.output_text.done {{"response_id": "r1", "item_id": "a1", "content_index": 0, {TEXT}}}',
    'response.output_audio_transcript.done {"response_id": "r1", "item_id": "a1", "content_index": 0, "transcript": "Hello."}',
    'response.text.done {"response_id": "r1", "item_id": "a1", "content_index": 0, "text": "Hello."}',
    f"conversation.item.done {{{ITEM}}}",
    f"conversation.item.added {{{ITEM}}}",
    f'response.output_item.done {{"response_id": "r1", {ITEM}}}',
    'response.output_text.delta {"response_id": "r1", "item_id": "a1", "content_index": 0, "delta": "Hello."}',
]


@pytest.mark.parametrize("carrier", CARRIERS, ids=lambda carrier: carrier.partition(" ")[0])
def test_a_message_is_told_once_whatever_carries_it(carrier: str) -> None:
    said = f"use responding\n0.3 upstream down {carrier}\n0.4 upstream down {DONE}\n"
    assert says("VA-TEXT-ONCE", f"{said}{TOLD}9 end") == []
    assert says("VA-TEXT-ONCE", f"{said}9 end") == ["missing"]
    assert says("VA-TEXT-ONCE", f"{said}{TOLD}{TOLD.replace('0.5', '0.6')}9 end") == ["ConversationText"]


def test_response_done_alone_carries_a_message_too() -> None:
    item = ITEM.removeprefix('"item": ')
    said = f'use responding\n0.4 upstream down response.done {{"response": {{"id": "r1", "status": "completed", "output": [{item}]}}}}\n'
    assert says("VA-TEXT-ONCE", f"{said}{TOLD}9 end") == []
    assert says("VA-TEXT-ONCE", f"{said}9 end") == ["missing"]


def test_all_carriers_together_are_one_message_even_if_one_differs_a_little() -> None:
    lines = "\n".join(f"0.3 upstream down {carrier}" for carrier in CARRIERS)
    other = f"0.35 upstream down conversation.item.done {{{ITEM.replace('Hello.', 'Hello!')}}}"
    said = f"use responding\n{lines}\n{other}\n0.4 upstream down {DONE}\n"
    assert says("VA-TEXT-ONCE", f"{said}{TOLD}9 end") == []
    assert says("VA-TEXT-ONCE", f"{said}{TOLD.replace('Hello.', 'Hello!')}9 end") == []
    both = TOLD + TOLD.replace("Hello.", "Hello!").replace("0.5", "0.6")
    assert says("VA-TEXT-ONCE", f"{said}{both}9 end") == ["ConversationText"]


def test_the_same_words_in_a_later_response_are_a_new_message() -> None:
    first = f"use responding\n0.3 upstream down {CARRIERS[0]}\n0.4 upstream down {DONE}\n{TOLD}"
    second = (first.removeprefix("use responding\n")).replace("r1", "r2").replace("a1", "a2").replace("0.", "1.")
    start = '1.0 upstream up response.create\n1.1 upstream down response.created {"response": {"id": "r2"}}\n'
    assert says("VA-TEXT-ONCE", f"{first}{start}{second}9 end") == []
    untold = second.replace(TOLD.replace("0.5", "1.5"), "")
    assert says("VA-TEXT-ONCE", f"{first}{start}{untold}9 end") == ["missing"]


def test_a_message_that_was_cut_off_may_be_told_or_not() -> None:
    said = f'use responding\n0.3 upstream down {CARRIERS[0]}\n0.4 upstream down response.done {{"response": {{"id": "r1", "status": "cancelled"}}}}\n'
    assert not says("VA-TEXT-ONCE", f"{said}9 end")
    assert says("VA-TEXT-ONCE", f"{said}{TOLD}9 end") == []


def test_outer_whitespace_does_not_matter() -> None:
    said = f"use responding\n0.3 upstream down {CARRIERS[0]}\n0.4 upstream down {DONE}\n"
    assert says("VA-TEXT-ONCE", f"{said}{TOLD.replace('Hello.', ' Hello. ')}9 end") == []


def test_speaking_comes_first_but_not_for_the_greeting() -> None:
    assert says("VA-SPEAKING-FIRST", "use greeted\n9 end") is None


def test_a_done_at_the_audios_end_is_as_good_as_one_at_the_responses() -> None:
    timeline = f"""use responding
        0.300 upstream down response.output_audio.done {{"response_id": "r1", "item_id": "a1"}}
        0.300 client   down AgentAudioDone
        3.000 upstream down {DONE}
        9.000 end"""
    assert says("VA-DONE-COMES", timeline) == []
    assert says("VA-DONE-ONCE", timeline) == []


def test_a_response_of_calls_only_needs_no_done_and_may_have_one() -> None:
    timeline = f"use called\n0.4 upstream down {DONE}\n9 end"
    assert says("VA-DONE-COMES", timeline) is None
    assert says("VA-DONE-ONCE", timeline.replace("9 end", "0.4 client down AgentAudioDone\n9 end")) == []


def test_the_done_after_the_greeting_belongs_to_none() -> None:
    turn = f"""0.100 client   up   InjectUserMessage {{"content": "Hi"}}
        0.200 upstream up   response.create
        0.300 upstream down response.created {{"response": {{"id": "r1"}}}}
        0.400 upstream down {DONE}
        0.400 client   down AgentAudioDone
        9.000 end"""
    greeted = f"use greeted\n0.020 client down AgentAudioDone\n{turn}"
    assert says("VA-DONE-ONCE", greeted) == []
    assert says("VA-DONE-COMES", greeted) == []


def test_text_may_follow_the_done_but_audio_may_not() -> None:
    start = 'use responding\n0.2 upstream down response.output_audio.delta 100ms{"response_id": "r1"}\n0.2 client down AgentStartedSpeaking\n0.2 client down binary 100ms\n0.3 upstream down response.output_audio.done {"response_id": "r1"}\n0.3 client down AgentAudioDone\n'
    assert says("VA-DONE-LAST", f"{start}0.4 upstream down {CARRIERS[0]}\n{TOLD}") == []
    late = '0.4 upstream down response.output_audio.delta 100ms{"response_id": "r1"}\n0.4 client down binary 100ms\n'
    assert says("VA-DONE-LAST", start + late) == ["binary"]


def test_an_echo_waits_for_readiness_and_is_one_each_for_equal_messages() -> None:
    early = f'{SETTINGS}0.03 client up InjectUserMessage {{"content": "Hi"}}\n{UPDATE}5 upstream down session.updated\n'
    echo = 'client down ConversationText {"role": "user", "content": "Hi"}\n'
    assert says("VA-USER-ECHO", f"{early}5 {echo}9 end") == []
    twice = 'use asked\n0.2 client up InjectUserMessage {"content": "Hi"}\n'
    assert says("VA-USER-ECHO", f"{twice}0.2 {echo}9 end") == []
    assert says("VA-USER-ECHO", f"{twice}9 end") == ["missing"]


def test_a_greeting_that_the_model_repeats_is_the_models() -> None:
    timeline = """use greeted
        0.100 upstream down response.created {"response": {"id": "r1"}}
        0.200 upstream down response.output_text.done {"response_id": "r1", "item_id": "a1", "text": "Good morning."}
        0.300 client   down ConversationText {"role": "assistant", "content": "Good morning."}
        9.000 end"""
    assert says("VA-GREETING", timeline) == []


def test_family_messages_are_allowed_and_realtime_events_are_not() -> None:
    assert says("VA-TEXT-IS-PROTOCOL", "use ready\n0.1 client down Welcome\n0.2 client down AgentThinking") == []
    assert says("VA-TEXT-IS-PROTOCOL", "use ready\n0.1 client down session.updated") == ["session.updated"]
    invented = "use ready\n0.1 upstream down brand.new\n0.1 client down brand.new"
    assert says("VA-TEXT-IS-PROTOCOL", invented) == ["brand.new"]
    assert says("VA-TEXT-IS-PROTOCOL", 'use ready\n0.1 client down text "hello"') == ["untyped"]


def test_a_final_transcript_is_told_within_a_second_and_items_interleave() -> None:
    tr = "conversation.item.input_audio_transcription"
    timeline = f"""use ready
        0.100 upstream down {tr}.delta {{"item_id": "i1", "delta": "Good"}}
        0.100 client   down Transcript {{"transcript": "Good", "is_final": false}}
        0.110 upstream down {tr}.delta {{"item_id": "i2", "delta": " And"}}
        0.110 client   down Transcript {{"transcript": "And", "is_final": false}}
        0.120 upstream down {tr}.delta {{"item_id": "i1", "delta": " day"}}
        0.120 client   down Transcript {{"transcript": "Good day", "is_final": false}}
        0.200 upstream down {tr}.completed {{"item_id": "i1", "transcript": "Good day"}}
        0.200 client   down Transcript {{"transcript": "Good day", "is_final": true}}
        9.000 end"""
    assert says("VA-TRANSCRIPT", timeline) == []
    mixed = timeline.replace('"Good day", "is_final": false', '"Good And day", "is_final": false')
    assert says("VA-TRANSCRIPT", mixed) == ["Transcript"]


def test_a_server_that_mixes_the_dialects_speaks_ga() -> None:
    mixed = '{"session": {"type": "realtime", "modalities": ["text"], "audio": {"input": {}, "output": {}}}}'
    part = '{"response_id": "r1", "item_id": "a1", "output_index": 0, "content_index": 0, "part": {"type": "output_text"}}'
    timeline = f"0.0 upstream down session.created {mixed}\n0.1 upstream down response.content_part.added {part}"
    found = [finding.message for finding in RULES["UP-VALID-EVENTS"].judge(case(timeline)) or ()]
    assert any("session.modalities is not a field" in message for message in found)
    assert any("part.type must be 'text' or 'audio'" in message for message in found)
    assert not any("beta" in message or "session.audio" in message for message in found)


def test_of_a_proxy_that_dials_again_the_last_refusal_is_the_one_to_tell() -> None:
    refused = '0 client up open\n0.01 client up Settings\n0.02 upstream up open {"status": 500}'
    again = f'{refused}\n0.5 upstream#1 up open {{"status": 500}}'
    assert says("VA-CLOSE-SEEN", f'{again}\n0.6 client down Error {{"code": "unreachable"}}\n9 end') == []
    assert says("VA-CLOSE-SEEN", f"{again}\n9 end") == ["refused the handshake with 500"]


def test_nobody_is_owed_the_audio_of_a_response_that_never_was() -> None:
    orphan = 'use ready\n1 upstream down response.output_audio.delta 100ms{"response_id": "resp_nobodys"}'
    turn = """
        2.0 upstream up response.create
        2.1 upstream down response.created {"response": {"id": "resp_1"}}
        2.2 upstream down response.output_audio.delta 100ms{"response_id": "resp_1"}
        2.3 upstream down response.done {"response": {"id": "resp_1"}}"""
    assert says("VA-AUDIO-WHOLE", f"{orphan}\n9 end") == []
    assert says("VA-AUDIO-WHOLE", f"{orphan}{turn}\n9 end") == ["response.output_audio.delta"]
