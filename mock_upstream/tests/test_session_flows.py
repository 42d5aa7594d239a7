"""A session from its greeting to its end: configuration, ids, expiry."""

from base64 import b64encode

import orjson

from conformance.wire.durations import SECOND
from conformance.wire.ids import decode_clock
from conformance.wire.script import Fault
from mock_upstream.actions import Send, Setup
from mock_upstream.profiles import DEFAULT_INSTRUCTIONS
from mock_upstream.session import Session
from mock_upstream.tests.clients import SPEECH
from mock_upstream.tests.driving import WEATHER, Client, rule, update


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


def test_a_connection_opened_later_counts_from_its_own_opening() -> None:
    client = Client(rule(at=SECOND, reply=["error"]), opened=20 * SECOND)
    session = client.one("session.created")["session"]
    assert decode_clock(session["id"]) == 1_790_000_020
    assert session["expires_at"] == 1_790_003_620
    assert client.wait(2000).time("error") == 21_000


def test_the_same_seed_gives_the_same_bytes_and_another_one_others() -> None:
    def bytes_of(seed: int) -> object:
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


def test_nothing_precedes_session_created_however_early_the_client_speaks() -> None:
    session = Session(Setup(model="gpt-realtime"))
    append = {"type": "input_audio_buffer.append", "audio": b64encode(SPEECH).decode()}
    actions = [*session.open(0), *session.receive(orjson.dumps(append).decode(), 0), *session.wake(100_000)]
    assert [action.event["type"] for action in actions if isinstance(action, Send) and action.event] == [
        "session.created",
        "input_audio_buffer.speech_started",
    ]
