"""The upstream's grammar: the order of a response's events, the life of items, the pairs of speech.

Source: ground truth §2.3 to §2.9. Events of different items may interleave; within an item and a content part the order is
fixed: added, deltas, done; the part's done, the item's done; `response.done` last.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from conformance.rules.model import Case, Finding, RuleKind, rule
from conformance.rules.reading import item_text, mapping, name_of
from conformance.rules.requests import Response
from conformance.rules.sound import length
from conformance.rules.upstream import is_own, is_touched, withheld
from conformance.rules.view import Link, find, once_per_cause, view
from conformance.verdicts import Blame
from conformance.wire.durations import MILLISECOND, SECOND
from conformance.wire.events import ga_name
from conformance.wire.frames import Frame

_SLACK: Final = 1_000
"""ms by which an offset may run ahead of the audio recorded: padding and chunks under way."""
_TEXTS: Final = {
    "response.output_text": "text",
    "response.output_audio_transcript": "transcript",
    "response.function_call_arguments": "arguments",
}
_STREAMS: Final = (*_TEXTS, "response.output_audio")


@dataclass(slots=True)
class _Grammar:
    """What of a response has been opened and closed so far."""

    items: dict[Any, str] = field(default_factory=dict)
    closed_items: set[Any] = field(default_factory=set)
    parts: set[tuple[Any, Any]] = field(default_factory=set)
    closed_parts: set[tuple[Any, Any]] = field(default_factory=set)
    closed_streams: set[tuple[str, Any, Any]] = field(default_factory=set)

    def error(self, frame: Frame) -> str | None:
        """Take the next event; return what is wrong with it."""
        name, id_ = ga_name(frame.type), name_of(frame.data.get("item_id"))
        item = mapping(frame.data.get("item"))
        match name:
            case "response.output_item.added":
                if name_of(item.get("id")) in self.items:
                    return "the item had been added before"
                self.items[name_of(item.get("id"))] = str(item.get("type"))
            case "response.output_item.done":
                return self._close_item(name_of(item.get("id")))
            case "response.content_part.added":
                if id_ not in self.items:
                    return "its item had not been added"
                self.parts.add((id_, str(frame.data.get("content_index"))))
            case "response.content_part.done":
                return self._close_part((id_, str(frame.data.get("content_index"))))
            case _:
                stream, _, edge = name.rpartition(".")
                if stream in _STREAMS and edge in ("delta", "done"):
                    return self._stream(stream, edge, frame)
        return None

    def _close_item(self, id_: Any) -> str | None:
        if id_ not in self.items:
            return "its item had not been added"
        if id_ in self.closed_items:
            return "the item was done before"
        self.closed_items.add(id_)
        open_ = {part for part in self.parts - self.closed_parts if part[0] == id_}
        return "a content part of the item was not done" if open_ else None

    def _close_part(self, part: tuple[Any, Any]) -> str | None:
        if part not in self.parts:
            return "its content part had not been added"
        if part in self.closed_parts:
            return "the content part was done before"
        self.closed_parts.add(part)
        return None

    def _stream(self, stream: str, edge: str, frame: Frame) -> str | None:
        id_, index = name_of(frame.data.get("item_id")), str(frame.data.get("content_index"))
        key = (stream, id_, index)
        if id_ not in self.items:
            return "its item had not been added"
        if stream != "response.function_call_arguments" and (id_, index) not in self.parts:
            return "its content part had not been added"
        if key in self.closed_streams or (id_, index) in self.closed_parts or id_ in self.closed_items:
            return "it came after its done"
        if edge == "done":
            self.closed_streams.add(key)
        return None


def _own_responses(link: Link) -> list[Response]:
    return [response for response in link.exchange.responses if not is_touched(link, response)]


@rule(
    "UP-RESPONSE-ORDER",
    "a response's events follow the grammar of the ground truth, and refer to items and parts that exist",
    why="Clients build the conversation from these events; one out of order leaves a hole or crashes them.",
    source="Ground truth §2.3, §2.5, §2.8",
    kind=RuleKind.UPSTREAM,
    blame=Blame.UPSTREAM,
)
def response_order(case: Case) -> Sequence[Finding] | None:
    """Walk each response's events through the grammar."""
    findings: list[Finding] = []
    observed = False
    for link in view(case).links:
        for response in _own_responses(link):
            observed = True
            findings += _misordered(response)
    return once_per_cause(findings) if observed else None


def _misordered(response: Response) -> Iterator[Finding]:
    grammar = _Grammar()
    if response.start.type != "response.created":
        yield find(response.start, f"{response.start.type} came before response.created")
    ended = False
    for frame in response.frames:
        if ended:
            yield find(frame, f"{frame.type} came after response.done")
        wrong = grammar.error(frame)
        if wrong is not None:
            yield find(frame, f"{frame.type}: {wrong}")
        ended = ended or frame is response.end
    if response.end is not None and response.status == "completed" and set(grammar.items) - grammar.closed_items:
        yield find(
            response.end, "response.done, but an item of the response was not done", cause="response.output_item.done"
        )


@rule(
    "UP-ITEM-LIFECYCLE",
    "items are added, then done, once; deltas add up to the done text and audio",
    why="A client that shows deltas and stores the done text would store something else than it showed.",
    source="Ground truth §2.3, §2.4",
    kind=RuleKind.UPSTREAM,
    blame=Blame.UPSTREAM,
)
def item_lifecycle(case: Case) -> Sequence[Finding] | None:
    """Follow each item, and add up each stream of deltas."""
    findings: list[Finding] = []
    observed = False
    for link in view(case).links:
        if not link.is_beta:
            observed = observed or bool(link.of("conversation.item.added", "conversation.item.done"))
            findings += _lives(link)
        for response in _own_responses(link):
            observed = True
            findings += _sums(response)
    return once_per_cause(findings) if observed else None


