# ruff: noqa: E501  # a line of a timeline is one frame
"""Confirmation, one response at a time, one create a turn, and every turn answered."""

from conformance.rules.tests.says import CONFLICT, DONE, OUTPUT, OUTPUT_SEEN, USER, USER_SEEN, says

ASKED = f"""
    use ready
    0.100 client   up   InjectUserMessage {{"content": "Hi"}}
    0.100 upstream up   conversation.item.create {USER}
"""
SECOND = '{"item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "And you?"}]}}'
SECOND_SEEN = (
    '{"item": {"id": "i2", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "And you?"}]}}'
)


def test_added_done_or_created_confirm_alike() -> None:
    for event in ("conversation.item.added", "conversation.item.done", "conversation.item.created"):
        timeline = f"{ASKED}\n0.300 upstream down {event} {USER_SEEN}\n0.300 upstream up response.create"
        assert says("RT-ITEM-CONFIRMED", timeline) == []


def test_an_item_with_a_client_id_is_confirmed_by_that_id_only() -> None:
    mine = '{"item": {"id": "mine", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}}'
    start = (
        f"use ready\n0.1 upstream up conversation.item.create {mine}\n0.2 upstream down conversation.item.added {USER_SEEN}"
    )
    assert says("RT-ITEM-CONFIRMED", f"{start}\n0.2 upstream up response.create") == ["response.create"]
    confirmed = f"{start}\n0.3 upstream down conversation.item.added {mine}\n0.3 upstream up response.create"
    assert says("RT-ITEM-CONFIRMED", confirmed) == []


def test_the_same_role_with_other_words_is_another_item() -> None:
    timeline = f"{ASKED}\n0.2 upstream down conversation.item.added {SECOND_SEEN}\n0.2 upstream up response.create"
    assert says("RT-ITEM-CONFIRMED", timeline) == ["response.create"]


def test_a_confirmed_turn_justifies_a_create_while_another_item_is_unconfirmed() -> None:
    timeline = f"""{ASKED}
        0.150 upstream up   conversation.item.create {SECOND}
        0.200 upstream down conversation.item.added {USER_SEEN}
        0.200 upstream up   response.create
        0.600 upstream down conversation.item.added {SECOND_SEEN}"""
    assert says("RT-ITEM-CONFIRMED", timeline) == []


def test_an_output_needs_its_confirmation_when_its_response_is_over() -> None:
    start = f"use called\n0.250 upstream down {DONE}\n0.400 upstream up conversation.item.create {OUTPUT}"
    early = f"{start}\n0.401 upstream up response.create\n0.410 upstream down conversation.item.done {OUTPUT_SEEN}"
    assert says("RT-ITEM-CONFIRMED", early) == ["response.create"]
    late = f"{start}\n0.410 upstream down conversation.item.done {OUTPUT_SEEN}\n0.410 upstream up response.create"
    assert says("RT-ITEM-CONFIRMED", late) == []


def test_an_output_that_went_up_before_response_done_is_answered_from_there_on() -> None:
    timeline = f"""use called
        0.250 upstream up   conversation.item.create {OUTPUT}
        0.400 upstream down {DONE}
        0.400 upstream up   response.create
        0.700 upstream down conversation.item.done {OUTPUT_SEEN}"""
    assert says("RT-ITEM-CONFIRMED", timeline) == []


def test_context_items_are_no_turns() -> None:
    timeline = f"""
        0.000 client   up   Settings {{"agent": {{"context": {{"messages": [{{"role": "user", "content": "Hi"}}]}}}}}}
        0.010 upstream up   session.update {{"session": {{"type": "realtime"}}}}
        0.020 upstream down session.updated
        0.020 upstream up   conversation.item.create {USER}
        0.030 upstream down conversation.item.added {USER_SEEN}
        9.000 end"""
    assert says("RT-TURN-ANSWERED", timeline) is None


