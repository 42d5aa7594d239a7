"""Transcription: when its events come, for each kind of model, and what they say."""

from typing import Any

import pytest

from conformance.wire.audio import PCM_24K
from mock_upstream import voice
from mock_upstream.tests.driving import COMMIT, Client, update

NAME = "conversation.item.input_audio_transcription"
SPEECH = voice.speak("Hello, can you hear me?", PCM_24K)


def transcribing(model: str, *, include: list[str] | None = None, **settings: Any) -> Client:
    client = Client(settings={"heard": "Hello from the Gateway Probe.", **settings})
    audio = {"input": {"transcription": {"model": model}, "turn_detection": None}}
    client.ask(update(audio=audio, **({"include": include} if include else {})))
    return client


def heard(client: Client, sound: bytes = SPEECH) -> str:
    client.say(sound)
    client.send(COMMIT).wait(3000)
    return str(client.one(f"{NAME}.completed")["transcript"])


@pytest.mark.parametrize("model", ["whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "gpt-realtime-whisper"])
def test_deltas_add_up_to_the_transcript_of_the_committed_item(model: str) -> None:
    client = transcribing(model)
    assert heard(client) == "Hello from the Gateway Probe."
    deltas = client.all(f"{NAME}.delta")
    assert "".join(event["delta"] for event in deltas).strip() == "Hello from the Gateway Probe."
    item_id = client.one("input_audio_buffer.committed")["item_id"]
    assert {event["item_id"] for event in [*deltas, client.one(f"{NAME}.completed")]} == {item_id}
    assert all((len(event["delta"]) + len(event["obfuscation"])) % 16 == 0 for event in deltas)


def test_gpt_4o_models_transcribe_about_a_second_after_the_commit() -> None:
    client = transcribing("gpt-4o-mini-transcribe")
    heard(client)
    committed = client.time("input_audio_buffer.committed")
    assert 850 <= client.time(f"{NAME}.delta") - committed <= 1200
    assert client.one(f"{NAME}.completed")["usage"]["type"] == "tokens"


def test_whisper_says_all_in_one_delta() -> None:
    client = transcribing("whisper-1")
    heard(client)
    assert len(client.all(f"{NAME}.delta")) == 1
    assert client.one(f"{NAME}.completed")["usage"] == {"type": "duration", "seconds": 2}


def test_streaming_models_send_deltas_during_speech_under_the_future_items_id() -> None:
    client = transcribing("gpt-realtime-whisper")
    heard(client)
    assert client.time(f"{NAME}.delta") < client.time("input_audio_buffer.committed")


def test_silence_says_nothing_and_is_counted_in_whole_seconds() -> None:
    client = transcribing("gpt-realtime-whisper")
    assert heard(client, bytes(48_000 + 4800)) == ""
    assert client.one(f"{NAME}.completed")["usage"] == {"type": "duration", "seconds": 2}


def test_a_transcript_may_land_in_mid_response() -> None:
    client = transcribing("gpt-4o-transcribe", pace="realtime")
    client.say(SPEECH)
    client.send(COMMIT, {"type": "response.create"}).wait(6000)
    completed = client.types.index(f"{NAME}.completed")
    assert client.types.index("response.created") < completed < client.types.index("response.done")


def test_a_failed_transcription_spares_the_turn() -> None:
    client = transcribing("whisper-1", transcription_fails="DeploymentNotFound")
    client.say(SPEECH)
    client.send(COMMIT).wait(2000)
    failed = client.one(f"{NAME}.failed")
    assert failed["error"]["code"] == "DeploymentNotFound"
    assert failed["error"]["message"] == f"Input transcription failed for item '{failed['item_id']}'."
    client.send({"type": "response.create"}).wait(4000)
    assert client.one("response.done")["response"]["status"] == "completed"


def test_logprobs_come_when_included() -> None:
    client = transcribing("gpt-4o-transcribe", include=["item.input_audio_transcription.logprobs"])
    heard(client)
    assert client.one(f"{NAME}.completed")["logprobs"][0]["token"] == "Hello"


def test_a_diarizing_model_sends_segments() -> None:
    client = transcribing("gpt-4o-transcribe-diarize")
    heard(client)
    assert client.one(f"{NAME}.segment")["speaker"] == "A"


def test_the_item_has_its_transcript_afterwards() -> None:
    client = transcribing("whisper-1")
    heard(client)
    item_id = client.one("input_audio_buffer.committed")["item_id"]
    (got,) = client.ask({"type": "conversation.item.retrieve", "item_id": item_id})
    assert got["item"]["content"][0]["transcript"] == "Hello from the Gateway Probe."


def test_a_transcription_session_takes_its_time_to_refuse_an_empty_commit() -> None:
    client = Client(intent="transcription")
    assert client.ask({**COMMIT, "event_id": "mine"}, ms=600) == []
    client.wait(600)
    assert client.errors[0]["code"] == "input_audio_buffer_commit_empty"
    assert client.errors[0]["event_id"] == "mine"


def test_a_transcription_session_has_its_own_object_and_no_rate_limits() -> None:
    client = Client(intent="transcription")
    session = client.one("session.created")["session"]
    assert list(session) == ["type", "object", "id", "expires_at", "audio", "include"]
    assert session["object"] == "realtime.transcription_session"
    vad = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 200}
    assert session["audio"]["input"]["turn_detection"] == vad
    change = {"type": "transcription", "audio": {"input": {"transcription": {"model": "gpt-4o-mini-transcribe"}}}}
    client.ask({"type": "session.update", "session": change})
    client.say(bytes(24_000) + SPEECH + bytes(48_000)).wait(3000)
    assert client.types[2:7] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
    ]
    assert client.types[-1] == f"{NAME}.completed"