def _lives(link: Link) -> Iterator[Finding]:
    added: dict[Any, Frame] = {}
    done: set[Any] = set()
    named = [name_of(item.body.get("id")) for item in link.exchange.items]
    scripted = withheld(link.upstream, link.case, "conversation.item.added")
    scripted_done = withheld(link.upstream, link.case, "conversation.item.done")
    for frame in link.of("conversation.item.added", "conversation.item.done"):
        id_ = name_of(mapping(frame.data.get("item")).get("id"))
        own = is_own(link.case, frame) or named.count(id_) > 1
        if frame.type == "conversation.item.added":
            if id_ in added and not own and not is_own(link.case, added[id_]):
                yield find(frame, "the item was added before")
            added.setdefault(id_, frame)
            continue
        if not own and id_ not in added and not scripted:
            yield find(frame, "the item was done and had never been added")
        if not own and id_ in done:
            yield find(frame, "the item was done before", cause="conversation.item.done twice")
        done.add(id_)
    for id_, frame in added.items():
        own = is_own(link.case, frame) or scripted_done or _is_in_cut_response(link, id_)
        if id_ not in done and not own and frame.t + 10 * SECOND <= link.spoken_until:
            yield find(frame, "the item was added and never done", cause="conversation.item.done missing")


def _is_in_cut_response(link: Link, id_: Any) -> bool:
    """True for an item of a response that has not ended, was cut off, or that a script touched."""
    for response in link.exchange.responses:
        ids = {name_of(mapping(frame.data.get("item")).get("id")) for frame in response.frames}
        if id_ in ids:
            return response.status != "completed" or is_touched(link, response)
    return False


def _sums(response: Response) -> Iterator[Finding]:
    sums: dict[tuple[str, Any, Any], str] = {}
    finals: dict[Any, str] = {}
    for frame in response.frames:
        stream, _, edge = ga_name(frame.type).rpartition(".")
        key = (stream, name_of(frame.data.get("item_id")), str(frame.data.get("content_index")))
        if stream in _TEXTS and edge == "delta":
            delta = frame.data.get("delta")
            sums[key] = sums.get(key, "") + (delta if isinstance(delta, str) else str(mapping(delta).get("text", "")))
        elif stream in _TEXTS and edge == "done":
            said = frame.data.get(_TEXTS[stream])
            if key in sums and sums[key] != said:
                yield find(frame, f"{frame.type} is not what its deltas add up to")
            if stream != "response.function_call_arguments" and isinstance(said, str):
                finals[key[1]] = finals.get(key[1], "") + said
        elif frame.type in ("response.output_item.done", "conversation.item.done"):
            yield from _differs(frame, finals)


def _differs(frame: Frame, finals: Mapping[Any, str]) -> Iterator[Finding]:
    item = mapping(frame.data.get("item"))
    text = item_text(item)
    if name_of(item.get("id")) in finals and text != finals[name_of(item.get("id"))] and item.get("status") == "completed":
        yield find(frame, f"the text of {frame.type} is not the done text", cause=f"{frame.type} text")


@rule(
    "UP-VAD-PAIRS",
    "speech starts and stops in pairs, with offsets that fit the audio sent; a commit, a clear or the end of the audio may "
    "leave a start without its stop",
    why="A client ducks its playback at a start; without the stop it stays silent.",
    source="Ground truth §2.5, §5.6",
    kind=RuleKind.UPSTREAM,
    blame=Blame.UPSTREAM,
)
def vad_pairs(case: Case) -> Sequence[Finding] | None:
    """Walk each connection's speech events."""
    findings: list[Finding] = []
    observed = False
    for link in view(case).links:
        events = link.of("input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped")
        events = [frame for frame in events if not is_own(case, frame)]
        observed = observed or bool(events)
        findings += _unpaired(link)
        findings += [finding for frame in events for finding in _misplaced(link, frame)]
    return once_per_cause(findings) if observed else None


def _unpaired(link: Link) -> Iterator[Finding]:
    started: Frame | None = None
    was_cleared = False
    for frame in link.of(
        *("input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"),
        *("input_audio_buffer.committed", "input_audio_buffer.cleared"),
    ):
        own = is_own(link.case, frame)
        if frame.type in ("input_audio_buffer.committed", "input_audio_buffer.cleared"):
            was_cleared = started is not None and frame.type == "input_audio_buffer.cleared"
            started = None
        elif frame.type == "input_audio_buffer.speech_started":
            if started is not None and not own and not is_own(link.case, started):
                yield find(frame, "speech started again without having stopped")
            started = frame
        else:
            kept_back = withheld(link.upstream, link.case, "input_audio_buffer.speech_started")
            if started is None and not (own or was_cleared or kept_back):
                yield find(frame, "speech stopped without having started")
            if started is not None and not own and _offset(frame) < _offset(started):
                yield find(frame, "speech stopped before it started", cause="audio_end_ms")
            started = None


def _offset(frame: Frame) -> float:
    value = frame.data.get("audio_start_ms", frame.data.get("audio_end_ms"))
    return value if isinstance(value, int | float) and not isinstance(value, bool) else 0


def _misplaced(link: Link, frame: Frame) -> Iterator[Finding]:
    appends = [append for append in link.of("input_audio_buffer.append") if append.seq < frame.seq]
    sent = length(link, appends) / MILLISECOND
    if _offset(frame) < 0 or _offset(frame) > sent + _SLACK:
        yield find(
            frame, f"{frame.type} at {_offset(frame):g} ms, but only {sent:g} ms of audio had been sent", cause="offset"
        )
