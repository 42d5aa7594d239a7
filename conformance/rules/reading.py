"""Reading frames without trust: a peer may put a value of any type anywhere."""

from collections.abc import Mapping
from typing import Any, Final

from conformance.wire.folding import AUDIO_FIELDS
from conformance.wire.frames import TEXT, Frame

UNNAMED: Final = object()
"""What `turn_detection` returns where a session object says nothing of it."""


def turn_detection(session: Mapping[str, Any]) -> Any:
    """Return what a session object says of turn detection, in either dialect; `UNNAMED` when it says nothing."""
    nested = mapping(mapping(session.get("audio")).get("input"))
    if "turn_detection" in nested:
        return nested["turn_detection"]
    return session.get("turn_detection", UNNAMED)


def mapping(value: Any) -> Mapping[str, Any]:
    """Return the value if it is a mapping, else an empty one."""
    if type(value) is dict:
        return value
    if value is None:  # the most frequent other value, and an abstract class is slow to ask
        return {}
    return value if isinstance(value, Mapping) else {}


def name_of(value: Any) -> str:
    """Return an id or a type if it is a string, else an empty one: only those can be looked up."""
    return value if isinstance(value, str) else ""


def listed(value: Any) -> list[Any]:
    """Return the value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def text_of(part: Any) -> str:
    """Return the words of a content part: its text, else its transcript."""
    part = mapping(part)
    words = part.get("text")
    if not isinstance(words, str):
        words = part.get("transcript")
    return words if isinstance(words, str) else ""


def item_text(item: Mapping[str, Any]) -> str:
    """Return the words of an item, its parts joined."""
    content = item.get("content")
    return "".join(text_of(part) for part in content) if isinstance(content, list) else ""


def audio_bytes(frame: Frame) -> int:
    """Return how many bytes of audio an event carries; 0 for unreadable base64."""
    folded = frame.data.get(AUDIO_FIELDS.get(frame.type, "")) if frame.kind is TEXT else frame.data
    size = mapping(folded).get("bytes", 0)
    return size if isinstance(size, int) else 0


def response_id(frame: Frame) -> str:
    """Return the id of the response an event belongs to; empty if it names none."""
    id_ = frame.data.get("response_id")
    if id_ is None:
        id_ = mapping(frame.data.get("response")).get("id")
    return id_ if isinstance(id_, str) else ""


def is_out_of_band(frame: Frame) -> bool | None:
    """Tell whether `response.created` announces an out-of-band response; None if it does not say."""
    response = mapping(frame.data.get("response"))
    if "conversation_id" not in response:
        return None
    return response["conversation_id"] is None
