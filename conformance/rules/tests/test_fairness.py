"""Proxies of other makes: what they may do otherwise breaks no rule, and what looks harmless but is not, does."""
# ruff: noqa: E501  # a line of a timeline is one frame

import pytest

from conformance.rules.tests.says import DONE, USER, USER_SEEN, case, says
from conformance.rules.view import view

ASKED = "use connected\n0.020 client up Settings\n0.020 upstream up session.update {}\n"
SPOKEN = "0.500 client up binary 200ms\n0.500 upstream up input_audio_buffer.append 200ms\n"


def test_audio_after_a_broken_text_is_the_microphones() -> None:
    broken = 'use ready\n0.1 client up text "no JSON at all"\n'
    assert says("VA-FRAME-TYPE", f"{broken}{SPOKEN}9 end") == []
    early = "0.200 upstream up input_audio_buffer.append 20ms\n"
    assert says("VA-FRAME-TYPE", f"{broken}{early}{SPOKEN}9 end") == ["text"]


MADE_UP = '{at} client down Error {{"code": "oops", "description": "Something went wrong."}}\n'


@pytest.mark.parametrize(("at", "causes"), [("0.200", []), ("30.000", ["session.updated"])])
def test_a_clients_mistake_explains_no_error_half_a_minute_later(at: str, causes: list[str]) -> None:
    mistake = "use ready\n0.1 client up Nonsense\n"
    assert says("VA-ERROR-HONEST", mistake + MADE_UP.format(at=at) + "40 end") == causes


@pytest.mark.parametrize(("at", "causes"), [("0.200", []), ("30.000", [""])])
def test_an_unreadable_frame_of_the_upstream_explains_no_error_half_a_minute_later(at: str, causes: list[str]) -> None:
    unreadable = 'use ready\n0.1 upstream down text "{,"\n'
    found = says("VA-ERROR-HONEST", unreadable + MADE_UP.format(at=at) + "40 end")
    assert bool(found) is bool(causes)


def test_a_mistake_made_before_the_session_was_ready_may_be_answered_when_it_is() -> None:
    held = """use connected
        0.020 client   up   Settings
        0.030 client   up   InjectUserMessage {"content": 5}
        0.030 upstream up   session.update {"session": {}}
        18.00 upstream down session.updated
        18.00 client   down SettingsApplied
    """
    assert says("VA-ERROR-HONEST", held + MADE_UP.format(at="18.1") + "40 end") == []


def test_a_proxy_may_give_up_on_a_commit_that_nothing_confirms() -> None:
    committed = f"use ready\n{SPOKEN}1.0 upstream up input_audio_buffer.commit\n"
    assert says("VA-ERROR-HONEST", committed + MADE_UP.format(at="25.0") + "40 end") == []
    confirmed = committed + "1.1 upstream down input_audio_buffer.committed\n"
    assert says("VA-ERROR-HONEST", confirmed + MADE_UP.format(at="25.0") + "40 end") == ["input_audio_buffer.committed"]


def test_audio_of_a_commit_that_was_refused_counts_for_the_next() -> None:
    refused = f"""use ready
        {SPOKEN}
        1.0 upstream up input_audio_buffer.commit
        1.1 upstream down error {{"error": {{"type": "invalid_request_error", "code": "overloaded", "message": "Again."}}}}
        1.2 upstream up input_audio_buffer.commit
    """
    assert says("RT-COMMIT-MIN", refused) == []
    taken = refused.replace("error {", "input_audio_buffer.committed {")
    assert says("RT-COMMIT-MIN", taken) == ["input_audio_buffer.commit"]
    short = refused.replace("200ms", "60ms")
    assert says("RT-COMMIT-MIN", short) == ["input_audio_buffer.commit"]


UNNAMED = """
    0.000 client   up   open
    0.000 client   up   Settings
    0.005 upstream up   open
    0.010 upstream down session.created {"session": {"type": "realtime", "audio": {"input": {"turn_detection": DETECTION}}}}
    0.010 upstream up   session.update {"session": {"type": "realtime"}}
    0.020 upstream down session.updated
    0.020 client   down SettingsApplied
    0.100 upstream up   input_audio_buffer.append 200ms
    0.500 upstream up   input_audio_buffer.commit
"""


