"""A wrong request for each of the API's known errors: exact message, code, type, param, echoed event_id, and the close."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import pytest

from mock_upstream.errors import PARSER_EVENTS
from mock_upstream.tests.driving import COMMIT, ITEM, RESPOND, VAD_OFF, Client, update
from mock_upstream.tests.wrong_requests import STATELESS

SILENCE = b64encode(bytes(2400)).decode()  # 50 ms


def refusal(client: Client, frame: Mapping[str, Any] | str | bytes) -> tuple[Any, Any, Any]:
    """Send something wrong and return code, param and message of the one error it brings; the connection stays open."""
    (event,) = client.ask({**frame, "event_id": "mine"} if isinstance(frame, Mapping) else frame)
    error = event["error"]
    assert event["type"] == "error"
    assert error["type"] == "invalid_request_error"
    assert error["event_id"] == ("mine" if isinstance(frame, Mapping) else None)
    assert client.closes == []
    return error["code"], error["param"], error["message"]


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
