"""The assistant's messages: what the upstream said in whichever event, and what the client was told.

A message is carried by several events (item, text, transcript, deltas, `response.done`), and a mock may send any one of
them alone or let them differ. So a message has candidate texts; the client must be told one of them, once.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from conformance.rules.exchange import Response, item_text, listed, mapping, text_of
from conformance.rules.model import Case, Finding, RuleKind, rule
from conformance.rules.view import Link, find, once_per_cause, view
from conformance.wire.durations import SECOND, Micros
from conformance.wire.events import ga_name
from conformance.wire.frames import Frame

_SOON: Final = 2 * SECOND
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


@rule(
    "VA-TEXT-ONCE",
    "one assistant `ConversationText` per finished assistant message (outer whitespace aside), whichever of item, text, "
    "transcript, deltas or `response.done` carried it; the same words in a later response are a new message",
    why="A message that is shown twice, or never, is what users report first.",
    source="Voice-agent contract, ConversationText; production reports of doubled and missing agent messages",
    kind=RuleKind.CONTRACT,
)
def text_once(case: Case) -> Sequence[Finding] | None:
    """Count the tellings of each message."""
    findings: list[Finding] = []
    observed = False
    for link in view(case).links:
        if link.client is None:
            continue
        result = telling(link)
        for index, message in enumerate(messages(link)):
            told = result.told.get(index, [])
            due = _text_due(link, message)
            observed = observed or bool(told) or (message.is_settled and due <= link.client_horizon)
            allowed = max(message.parts, _twins(link, message))
            if len(told) > allowed:
                findings.append(find(told[allowed], "the same assistant message was told twice"))
            if (
                not told
                and message.is_settled
                and due <= link.client_horizon
                and not _is_told_by_twin(link, result, message)
            ):
                findings.append(find(message.last, "the assistant's message never reached the client", cause="missing"))
    return once_per_cause(findings) if observed else None


def _text_due(link: Link, message: Message) -> Micros:
    """Return when a message must have been told: counted from the last event of its response that was really sent."""
    response = message.response
    return response.last.t + (SECOND if response.end is not None else _SOON) + link.crossing


def _twins(link: Link, message: Message) -> int:
    """Return how many messages of the same response say the same: scripts may give the carriers of one different ids."""
    return sum(m.response is message.response and bool(m.texts & message.texts) for m in messages(link))


def _is_told_by_twin(link: Link, result: Telling, message: Message) -> bool:
    twins = [i for i, m in enumerate(messages(link)) if m.response is message.response and m.texts & message.texts]
    return any(result.told.get(index) for index in twins)


@rule(
    "VA-TEXT-REAL",
    "every assistant `ConversationText` is an upstream assistant message or the greeting; tool calls and control events "
    "are not text",
    why="A tool call shown as speech, or an event's name, confuses the user.",
    source="A product's choice; production proxies once showed `Function call: …`",
    kind=RuleKind.POLICY,
)
def text_real(case: Case) -> Sequence[Finding] | None:
    """Look at assistant texts that no upstream message explains."""
    links = [link for link in view(case).links if assistant_texts(link)]
    if not links:
        return None
    return once_per_cause(
        find(frame, f"the client was told {words(frame)[:60]!r}, which the upstream's assistant never said")
        for link in links
        for frame in telling(link).strange
    )


@rule(
    "VA-USER-ECHO",
    "`InjectUserMessage` is echoed once",
    why="The client's own history is made of these echoes.",
    source="Voice-agent contract, ConversationText: user",
    kind=RuleKind.CONTRACT,
)
def user_echo(case: Case) -> Sequence[Finding] | None:
    """Count the user texts for each typed turn."""
    findings: list[Finding] = []
    observed = False
    for link in view(case).links:
        asked: dict[str, list[Frame]] = {}
        for inject in link.client_texts("InjectUserMessage"):
            if words(inject):
                asked.setdefault(words(inject), []).append(inject)
        shown = [frame for frame in link.shown("ConversationText") if frame.data.get("role") == "user"]
        for text, injects in asked.items():
            echoes = [frame for frame in shown if words(frame) == text]
            due = _echo_due(link, injects[-1], text)
            observed = observed or bool(echoes) or (due is not None and due <= link.client_horizon)
            if len(echoes) > len(injects):
                findings.append(find(echoes[len(injects)], "InjectUserMessage was echoed more than once"))
            missing = len(echoes) < len(injects) and not any(e.seq > injects[-1].seq for e in link.shown("Error"))
            if missing and due is not None and due <= link.client_horizon:
                findings.append(find(injects[-1], "InjectUserMessage was not echoed", cause="missing"))
    return once_per_cause(findings) if observed else None


def _echo_due(link: Link, inject: Frame, text: str) -> Micros | None:
    """Return when an echo must have come: after the message, the session and the item's confirmation were there."""
    if link.ready is None:
        return None
    item = next((i for i in link.exchange.items if i.is_user and i.text.strip() == text and i.frame.seq > inject.seq), None)
    confirmed = item.confirmed if item is not None else None
    origins = [inject.t, link.ready.t, *([confirmed.t] if confirmed is not None else [])]
    return max(origins) + _SOON


@rule(
    "VA-TEXT-BEFORE-IDLE-ERROR",
    "a running response's text is delivered before an `idle_timeout` error",
    why="The client closes on idle_timeout; what the agent was saying would be lost.",
    source="Production report: the agent's last message vanished when the idle timeout hit",
    kind=RuleKind.CONTRACT,
)
def text_before_idle_error(case: Case) -> Sequence[Finding] | None:
    """Look at the order of text and error when an idle timeout met a running response."""
    findings = []
    observed = False
    for link in view(case).links:
        for error, response in _idle_errors(link):
            shown = next(
                (e for e in link.shown("Error") if e.seq > error.seq and e.data.get("code") == "idle_timeout"), None
            )
            for index, message in enumerate(messages(link)):
                if message.response is not response or not message.is_settled:
                    continue
                observed = True
                told = telling(link).told.get(index)
                if shown is not None and (not told or told[0].seq > shown.seq):
                    findings.append(find(shown, "idle_timeout was shown before the running response's text"))
    return once_per_cause(findings) if observed else None


def _idle_errors(link: Link) -> Iterator[tuple[Frame, Response]]:
    for error in link.of("error"):
        response = link.exchange.active(error.seq)
        if response is not None and mapping(error.data.get("error")).get("code") == "idle_timeout":
            yield error, response