def test_an_upstream_that_says_its_turn_detection_is_off_leaves_the_commit_to_the_proxy() -> None:
    assert says("RT-COMMIT-OWNER", UNNAMED.replace("DETECTION", "null")) is None
    assert says("RT-COMMIT-OWNER", UNNAMED.replace("DETECTION", '{"type": "server_vad"}')) == ["input_audio_buffer.commit"]
    assert says("RT-COMMIT-OWNER", UNNAMED.replace(', "audio": {"input": {"turn_detection": DETECTION}}', "")) == [
        "input_audio_buffer.commit"
    ]


ANSWERED = f"use responding\n0.400 upstream down {DONE}\n"


@pytest.mark.parametrize(
    "asked",
    [
        '0.500 client up InjectAgentMessage {"message": "Are you there?"}\n',
        '0.500 upstream up conversation.item.create {"item": {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "Go on."}]}}\n',
        '0.500 upstream up conversation.item.create {"item": {"type": "mcp_approval_response", "approval_request_id": "m1", "approve": true}}\n',
    ],
)
def test_a_create_that_something_else_asked_for_is_not_one_too_many(asked: str) -> None:
    again = "0.600 upstream up response.create\n9 end"
    assert says("RT-ONE-CREATE", f"{ANSWERED}{asked}{again}") == []
    assert says("RT-ONE-CREATE", f"{ANSWERED}{again}") == ["response.create"]
    assert says("RT-ONE-CREATE", f"{ANSWERED}{asked}0.55 upstream up response.create\n{again}") == ["response.create"]


def test_a_message_for_the_agent_to_say_is_no_greeting() -> None:
    said = '0.100 client up InjectAgentMessage {"message": "Welcome back."}\n'
    create = "0.200 upstream up response.create\n9 end"
    assert says("RT-GREETING-QUIET", f"use greeting\n{said}{create}") == []
    assert says("RT-GREETING-QUIET", f"use greeting\n{create}") == ["response.create"]


def test_history_that_goes_up_in_one_item_may_hold_the_words_of_the_greeting() -> None:
    timeline = """
        0.000 client   up   open
        0.000 client   up   Settings {"agent": {"greeting": "Hello.", "context": {"messages": [{"role": "assistant", "content": "Hello."}, {"role": "user", "content": "I am Ada."}]}}}
        0.005 upstream up   open
        0.010 upstream down session.created
        0.010 upstream up   session.update {"session": {}}
        0.020 upstream down session.updated
        0.030 upstream up   conversation.item.create {"item": {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "So far: assistant: Hello. user: I am Ada."}]}}
        9.000 end"""
    assert says("RT-GREETING-QUIET", timeline) == []
    alone = timeline.replace("So far: assistant: Hello. user: I am Ada.", "Say: Hello.")
    assert says("RT-GREETING-QUIET", alone) == ["conversation.item.create"]


CONTEXT = """
    0.000 client   up   open
    0.000 client   up   Settings {"agent": {"context": {"messages": [{"role": "user", "content": "Ich heiße Åsa."}]}}}
    0.005 upstream up   open
    0.010 upstream down session.created
    0.010 upstream up   session.update {"session": {"instructions": INSTRUCTIONS}}
    0.020 upstream down session.updated
    0.100 upstream up   response.create CREATE
    9.000 end"""


@pytest.mark.parametrize(
    ("instructions", "create", "causes"),
    [
        ('"Be brief."', "{}", ["agent.context"]),
        ('"History: user: Ich heiße Åsa."', "{}", []),
        ('"History: [{\\"content\\": \\"Ich hei\\\\u00dfe \\\\u00c5sa.\\"}]"', "{}", []),
        ('"Be brief."', '{"response": {"instructions": "History: Ich heiße Åsa."}}', []),
    ],
)
def test_history_may_go_up_as_json_and_with_the_response_it_is_for(
    instructions: str, create: str, causes: list[str]
) -> None:
    timeline = CONTEXT.replace("INSTRUCTIONS", instructions).replace("CREATE", create)
    assert says("RT-CONTEXT-KEPT", timeline) == causes


