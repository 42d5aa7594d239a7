"""Every error the API is known to give: message, code, type, param, and the close that follows where one does.

Source: ground truth §3 (C: recorded, R: reported, G: inferred). `Refused` carries one out of a handler.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from conformance.wire.durations import Micros
from conformance.wire.events import GA_CLIENT_EVENTS

INVALID_REQUEST: Final = "invalid_request_error"
SERVER_ERROR: Final = "server_error"

PARSER_EVENTS: Final = (
    *GA_CLIENT_EVENTS[:1],
    "session.close",
    *GA_CLIENT_EVENTS[1:2],
    "session.input_audio_buffer.append",
    *GA_CLIENT_EVENTS[2:],
)
"""What the WebSocket's parser knows, in the order of its own message (C: a live probe of 2026-09)."""


@dataclass(frozen=True, slots=True)
class ApiError:
    """An ``error`` event's content. ``close`` is the code of the close that follows at once, None when it stays open."""

    message: str
    code: str | None = None
    param: str | None = None
    type: str = INVALID_REQUEST
    close: int | None = None
    close_reason: str | None = None

    @property
    def reason(self) -> str:
        """The close reason: ``type[.code]``, as recorded, unless the error has its own."""
        if self.close_reason is not None:
            return self.close_reason
        return self.type if self.code is None else f"{self.type}.{self.code}"

    def body(self, event_id: str | None = None) -> dict[str, Any]:
        """Return the ``error`` object; ``event_id`` is the id of the client event it is about."""
        return {
            "type": self.type,
            "code": self.code,
            "message": self.message,
            "param": self.param,
            "event_id": event_id,
        }


class Refused(Exception):  # noqa: N818 - the client is refused; nothing is wrong with us
    """A client event cannot be carried out; ``error`` is what the client is told, ``after`` how much later than usual."""

    def __init__(self, error: ApiError, after: Micros = 0) -> None:
        super().__init__(error.message)
        self.error = error
        self.after = after


def listing(values: Sequence[str]) -> str:
    """Write values as the API does: ``'a', 'b', and 'c'``; two are joined by ``and``."""
    quoted = [f"'{value}'" for value in values]
    if len(quoted) == 2:
        return f"{quoted[0]} and {quoted[1]}"
    return ", ".join([*quoted[:-1], f"and {quoted[-1]}"]) if len(quoted) > 2 else quoted[0]


# At connect: 101, then the error and the close in the same millisecond (C unless marked).


def invalid_api_key(key: str) -> ApiError:
    """The key is wrong; the message shows its ends only."""
    masked = f"{key[:8]}***…{key[-4:]}" if len(key) > 12 else "***"
    message = (
        f"Incorrect API key provided: {masked}. You can find your API key at https://platform.openai.com/account/api-keys."
    )
    return ApiError(message, "invalid_api_key", close=3000)


MISSING_KEY: Final = ApiError("Missing bearer or basic authentication in header", close=3000)
MISSING_MODEL: Final = ApiError(
    "You must provide a model parameter, for example wss://api.openai.com/v1/realtime?model=gpt-realtime-1.5",
    "missing_model",
    close=4000,
)
BETA_DISABLED: Final = ApiError(
    "The Realtime Beta API is no longer supported. Please use /v1/realtime for the GA API.",
    "beta_api_shape_disabled",
    close=4000,
)
INVALID_INTENT: Final = ApiError("Invalid intent", "invalid_intent", close=4000)
MODEL_FOR_TRANSCRIPTION: Final = ApiError(
    "You must not provide a model parameter for transcription sessions.", "invalid_model", close=4000
)
"""R; its code is not recorded, so it takes that of the other model errors."""


def unsupported_model(model: str, *, transcription: bool = False) -> ApiError:
    """The model does not do this kind of session."""
    kind = "transcription" if transcription else "realtime"
    message = (
        f'Model "{model}" is not supported in {kind} mode. '
        "See https://platform.openai.com/docs/models for a list of supported models."
    )
    return ApiError(message, "invalid_model", close=4000)


def transcription_model(model: str) -> ApiError:
    """A transcription model was named as the session's model (R whisrs#34)."""
    message = (
        f'Model "{model}" is a transcription model and cannot be used as the realtime session model. Use a realtime model '
        "for the session model. Pass this transcription model as audio.input.transcription.model instead."
    )
    return ApiError(message, "invalid_model", close=4000)


# While the session runs: the connection stays open.


def unknown_event(type_: object) -> ApiError:
    """No such client event (C)."""
    return invalid_value(type_, PARSER_EVENTS, "type")


