"""Schema: real events pass, everything the API does not know is reported where it stands, and nothing else is."""

from typing import Any

import pytest

from conformance.wire.events import GA_CLIENT_EVENTS
from conformance.wire.schema import Dialect, Problem, Side, problems

FORMAT = {"type": "audio/pcm", "rate": 24_000}
VAD = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 200,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}
SESSION = {
    "type": "realtime",
    "object": "realtime.session",
    "id": "sess_1",
    "model": "gpt-realtime",
    "output_modalities": ["audio"],
    "instructions": "Hi",
    "tools": [],
    "tool_choice": "auto",
    "max_output_tokens": "inf",
    "tracing": None,
    "truncation": "auto",
    "prompt": None,
    "expires_at": 1_790_003_600,
    "audio": {
        "input": {"format": FORMAT, "transcription": None, "noise_reduction": None, "turn_detection": VAD},
        "output": {"format": FORMAT, "voice": "alloy", "speed": 1.0},
    },
    "include": None,
}
ITEM = {"id": "item_1", "type": "message", "status": "completed", "role": "assistant", "phase": "final_answer"}
TEXT = {"type": "output_text", "text": "Hello"}
RESPONSE = {
    "object": "realtime.response",
    "id": "resp_1",
    "status": "completed",
    "status_details": None,
    "output": [{**ITEM, "content": [TEXT]}],
    "conversation_id": "conv_1",
    "output_modalities": ["text"],
    "max_output_tokens": "inf",
    "audio": {"output": {"format": FORMAT, "voice": "alloy"}},
    "usage": None,
    "metadata": None,
}
PLACE = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}

GA_SERVER = [
    {"type": "session.created", "session": SESSION},
    {"type": "session.updated", "session": SESSION},
    {"type": "conversation.item.added", "previous_item_id": None, "item": {**ITEM, "content": []}},
    {"type": "conversation.item.done", "previous_item_id": "item_0", "item": {**ITEM, "content": [TEXT]}},
    {"type": "response.output_item.added", "response_id": "resp_1", "output_index": 0, "item": {**ITEM, "content": []}},
    {"type": "response.created", "response": {**RESPONSE, "status": "in_progress", "output": []}},
    {"type": "response.done", "response": RESPONSE},
    {"type": "response.output_text.delta", **PLACE, "delta": "Hel", "obfuscation": "abcdefghijklm"},
    {"type": "response.output_audio.delta", **PLACE, "delta": {"bytes": 2, "sha256": "x"}},
    {
        "type": "conversation.item.input_audio_transcription.delta",
        "item_id": "item_1",
        "content_index": 0,
        "delta": "Hi",
        "obfuscation": "x",
    },
    {"type": "error", "error": {"type": "server_error", "code": None, "message": "m", "param": None, "event_id": None}},
    {
        "type": "rate_limits.updated",
        "rate_limits": [{"name": "tokens", "limit": 40_000, "remaining": 38_490, "reset_seconds": 2.265}],
    },
]


def ga(event: dict[str, Any]) -> list[Problem]:
    return problems({"event_id": "event_1", **event}, "server")


def up(event: dict[str, Any], dialect: Dialect = "ga") -> list[tuple[str, str]]:
    return [(problem.path, problem.message) for problem in problems(event, "client", dialect)]


def update(**session: Any) -> dict[str, Any]:
    return {"type": "session.update", "session": {"type": "realtime", **session}}


@pytest.mark.parametrize("event", GA_SERVER, ids=lambda event: event["type"])
def test_an_event_as_the_api_sends_it_has_no_problem(event: dict[str, Any]) -> None:
    assert ga(event) == []


@pytest.mark.parametrize("type_", GA_CLIENT_EVENTS)
def test_every_client_event_is_known_and_its_needs_too(type_: str) -> None:
    found = up({"type": type_, "event_id": 5})
    assert ("event_id", "must be a valid string") in found
    assert all(message == "is required" for path, message in found if path != "event_id")


def test_every_documented_field_of_a_session_is_declared() -> None:
    session = update(
        model="gpt-realtime",
        output_modalities=["audio"],
        instructions="Hi",
        reasoning={"effort": "low"},
        parallel_tool_calls=True,
        include=["item.input_audio_transcription.logprobs"],
        tracing="auto",
        truncation={"type": "retention_ratio", "retention_ratio": 0.5, "token_limits": {"post_instructions": 1}},
        max_output_tokens=100,
        tool_choice={"type": "function", "name": "x"},
        tools=[
            {"type": "function", "name": "x", "description": "d", "parameters": {"anything": {"goes": 1}}},
            {"type": "mcp", "server_label": "l", "server_url": "https://example.org", "headers": {"a": "b"}},
        ],
        prompt=None,
        audio={
            "input": {
                "format": FORMAT,
                "turn_detection": None,
                "noise_reduction": {"type": "near_field"},
                "transcription": {
                    "model": "whisper-1",
                    "language": "en",
                    "languages": ["en"],
                    "keywords": ["x"],
                    "prompt": "p",
                    "delay": "low",
                },
            },
            "output": {"format": {"type": "audio/pcmu"}, "voice": {"id": "voice_1"}, "speed": 1},
        },
    )
    assert up(session) == []


