"""The beta dialect: refused unless a script asks for it, then spoken with its own names and shapes."""

from typing import Any

import pytest

from mock_upstream.tests.driving import RESPOND, WEATHER, Client, once, rule, update

BETA_UPDATE = {
    "type": "session.update",
    "session": {
        "modalities": ["text"],
        "voice": "ash",
        "temperature": 0.7,
        "input_audio_format": "g711_ulaw",
        "max_response_output_tokens": 100,
        "turn_detection": {"type": "server_vad", "silence_duration_ms": 600},
    },
}
USER = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
ITEM = {"type": "conversation.item.create", "item": USER}


def beta(**settings: Any) -> Client:
    return Client(profile="beta", dialect="beta", settings=settings, headers={"openai-beta": "realtime=v1"})


def test_the_beta_header_is_refused_by_default() -> None:
    client = Client(headers={"openai-beta": "realtime=v1"})
    assert client.errors[0]["code"] == "beta_api_shape_disabled"
    assert [(close.code, close.reason) for close in client.closes] == [
        (4000, "invalid_request_error.beta_api_shape_disabled")
    ]


def test_the_session_is_flat() -> None:
    session = beta().one("session.created")["session"]
    assert session["modalities"] == ["audio", "text"]
    assert session["input_audio_format"] == session["output_audio_format"] == "pcm16"
    assert session["temperature"] == 0.8
    assert session["max_response_output_tokens"] == "inf"
    assert "audio" not in session
    assert "type" not in session


def test_a_flat_update_is_merged_and_echoed_flat() -> None:
    client = beta()
    (updated,) = client.ask(BETA_UPDATE)
    session = updated["session"]
    for name, value in BETA_UPDATE["session"].items():  # type: ignore[attr-defined]
        if name != "turn_detection":
            assert session[name] == value
    assert session["turn_detection"]["silence_duration_ms"] == 600
    assert session["turn_detection"]["prefix_padding_ms"] == 300
    (off,) = client.ask({"type": "session.update", "session": {"turn_detection": None}})
    assert off["session"]["turn_detection"] is None


