"""Wrong requests that need no history, with code, param and exact message of the answer (ground truth §3.2)."""

from base64 import b64encode
from typing import Any

from mock_upstream.tests.driving import COMMIT, ITEM, USER, update


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
            (
                "Invalid value: 'nope'. Supported values are: 'session.update', 'session.close', "
                "'input_audio_buffer.append', "
                "'session.input_audio_buffer.append', 'input_audio_buffer.commit', 'input_audio_buffer.clear', "
                "'conversation.item.create', 'conversation.item.truncate', 'conversation.item.delete', "
                "'conversation.item.retrieve', 'response.create', and 'response.cancel'."
            ),
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
            (
                "Invalid 'item.id': string does not match pattern. "
                "Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
            ),
        ),
    ),
    (
        "an item id of 33 characters",
        create(**USER, id="x" * 33),
        (
            "string_above_max_length",
            "item.id",
            (
                "Invalid 'item.id': string too long. Expected a string with maximum length 32, "
                "but got a string with length 33 instead."
            ),
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
            (
                "Invalid 'session.audio.input.format.rate': integer below minimum value. "
                "Expected a value >= 24000, but got 16000 instead."
            ),
        ),
    ),
    (
        "a long tool description",
        update(tools=[*({"type": "function", "name": "t"},) * 3, {"type": "function", "name": "t", "description": LONG}]),
        (
            "string_above_max_length",
            "session.tools[3].description",
            (
                "Invalid 'session.tools[3].description': string too long. Expected a string with maximum length 1024, "
                "but got a string with length 2473 instead."
            ),
        ),
    ),
    (
        "129 tools",
        update(tools=[{"type": "function", "name": "t"}] * 129),
        (
            "array_above_max_length",
            "session.tools",
            (
                "Invalid 'session.tools': array too long. Expected an array with maximum length 128, "
                "but got an array with length 129 instead."
            ),
        ),
    ),
    (
        "a text where a number belongs",
        vad(type="server_vad", silence_duration_ms="long"),
        (
            "invalid_type",
            "session.audio.input.turn_detection.silence_duration_ms",
            (
                "Invalid type for 'session.audio.input.turn_detection.silence_duration_ms': expected an integer, "
                "but got a string instead."
            ),
        ),
    ),
    (
        "an idle timeout of one second",
        vad(type="server_vad", idle_timeout_ms=1000),
        (
            "integer_below_min_value",
            "session.audio.input.turn_detection.idle_timeout_ms",
            (
                "Invalid 'session.audio.input.turn_detection.idle_timeout_ms': integer below minimum value. "
                "Expected a value >= 5000, but got 1000 instead."
            ),
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
            (
                "Invalid 'session.max_output_tokens': integer above maximum value. "
                "Expected a value <= 4096, but got 4097 instead."
            ),
        ),
    ),
    (
        "a speed beyond 1.5",
        update(audio={"output": {"speed": 2.0}}),
        (
            "decimal_above_max_value",
            "session.audio.output.speed",
            (
                "Invalid 'session.audio.output.speed': decimal above maximum value. "
                "Expected a value <= 1.5, but got 2.0 instead."
            ),
        ),
    ),
    (
        "an unknown voice",
        update(audio={"output": {"voice": "hal"}}),
        (
            "invalid_value",
            "session.audio.output.voice",
            (
                "Invalid value: 'hal'. Supported values are: 'alloy', 'ash', 'ballad', 'coral', 'echo', 'sage', 'shimmer', "
                "'verse', 'marin', and 'cedar'."
            ),
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
            (
                "Invalid 'response.metadata': too many properties. Expected an object with at most 16 properties, "
                "but got an object with 17 properties instead."
            ),
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
            (
                "Invalid 'audio': string too long. Expected a string with maximum length 15728640, "
                "but got a string with length 15728642 instead."
            ),
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
            (
                "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, "
                "but buffer only has 0.00ms of audio."
            ),
        ),
    ),
    (
        "a transcription model as the session's",
        update(model="gpt-4o-mini-transcribe"),
        (
            "invalid_model",
            "session.model",
            (
                'Model "gpt-4o-mini-transcribe" is a transcription model and cannot be used as the realtime session model. '
                "Use a realtime model for the session model. "
                "Pass this transcription model as audio.input.transcription.model instead."
            ),
        ),
    ),
]