@pytest.mark.parametrize(
    ("session", "path"),
    [
        ({"turn_detection": None}, "session.turn_detection"),
        ({"temperature": 0.8}, "session.temperature"),
        ({"voice": "alloy"}, "session.voice"),
        ({"input_audio_format": "pcm16"}, "session.input_audio_format"),
        (
            {"audio": {"input": {"turn_detection": {"type": "server_vad", "bogus": 1}}}},
            "session.audio.input.turn_detection.bogus",
        ),
        (
            {"audio": {"input": {"turn_detection": {"type": "semantic_vad", "threshold": 1}}}},
            "session.audio.input.turn_detection.threshold",
        ),
        (
            {"tools": [{"type": "function", "name": "x"}, {"type": "function", "name": "y", "strict": True}]},
            "session.tools[1].strict",
        ),
    ],
)
def test_an_undeclared_field_is_found_at_every_depth(session: dict[str, Any], path: str) -> None:
    assert up(update(**session)) == [(path, "is not a field of this event")]


@pytest.mark.parametrize(
    ("event", "path", "message"),
    [
        ({"type": "session.update", "session": {}}, "session.type", "is required"),
        (update(max_output_tokens="12"), "session.max_output_tokens", "must be a valid integer"),
        (update(output_modalities="audio"), "session.output_modalities", "must be a valid list"),
        (
            update(audio={"input": {"format": {"type": "audio/pcm", "rate": 16_000}}}),
            "session.audio.input.format.rate",
            "must be 24000",
        ),
        ({"type": "input_audio_buffer.append", "audio": 5}, "audio", "must be a valid string"),
        ({"type": "input_audio_buffer.append", "audio": {"invalid": "%", "chars": 1}}, "audio", "must be base64"),
        (
            {"type": "conversation.item.create", "item": {"type": "function_call_output", "output": "x"}},
            "item.call_id",
            "is required",
        ),
        (
            {
                "type": "conversation.item.create",
                "item": {"type": "message", "role": "assistant", "content": [{"type": "input_text", "text": "x"}]},
            },
            "item.content[0].type",
            "must be 'output_text' or 'output_audio'",
        ),
        (
            {"type": "response.create", "response": {"input": [{"type": "item_reference"}]}},
            "response.input[0].id",
            "is required",
        ),
        ({"type": "KeepAlive"}, "type", "'KeepAlive' is no ga client event"),
        ({"type": "transcription_session.update"}, "type", "'transcription_session.update' is no ga client event"),
        ({"type": 5}, "type", "must be a string that names the event"),
        ({}, "type", "must be a string that names the event"),
    ],
)
def test_one_mistake_is_one_problem(event: dict[str, Any], path: str, message: str) -> None:
    assert up(event) == [(path, message)]


def test_numbers_and_flags_are_not_taken_from_text() -> None:
    assert up(update(parallel_tool_calls="yes")) == [("session.parallel_tool_calls", "must be a valid boolean")]


def test_items_may_be_referred_to_in_a_responses_input() -> None:
    reference = {"type": "item_reference", "id": "item_1"}
    message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]}
    assert up({"type": "response.create", "response": {"conversation": "none", "input": [reference, message]}}) == []


@pytest.mark.parametrize(
    ("event", "side", "ga_ok", "beta_ok"),
    [
        ({"type": "session.update", "session": {"modalities": ["text"], "temperature": 0.8}}, "client", False, True),
        ({"type": "session.update", "session": {"type": "realtime", "audio": {}}}, "client", True, False),
        ({"type": "response.text.done", "event_id": "e", **PLACE, "text": "x"}, "server", False, True),
        ({"type": "response.output_text.done", "event_id": "e", **PLACE, "text": "x"}, "server", True, False),
    ],
)
def test_each_dialect_has_its_own_law(event: dict[str, Any], side: Side, *, ga_ok: bool, beta_ok: bool) -> None:
    assert (problems(event, side, "ga") == []) is ga_ok
    assert (problems(event, side, "beta") == []) is beta_ok


def test_a_field_that_the_sdk_lacks_still_has_its_type() -> None:
    event = {"type": "response.output_text.delta", **PLACE, "delta": "x", "obfuscation": 5}
    assert ga(event) == [Problem("obfuscation", "must be str")]
    assert ga({"type": "response.done", "response": {**RESPONSE, "output": [{**ITEM, "content": [], "phase": 1}]}}) == [
        Problem("response.output.*.phase", "must be str")
    ]


def test_a_server_event_needs_an_id_and_a_client_event_does_not() -> None:
    event = {"type": "response.output_text.delta", **PLACE, "delta": "x"}
    assert problems(event, "server") == [Problem("event_id", "is required")]
    assert up({"type": "response.create"}) == []
