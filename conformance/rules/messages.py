"""The assistant's messages: what the upstream said in whichever event, and what the client was told.

A message is carried by several events (item, text, transcript, deltas, `response.done`), and a mock may send any one of
them alone or let them differ. So a message has candidate texts; the client must be told one of them, once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from conformance.rules.reading import item_text, listed, mapping, text_of
from conformance.rules.requests import Response
from conformance.rules.view import Link
from conformance.wire.events import ga_name
from conformance.wire.frames import Frame

_TEXT_DONE: Final = {
    "response.output_text.done": "text",
    "response.output_audio_transcript.done": "transcript",
}
_TEXT_DELTA: Final = ("response.output_text.delta", "response.output_audio_transcript.delta")


@dataclass(slots=True, eq=False)
class Message:
    """An assistant message of a response: ``texts`` are what its carriers say, ``first`` and ``last`` the carriers."""

    response: Response
    id: str
    first: Frame
    last: Frame
    texts: set[str] = field(default_factory=set)
    finished: bool = False
    parts: int = 1
    deltas: dict[tuple[str, Any], str] = field(default_factory=dict)

    @property
    def is_settled(self) -> bool:
        """True when the client has a right to it: it was finished and nobody cut it off."""
        cut = self.response.status in ("cancelled", "failed", "incomplete")
        return self.finished and bool(self.texts) and not cut and self.response.default and self.response.began


def messages(link: Link) -> list[Message]:
    """Return the assistant messages of a link, in order, made once."""
    key = f"messages {link.upstream.number}"
    found = link.case.cache.get(key)
    if not isinstance(found, list):
        found = link.case.cache[key] = [m for response in link.exchange.responses for m in _of_response(response)]
    return found


def _of_response(response: Response) -> list[Message]:
    found: list[Message] = []
    for frame in response.frames:
        _read(found, response, frame)
    if response.end is not None:
        for message in found:
            if not message.finished:
                message.finished, message.last = True, response.end
            if not message.texts:
                message.texts |= {text.strip() for text in message.deltas.values() if text.strip()}
    return [message for message in found if message.texts]


def _read(found: list[Message], response: Response, frame: Frame) -> None:
    name, item_id = ga_name(frame.type), frame.data.get("item_id")
    if name in _TEXT_DONE:
        _note(found, response, frame, item_id, frame.data.get(_TEXT_DONE[name]), done=True)
    elif name in _TEXT_DELTA:
        _note_delta(found, response, frame, name)
    elif name.startswith(("conversation.item.", "response.output_item.")):
        item = mapping(frame.data.get("item"))
        if item.get("role") == "assistant":
            _note_item(found, response, frame, item, done=frame.type != "response.output_item.added")
    elif name == "response.content_part.done":
        _note(found, response, frame, item_id, text_of(frame.data.get("part")), done=False)
    elif name == "response.done":
        for item in response.outputs:
            if item.get("role") == "assistant":
                _note_item(found, response, frame, item, done=True)


def _note_item(found: list[Message], response: Response, frame: Frame, item: Mapping[str, Any], *, done: bool) -> None:
    parts = [text for part in listed(item.get("content")) if (text := text_of(part).strip())]
    if not parts:
        return
    message = _note(found, response, frame, item.get("id"), item_text(item), done=done)
    if len(parts) > 1:
        message.parts = len(parts)
        message.texts |= {"\n".join(parts), " ".join(parts), *parts}


def _note(found: list[Message], response: Response, frame: Frame, id_: Any, text: Any, *, done: bool) -> Message:
    said = text.strip() if isinstance(text, str) else ""
    message = _message(found, response, frame, id_, said)
    if said:
        message.texts.add(said)
    if done and said and not message.finished:
        message.finished, message.last = True, frame
    return message


def _note_delta(found: list[Message], response: Response, frame: Frame, name: str) -> None:
    delta = frame.data.get("delta")
    spoken = delta if isinstance(delta, str) else mapping(delta).get("text")
    message = _message(found, response, frame, frame.data.get("item_id"), "")
    key = (name, str(frame.data.get("content_index")))
    message.deltas[key] = message.deltas.get(key, "") + (spoken if isinstance(spoken, str) else "")


def _message(found: list[Message], response: Response, frame: Frame, id_: Any, said: str) -> Message:
    """Return the message a carrier belongs to: its item's, else one that says the same, else the only one so far."""
    name = id_ if isinstance(id_, str) else ""
    for message in found:
        if (name and message.id == name) or (said and said in message.texts):
            return message
    nameless = [message for message in found if not message.id or not name]
    if nameless and (not said or not nameless[-1].texts):
        nameless[-1].id = nameless[-1].id or name
        return nameless[-1]
    message = Message(response, name, frame, frame)
    found.append(message)
    return message


def assistant_texts(link: Link) -> list[Frame]:
    """Return what the client was told the assistant said."""
    return [frame for frame in link.shown("ConversationText") if frame.data.get("role") == "assistant"]


def words(frame: Frame) -> str:
    """Return the content of a `ConversationText` or `InjectUserMessage`, stripped."""
    content = frame.data.get("content")
    return content.strip() if isinstance(content, str) else ""


def greeting_of(link: Link) -> str:
    """Return the greeting of the first `Settings`, stripped; empty without one."""
    greeting = mapping(link.settings.get("agent")).get("greeting")
    return greeting.strip() if isinstance(greeting, str) else ""


@dataclass(slots=True, eq=False)
class Telling:
    """Which `ConversationText` told which message."""

    told: dict[int, list[Frame]] = field(default_factory=dict)
    """By index of the message."""
    strange: list[Frame] = field(default_factory=list)


def telling(link: Link) -> Telling:
    """Match what the client was told with what was said: each text with the first message yet untold that says so."""
    key = f"telling {link.upstream.number}"
    found = link.case.cache.get(key)
    if isinstance(found, Telling):
        return found
    result = link.case.cache[key] = Telling()
    said = messages(link)
    greeting = greeting_of(link)
    for frame in assistant_texts(link):
        text = words(frame)
        candidates = [i for i, m in enumerate(said) if text in m.texts and m.first.seq < frame.seq]
        candidates = candidates or [i for i, m in enumerate(said) if text == _so_far(m, frame)]
        fresh = [i for i in candidates if i not in result.told]
        if fresh:
            result.told[fresh[0]] = [frame]
        elif greeting and text == greeting:
            continue
        elif candidates:
            result.told[candidates[-1]].append(frame)
        else:
            result.strange.append(frame)
    return result


def _so_far(message: Message, frame: Frame) -> str:
    """Return the deltas of a message joined, for a message that was cut off."""
    if message.response.status not in ("cancelled", "failed", "incomplete") or message.first.seq > frame.seq:
        return "\0"
    return "".join(message.deltas.values()).strip() or "\0"