TURNS = f"""use responding
    0.200 client   down AgentStartedSpeaking
    0.300 upstream down response.output_text.done {{"response_id": "r1", "item_id": "a1", "text": "One."}}
    0.300 client   down ConversationText {{"role": "assistant", "content": "One."}}
    0.400 upstream down {DONE}
    0.400 client   down AgentAudioDone
    0.500 client   down AgentStartedSpeaking
    0.510 upstream up   conversation.item.create {USER.replace("Hi", "And?")}
    0.520 upstream down conversation.item.added {USER_SEEN.replace("Hi", "And?").replace("i1", "i2")}
    0.530 upstream up   response.create
    0.540 upstream down response.created {{"response": {{"id": "r2", "conversation_id": "conv_1"}}}}
    0.600 upstream down response.output_text.done {{"response_id": "r2", "item_id": "a2", "text": "Two."}}
    0.600 client   down ConversationText {{"role": "assistant", "content": "Two."}}
    9.000 end"""


def test_speaking_may_be_told_before_the_response_is_asked_for() -> None:
    assert says("VA-SPEAKING-FIRST", TURNS) == []
    assert says("VA-SPEAKING-ONCE", TURNS) == []
    without = "\n".join(line for line in TURNS.splitlines() if "0.500" not in line)
    assert says("VA-SPEAKING-FIRST", without) == ["text"]
    twice = TURNS.replace("0.600 upstream", "0.550 client   down AgentStartedSpeaking\n0.600 upstream", 1)
    assert says("VA-SPEAKING-ONCE", twice) == ["AgentStartedSpeaking"]
    spare = TURNS.replace("0.300 client", "0.300 client   down AgentStartedSpeaking\n0.300 client", 1)
    assert says("VA-SPEAKING-ONCE", spare) == ["AgentStartedSpeaking"]


def test_an_event_for_webrtc_is_refused_over_a_websocket() -> None:
    barge_in = "use responding\n0.2 upstream up {event}\n9 end"
    assert says("RT-VALID-EVENTS", barge_in.format(event="output_audio_buffer.clear")) == ["output_audio_buffer.clear"]
    assert says("RT-VALID-EVENTS", barge_in.format(event="response.cancel")) == []


def test_a_call_may_be_asked_for_when_its_response_is_over() -> None:
    called = 'use responding\n0.2 upstream down response.function_call_arguments.done {"response_id": "r1", "call_id": "c1", "arguments": ""}\n'
    ended = f"{called}3.0 upstream down {DONE}\n"
    asked = 'client down FunctionCallRequest {"functions": [{"id": "c1"}]}\n9 end'
    assert says("VA-TOOL-ONCE", f"{ended}3.1 {asked}") == []
    assert says("VA-TOOL-ONCE", f"{ended}4.5 {asked}") == ["missing"]
    assert says("VA-TOOL-ONCE", f"{called}3.1 {asked}") == ["missing"]


def test_an_error_long_after_the_session_was_ready_does_not_stand_for_settings_applied() -> None:
    deaf = ASKED + "0.030 upstream down session.updated\nAT client down Error\n9 end"
    assert says("VA-READY", deaf.replace("AT", "4.0")) == ["SettingsApplied"]
    assert says("VA-READY", deaf.replace("AT", "1.0")) is None


def test_a_chunk_that_a_resampler_sends_twice_is_too_much_and_its_rounding_is_not() -> None:
    settings = '{"audio": {"input": {"encoding": "linear16", "sample_rate": 16000}}}'
    sent = (
        f"{ASKED.replace('Settings', f'Settings {settings}')}0.030 upstream down session.updated\n1 client up binary 2s\n"
    )
    assert says("RT-AUDIO-WHOLE", f"{sent}1 upstream up input_audio_buffer.append 2004ms\n9 end") == []
    assert says("RT-AUDIO-WHOLE", f"{sent}1 upstream up input_audio_buffer.append 2020ms\n9 end") == [
        "input_audio_buffer.append"
    ]