def invalid_value(value: object, supported: Sequence[str], param: str) -> ApiError:
    """A string is none of those allowed (C)."""
    allowed = f"Value must be '{supported[0]}'" if len(supported) == 1 else f"Supported values are: {listing(supported)}"
    return ApiError(f"Invalid value: '{value}'. {allowed}.", "invalid_value", param)


def invalid_modalities(value: Sequence[object], param: str) -> ApiError:
    """Text and audio cannot be asked for together (SPEC; the wording is the beta API's)."""
    message = f"Invalid modalities: {list(value)}. Supported combinations are: ['text'] and ['audio']."
    return ApiError(message, "invalid_value", param)


def invalid_pattern(param: str, pattern: str) -> ApiError:
    """A string has not the form it must have (R livekit#1717)."""
    message = f"Invalid '{param}': string does not match pattern. Expected a string that matches the pattern '{pattern}'."
    return ApiError(message, "invalid_value", param)


def unknown_parameter(param: str) -> ApiError:
    """A field that the event has not (C)."""
    return ApiError(f"Unknown parameter: '{param}'.", "unknown_parameter", param)


def missing_parameter(param: str) -> ApiError:
    """A field that must be there (R)."""
    return ApiError(f"Missing required parameter: '{param}'.", "missing_required_parameter", param)


def invalid_type(param: str, expected: str, got: str) -> ApiError:
    """A field of the wrong type (G: the wording of the platform's other endpoints)."""
    message = f"Invalid type for '{param}': expected {expected}, but got {got} instead."
    return ApiError(message, "invalid_type", param)


def below_minimum(param: str, minimum: float, value: float) -> ApiError:
    """A number is too small (C: ``integer_below_min_value``)."""
    kind = "integer" if isinstance(minimum, int) else "decimal"
    message = f"Invalid '{param}': {kind} below minimum value. Expected a value >= {minimum}, but got {value} instead."
    return ApiError(message, f"{kind}_below_min_value", param)


def above_maximum(param: str, maximum: float, value: float) -> ApiError:
    """A number is too big (G, by analogy)."""
    kind = "integer" if isinstance(maximum, int) else "decimal"
    message = f"Invalid '{param}': {kind} above maximum value. Expected a value <= {maximum}, but got {value} instead."
    return ApiError(message, f"{kind}_above_max_value", param)


def string_too_long(param: str, maximum: int, length: int) -> ApiError:
    """A string is too long (R livekit#1183)."""
    message = (
        f"Invalid '{param}': string too long. Expected a string with maximum length {maximum}, "
        f"but got a string with length {length} instead."
    )
    return ApiError(message, "string_above_max_length", param)


def array_too_long(param: str, maximum: int, length: int) -> ApiError:
    """An array is too long (G)."""
    message = (
        f"Invalid '{param}': array too long. Expected an array with maximum length {maximum}, "
        f"but got an array with length {length} instead."
    )
    return ApiError(message, "array_above_max_length", param)


def object_too_big(param: str, maximum: int, count: int) -> ApiError:
    """An object has too many keys (G)."""
    message = (
        f"Invalid '{param}': too many properties. Expected an object with at most {maximum} properties, "
        f"but got an object with {count} properties instead."
    )
    return ApiError(message, "object_above_max_properties", param)


def invalid_audio(param: str, *, empty: bool = False) -> ApiError:
    """Audio is no base64, or there is none (R aoai-realtime-audio-sdk#95, and three apps for the empty case)."""
    got = "empty bytes" if empty else "an invalid value"
    message = f"Invalid '{param}'. Expected base64-encoded audio bytes (mono PCM16 at 24kHz) but got {got}."
    return ApiError(message, "invalid_value", param)


INVALID_JSON: Final = ApiError(
    "Invalid event: failed to parse JSON value. Please check the value to ensure it is valid JSON.", "invalid_json"
)
"""C up to ``JSON value.``; the recording stops there."""
BINARY_FRAME: Final = ApiError("Expected a text WebSocket message; binary frames are not supported.", "invalid_event")
NOT_AN_OBJECT: Final = ApiError("Invalid event: expected a JSON object.", "invalid_event")
MISSING_TYPE: Final = ApiError("The 'type' field is missing.", "invalid_event")
CANCEL_NOT_ACTIVE: Final = ApiError("Cancellation failed: no active response found", "response_cancel_not_active")
ONLY_MODEL_AUDIO: Final = ApiError("Only model output audio messages can be truncated", "unsupported_content_type")
VOICE_LOCKED: Final = ApiError("Cannot update a conversation's voice if assistant audio is present.", "cannot_update_voice")
TRANSCRIPTION_UPDATE: Final = ApiError(
    "Passing a transcription session update event to a realtime session is not allowed.", "invalid_parameter"
)
REALTIME_UPDATE: Final = ApiError(
    "Passing a realtime session update event to a transcription session is not allowed.", "invalid_parameter"
)
"""G: the mirror image of the reported one."""
NO_TURN_DETECTION: Final = ApiError("Turn detection is not supported for this transcription model.", "invalid_parameter")
NO_RESPONSES: Final = ApiError("Responses are not supported in transcription sessions.", "invalid_parameter")
"""G: no recording asks for one."""


