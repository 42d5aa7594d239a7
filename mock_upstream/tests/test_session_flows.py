"""The flows of a session, in the recorded order and with the recorded fields."""

from base64 import b64decode

import numpy as np
import pytest

from conformance.wire.audio import PCM_24K, decode
from conformance.wire.ids import decode_clock
from conformance.wire.script import Fault
from mock_upstream import voice
from mock_upstream.profiles import DEFAULT_INSTRUCTIONS
from mock_upstream.tests.driving import ITEM, RESPOND, USER, VAD_OFF, WEATHER, Client, rule, update

SILENCE = bytes(4800)
SPEECH = voice.speak("Hello, can you hear me?", PCM_24K)
QUIET = bytes(48_000)


def test_a_connection_begins_with_session_created_and_nothing_else() -> None:
    client = Client().wait(1000)
    assert client.types == ["session.created"]
    session = client.one("session.created")["session"]
    assert list(session) == [
        *("type", "object", "id", "model", "output_modalities", "instructions", "tools", "tool_choice"),
        *("max_output_tokens", "tracing", "truncation", "prompt", "expires_at", "audio", "include"),
    ]
    assert session["instructions"] == DEFAULT_INSTRUCTIONS
    assert session["audio"]["input"]["turn_detection"] == {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 200,
        "idle_timeout_ms": None,
        "create_response": True,
        "interrupt_response": True,
    }


def test_ids_decode_to_the_second_in_which_they_were_made() -> None:
    client = Client(epoch=1_790_000_000)
    session = client.one("session.created")["session"]
    assert decode_clock(session["id"]) + 3600 == session["expires_at"] == 1_790_003_600
    client.wait(61_000 - 10)
    (updated,) = client.ask(update())
    assert decode_clock(updated["event_id"]) == 1_790_000_061


def test_the_same_seed_gives_the_same_bytes_and_another_one_others() -> None:
    def bytes_of(seed: int) -> list[object]:
        client = Client(seed=seed)
        client.turn()
        return client.actions

    assert bytes_of(1) == bytes_of(1)
    assert bytes_of(1) != bytes_of(2)