def test_speaking_may_be_told_of_a_response_that_says_nothing() -> None:
    silent = f"""use asked
        0.120 upstream down response.created {{"response": {{"id": "r0"}}}}
        0.120 upstream down response.done {{"response": {{"id": "r0", "status": "completed"}}}}
        0.120 client   down AgentStartedSpeaking
        0.120 client   down AgentAudioDone
        {TURNS.partition("use responding")[2].partition("0.500")[0].replace("use asked", "")}
        9.000 end"""
    assert says("VA-SPEAKING-ONCE", silent) == []
    assert says("VA-DONE-ONCE", silent) == []


BESIDE = f"""use responding
    0.200 upstream down response.created {{"response": {{"id": "r2", "conversation_id": "conv_1"}}}}
    0.200 upstream down response.output_text.done {{"response_id": "r2", "item_id": "a2", "text": "Two."}}
    0.200 upstream down response.done {{"response": {{"id": "r2", "status": "completed"}}}}
    0.200 client   down AgentStartedSpeaking
    0.200 client   down ConversationText {{"role": "assistant", "content": "Two."}}
    0.200 client   down AgentAudioDone
    0.300 upstream down response.output_text.done {{"response_id": "r1", "item_id": "a1", "text": "One."}}
    0.300 client   down AgentStartedSpeaking
    0.300 client   down ConversationText {{"role": "assistant", "content": "One."}}
    0.400 upstream down {DONE}
    0.400 client   down AgentAudioDone
    9.000 end"""


@pytest.mark.parametrize("rule", ["VA-SPEAKING-FIRST", "VA-SPEAKING-ONCE", "VA-DONE-ONCE", "VA-DONE-COMES"])
def test_a_response_that_a_script_lets_run_beside_another_is_told_apart(rule: str) -> None:
    assert says(rule, BESIDE) == []
    assert says(
        "VA-SPEAKING-ONCE", BESIDE.replace("0.300 client", "0.300 client down AgentStartedSpeaking\n0.300 client", 1)
    )
    assert says("VA-DONE-ONCE", BESIDE.replace("9.000 end", "0.5 client down AgentAudioDone\n9 end"))
    assert says("VA-DONE-COMES", BESIDE.replace("0.400 client   down AgentAudioDone", ""))


def test_a_half_open_upstream_excuses_the_proxy_and_not_itself() -> None:
    silent = 'use responding\n0.200 upstream down mark fault {"name": "half-open"}\n1.0 client up binary 500ms\n30 end'
    assert says("RT-AUDIO-WHOLE", silent) == []
    assert says("UP-RESPONSE-ENDS", silent) == ["response.done"]
    assert says("RT-AUDIO-WHOLE", silent.replace("mark fault", "mark note")) == ["input_audio_buffer.append"]


BROKE = '1.000 upstream down error {"event_id": "e1", "error": {"type": "server_error", "code": "overloaded", "message": "Busy."}}\n1.000 client down Error {"code": "overloaded", "description": "Busy."}\n'


def test_an_error_that_only_passes_on_the_upstreams_does_not_say_why_a_turn_was_lost() -> None:
    typed = 'use ready\n0.5 client up InjectUserMessage {"content": "Hi"}\n'
    own = '0.600 client down Error {"code": "too_fast", "description": "One at a time."}\n'
    assert says("RT-TURN-ANSWERED", f"{typed}{BROKE}20 end") == ["InjectUserMessage"]
    assert says("RT-TURN-ANSWERED", f"{typed}{own}{BROKE}20 end") is None
    assert says("VA-USER-ECHO", f"{typed}{BROKE}20 end") == ["missing"]
    assert says("VA-USER-ECHO", f"{typed}{own}{BROKE}20 end") == []


def test_an_error_that_only_passes_on_the_upstreams_does_not_say_why_an_output_was_lost() -> None:
    replied = 'use called\n0.5 client up FunctionCallResponse {"id": "c1", "name": "weather", "content": "sunny"}\n'
    own = '0.600 client down Error {"code": "too_fast", "description": "One at a time."}\n'
    assert says("RT-TOOL-OUTPUT-WHOLE", f"{replied}{BROKE}20 end") == ["FunctionCallResponse"]
    assert says("RT-TOOL-OUTPUT-WHOLE", f"{replied}{own}{BROKE}20 end") is None