def test_a_server_started_response_is_one_too() -> None:
    timeline = """use asked
        0.200 upstream down response.created {"response": {"id": "r0", "conversation_id": "conv_1"}}
        0.300 upstream up   response.create"""
    assert says("RT-ONE-RESPONSE", timeline) == ["response.create"]


def test_on_the_real_clock_a_create_may_cross_a_response_that_the_server_starts() -> None:
    crossed = """header {"clock": "real"}
        use asked
        0.200 upstream down response.created {"response": {"id": "r0", "conversation_id": "conv_1"}}
        0.240 upstream up   response.create"""
    assert says("RT-ONE-RESPONSE", crossed) == []
    assert says("RT-ONE-RESPONSE", crossed.replace("0.240", "0.260")) == ["response.create"]
    assert says("RT-ONE-RESPONSE", crossed.replace('"real"', '"virtual"')) == ["response.create"]


def test_an_out_of_band_response_neither_blocks_nor_is_blocked() -> None:
    timeline = """use responding
        0.200 upstream up   response.create {"response": {"conversation": "none"}}
        0.210 upstream down response.created {"response": {"id": "r2", "conversation_id": null}}"""
    assert says("RT-ONE-RESPONSE", timeline) == []
    over = f"{timeline}\n0.300 upstream down {DONE}\n0.400 upstream up response.create"
    assert says("RT-ONE-RESPONSE", over) == []


def test_a_refused_create_makes_no_response_active() -> None:
    timeline = f"""use asked
        0.110 upstream up   response.create
        0.150 upstream down error {CONFLICT}
        0.500 upstream up   response.create"""
    assert says("RT-ONE-RESPONSE", timeline) == []
    assert says("RT-ONE-CREATE", timeline) == []


def test_an_event_of_a_response_that_never_began_makes_none_active() -> None:
    timeline = """use ready
        0.100 upstream down response.output_text.delta {"response_id": "r9", "delta": "?"}
        0.200 upstream up   response.create"""
    assert says("RT-ONE-RESPONSE", timeline) == []


def test_one_create_may_answer_several_items_and_each_may_have_its_own() -> None:
    both = f"""{ASKED}
        0.110 upstream down conversation.item.added {USER_SEEN}
        0.120 upstream up   conversation.item.create {SECOND}
        0.130 upstream down conversation.item.added {SECOND_SEEN}
        0.140 upstream up   response.create
        0.150 upstream down response.created {{"response": {{"id": "r1"}}}}
        0.300 upstream down {DONE}"""
    assert says("RT-ONE-CREATE", f"{both}\n9.0 end") == []
    assert says("RT-TURN-ANSWERED", f"{both}\n9.0 end") == []
    assert says("RT-ONE-CREATE", f"{both}\n0.4 upstream up response.create") == []
    assert says("RT-ONE-CREATE", f"{both}\n0.4 upstream up response.create\n0.5 upstream up response.create") == [
        "response.create"
    ]


def test_a_failed_response_may_be_asked_for_again() -> None:
    timeline = """use responding
        0.300 upstream down response.done {"response": {"id": "r1", "status": "failed"}}
        0.400 upstream up   response.create"""
    assert says("RT-ONE-CREATE", timeline) == []


def test_a_hidden_refusal_is_no_answer() -> None:
    refused = f"use asked\n0.110 upstream up response.create\n0.150 upstream down error {CONFLICT}"
    assert says("RT-TURN-ANSWERED", f"{refused}\n9.0 end") == ["conversation.item.create"]
    assert says("RT-TURN-ANSWERED", f"{refused}\n1.2 upstream up response.create\n9.0 end") == []
    shown = '0.150 client down Error {"code": "conversation_already_has_active_response"}'
    assert says("RT-TURN-ANSWERED", f"{refused}\n{shown}\n9.0 end") == []


