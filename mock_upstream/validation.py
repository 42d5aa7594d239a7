"""Validation of client events: the SDK's types, the API's own limits, and its words for what is wrong.

Limits: ground truth §5 and §3.2. `check_event` raises `errors.Refused` with the first problem. The SDK takes half a second
to import and its shapes a moment to compile: `warm_up` does both before a server listens.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from conformance.wire.events import TRANSLATION_CLIENT_EVENTS
from mock_upstream.errors import (
    MISSING_TYPE,
    Refused,
    above_maximum,
    array_too_long,
    below_minimum,
    invalid_modalities,
    invalid_pattern,
    invalid_type,
    invalid_value,
    missing_parameter,
    object_too_big,
    string_too_long,
    unknown_event,
    unknown_parameter,
)
from mock_upstream.shapes import Check, Compiler, name_of

ITEM_ID_PATTERN: Final = "^[a-zA-Z0-9_-]+$"
_APPEND: Final = frozenset({"type", "event_id", "audio"})


def check_event(event: Mapping[str, Any], *, beta: bool = False) -> None:
    """Check a client event.

    Raises:
        Refused: it has a problem; the error says which and where.
    """
    type_ = event.get("type")
    if type_ is None:
        raise Refused(MISSING_TYPE)
    if type_ == "input_audio_buffer.append":
        _check_append(event)
        return
    checks = _checks(beta)
    if not isinstance(type_, str) or type_ not in checks:
        raise Refused(unknown_event(type_))
    checks[type_](event, "")


def warm_up() -> None:
    """Import the SDK and compile the shapes now, so that no client has to wait for it."""
    _checks(False)
    _checks(True)


def at_least(minimum: float) -> Check:
    """A number must not be smaller."""

    def check(value: Any, at: str) -> None:
        if not isinstance(value, str) and value < minimum:
            raise Refused(below_minimum(at, minimum, value))

    return check


def at_most(maximum: float) -> Check:
    """A number must not be bigger."""

    def check(value: Any, at: str) -> None:
        if not isinstance(value, str) and value > maximum:
            raise Refused(above_maximum(at, maximum, value))

    return check


def longest(maximum: int) -> Check:
    """A string, an array or an object must not be longer."""

    def check(value: Any, at: str) -> None:
        if len(value) > maximum:
            too_long = string_too_long if isinstance(value, str) else array_too_long
            raise Refused((object_too_big if isinstance(value, dict) else too_long)(at, maximum, len(value)))

    return check


def pattern(regex: str) -> Check:
    """A string must match."""
    compiled = re.compile(regex)

    def check(value: Any, at: str) -> None:
        if compiled.search(value) is None or value.endswith("\n"):
            raise Refused(invalid_pattern(at, regex))

    return check


def one_modality(value: Any, at: str) -> None:
    """The API answers in text or aloud, not in both."""
    if len(value) != 1:
        raise Refused(invalid_modalities(value, at))


def _content(role: str, allowed: tuple[str, ...]) -> Check:
    """The parts of a message may be of its role's types only, and carry what their type is about."""

    def check(value: Any, at: str) -> None:
        if value.get("type") != "message" or value.get("role") != role:
            return
        for index, part in enumerate(value["content"]):
            where = f"{at}.content[{index}]"
            if "type" not in part:
                raise Refused(missing_parameter(f"{where}.type"))
            if part["type"] not in allowed:
                raise Refused(invalid_value(part["type"], allowed, f"{where}.type"))
            needed = _NEEDED_IN_PARTS.get(part["type"], "type")
            if part.get(needed) is None:
                raise Refused(missing_parameter(f"{where}.{needed}"))

    return check