def test_a_proxy_may_give_up_on_one_thing_while_the_upstream_says_others() -> None:
    unconfirmed = f"use ready\n0.1 upstream up conversation.item.create {USER}\n"
    chatter = "\n".join(f"{t} upstream down rate_limits.updated" for t in range(2, 20))
    gives_up = MADE_UP.format(at="20.0")
    assert says("VA-ERROR-HONEST", f"{unconfirmed}{chatter}\n{gives_up}40 end") == []
    confirmed = f"{unconfirmed}0.2 upstream down conversation.item.added {USER_SEEN}\n"
    assert says("VA-ERROR-HONEST", f"{confirmed}{chatter}\n{gives_up}40 end") == ["rate_limits.updated"]
    late = f"{unconfirmed}1.0 upstream down conversation.item.added {USER_SEEN}\n"
    assert says("VA-ERROR-HONEST", f"{late}{MADE_UP.format(at='1.5')}40 end") == ["conversation.item.added"]


def test_an_echo_may_wait_for_a_confirmation_that_the_mock_keeps_back() -> None:
    sent = (
        f'use ready\n0.1 client up InjectUserMessage {{"content": "Hi"}}\n0.1 upstream up conversation.item.create {USER}\n'
    )
    kept = '0.2 upstream down mark withheld {"event": {"type": "conversation.item.added"}}\n'
    assert says("VA-USER-ECHO", f"{sent}{kept}9 end") is None
    assert says("VA-USER-ECHO", f"{sent}9 end") == ["missing"]
    assert says("VA-USER-ECHO", f"{kept}{sent}9 end".replace("use ready", "").replace("0.2 up", "use ready\n0.05 up")) == [
        "missing"
    ]


def test_a_turn_whose_response_was_cut_off_before_a_word_may_be_asked_for_again() -> None:
    cut = DONE.replace("completed", "cancelled")
    said = '0.2 upstream down response.output_text.delta {"response_id": "r1", "item_id": "a1", "delta": "It"}\n'
    again = f"0.3 upstream down {cut}\n0.5 upstream up response.create\n9 end"
    assert says("RT-ONE-CREATE", f"use responding\n{again}") == []
    assert says("RT-ONE-CREATE", f"use responding\n{said}{again}") == ["response.create"]


@pytest.mark.parametrize(
    ("event", "kept"),
    [
        (f"conversation.item.create {USER}", True),
        (f"conversation.item.create {USER.replace('Hi', 'The user says: Hi')}", True),
        (
            'response.create {"response": {"input": [{"type": "message", "content": [{"type": "input_text", "text": "Hi"}]}]}}',
            True,
        ),
        (f"conversation.item.create {USER.replace('Hi', 'Ho')}", False),
        (f"conversation.item.create {USER.replace('user', 'system')}", False),
        ("input_audio_buffer.clear", False),
    ],
)
def test_a_typed_turn_goes_up_in_its_own_words_as_the_users(event: str, kept: bool) -> None:
    typed = 'use ready\n0.1 client up InjectUserMessage {"content": "Hi"}\n'
    timeline = f"{typed}0.2 upstream up {event}\n0.3 upstream up response.create\n0.4 upstream down response.created\n0.5 upstream down response.done\n20 end"
    found = says("RT-TURN-ANSWERED", timeline) or []
    assert ("InjectUserMessage" not in found) is kept


def test_a_functions_output_may_wait_for_the_end_of_the_response_that_asked_for_it() -> None:
    replied = 'use called\n0.3 client up FunctionCallResponse {"id": "c1", "name": "weather", "content": "sunny"}\n'
    ended = f"{replied}8.0 upstream down {DONE}\n"
    output = 'upstream up conversation.item.create {"item": {"type": "function_call_output", "call_id": "c1", "output": "sunny"}}\n'
    assert says("RT-TOOL-OUTPUT-WHOLE", f"{ended}8.1 {output}20 end") == []
    assert says("RT-TOOL-OUTPUT-WHOLE", f"{ended}12 end") is None
    assert says("RT-TOOL-OUTPUT-WHOLE", f"{ended}20 end") == ["FunctionCallResponse"]