def other_endpoint(type_: str) -> ApiError:
    """An event of the translations endpoint, which shares the parser (G: no recording sends one here)."""
    return ApiError(f"The event '{type_}' is only supported in translation sessions.", "invalid_event", "type")


def commit_empty(milliseconds: float) -> ApiError:
    """A commit of less than 100 ms since the previous one (C)."""
    message = (
        "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, "
        f"but buffer only has {milliseconds:.2f}ms of audio."
    )
    return ApiError(message, "input_audio_buffer_commit_empty")


def active_response(response_id: str) -> ApiError:
    """A second response in the default conversation (R agents-python#1466)."""
    message = (
        f"Conversation already has an active response in progress: {response_id}. "
        "Wait until the response is finished before creating a new one."
    )
    return ApiError(message, "conversation_already_has_active_response")


def item_not_found(verb: str, item_id: str) -> ApiError:
    """``verb`` is delete, retrieve or truncate; the item is unknown (R)."""
    gerund = {"delete": "deleting", "retrieve": "retrieving", "truncate": "truncating"}[verb]
    message = f"Error {gerund} item: the item with id '{item_id}' does not exist."
    return ApiError(message, f"item_{verb}_invalid_item_id")


def previous_not_found(item_id: str) -> ApiError:
    """An item was to follow one that is unknown (G)."""
    message = f"Error adding item: the previous item with id '{item_id}' does not exist."
    return ApiError(message, "item_create_invalid_previous_item_id")


def audio_shorter(has_ms: int, asked_ms: int) -> ApiError:
    """A truncation beyond the end of the audio (R pipecat#2106)."""
    return ApiError(f"Audio content of {has_ms}ms is already shorter than {asked_ms}ms", "invalid_value")


def tool_call_not_found(call_id: str) -> ApiError:
    """A tool's output for a call that nobody made (R livekit#3344)."""
    return ApiError(f"Tool call ID '{call_id}' not found in conversation.", "invalid_tool_call_id")


def server_error(session_id: str) -> ApiError:
    """The error of the seeds, in its wording since April 2025 (R)."""
    message = (
        "The server had an error while processing your request. Sorry about that! Please contact us through our help "
        f"center at help.openai.com if the error persists. (include session ID in your message: {session_id}). "
        "We recommend you retry your request."
    )
    return ApiError(message, type=SERVER_ERROR)


def session_expired(minutes: int) -> ApiError:
    """The session is as old as it may get; the close's reason is the message (R)."""
    message = f"Your session hit the maximum duration of {minutes} minutes."
    return ApiError(message, "session_expired", close=1001, close_reason=message)


FAILURES: Final[Mapping[str, ApiError]] = {
    "insufficient_quota": ApiError(
        "You exceeded your current quota, please check your plan and billing details. For more information on this error, "
        "read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
        "insufficient_quota",
        type="insufficient_quota",
    ),
    "rate_limit_exceeded": ApiError(
        "Rate limit reached for {model} in organization org-mock on requests per day (RPD): Limit 1000, Used 1000, "
        "Requested 1. Please try again in 1m26.4s. Visit https://platform.openai.com/account/rate-limits to learn more.",
        "rate_limit_exceeded",
    ),
    "model_not_found": ApiError("The model `{model}` does not exist or you do not have access to it.", "model_not_found"),
    "inference_rate_limit_exceeded": ApiError(
        "We're currently processing too many requests — please try again later.", "inference_rate_limit_exceeded"
    ),
    "server_error": ApiError("", None, type=SERVER_ERROR),
}
"""How a response can fail, by the name used in scripts: ``response.done`` with status failed, no ``error`` event (R)."""


def failure(name: str, model: str) -> ApiError:
    """Return the failure of that name; an unknown name becomes a ``server_error`` with that code."""
    found = FAILURES.get(name)
    if found is None:
        return ApiError("", name, type=SERVER_ERROR)
    return replace(found, message=found.message.format(model=model))
