"""How findings read: patterns, windows and frames in words for people."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from conformance.scenario.model import Anchor, Check
from conformance.wire.durations import Micros, format_duration
from conformance.wire.frames import Frame, Kind
from conformance.wire.patterns import Pattern, pattern_type

_LONG: Final = 160
_OPERATORS: Final = {"$gt": "more than", "$lt": "fewer than"}


def pattern_words(pattern: Pattern) -> str:
    """Write a pattern: its type, then what else it asks for."""
    if isinstance(pattern, str):
        return pattern
    rest = {key: value for key, value in pattern.items() if key != "type"}
    type_ = pattern_type(pattern)
    return f"{type_} {_compact(rest)}" if rest else type_


def anchor_words(anchor: Anchor) -> str:
    """Write an anchor: a step's id, or its event (the leg goes without saying)."""
    if anchor.step is not None or anchor.pattern is None:
        return str(anchor.step)
    return pattern_words(anchor.pattern)


def window_words(check: Check) -> str:
    """Write when a check looks: ``within 12s of greeted``, ``before session.updated``, or nothing for always."""
    within = None if check.within is None else format_duration(check.within)
    after = None if check.after is None else anchor_words(check.after)
    before = None if check.before is None else anchor_words(check.before)
    words = []
    if after is not None and before is not None:
        words.append(f"between {after} and the next {before}")
        if within is not None:
            words.append(f"within {within}")
    else:
        if within is not None:
            words.append(f"within {within} of {after or 'the first client frame'}")
        elif after is not None:
            words.append(f"after {after}")
        if before is not None:
            words.append(f"before {before}")
    return " " + ", ".join(words) if words else ""


def count_words(check: Check) -> str:
    """Write how many are asked for: ``exactly 2``, ``more than 1``; empty without a count."""
    match check.count:
        case None:
            return ""
        case int(number):
            return f"exactly {number} "
        case bounds:
            return " and ".join(f"{_OPERATORS.get(key, key)} {value}" for key, value in bounds.items()) + " "


def frame_words(frame: Frame) -> str:
    """Write a frame: an error with its code and message, a close with its code, anything else by its type."""
    match frame.kind:
        case Kind.BINARY:
            return f"a binary frame of {frame.data.get('bytes', '?')} bytes"
        case Kind.CLOSE:
            reason = frame.data.get("reason")
            return f"close {frame.data.get('code')}" + (f" {_cut(str(reason))!r}" if reason else "")
        case Kind.OPEN:
            status = frame.data.get("status", 101)
            return "open" if status == 101 else f"a handshake {'reset' if status is None else f'refused with {status}'}"
        case _:
            error = error_words(frame.data)
            return f"{frame.type or 'a text frame that is no JSON object'}{f' {error!r}' if error else ''}"


def error_parts(message: Mapping[str, Any]) -> tuple[Any, Any] | None:
    """Return (code or type, message) of an error of either protocol, or of a failed response; None for another message."""
    match message:
        case {"type": "error", "error": {**error}}:
            return error.get("code") or error.get("type"), error.get("message")
        case {"type": "Error"}:
            return message.get("code"), message.get("description") or message.get("message")
        case {"type": "response.done", "response": {"status": "failed", "status_details": {"error": {**error}}}}:
            return error.get("code") or error.get("type"), error.get("message")
        case _:
            return None


def error_words(message: Mapping[str, Any]) -> str | None:
    """Return ``code: message`` of an error (see `error_parts`), cut to a line; None for any other message."""
    parts = error_parts(message)
    if parts is None:
        return None
    return _cut(": ".join(str(part) for part in parts if part)) or "without code or message"


def offset_words(frame: Frame, origin: Micros, *, anchored: bool) -> str:
    """Write when a frame came: ``3.412s after it`` or ``at 3.412s``."""
    if not anchored:
        return f"at {format_duration(frame.t)}"
    return f"{format_duration(frame.t - origin)} after it"


def _compact(value: Any) -> str:
    return _cut(orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode())


def _cut(text: str) -> str:
    return text if len(text) <= _LONG else text[: _LONG - 1] + "…"