def test_a_turn_waits_for_the_end_of_the_running_response() -> None:
    timeline = f"""use responding
        0.200 upstream up   conversation.item.create {SECOND}
        0.210 upstream down conversation.item.added {SECOND_SEEN}
        6.000 upstream down {DONE}
        7.000 upstream up   response.create
        12.00 end"""
    assert says("RT-TURN-ANSWERED", timeline) == []
    assert says("RT-TURN-ANSWERED", timeline.replace("7.000 upstream up   response.create", "")) == [
        "conversation.item.create"
    ]
    endless = timeline.replace(f"6.000 upstream down {DONE}", "").replace("7.000 upstream up   response.create", "")
    assert says("RT-TURN-ANSWERED", endless) == []


def test_the_servers_own_response_answers_a_turn() -> None:
    timeline = 'use asked\n0.500 upstream down response.created {"response": {"id": "r1"}}\n9.0 end'
    assert says("RT-TURN-ANSWERED", timeline) == []


def test_what_the_end_of_the_recording_cuts_off_is_no_finding() -> None:
    assert says("RT-TURN-ANSWERED", "use asked\n2.0 end") == []
    assert says("RT-TURN-ANSWERED", "use asked\n2.0 client up close 1000\n9.0 end") == []


def test_a_typed_turn_that_never_goes_up_is_not_answered() -> None:
    lost = 'use ready\n0.1 client up InjectUserMessage {"content": "Hi"}\n9.0 end'
    assert says("RT-TURN-ANSWERED", lost) == ["InjectUserMessage"]
    told = 'use ready\n0.1 client up InjectUserMessage {"content": "Hi"}\n0.2 client down Error {"code": "x"}\n9.0 end'
    assert says("RT-TURN-ANSWERED", told) is None


COMMITTED = """
    0.100 client   up   binary 300ms
    0.100 upstream up   input_audio_buffer.append 300ms
    0.700 upstream down input_audio_buffer.committed {"item_id": "i1"}
    9.000 end
"""
VAD_WITHOUT_RESPONSES = """
    0.000 client   up   Settings
    0.010 upstream up   session.update {"session": {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "server_vad", "create_response": false}}}}}
    0.020 upstream down session.updated
"""


def test_under_create_response_false_a_turn_of_the_server_needs_a_create() -> None:
    assert says("RT-AUDIO-ANSWERED", VAD_WITHOUT_RESPONSES + COMMITTED) == ["input_audio_buffer.committed"]


def test_a_server_that_creates_responses_owes_the_answer_itself() -> None:
    assert says("RT-AUDIO-ANSWERED", "use ready-vad" + COMMITTED) is None


def test_a_turn_that_the_idle_timeout_committed_is_the_servers() -> None:
    timeout = '0.690 upstream down input_audio_buffer.timeout_triggered {"item_id": "i1"}\n'
    timeline = VAD_WITHOUT_RESPONSES + COMMITTED.replace("0.700", f"{timeout}0.700")
    assert says("RT-AUDIO-ANSWERED", timeline) is None


def test_a_create_right_after_the_commit_answers_it() -> None:
    timeline = """use ready
        0.100 upstream up   input_audio_buffer.append 300ms
        0.500 upstream up   input_audio_buffer.commit
        0.500 upstream up   response.create
        0.600 upstream down input_audio_buffer.committed {"item_id": "i1"}
        9.000 end"""
    assert says("RT-AUDIO-ANSWERED", timeline) == []
    assert says("RT-ONE-CREATE", timeline) == []


def test_a_typed_turn_that_repeats_another_must_go_up_all_the_same() -> None:
    said = '{at} client up InjectUserMessage {{"content": "Hi"}}\n'
    went = f"0.2 upstream up conversation.item.create {USER}\n"
    once = f"use ready\n{said.format(at=0.1)}{went}"
    assert says("RT-TURN-ANSWERED", f"{once}{said.format(at=1.0)}20 end") == ["InjectUserMessage"]
    assert says("RT-TURN-ANSWERED", f"{once}{said.format(at=1.0)}{went.replace('0.2', '1.1')}20 end") != [
        "InjectUserMessage"
    ]
