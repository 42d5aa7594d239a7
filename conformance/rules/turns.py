"""The ledger of turns: which `response.create` answers which user item, commit or set of tool outputs.

A turn asks for one response. A create is the own create of the oldest ready turn and answers every other that is ready;
these may still get one of their own. A create that comes while turns are only on their way came too early for the oldest of
them; one that finds no turn without its own is one too many. A turn whose create was refused, or whose response failed or
was cut off before a word, is open again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from conformance.rules.exchange import Exchange
from conformance.rules.reading import item_text, mapping, name_of
from conformance.rules.requests import Commit, Create, Item, Response
from conformance.wire.durations import SECOND
from conformance.wire.frames import Frame

GIVE_UP = 5 * SECOND
"""After this long without the event it waits for, a proxy may give up waiting: no rule forbids to unstick a turn."""


class TurnKind(StrEnum):
    """What asked for a response."""

    TEXT = "text"
    AUDIO = "audio"
    TOOLS = "tools"


@dataclass(slots=True, eq=False)
class Turn:
    """A turn: ``sent`` is the frame that opened it, ``ready`` the one from which a create may answer it."""

    kind: TurnKind
    sent: Frame
    ready: Frame | None = None
    items: list[Item] = field(default_factory=list)
    commit: Commit | None = None
    response: Response | None = None
    """For tools: the response that made the calls."""
    own: list[Create] = field(default_factory=list)
    creates: list[Create] = field(default_factory=list)
    """Every create that answers it, its own among them."""
    answers: list[Response] = field(default_factory=list)
    """Responses the server started by itself after the turn was ready."""

    def open_at(self, seq: int) -> bool:
        """True when it had no create of its own before the event ``seq`` that still counts."""
        return self.sent.seq < seq and all(_is_void(create, seq) for create in self.own if create.frame.seq < seq)

    def ready_at(self, seq: int) -> bool:
        """True when a create may answer it at the event ``seq``."""
        return self.ready is not None and self.ready.seq < seq


@dataclass(slots=True, eq=False)
class Claim:
    """What a create found: the turns it answers, the turn it came too early for, or neither."""

    create: Create
    answers: list[Turn] = field(default_factory=list)
    early: Turn | None = None
    spare: bool = False
    """True when there were turns and all of them had their create."""


class Ledger:
    """The turns of one upstream connection and the creates that claim them, in order."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.turns = sorted([*self._texts(), *self._audio(), *self._tools()], key=lambda turn: turn.sent.seq)
        self.claims = [self._claim(create) for create in exchange.creates if create.default]
        for response in exchange.conversation:
            if response.create is None:
                self._answer(response)

    def _texts(self) -> Iterator[Turn]:
        unsaid = [content for frame in self.exchange.injects if isinstance(content := frame.data.get("content"), str)]
        has_context = any(_has_context(frame) for frame in self.exchange.settings)
        for item in self.exchange.items:
            if not item.is_user or item.refused is not None:
                continue
            said = next((content for content in unsaid if content.strip() == item.text.strip()), None)
            if said is not None:
                unsaid.remove(said)
            elif has_context:
                continue
            yield Turn(TurnKind.TEXT, item.frame, item.confirmed, [item])

    def _audio(self) -> Iterator[Turn]:
        for commit in self.exchange.commits:
            if commit.refused is None:
                yield Turn(TurnKind.AUDIO, commit.frame, commit.frame, commit=commit)

    def _tools(self) -> Iterator[Turn]:
        turns: dict[object, Turn] = {}
        for item in self.exchange.items:
            if not item.is_output or item.refused is not None:
                continue
            call = name_of(item.body.get("call_id"))
            response = next((r for r in self.exchange.responses if call in r.calls), None)
            key: object = response if response is not None else item
            turn = turns.setdefault(key, Turn(TurnKind.TOOLS, item.frame, response=response))
            turn.items.append(item)
            given = {name_of(output.body.get("call_id")) for output in turn.items}
            if response is None or given >= response.calls.keys():
                turn.ready = turn.ready or item.frame
        yield from turns.values()

    def _claim(self, create: Create) -> Claim:
        seq = create.frame.seq
        claim = Claim(create)
        before = [turn for turn in self.turns if turn.sent.seq < seq]
        open_ = [turn for turn in before if turn.open_at(seq)]
        claim.answers = [turn for turn in open_ if turn.ready_at(seq)]
        if not claim.answers and open_:
            claim.early = open_[0]
            claim.early.own.append(create)
            claim.early.creates.append(create)
        elif not claim.answers:
            claim.spare = bool(before)
        for turn in claim.answers[:1]:
            turn.own.append(create)
        for turn in claim.answers:
            turn.creates.append(create)
        return claim

    def _answer(self, response: Response) -> None:
        for turn in self.turns:
            if turn.ready is not None and turn.ready.seq <= response.start.seq:
                turn.answers.append(response)


def _is_void(create: Create, seq: int) -> bool:
    """True when a create no longer stands in the way of another: refused before, failed, or cut off before a word."""
    if create.refused is not None:
        return create.refused.seq < seq
    response = create.response
    if response is None or response.end is None or response.end.seq > seq:
        return False
    cut_short = response.status == "cancelled" and not response.of(*_SAID)
    return cut_short or response.status in _RETRIED


_RETRIED = ("failed", "incomplete")
_SAID = ("response.output_audio.delta", "response.output_text.delta", "response.output_audio_transcript.delta")


def _has_context(frame: Frame) -> bool:
    return bool(mapping(mapping(frame.data.get("agent")).get("context")).get("messages"))


def context_texts(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return role and text of each context message of a `Settings`; messages without words are left out."""
    messages = mapping(mapping(settings.get("agent")).get("context")).get("messages")
    found = []
    for message in messages if isinstance(messages, list) else []:
        content = mapping(message).get("content")
        text = content if isinstance(content, str) else item_text(mapping(message))
        if text.strip():
            found.append((str(mapping(message).get("role", "")), text.strip()))
    return found