def test_sessions_that_an_upstream_lets_wait_are_told_apart_by_their_order() -> None:
    waiting = "\n".join(f"0.00{n} client#{n} up open\n0.01{n} client#{n} up Settings" for n in range(3))
    opened = "\n".join(f"8.000 upstream#{n} up open" for n in range(3))
    links = view(case(f"{waiting}\n{opened}\n9 end")).links
    assert [(link.upstream.number, link.client.number) for link in links if link.client] == [(0, 0), (1, 1), (2, 2)]


PACED = """use responding
    0.200 upstream down response.output_audio.delta {"response_id": "r1", "delta": {"bytes": 48000, "ms": 1000}}
    0.210 upstream down response.output_audio.delta {"response_id": "r1", "delta": {"bytes": 48001, "ms": 1000}}
    0.300 upstream down response.done {"response": {"id": "r1", "status": "completed"}}
    0.300 client   down AgentStartedSpeaking
    0.300 client   down binary 1s
    """


def test_a_proxy_may_pass_audio_on_at_the_pace_in_which_it_is_heard() -> None:
    assert says("VA-DONE-COMES", f"{PACED}1.300 client down binary 1s\n2.250 client down AgentAudioDone\n9 end") == []
    assert says("VA-DONE-COMES", f"{PACED}1.300 client down binary 1s\n2.350 client down AgentAudioDone\n9 end") == [
        "AgentAudioDone"
    ]
    assert says("VA-DONE-COMES", f"{PACED}2.250 client down AgentAudioDone\n9 end") == ["AgentAudioDone"]


def test_a_client_that_leaves_while_it_is_spoken_to_has_not_lost_the_rest() -> None:
    assert says("VA-AUDIO-WHOLE", f"{PACED}1.250 client up close 1000\n9 end") == []
    assert says("VA-AUDIO-WHOLE", f"{PACED}1.450 client up close 1000\n9 end") == ["response.output_audio.delta"]


def test_a_clear_may_leave_a_start_without_its_stop() -> None:
    started = 'upstream down input_audio_buffer.speech_started {"audio_start_ms": 0, "item_id": "i1"}'
    stopped = 'upstream down input_audio_buffer.speech_stopped {"audio_end_ms": 90, "item_id": "i1"}'
    spoken = f"use ready-vad\n0.1 upstream up input_audio_buffer.append 1s\n0.2 {started}\n"
    cleared = "0.3 upstream down input_audio_buffer.cleared"
    assert says("UP-VAD-PAIRS", f"{spoken}{cleared}\n0.4 {started}\n0.5 {stopped}\n9 end") == []
    assert says("UP-VAD-PAIRS", f"{spoken}{cleared}\n0.4 {stopped}\n9 end") == []
    assert says("UP-VAD-PAIRS", f"{spoken}0.4 {started}\n9 end") == ["input_audio_buffer.speech_started"]
    assert says("UP-VAD-PAIRS", f"{cleared}\n0.4 {stopped}\n9 end") == ["input_audio_buffer.speech_stopped"]


def test_re_cut_audio_of_responses_that_run_beside_each_other_is_anybodys() -> None:
    delta = 'upstream down response.output_audio.delta {"response_id": "ID", "delta": {"bytes": 4800, "ms": 100, "sha256": "ID"}}'
    beside = f"""use responding
        0.200 upstream down response.created {{"response": {{"id": "r2"}}}}
        0.210 {delta.replace("ID", "r2")}
        0.220 {delta.replace("ID", "r1")}
        0.230 upstream down response.done {{"response": {{"id": "r2", "status": "completed"}}}}
        0.240 upstream down response.done {{"response": {{"id": "r1", "status": "completed"}}}}
        0.250 client   down AgentStartedSpeaking
        0.250 client   down AgentAudioDone
        0.260 client   down binary 100ms
        0.270 client   down AgentAudioDone
        9.000 end"""
    assert says("VA-DONE-LAST", beside) in ([], None)
    alone = "\n".join(line for line in beside.splitlines() if "r2" not in line)
    assert says("VA-DONE-LAST", alone) == ["binary"]
