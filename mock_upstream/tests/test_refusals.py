"""One wrong request per row of the API's known errors: exact message, code, type, param, echoed event_id, and the close."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import pytest

from mock_upstream.errors import PARSER_EVENTS
from mock_upstream.tests.driving import ITEM, RESPOND, USER, VAD_OFF, Client, update

SILENCE = b64encode(bytes(2400)).decode()  # 50 ms
COMMIT = {"type": "input_audio_buffer.commit"}


def refusal(client: Client, frame: Mapping[str, Any] | str | bytes) -> tuple[Any, Any, Any]:
    """Send something wrong and return code, param and message of the one error it brings; the connection stays open."""
    (event,) = client.ask({**frame, "event_id": "mine"} if isinstance(frame, Mapping) else frame)
    error = event["error"]
    assert event["type"] == "error"
    assert error["type"] == "invalid_request_error"
    assert error["event_id"] == ("mine" if isinstance(frame, Mapping) else None)
    assert client.closes == []
    return error["code"], error["param"], error["message"]


def vad(**fields: Any) -> dict[str, Any]:
    return update(audio={"input": {"turn_detection": fields}})


def create(**item: Any) -> dict[str, Any]:
    return {"type": "conversation.item.create", "item": item}


LONG = "x" * 2473
STATELESS: list[tuple[str, Any, tuple[Any, Any, str]]] = [
    (
        "an unknown event",
        {"type": "nope"},
        (
            "invalid_value",
            "type",
            "Invalid value: 'nope'. Supported values are: 'session.update', 'session.close', 'input_audio_buffer.append', "
            "'session.input_audio_buffer.append', 'input_audio_buffer.commit', 'input_audio_buffer.clear', "
            "'conversation.item.create', 'conversation.item.truncate', 'conversation.item.delete', "
            "'conversation.item.retrieve', 'response.create', and 'response.cancel'.",
        ),
    ),
    (
        "an unknown transcription delay",
        update(audio={"input": {"transcription": {"model": "whisper-1", "delay": "bogus"}}}),
        (
            "invalid_value",
            "session.audio.input.transcription.delay",
            "Invalid value: 'bogus'. Supported values are: 'minimal', 'low', 'medium', 'high', and 'xhigh'.",
        ),
    ),
    (
        "an unknown kind of turn detection",
        vad(type="none"),
        (
            "invalid_value",
            "session.audio.input.turn_detection.type",
            "Invalid value: 'none'. Supported values are: 'server_vad' and 'semantic_vad'.",
        ),
    ),
    (
        "an item id with a space",
        create(**USER, id="no spaces"),
        (
            "invalid_value",
            "item.id",
            "Invalid 'item.id': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.",
        ),
    ),
    (
        "an item id of 33 characters",
        create(**USER, id="x" * 33),
        (
            "string_above_max_length",
            "item.id",
            "Invalid 'item.id': string too long. Expected a string with maximum length 32, "
            "but got a string with length 33 instead.",
        ),
    ),
    (
        "an unknown field",
        update(bogus_field=1),
        ("unknown_parameter", "session.bogus_field", "Unknown parameter: 'session.bogus_field'."),
    ),
    (
        "a beta field",
        update(turn_detection=None),
        ("unknown_parameter", "session.turn_detection", "Unknown parameter: 'session.turn_detection'."),
    ),
    (
        "a session without type",
        {"type": "session.update", "session": {"instructions": "x"}},
        ("missing_required_parameter", "session.type", "Missing required parameter: 'session.type'."),
    ),
    (
        "a text part without text",
        create(type="message", role="user", content=[{"type": "input_text"}]),
        ("missing_required_parameter", "item.content[0].text", "Missing required parameter: 'item.content[0].text'."),
    ),
    (
        "a forced function without name",
        update(tool_choice={"type": "function"}),
        (
            "missing_required_parameter",
            "session.tool_choice.name",
            "Missing required parameter: 'session.tool_choice.name'.",
        ),
    ),
    ("a frame without type", {}, ("invalid_event", None, "The 'type' field is missing.")),
    (
        "a binary frame",
        b"\x00" * 64,
        ("invalid_event", None, "Expected a text WebSocket message; binary frames are not supported."),
    ),
    (
        "16 kHz audio",
        update(audio={"input": {"format": {"type": "audio/pcm", "rate": 16000}}}),
        (
            "integer_below_min_value",
            "session.audio.input.format.rate",
            "Invalid 'session.audio.input.format.rate': integer below minimum value. "
            "Expected a value >= 24000, but got 16000 instead.",
        ),
    ),
    (
        "a long tool description",
        update(tools=[*({"type": "function", "name": "t"},) * 3, {"type": "function", "name": "t", "description": LONG}]),
        (
            "string_above_max_length",
            "session.tools[3].description",
            "Invalid 'session.tools[3].description': string too long. Expected a string with maximum length 1024, "
            "but got a string with length 2473 instead.",
        ),
    ),
    (
        "129 tools",
        update(tools=[{"type": "function", "name": "t"}] * 129),
        (
            "array_above_max_length",
            "session.tools",
            "Invalid 'session.tools': array too long. Expected an array with maximum length 128, "
            "but got an array with length 129 instead.",
        ),
    ),
    (
        "a text where a number belongs",
        vad(type="server_vad", silence_duration_ms="long"),
        (
            "invalid_type",
            "session.audio.input.turn_detection.silence_duration_ms",
            "Invalid type for 'session.audio.input.turn_detection.silence_duration_ms': expected an integer, "
            "but got a string instead.",
        ),
    ),
    (
        "an idle timeout of one second",
        vad(type="server_vad", idle_timeout_ms=1000),
        (
            "integer_below_min_value",
            "session.audio.input.turn_detection.idle_timeout_ms",
            "Invalid 'session.audio.input.turn_detection.idle_timeout_ms': integer below minimum value. "
            "Expected a value >= 5000, but got 1000 instead.",
        ),
    ),
    (
        "an idle timeout under semantic VAD",
        vad(type="semantic_vad", idle_timeout_ms=5000),
        (
            "unknown_parameter",
            "session.audio.input.turn_detection.idle_timeout_ms",
            "Unknown parameter: 'session.audio.input.turn_detection.idle_timeout_ms'.",
        ),
    ),
    (
        "too many output tokens",
        update(max_output_tokens=4097),
        (
            "integer_above_max_value",
            "session.max_output_tokens",
            "Invalid 'session.max_output_tokens': integer above maximum value. "
            "Expected a value <= 4096, but got 4097 instead.",
        ),
    ),
    (
        "a speed beyond 1.5",
        update(audio={"output": {"speed": 2.0}}),
        (
            "decimal_above_max_value",
            "session.audio.output.speed",
            "Invalid 'session.audio.output.speed': decimal above maximum value. "
            "Expected a value <= 1.5, but got 2.0 instead.",
        ),
    ),
    (
        "text and audio together",
        update(output_modalities=["text", "audio"]),
        (
            "invalid_value",
            "session.output_modalities",
            "Invalid modalities: ['text', 'audio']. Supported combinations are: ['text'] and ['audio'].",
        ),
    ),
    (
        "17 pairs of metadata",
        {"type": "response.create", "response": {"metadata": {str(number): "x" for number in range(17)}}},
        (
            "object_above_max_properties",
            "response.metadata",
            "Invalid 'response.metadata': too many properties. Expected an object with at most 16 properties, "
            "but got an object with 17 properties instead.",
        ),
    ),
    (
        "an assistant item with input_text",
        create(type="message", role="assistant", content=[{"type": "input_text", "text": "x"}]),
        (
            "invalid_value",
            "item.content[0].type",
            "Invalid value: 'input_text'. Supported values are: 'output_text' and 'output_audio'.",
        ),
    ),
    (
        "an append without audio",
        {"type": "input_audio_buffer.append"},
        ("missing_required_parameter", "audio", "Missing required parameter: 'audio'."),
    ),
    (
        "an append that is no base64",
        {"type": "input_audio_buffer.append", "audio": "not base64!"},
        (
            "invalid_value",
            "audio",
            "Invalid 'audio'. Expected base64-encoded audio bytes (mono PCM16 at 24kHz) but got an invalid value.",
        ),
    ),
    (
        "an empty append",
        {"type": "input_audio_buffer.append", "audio": ""},
        (
            "invalid_value",
            "audio",
            "Invalid 'audio'. Expected base64-encoded audio bytes (mono PCM16 at 24kHz) but got empty bytes.",
        ),
    ),
    (
        "an append of more than 15 MiB",
        {"type": "input_audio_buffer.append", "audio": b64encode(bytes(15 * 2**20 + 2)).decode()},
        (
            "string_above_max_length",
            "audio",
            "Invalid 'audio': string too long. Expected a string with maximum length 15728640, "
            "but got a string with length 15728642 instead.",
        ),
    ),
    (
        "a cancel of nothing",
        {"type": "response.cancel"},
        ("response_cancel_not_active", None, "Cancellation failed: no active response found"),
    ),
    (
        "a deletion of an unknown item",
        {"type": "conversation.item.delete", "item_id": "yo"},
        ("item_delete_invalid_item_id", None, "Error deleting item: the item with id 'yo' does not exist."),
    ),
    (
        "a retrieval of an unknown item",
        {"type": "conversation.item.retrieve", "item_id": "non_existent_item"},
        (
            "item_retrieve_invalid_item_id",
            None,
            "Error retrieving item: the item with id 'non_existent_item' does not exist.",
        ),
    ),
    (
        "a truncation of an unknown item",
        {"type": "conversation.item.truncate", "item_id": "yo", "content_index": 0, "audio_end_ms": 1},
        ("item_truncate_invalid_item_id", None, "Error truncating item: the item with id 'yo' does not exist."),
    ),
    (
        "an item after an unknown one",
        {**ITEM, "previous_item_id": "yo"},
        (
            "item_create_invalid_previous_item_id",
            None,
            "Error adding item: the previous item with id 'yo' does not exist.",
        ),
    ),
    (
        "the output of a call that nobody made",
        create(type="function_call_output", call_id="call_1", output="x"),
        ("invalid_tool_call_id", None, "Tool call ID 'call_1' not found in conversation."),
    ),
    (
        "a transcription update",
        {"type": "session.update", "session": {"type": "transcription"}},
        (
            "invalid_parameter",
            None,
            "Passing a transcription session update event to a realtime session is not allowed.",
        ),
    ),
    (
        "a commit of nothing",
        COMMIT,
        (
            "input_audio_buffer_commit_empty",
            None,
            "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, "
            "but buffer only has 0.00ms of audio.",
        ),
    ),
    (
        "a transcription model as the session's",
        update(model="gpt-4o-mini-transcribe"),
        (
            "invalid_model",
            "session.model",
            'Model "gpt-4o-mini-transcribe" is a transcription model and cannot be used as the realtime session model. '
            "Use a realtime model for the session model. Pass this transcription model as audio.input.transcription.model "
            "instead.",
        ),
    ),
]


@pytest.mark.parametrize(("frame", "expected"), [row[1:] for row in STATELESS], ids=[row[0] for row in STATELESS])
def test_a_wrong_request_is_told_what_is_wrong(frame: Any, expected: tuple[Any, Any, str]) -> None:
    assert refusal(Client(), frame) == expected


@pytest.mark.parametrize("type_", ["output_audio_buffer.clear", "transcription_session.update"])
def test_events_of_other_transports_are_unknown_here(type_: str) -> None:
    code, param, message = refusal(Client(), {"type": type_})
    assert (code, param) == ("invalid_value", "type")
    assert message.startswith(f"Invalid value: '{type_}'. Supported values are: ")


def test_the_parser_names_all_it_knows() -> None:
    assert len(PARSER_EVENTS) == 12


@pytest.mark.parametrize("text", ["not json", "{", '{"type": }', ""])
def test_unreadable_json_is_refused_without_an_event_id(text: str) -> None:
    code, param, message = refusal(Client(), text)
    assert (code, param) == ("invalid_json", None)
    assert message.startswith("Invalid event: failed to parse JSON value. ")


@pytest.mark.parametrize("text", ["null", "5", "[]", '"x"'])
def test_json_that_is_no_object_is_refused(text: str) -> None:
    assert refusal(Client(), text)[0] == "invalid_event"


def test_a_commit_of_50_ms_says_how_much_there_is() -> None:
    client = Client()
    client.ask(VAD_OFF, {"type": "input_audio_buffer.append", "audio": SILENCE})
    assert refusal(client, COMMIT)[2].endswith("but buffer only has 50.00ms of audio.")


def test_the_100_ms_count_since_the_previous_commit() -> None:
    client = Client()
    client.ask(VAD_OFF)
    append = {"type": "input_audio_buffer.append", "audio": SILENCE}
    client.ask(append, append, COMMIT)
    client.ask(append)
    assert refusal(client, COMMIT)[2].endswith("but buffer only has 50.00ms of audio.")


def test_cleared_audio_does_not_count() -> None:
    client = Client()
    client.ask(VAD_OFF, *[{"type": "input_audio_buffer.append", "audio": SILENCE}] * 4)
    (cleared,) = client.ask({"type": "input_audio_buffer.clear"})
    assert cleared["type"] == "input_audio_buffer.cleared"
    assert refusal(client, COMMIT)[0] == "input_audio_buffer_commit_empty"


def test_a_second_response_is_refused_with_the_id_of_the_first() -> None:
    client = Client()
    client.send(ITEM, RESPOND).wait(50)
    code, param, message = refusal(client, RESPOND)
    response_id = client.one("response.created")["response"]["id"]
    assert (code, param) == ("conversation_already_has_active_response", None)
    assert message == (
        f"Conversation already has an active response in progress: {response_id}. "
        "Wait until the response is finished before creating a new one."
    )


def test_audio_cannot_be_truncated_beyond_its_end() -> None:
    client = Client(settings={"transcript": "12345678901234567890"})  # 1300 ms
    client.turn()
    item_id = client.one("response.output_item.done")["item"]["id"]
    truncate = {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": 1400}
    expected = ("invalid_value", None, "Audio content of 1300ms is already shorter than 1400ms")
    assert refusal(client, truncate) == expected


def test_only_what_the_model_said_aloud_can_be_truncated() -> None:
    client = Client()
    item_id = client.ask(ITEM)[0]["item"]["id"]
    truncate = {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": 0}
    expected = ("unsupported_content_type", None, "Only model output audio messages can be truncated")
    assert refusal(client, truncate) == expected


def test_the_voice_is_fixed_once_the_model_has_spoken() -> None:
    client = Client()
    assert "session.updated" in [event["type"] for event in client.ask(update(audio={"output": {"voice": "ash"}}))]
    client.turn()
    code, _, message = refusal(client, update(audio={"output": {"voice": "marin"}}))
    assert (code, message) == ("cannot_update_voice", "Cannot update a conversation's voice if assistant audio is present.")


def test_turn_detection_is_refused_by_models_that_cannot_have_it() -> None:
    client = Client(intent="transcription")
    heard = {"transcription": {"model": "gpt-live-transcribe"}, "turn_detection": {"type": "server_vad"}}
    wrong = {"type": "session.update", "session": {"type": "transcription", "audio": {"input": heard}}}
    code, _, message = refusal(client, wrong)
    assert (code, message) == ("invalid_parameter", "Turn detection is not supported for this transcription model.")


def test_a_transcription_session_gives_no_responses() -> None:
    assert refusal(Client(intent="transcription"), RESPOND)[0] == "invalid_parameter"


CONNECTS: list[tuple[str, dict[str, Any], tuple[Any, str, int, str]]] = [
    (
        "a wrong key",
        {"key": "sk-wrong-0123456789AAAA", "valid_key": False},
        ("invalid_api_key", "Incorrect API key provided: sk-wrong***…AAAA. You can find", 3000, ".invalid_api_key"),
    ),
    ("no key", {"valid_key": False}, (None, "Missing bearer or basic authentication in header", 3000, "")),
    (
        "an unknown model",
        {"model": "gpt-nope"},
        ("invalid_model", 'Model "gpt-nope" is not supported in realtime mode.', 4000, ".invalid_model"),
    ),
    (
        "a transcription model",
        {"model": "gpt-4o-mini-transcribe"},
        ("invalid_model", 'Model "gpt-4o-mini-transcribe" is a transcription model and', 4000, ".invalid_model"),
    ),
    (
        "no model",
        {"model": None},
        ("missing_model", "You must provide a model parameter, for example", 4000, ".missing_model"),
    ),
    (
        "the beta header",
        {"headers": {"openai-beta": "realtime=v1"}},
        ("beta_api_shape_disabled", "The Realtime Beta API is no longer supported.", 4000, ".beta_api_shape_disabled"),
    ),
    ("an unknown intent", {"intent": "dictation"}, ("invalid_intent", "Invalid intent", 4000, ".invalid_intent")),
    (
        "a model for transcription",
        {"intent": "transcription", "model": "gpt-realtime"},
        (
            "invalid_model",
            "You must not provide a model parameter for transcription sessions.",
            4000,
            ".invalid_model",
        ),
    ),
    (
        "an unknown model for transcription",
        {"intent": "transcription", "model": "gpt-nope"},
        ("invalid_model", 'Model "gpt-nope" is not supported in transcription mode.', 4000, ".invalid_model"),
    ),
]


@pytest.mark.parametrize(("setup", "expected"), [row[1:] for row in CONNECTS], ids=[row[0] for row in CONNECTS])
def test_a_refused_connection_gets_an_error_and_its_close_at_once(
    setup: dict[str, Any], expected: tuple[Any, str, int, str]
) -> None:
    client = Client(**setup)
    code, message, close, suffix = expected
    assert client.types == ["error"]
    assert client.errors[0]["code"] == code
    assert client.errors[0]["message"].startswith(message)
    assert [(each.code, each.reason) for each in client.closes] == [(close, f"invalid_request_error{suffix}")]
    assert client.session.deadline() is None
