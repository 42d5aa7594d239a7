"""Responses: the recorded order of their events, their fields, cancels, limits and failures."""

from base64 import b64decode

import numpy as np
import pytest

from conformance.wire.audio import PCM_24K, decode
from mock_upstream import voice
from mock_upstream.tests.driving import ITEM, RESPOND, Client, once, update

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


@pytest.mark.parametrize("speed", [0.25, 1.5])
def test_a_voice_is_as_fast_as_the_session_asks(speed: float) -> None:
    client = Client()
    client.ask(update(audio={"output": {"speed": speed}}))
    client.turn()
    sound = b"".join(b64decode(event["delta"]) for event in client.all("response.output_audio.delta"))
    words = client.one("response.output_audio_transcript.done")["transcript"]
    assert PCM_24K.duration(len(sound)) * speed == pytest.approx(voice.spoken_duration(words), rel=0.01)


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
