"""The conversation: items in order, with what the API's quirks and limits need to know of each.

Placement (R, tests run against the API): no ``previous_item_id`` or ``""`` appends, ``"root"`` goes first, an unknown one
is an error; a duplicate id is accepted, the newer item takes the older one's content.
"""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from conformance.wire.audio import AudioFormat
from conformance.wire.durations import Micros
from mock_upstream.errors import Refused, previous_not_found

ROOT: Final = "root"
MAX_AUDIO: Final = 16 * 2**20
"""Bytes of audio kept for retrieval; the oldest are forgotten, so that a session of an hour stays small."""


@dataclass(slots=True)
class Item:
    """An item. ``body`` is its GA form; ``audio`` its sound (None where there is none or it was forgotten).

    A body is replaced, never changed, since events show it.
    """

    id: str
    body: dict[str, Any]
    by_model: bool = False
    audio: bytes | None = None
    format: AudioFormat | None = None
    duration: Micros = 0
    text_tokens: int = 0
    audio_tokens: int = 0

    @property
    def is_model_audio(self) -> bool:
        """Whether this is something the model said aloud."""
        content = self.body.get("content") or ()
        return self.body.get("role") == "assistant" and any(part.get("type") == "output_audio" for part in content)

    def with_audio(self) -> dict[str, Any]:
        """Return the item as ``conversation.item.retrieved`` shows it: with its audio, as far as it is still kept."""
        content = self.body.get("content")
        if not content or self.audio is None:
            return dict(self.body)
        sound = b64encode(self.audio).decode("ascii")
        parts = [{**part, "audio": sound} if str(part.get("type")).endswith("_audio") else part for part in content]
        return {**self.body, "content": parts}


class Conversation:
    """The default conversation of a session."""

    def __init__(self, conversation_id: str) -> None:
        self.id = conversation_id
        self._order: list[str] = []
        self._items: dict[str, Item] = {}
        self._audio_held = 0

    def __contains__(self, item_id: object) -> bool:
        return item_id in self._items

    def __iter__(self) -> Iterator[Item]:
        return (self._items[item_id] for item_id in self._order)

    def __len__(self) -> int:
        return len(self._order)

    def get(self, item_id: str) -> Item | None:
        """Return an item, None where there is none of that id."""
        return self._items.get(item_id)

    @property
    def last_id(self) -> str | None:
        """The id of the last item, None in an empty conversation."""
        return self._order[-1] if self._order else None

    @property
    def last(self) -> Item | None:
        """The last item, None in an empty conversation."""
        return self._items[self._order[-1]] if self._order else None

    def previous_id(self, item_id: str) -> str | None:
        """Return the id of the item before this one, None for the first."""
        index = self._last_index(item_id)
        return self._order[index - 1] if index > 0 else None

    def previous_id_when_done(self, item: Item) -> str | None:
        """Return what ``conversation.item.done`` calls the previous item.

        For a model's item right after the first item the API says null, in every recording (ground truth §2.4).
        """
        previous = self.previous_id(item.id)
        return None if item.by_model and previous == self._order[0] else previous

    def check_place(self, previous: str | None) -> None:
        """Refuse a place that does not exist.

        Raises:
            Refused: the previous item is unknown.
        """
        if previous and previous != ROOT and previous not in self._items:
            raise Refused(previous_not_found(previous))

    def insert(self, item: Item, previous: str | None = None) -> None:
        """Put an item after ``previous``: a known id, ``"root"`` for the first place, None or ``""`` for the last."""
        if previous == ROOT:
            self._order.insert(0, item.id)
        elif previous and previous in self._items:
            self._order.insert(self._last_index(previous) + 1, item.id)
        else:
            self._order.append(item.id)
        older = self._items.get(item.id)
        self._items[item.id] = item
        self._audio_held += len(item.audio or b"") - len((older and older.audio) or b"")
        self._forget_audio()

    def hold_audio(self, item: Item, audio: bytes | None) -> None:
        """Keep an item's audio for retrieval, for as long as there is room."""
        if item.id in self._items:
            self._audio_held += len(audio or b"") - len(item.audio or b"")
            item.audio = audio
            self._forget_audio()

    def truncate(self, item: Item, end: Micros) -> None:
        """Cut an item's audio; its transcript goes, so that no text stays that was not heard (SPEC)."""
        if item.format is not None and item.audio is not None:
            self.hold_audio(item, item.audio[: item.format.size(end)])
        item.duration = end
        parts = [{**part, "transcript": None} if "transcript" in part else part for part in item.body["content"]]
        item.body = {**item.body, "content": parts}

    def delete(self, item_id: str) -> None:
        """Remove an item."""
        item = self._items.pop(item_id)
        self._order = [other for other in self._order if other != item_id]
        self._audio_held -= len(item.audio or b"")

    def has_call(self, call_id: str) -> bool:
        """Tell whether some function call has this id."""
        return any(
            item.body.get("call_id") == call_id and item.body["type"] == "function_call" for item in self._items.values()
        )

    @property
    def has_model_audio(self) -> bool:
        """Whether the model has said anything aloud; from then on its voice is fixed."""
        return any(item.by_model and item.is_model_audio for item in self._items.values())

    def tokens(self) -> tuple[int, int]:
        """Return the text and audio tokens of all items."""
        items = self._items.values()
        return sum(item.text_tokens for item in items), sum(item.audio_tokens for item in items)

    def _last_index(self, item_id: str) -> int:
        for index in range(len(self._order) - 1, -1, -1):
            if self._order[index] == item_id:
                return index
        return -1

    def _forget_audio(self) -> None:
        for item in self._items.values():
            if self._audio_held <= MAX_AUDIO:
                return
            self._audio_held -= len(item.audio or b"")
            item.audio = None


def client_item(item: Mapping[str, Any], item_id: str) -> dict[str, Any]:
    """Return a client's item as the API shows it: id, type and status first, audio left out (C: recordings)."""
    type_ = item["type"]
    if type_ == "message":
        content = [_shown(part) for part in item["content"]]
        return {"id": item_id, "type": type_, "status": "completed", "role": item["role"], "content": content}
    if type_ == "function_call":
        return {
            "id": item_id,
            "type": type_,
            "status": "completed",
            "name": item["name"],
            "call_id": item.get("call_id"),
            "arguments": item["arguments"],
        }
    rest = {key: value for key, value in item.items() if key not in ("id", "type", "object", "status")}
    return {"id": item_id, "type": type_, **rest}


def _shown(part: Mapping[str, Any]) -> dict[str, Any]:
    shown = {key: value for key, value in part.items() if key != "audio"}
    if shown.get("type") in ("input_audio", "output_audio"):
        shown.setdefault("transcript", None if shown["type"] == "input_audio" else "")
    return shown