def test_a_text_turn_comes_in_the_recorded_order() -> None:
    client = beta()
    client.ask(BETA_UPDATE)
    types = once([event["type"] for event in client.ask(ITEM, RESPOND, ms=2000)])
    assert types == [
        "conversation.item.created",
        "response.created",
        "rate_limits.updated",
        "response.output_item.added",
        "conversation.item.created",
        "response.content_part.added",
        "response.text.delta",
        "response.text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    ]
    response = client.one("response.done")["response"]
    assert response["modalities"] == ["text"]
    assert response["output"][0]["object"] == "realtime.item"
    assert response["output"][0]["content"][0]["type"] == "text"
    assert [limit["name"] for limit in client.one("rate_limits.updated")["rate_limits"]] == ["requests", "tokens"]


def test_an_audio_turn_has_betas_names() -> None:
    client = beta()
    types = once([event["type"] for event in client.ask(ITEM, RESPOND, ms=4000)])
    assert types[-5:] == [
        "response.audio.done",
        "response.audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    ]
    assert all("obfuscation" not in event for event in client.events)


def test_a_scripted_update_carries_the_merged_flat_session() -> None:
    client = Client(rule(when="session.update", reply=["session.updated"]), profile="beta", dialect="beta")
    (updated,) = client.ask(BETA_UPDATE)
    assert updated["session"]["modalities"] == ["text"]
    assert updated["session"]["voice"] == "ash"


def test_transcript_deltas_may_be_objects() -> None:
    client = Client(profile="beta", settings={"deltas": "object"}, broken=True)
    client.ask(ITEM, RESPOND, ms=4000)
    deltas = [event["delta"] for event in client.all("response.audio_transcript.delta")]
    assert all(list(delta) == ["text"] for delta in deltas)
    assert "".join(delta["text"] for delta in deltas) == client.one("response.audio_transcript.done")["transcript"]


def test_a_tool_call_has_no_name_in_its_done() -> None:
    client = beta(calls=[{"name": "weather"}])
    tools = {"type": "session.update", "session": {"tools": [WEATHER], "tool_choice": "auto"}}
    client.ask(tools)
    client.ask(ITEM, RESPOND, ms=2000)
    assert "name" not in client.one("response.function_call_arguments.done")


def test_a_response_may_have_its_own_flat_settings() -> None:
    client = beta()
    own = {"modalities": ["text"], "max_response_output_tokens": 2, "voice": "sage", "output_audio_format": "g711_alaw"}
    client.ask(ITEM, {"type": "response.create", "response": own}, ms=3000)
    response = client.one("response.done")["response"]
    assert (response["modalities"], response["voice"], response["status"]) == (["text"], "sage", "incomplete")


def test_ga_fields_are_unknown_when_strict() -> None:
    client = beta()
    client.ask(update(audio={"input": {"turn_detection": None}}))
    assert client.errors[0]["code"] == "unknown_parameter"
    assert client.errors[0]["param"] == "session.type"


def test_ga_shapes_are_understood_when_lenient() -> None:
    client = beta(strict=False)
    (updated,) = client.ask(update(audio={"input": {"turn_detection": None}}))
    assert updated["session"]["turn_detection"] is None


@pytest.mark.parametrize("client", [beta(reject_session_audio=True), beta(strict=False, reject_session_audio=True)])
def test_session_audio_can_be_refused_either_way(client: Client) -> None:
    client.ask({"type": "session.update", "session": {"audio": {"input": {}}}})
    assert client.errors[0]["param"] == "session.audio"


def test_ga_can_be_given_the_same_two_quirks() -> None:
    client = Client(settings={"deltas": "object", "reject_session_audio": True}, broken=True)
    client.ask(update(audio={"input": {"turn_detection": None}}))
    assert client.errors[0]["message"] == "Unknown parameter: 'session.audio'."
    client.turn()
    assert list(client.all("response.output_audio_transcript.delta")[0]["delta"]) == ["text"]


def test_a_transcription_session_is_configured_by_its_own_event() -> None:
    client = Client(profile="transcription", settings={"dialect": "beta"}, intent="transcription", broken=True)
    assert client.types == ["transcription_session.created"]
    update_ = {"input_audio_transcription": {"model": "whisper-1"}, "input_audio_format": "pcm16"}
    (updated,) = client.ask({"type": "transcription_session.update", "session": update_})
    assert updated["type"] == "transcription_session.updated"
    assert updated["session"]["input_audio_transcription"]["model"] == "whisper-1"


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    ("item", "missing"),
    [
        ({"role": "user"}, "type"),
        ({"type": "message", "content": []}, "role"),
        ({"type": "message", "role": "user"}, "content"),
        ({"type": "message", "role": "user", "content": [{"text": "x"}]}, "content[0].type"),
        ({"type": "message", "role": "user", "content": [{"type": "input_text"}]}, "content[0].text"),
        ({"type": "message", "role": "user", "content": [{"type": "input_audio"}]}, "content[0].audio"),
        ({"type": "function_call", "name": "f"}, "arguments"),
        ({"type": "function_call", "arguments": "{}"}, "name"),
        ({"type": "function_call_output", "output": "x"}, "call_id"),
        ({"type": "function_call_output", "call_id": "x"}, "output"),
    ],
)
def test_an_item_lacks_nothing_that_its_type_is_about(item: Any, missing: str, strict: bool) -> None:
    client = beta(strict=strict)
    for frame, at in [
        ({"type": "conversation.item.create", "item": item}, "item"),
        ({"type": "response.create", "response": {"input": [USER, item]}}, "response.input[1]"),
    ]:
        (event,) = client.ask(frame)
        assert (event["error"]["code"], event["error"]["param"]) == ("missing_required_parameter", f"{at}.{missing}")
    assert "conversation.item.created" in [event["type"] for event in client.ask(ITEM)]