def test_an_update_merges_deeply_and_is_echoed_whole() -> None:
    client = Client()
    (updated,) = client.ask(update(instructions="Be brief.", audio={"output": {"voice": "marin"}}))
    session = updated["session"]
    assert session["instructions"] == "Be brief."
    assert session["audio"]["output"] == {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin", "speed": 1.0}
    assert session["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    (again,) = client.ask(update(tools=[WEATHER]))
    assert again["session"]["instructions"] == "Be brief."
    assert again["session"]["tools"] == [WEATHER]


def test_an_empty_value_goes_back_to_the_default() -> None:
    client = Client()
    client.ask(update(instructions="Be brief.", tools=[WEATHER]))
    (updated,) = client.ask(update(instructions="", tools=[]))
    assert updated["session"]["instructions"] == DEFAULT_INSTRUCTIONS
    assert updated["session"]["tools"] == []


def test_omitted_vad_and_transcription_fields_are_filled_with_defaults() -> None:
    client = Client(model="gpt-realtime-2.1-mini")
    vad = {"type": "server_vad", "idle_timeout_ms": 5000}
    audio = {"input": {"turn_detection": vad, "transcription": {"model": "whisper-1", "delay": "low"}}}
    (updated,) = client.ask(update(audio=audio))
    heard = updated["session"]["audio"]["input"]
    assert heard["turn_detection"]["silence_duration_ms"] == 500
    assert heard["turn_detection"]["create_response"] is True
    assert heard["transcription"] == {"model": "whisper-1", "language": None, "prompt": None}


def test_a_refused_update_is_discarded_whole() -> None:
    client = Client()
    client.ask(update(instructions="Never.", bogus_field=1))
    assert client.errors[0]["code"] == "unknown_parameter"
    (updated,) = client.ask(update())
    assert updated["session"]["instructions"] == DEFAULT_INSTRUCTIONS


TEXT_TURN = [
    "conversation.item.added",
    "conversation.item.done",
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
    "rate_limits.updated",
]


def once(types: list[str]) -> list[str]:
    """Runs of one type become one."""
    return [type_ for index, type_ in enumerate(types) if index == 0 or types[index - 1] != type_]


def test_a_text_turn_comes_in_the_recorded_order() -> None:
    client = Client()
    client.ask(update(output_modalities=["text"]))
    events = client.turn()
    assert once([event["type"] for event in events]) == TEXT_TURN
    deltas = [event["delta"] for event in events if event["type"] == "response.output_text.delta"]
    done = client.one("response.done")["response"]
    assert "".join(deltas) == done["output"][0]["content"][0]["text"] == "Hello! How can I help you today?"
    assert list(done) == [
        *("object", "id", "status", "status_details", "output", "conversation_id", "output_modalities"),
        *("max_output_tokens", "audio", "usage", "metadata"),
    ]
    usage = done["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert 25 <= client.time("rate_limits.updated") - client.time("response.done") <= 50


def test_the_part_is_called_text_while_the_item_says_output_text() -> None:
    client = Client()
    client.turn(output_modalities=["text"])
    assert client.one("response.content_part.done")["part"]["type"] == "text"
    assert client.one("response.output_item.done")["item"]["content"][0]["type"] == "output_text"


def test_done_of_the_first_answer_has_no_previous_item_though_added_has_one() -> None:
    client = Client()
    client.turn()
    user, assistant = client.all("conversation.item.added")
    assert assistant["previous_item_id"] == user["item"]["id"]
    assert [event["previous_item_id"] for event in client.all("conversation.item.done")] == [None, None]
    client.turn()
    added, done = client.all("conversation.item.added")[-1], client.all("conversation.item.done")[-1]
    assert added["previous_item_id"] == done["previous_item_id"] != assistant["previous_item_id"]


def test_obfuscation_fills_every_delta_to_sixteen() -> None:
    client = Client()
    client.turn(output_modalities=["text"])
    deltas = client.all("response.output_text.delta")
    assert len(deltas) > 5
    assert {(len(event["delta"]) + len(event["obfuscation"])) % 16 for event in deltas} == {0}


def test_an_audio_turn_says_its_transcript_ahead_of_its_sound() -> None:
    client = Client()
    events = client.turn()
    types = [event["type"] for event in events]
    assert types.index("response.output_audio_transcript.delta") < types.index("response.output_audio.delta")
    assert types[-7:] == [
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    assert all("obfuscation" not in event for event in client.all("response.output_audio.delta"))


@pytest.mark.parametrize(("type_", "rate"), [("audio/pcm", 24000), ("audio/pcmu", 8000), ("audio/pcma", 8000)])
def test_sound_comes_in_the_negotiated_format_and_is_no_silence(type_: str, rate: int) -> None:
    client = Client()
    client.ask(update(audio={"output": {"format": {"type": type_, **({"rate": rate} if rate == 24000 else {})}}}))
    client.turn()
    sound = b"".join(b64decode(event["delta"]) for event in client.all("response.output_audio.delta"))
    words = client.one("response.output_audio_transcript.done")["transcript"]
    width = 2 if rate == 24000 else 1
    assert len(sound) / rate / width == pytest.approx(voice.spoken_duration(words) / 1e6, rel=0.01)
    if rate == 24000:
        assert np.abs(decode(sound, PCM_24K.encoding)).max() > 1000


def test_a_manual_commit_makes_an_item_and_no_response() -> None:
    client = Client()
    client.ask(VAD_OFF)
    client.say(SILENCE).ask({"type": "input_audio_buffer.commit"})
    client.wait(2000)
    assert client.types[-3:] == ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"]
    committed, added = client.events[-3], client.events[-2]
    assert added["item"] == {
        "id": committed["item_id"],
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_audio", "transcript": None}],
    }


def test_server_vad_turns_speech_into_a_turn_and_answers_it() -> None:
    client = Client().say(QUIET + SPEECH + QUIET).wait(3000)
    assert once(client.types)[1:7] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
    ]
    started, stopped = client.one("input_audio_buffer.speech_started"), client.one("input_audio_buffer.speech_stopped")
    assert (started["audio_start_ms"] + 300) % 32 == 0 == stopped["audio_end_ms"] % 32
    assert started["item_id"] == stopped["item_id"] == client.one("input_audio_buffer.committed")["item_id"]
    assert client.one("response.done")["response"]["status"] == "completed"


def test_without_create_response_a_spoken_turn_ends_with_its_item() -> None:
    client = Client()
    client.ask(update(audio={"input": {"turn_detection": {"type": "server_vad", "create_response": False}}}))
    client.say(QUIET + SPEECH + QUIET).wait(3000)
    assert client.types[-1] == "conversation.item.done"


def test_with_turn_detection_off_speech_causes_nothing() -> None:
    client = Client()
    client.ask(VAD_OFF)
    before = len(client.log)
    client.say(QUIET + SPEECH + QUIET).wait(3000)
    assert len(client.log) == before


def test_a_commit_during_open_speech_commits_without_speech_stopped() -> None:
    client = Client().say(QUIET + SPEECH)
    started = client.one("input_audio_buffer.speech_started")
    client.ask({"type": "input_audio_buffer.commit"})
    assert client.one("input_audio_buffer.committed")["item_id"] == started["item_id"]
    assert client.all("input_audio_buffer.speech_stopped") == []


def test_speech_interrupts_the_response_and_the_server_does_not_truncate() -> None:
    client = Client(settings={"transcript": "word " * 40, "pace": "realtime"})
    client.send(ITEM, RESPOND).wait(1500)
    client.say(SPEECH)
    done = client.one("response.done")["response"]
    assert done["status"] == "cancelled"
    assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert client.types.index("input_audio_buffer.speech_started") < client.types.index("response.done")
    assert "conversation.item.truncated" not in client.types


def test_without_interrupt_response_speech_leaves_the_response_alone() -> None:
    client = Client(settings={"transcript": "word " * 40, "pace": "realtime"})
    client.ask(update(audio={"input": {"turn_detection": {"type": "server_vad", "interrupt_response": False}}}))
    client.send(ITEM, RESPOND).wait(1500)
    client.say(SPEECH + QUIET).wait(30_000)
    assert "input_audio_buffer.speech_started" in client.types
    assert [event["response"]["status"] for event in client.all("response.done")] == ["completed"]
    assert [error["code"] for error in client.errors] == ["conversation_already_has_active_response"]


def test_a_cancel_closes_everything_open_in_order() -> None:
    client = Client(settings={"pace": "realtime"})
    client.send(ITEM, RESPOND).wait(800)
    events = client.ask({"type": "response.cancel"})
    assert [event["type"] for event in events if "delta" not in event] == [
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    response = client.one("response.done")["response"]
    assert response["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert response["output"][0]["status"] == "incomplete"
    said = "".join(event["delta"] for event in client.all("response.output_audio_transcript.delta"))
    assert response["output"][0]["content"] == [{"type": "output_audio", "transcript": said}]


def test_a_cancel_before_anything_was_said_still_ends_the_response() -> None:
    client = Client()
    client.send(RESPOND, {"type": "response.cancel"}).wait(3000)
    assert client.types[1:] == ["response.created", "response.done", "rate_limits.updated"]
    assert client.one("response.done")["response"]["output"] == []


def test_a_cancel_and_a_new_request_in_one_breath_both_succeed() -> None:
    client = Client(settings={"pace": "realtime"})
    client.send(ITEM, RESPOND).wait(800)
    client.send({"type": "response.cancel"}, RESPOND).wait(5000)
    assert [event["response"]["status"] for event in client.all("response.done")] == ["cancelled", "completed"]
    assert client.errors == []


def test_a_second_update_in_mid_stream_is_answered_and_spares_the_running_response() -> None:
    client = Client(settings={"pace": "realtime"})
    client.send(ITEM, RESPOND).wait(800)
    (updated,) = [
        event for event in client.ask(update(output_modalities=["text"]), ms=20) if event["type"] == "session.updated"
    ]
    assert updated["session"]["output_modalities"] == ["text"]
    client.wait(5000)
    assert client.one("response.done")["response"]["output_modalities"] == ["audio"]


def test_a_function_call_streams_its_arguments_and_takes_its_output() -> None:
    client = Client(settings={"calls": [{"name": "weather", "arguments": {"city": "Oslo"}}]})
    client.ask(update(tools=[WEATHER], output_modalities=["text"]))
    events = client.turn()
    assert once([event["type"] for event in events]) == [
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    done = client.one("response.function_call_arguments.done")
    assert done["name"] == "weather"
    assert done["arguments"] == '{"city":"Oslo"}'
    assert client.one("response.output_item.added")["item"]["arguments"] == ""
    output = {"type": "function_call_output", "call_id": done["call_id"], "output": "rain"}
    added, confirmed = client.ask({"type": "conversation.item.create", "item": output})
    assert list(added["item"]) == ["id", "type", "call_id", "output"]
    assert added["previous_item_id"] == confirmed["previous_item_id"] == done["item_id"]
    client.send(RESPOND).wait(3000)
    assert client.all("response.done")[-1]["response"]["output"][0]["content"][0]["type"] == "output_text"


@pytest.mark.parametrize("choice", ["required", {"type": "function", "name": "weather"}])
def test_a_demanded_function_is_called_with_arguments_that_fit_its_schema(choice: object) -> None:
    client = Client()
    client.turn(tools=[WEATHER], tool_choice=choice)
    assert client.one("response.function_call_arguments.done")["arguments"] == '{"city":"example"}'


def test_tools_that_nobody_demands_are_not_called() -> None:
    client = Client()
    client.turn(tools=[WEATHER], tool_choice="auto")
    assert client.one("response.output_item.done")["item"]["type"] == "message"


def test_words_before_a_call_are_closed_after_the_calls_arguments() -> None:
    client = Client(model="gpt-realtime-2", settings={"calls": [{"name": "weather"}], "call_text": "Let me look."})
    client.ask(update(output_modalities=["text"]))
    types = once([f"{event['type']}({event.get('output_index')})" for event in client.turn()][2:])
    assert types[:-2] == [
        "response.created(None)",
        "response.output_item.added(0)",
        "conversation.item.added(None)",
        "response.content_part.added(0)",
        "response.output_text.delta(0)",
        "response.output_item.added(1)",
        "conversation.item.added(None)",
        "response.function_call_arguments.delta(1)",
        "response.output_text.done(0)",
        "response.content_part.done(0)",
        "conversation.item.done(None)",
        "response.output_item.done(0)",
        "response.function_call_arguments.done(1)",
        "conversation.item.done(None)",
        "response.output_item.done(1)",
    ]


def test_items_of_reasoning_models_have_a_phase_and_their_usage_counts_reasoning() -> None:
    client = Client(model="gpt-realtime-2.1-mini")
    client.turn()
    assert client.one("response.output_item.done")["item"]["phase"] == "final_answer"
    assert client.one("response.done")["response"]["usage"]["output_token_details"]["reasoning_tokens"] > 0
    assert client.one("session.created")["session"]["audio"]["output"]["voice"] == "marin"


def test_metadata_is_echoed_when_a_response_begins_and_ends() -> None:
    client = Client()
    client.turn(metadata={"topic": "greeting"})
    for type_ in ("response.created", "response.done"):
        assert client.one(type_)["response"]["metadata"] == {"topic": "greeting"}


def test_out_of_band_responses_run_beside_the_default_one_and_leave_no_items() -> None:
    client = Client()
    aside = {"type": "response.create", "response": {"conversation": "none", "metadata": {"n": "1"}, "input": []}}
    client.send(ITEM, RESPOND, aside, aside).wait(4000)
    assert client.errors == []
    done = client.all("response.done")
    assert len(done) == 3
    assert [event["response"]["conversation_id"] is None for event in done].count(True) == 2
    assert len(client.all("conversation.item.added")) == 2


def test_a_limit_on_tokens_cuts_the_answer_short() -> None:
    client = Client()
    client.turn(max_output_tokens=3, output_modalities=["text"])
    response = client.one("response.done")["response"]
    assert response["status"] == "incomplete"
    assert response["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert response["output"][0]["content"] == [{"type": "output_text", "text": "Hello! How"}]


@pytest.mark.parametrize(
    "outcome",
    ["insufficient_quota", "rate_limit_exceeded", "model_not_found", "inference_rate_limit_exceeded", "server_error"],
)
def test_a_failed_response_has_no_output_costs_nothing_and_no_rate_limits_follow(outcome: str) -> None:
    client = Client(settings={"outcome": outcome})
    client.turn()
    response = client.one("response.done")["response"]
    assert response["status"] == "failed"
    assert response["output"] == []
    assert response["usage"]["total_tokens"] == 0
    assert response["status_details"]["error"]["type"]
    assert "rate_limits.updated" not in client.types
    assert client.errors == []


def test_items_go_where_the_client_wants_them() -> None:
    client = Client()

    def create(item_id: str, **place: str) -> str | None:
        added, done = client.ask({"type": "conversation.item.create", "item": {**USER, "id": item_id}, **place})
        assert added["previous_item_id"] == done["previous_item_id"]
        return str(added["previous_item_id"]) if added["previous_item_id"] else None

    assert create("a") is None
    assert create("b") == "a"
    assert create("first", previous_item_id="root") is None
    assert create("last", previous_item_id="") == "b"
    assert create("c", previous_item_id="a") == "a"
    assert create("last") == "last"


def test_items_are_retrieved_deleted_and_truncated() -> None:
    client = Client()
    client.turn()
    spoken = client.one("response.output_item.done")["item"]
    (got,) = client.ask({"type": "conversation.item.retrieve", "item_id": spoken["id"]})
    assert len(b64decode(got["item"]["content"][0]["audio"])) > 48_000
    truncate = {"type": "conversation.item.truncate", "item_id": spoken["id"], "content_index": 0, "audio_end_ms": 500}
    (truncated,) = client.ask(truncate)
    assert truncated["audio_end_ms"] == 500
    (got,) = client.ask({"type": "conversation.item.retrieve", "item_id": spoken["id"]})
    assert len(b64decode(got["item"]["content"][0]["audio"])) == 24_000
    assert got["item"]["content"][0]["transcript"] is None
    (deleted,) = client.ask({"type": "conversation.item.delete", "item_id": spoken["id"]})
    assert deleted["type"] == "conversation.item.deleted"
    (error,) = client.ask({"type": "conversation.item.retrieve", "item_id": spoken["id"]})
    assert error["error"]["code"] == "item_retrieve_invalid_item_id"


def test_an_item_can_be_truncated_while_it_is_still_being_said() -> None:
    client = Client(settings={"pace": "realtime", "transcript": "word " * 30})
    client.send(ITEM, RESPOND).wait(1500)
    item_id = client.one("response.output_item.added")["item"]["id"]
    cut = {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": 300}
    assert "conversation.item.truncated" in [event["type"] for event in client.ask(cut)]
    client.wait(30_000)
    assert client.one("response.done")["response"]["status"] == "completed"


def test_after_an_idle_timeout_the_model_speaks_up_by_itself() -> None:
    client = Client(model="gpt-realtime-2.1-mini")
    audio = {
        "turn_detection": {"type": "server_vad", "idle_timeout_ms": 5000},
        "transcription": {"model": "gpt-realtime-whisper"},
    }
    client.ask(update(audio={"input": audio}))
    client.turn()
    before = len(client.log)
    client.say(bytes(4800 * 90)).wait(3000)
    assert client.types[before : before + 7] == [
        "input_audio_buffer.timeout_triggered",
        "conversation.item.added",
        "conversation.item.done",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
    ]
    timeout = client.one("input_audio_buffer.timeout_triggered")
    assert timeout["audio_start_ms"] % 32 == 0 == timeout["audio_end_ms"] % 32
    nudge, heard = client.all("conversation.item.added")[2:4]
    assert nudge["item"]["role"] == "system"
    assert client.one("input_audio_buffer.committed")["previous_item_id"] == nudge["item"]["id"]
    assert heard["item"]["id"] == timeout["item_id"]
    heard_words = client.one("conversation.item.input_audio_transcription.completed")
    assert (heard_words["transcript"], heard_words["usage"]) == ("", {"type": "duration", "seconds": 0})


def test_a_session_expires_after_an_hour_with_its_close() -> None:
    client = Client().wait(3_600_000)
    assert client.errors == [
        {
            "type": "invalid_request_error",
            "code": "session_expired",
            "message": "Your session hit the maximum duration of 60 minutes.",
            "param": None,
            "event_id": None,
        }
    ]
    assert [(close.code, close.reason) for close in client.closes] == [(1001, client.errors[0]["message"])]


def test_a_preset_of_an_ephemeral_key_stands_in_session_created() -> None:
    client = Client(preset={"type": "realtime", "instructions": "Preset."})
    assert client.one("session.created")["session"]["instructions"] == "Preset."
    assert "session.updated" not in client.types


def test_a_silent_model_creates_a_response_and_says_nothing() -> None:
    client = Client(rule(fault=Fault("silent-model")))
    client.turn()
    assert client.types[-1] == "response.created"