def _beta_item(value: Any, at: str) -> None:
    """An item of the beta dialect carries what its type is about; the SDK declares one class for all of them."""
    if value.get("type") is None:
        raise Refused(missing_parameter(f"{at}.type"))
    for name in _BETA_ITEMS.get(value["type"], ()):
        if value.get(name) is None:
            raise Refused(missing_parameter(f"{at}.{name}"))
    for index, part in enumerate(value["content"] if value["type"] == "message" else ()):
        for name in ("type", _NEEDED_IN_PARTS.get(str(part.get("type")), "type")):
            if part.get(name) is None:
                raise Refused(missing_parameter(f"{at}.content[{index}].{name}"))


def _voice(value: Any, at: str) -> None:
    """A voice is one of the API's, or an object with the id of a custom one."""
    if isinstance(value, str) and value not in VOICES:
        raise Refused(invalid_value(value, VOICES, at))


def _conversation(value: Any, at: str) -> None:
    """A response is added to the default conversation or to none."""
    if value not in ("auto", "none"):
        raise Refused(invalid_value(value, ("auto", "none"), at))


_GA_CONTENT: Final = (
    _content("user", ("input_text", "input_audio", "input_image")),
    _content("system", ("input_text",)),
    _content("assistant", ("output_text", "output_audio")),
)
_NEEDED_IN_PARTS: Final = {
    "input_text": "text",
    "output_text": "text",
    "text": "text",
    "input_audio": "audio",
    "input_image": "image_url",
}
_BETA_ITEMS: Final[Mapping[str, tuple[str, ...]]] = {
    "message": ("role", "content"),
    "function_call": ("name", "arguments"),
    "function_call_output": ("call_id", "output"),
    "item_reference": ("id",),
}
VOICES: Final = ("alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar")
_ITEM_ID: Final = (longest(32), pattern(ITEM_ID_PATTERN))
_TOOL: Final[Mapping[str, tuple[Check, ...]]] = {
    "tools": (longest(128),),
    "tools[].description": (longest(1024),),
    "tools[].name": (longest(64), pattern(ITEM_ID_PATTERN)),
    "max_output_tokens": (at_least(1), at_most(4096)),
}
_VAD: Final[Mapping[str, tuple[Check, ...]]] = {
    "threshold": (at_least(0.0), at_most(1.0)),
    "prefix_padding_ms": (at_least(0),),
    "silence_duration_ms": (at_least(0),),
    "idle_timeout_ms": (at_least(5000), at_most(30000)),
}


def _under(prefix: str, limits: Mapping[str, tuple[Check, ...]]) -> dict[str, tuple[Check, ...]]:
    return {f"{prefix}.{path}": checks for path, checks in limits.items()}


_RATE: Final = (at_least(24000), at_most(24000))
GA_LIMITS: Final[Mapping[str, tuple[Check, ...]]] = {
    "event_id": (longest(512),),
    **_under("session", _TOOL),
    **_under("response", _TOOL),
    **_under("session.audio.input.turn_detection", _VAD),
    "session.audio.input.format.rate": _RATE,
    "session.audio.output.format.rate": _RATE,
    "response.audio.output.format.rate": _RATE,
    "session.audio.output.voice": (_voice,),
    "response.audio.output.voice": (_voice,),
    "session.audio.output.speed": (at_least(0.25), at_most(1.5)),
    "session.truncation.retention_ratio": (at_least(0.0), at_most(1.0)),
    "session.output_modalities": (one_modality,),
    "response.output_modalities": (one_modality,),
    "response.metadata": (longest(16),),
    "response.metadata.*": (longest(512),),
    "item": _GA_CONTENT,
    "item.id": _ITEM_ID,
    "response.conversation": (_conversation,),
    "response.input[]": _GA_CONTENT,
    "response.input[].id": _ITEM_ID,
    "content_index": (at_least(0),),
    "audio_end_ms": (at_least(0),),
}
BETA_LIMITS: Final[Mapping[str, tuple[Check, ...]]] = {
    "event_id": (longest(512),),
    **_under("session", _TOOL),
    **_under("session.turn_detection", _VAD),
    "session.voice": (_voice,),
    "response.voice": (_voice,),
    "session.temperature": (at_least(0.6), at_most(1.2)),
    "session.speed": (at_least(0.25), at_most(1.5)),
    "response.metadata": (longest(16),),
    "response.input[]": (_beta_item,),
    "response.input[].id": _ITEM_ID,
    "item": (_beta_item,),
    "item.id": _ITEM_ID,
    "content_index": (at_least(0),),
    "audio_end_ms": (at_least(0),),
}
_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "session.tools[]:function": ("name",),
    "response.tools[]:function": ("name",),
    "session.tools[]": ("type",),
    "session.audio.input.transcription": ("model",),
}


def _check_append(event: Mapping[str, Any]) -> None:
    """Check an append by hand: it is the one event that comes fifty times a second."""
    if not event.keys() <= _APPEND:
        raise Refused(unknown_parameter(next(key for key in event if key not in _APPEND)))
    if "audio" not in event:
        raise Refused(missing_parameter("audio"))
    for key in ("audio", "event_id"):
        if key in event and not isinstance(event[key], str) and (key == "audio" or event[key] is not None):
            raise Refused(invalid_type(key, "a string", name_of(event[key])))
    if len(event.get("event_id") or "") > 512:
        raise Refused(string_too_long("event_id", 512, len(event["event_id"])))


@cache
def _checks(beta: bool) -> Mapping[str, Check]:
    """Return the check of each client event of a WebSocket."""
    return _beta_checks() if beta else _ga_checks()


def _ga_checks() -> dict[str, Check]:
    from openai.types import realtime as sdk

    compiler = Compiler(GA_LIMITS, _NEEDED, {"response.input[]": (sdk.ResponseItemReference,)})
    checks = {
        "response.create": compiler.shape(sdk.ResponseCreateEvent, ""),
        "input_audio_buffer.commit": compiler.shape(sdk.InputAudioBufferCommitEvent, ""),
        "input_audio_buffer.clear": compiler.shape(sdk.InputAudioBufferClearEvent, ""),
        "conversation.item.create": compiler.shape(sdk.ConversationItemCreateEvent, ""),
        "conversation.item.truncate": compiler.shape(sdk.ConversationItemTruncateEvent, ""),
        "conversation.item.delete": compiler.shape(sdk.ConversationItemDeleteEvent, ""),
        "conversation.item.retrieve": compiler.shape(sdk.ConversationItemRetrieveEvent, ""),
        "response.cancel": compiler.shape(sdk.ResponseCancelEvent, ""),
        "session.update": compiler.shape(sdk.SessionUpdateEvent, ""),
    }
    return {**checks, **dict.fromkeys(TRANSLATION_CLIENT_EVENTS, _anything)}


def _anything(event: Any, at: str) -> None:
    """Accept: whoever carries the event out refuses it."""


def _beta_checks() -> dict[str, Check]:
    from openai.types.beta import realtime as sdk

    compiler = Compiler(BETA_LIMITS, {})
    return {
        "session.update": compiler.shape(sdk.SessionUpdateEvent, ""),
        "input_audio_buffer.commit": compiler.shape(sdk.InputAudioBufferCommitEvent, ""),
        "input_audio_buffer.clear": compiler.shape(sdk.InputAudioBufferClearEvent, ""),
        "conversation.item.create": compiler.shape(sdk.ConversationItemCreateEvent, ""),
        "conversation.item.truncate": compiler.shape(sdk.ConversationItemTruncateEvent, ""),
        "conversation.item.delete": compiler.shape(sdk.ConversationItemDeleteEvent, ""),
        "conversation.item.retrieve": compiler.shape(sdk.ConversationItemRetrieveEvent, ""),
        "response.create": compiler.shape(sdk.ResponseCreateEvent, ""),
        "response.cancel": compiler.shape(sdk.ResponseCancelEvent, ""),
        "transcription_session.update": compiler.shape(sdk.TranscriptionSessionUpdate, ""),
    }
