"""Turns: what waits for a response, and the one response that may run.

A turn is a user message, a commit or a function's output. It may be answered once the upstream has confirmed that very
item. One ``response.create`` answers all turns that may be answered at that moment, never while a response is requested or
active; a response is active from the first sign of it until ``response.done``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from conformance.reference_proxy.core import Core, Timer, Timing, mapping, text
from conformance.wire.durations import Micros

_REMEMBERED: Final = 256
_OUR_ITEMS: Final = "item_proxy_"
ACTIVE_RESPONSE: Final = "conversation_already_has_active_response"


class TurnKind(StrEnum):
    """What a turn is made of."""

    MESSAGE = "message"
    AUDIO = "audio"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class Turn:
    """Something that asks for a response.

    ``event_id`` is that of our event which made it (None: the server committed it), ``item_id`` its item's, None until
    ``committed`` for audio, empty if that names none; ``item`` is what we created. ``free_at`` keeps it back, though
    confirmed; ``server_answers`` says that the server may answer it by itself. ``refusals`` counts how often its response
    was refused.
    """

    kind: TurnKind
    since: Micros
    event_id: str | None = None
    item_id: str | None = None
    item: Mapping[str, Any] = field(default_factory=dict)
    confirmed: bool = False
    free_at: Micros = 0
    server_answers: bool = False
    refusals: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """A ``response.create`` of ours, when it went up, and the turns it answers."""

    event_id: str
    at: Micros
    turns: tuple[Turn, ...]


class Turns(Core):
    """Queues turns and asks for responses, one at a time."""

    def __init__(self, timing: Timing) -> None:
        """Start with no turn and no response."""
        super().__init__(timing)
        self.turns: list[Turn] = []
        self.requested: Request | None = None
        """Our request that no response has shown up for yet."""
        self.active: str | None = None
        """The id of the running response; empty if the upstream does not tell it."""
        self.last_request: Request | None = None
        self.heard_at: Micros = 0
        """When the running response was last heard of."""
        self.ended_at: Micros = 0
        """When the last response ended."""
        self.committed_items: dict[str, None] = {}
        """Audio items that a turn has been made of."""
        self._ended: dict[str, None] = {}
        self._confirmed_items: dict[str, None] = {}
        self._items_made = 0

    @property
    def is_responding(self) -> bool:
        """True from our request, or the first sign of a response, until its end."""
        return self.requested is not None or self.active is not None

    def timers(self) -> list[Timer]:
        """Add: turns that become free, turns that are stuck, a request that was lost."""
        timers = super().timers()
        if not self.turns:
            return timers
        if not self.is_responding:
            held = [turn.free_at for turn in self.turns if turn.free_at > self.now and self.may_answer(turn, turn.free_at)]
            if held:
                timers.append((min(held), self.respond))
        if self.requested is not None:
            timers.append((self.requested.at + self.timing.lost_request, self.forget_request))
        for turn in self.turns:
            if turn.kind is TurnKind.AUDIO and turn.item_id is not None and not turn.confirmed:
                timers.append((turn.since + self.timing.commit_grace, self.trust_commits))
            if self.waits_for_upstream(turn):
                timers.append((self.stuck_at(turn), self.give_up))
        return timers

    # What may be answered

    def may_respond(self) -> bool:
        """Tell whether a response may be asked for now, were there a turn to answer."""
        return not self.is_responding

    def may_answer(self, turn: Turn, now: Micros) -> bool:
        """Tell whether a turn may be answered: its own item is confirmed, and nothing holds it back."""
        return turn.confirmed and turn.free_at <= now

    def respond(self) -> None:
        """Ask for a response if one may be asked for."""
        if not self.may_respond():
            return
        answered = self.choose_turns([turn for turn in self.turns if self.may_answer(turn, self.now)])
        if answered:
            self.turns = [turn for turn in self.turns if turn not in answered]
            self.request_response(tuple(answered))

    def choose_turns(self, answerable: list[Turn]) -> list[Turn]:
        """Return which of the answerable turns the next response answers: all of them."""
        return answerable

    def request_response(self, turns: tuple[Turn, ...]) -> None:
        """Send ``response.create``."""
        self.requested = self.last_request = Request(self.send_up({"type": "response.create"}), self.now, turns)

    # Turns come in

    def create_item(self, kind: TurnKind, item: Mapping[str, Any]) -> None:
        """Create an item upstream, under an id of our own, and queue the turn it makes."""
        self._items_made += 1
        item_id = f"{_OUR_ITEMS}{self._items_made}"
        event_id = self.send_up({"type": "conversation.item.create", "item": {"id": item_id, **item}})
        self.add_turn(Turn(kind, self.now, event_id, item_id, item))

    def add_turn(self, turn: Turn) -> None:
        """Queue a turn; if its item is confirmed already, answer it when possible."""
        self.turns.append(replace(turn, confirmed=turn.confirmed or turn.item_id in self._confirmed_items))
        self.respond()

    def confirm(self, item: Mapping[str, Any]) -> None:
        """Take a confirmation (item added, done, or beta created), whoever made the item."""
        item_id = text(item.get("id"))
        mine = self.find_confirmed(item_id, item)
        if item_id:
            remember(self._confirmed_items, item_id)
        if mine is not None:
            turn = self.turns[mine]
            self.turns[mine] = replace(turn, confirmed=True, item_id=item_id)
            if turn.kind is TurnKind.AUDIO:
                remember(self.committed_items, item_id)
        self.respond()

    def find_confirmed(self, item_id: str, item: Mapping[str, Any]) -> int | None:
        """Return which turn this item confirms: the one with its id, else the first one that is like it.

        Not every server keeps a client's ids. An id that we gave, or that has confirmed a turn, means that turn.
        """
        open_ = [index for index, turn in enumerate(self.turns) if not turn.confirmed]
        by_id = [index for index in open_ if item_id and self.turns[index].item_id == item_id]
        if by_id or item_id.startswith(_OUR_ITEMS) or item_id in self._confirmed_items:
            return next(iter(by_id), None)
        return next((index for index in open_ if self.resembles(self.turns[index], item)), None)

    def resembles(self, turn: Turn, item: Mapping[str, Any]) -> bool:
        """Tell whether an item could be the turn's, by what is in it."""
        match turn.kind:
            case TurnKind.OUTPUT:
                return item.get("type") == "function_call_output" and item.get("call_id") == turn.item["call_id"]
            case TurnKind.AUDIO:
                is_audio = "input_audio" in (part.get("type") for part in parts_of(item))
                return not turn.item_id and item.get("role") == "user" and is_audio
            case _:
                said = [part.get("text") for part in parts_of(turn.item)]
                return item.get("role") == "user" and [part.get("text") for part in parts_of(item)] == said

    def trust_commits(self) -> None:
        """Take ``committed`` as the confirmation of turns whose item was never shown."""
        for index, turn in enumerate(self.turns):
            due = self.now >= turn.since + self.timing.commit_grace
            if turn.kind is TurnKind.AUDIO and turn.item_id is not None and due:
                self.turns[index] = replace(turn, confirmed=True)
        self.respond()

    # The running response

    def on_response_created(self, response_id: str) -> None:
        """Note the start of a response: ours if one was requested, else the server's own."""
        if response_id in self._ended or (response_id and response_id == self.active):
            return
        if self.active is not None:
            self.end_response(self.active)  # the upstream runs one at a time: the end of that one was lost
        elif self.requested is None:
            self.turns = [turn for turn in self.turns if not (turn.confirmed and turn.server_answers)]
        self.active = response_id
        self.requested = None
        self.heard_at = self.now

    def on_response_sign(self, response_id: str) -> None:
        """Note an event of a response; if one was requested, its ``response.created`` was lost."""
        self.heard_at = self.now
        if self.active is None and self.requested is not None and response_id not in self._ended:
            self.on_response_created(response_id)

    def on_response_done(self, response_id: str) -> bool:
        """Note the end of a response; return False when it had ended before."""
        if response_id in self._ended:
            return False
        self.end_response(response_id)
        self.respond()
        return True

    def end_response(self, response_id: str) -> None:
        """Forget the running response."""
        if response_id:
            remember(self._ended, response_id)
        self.active = self.requested = None
        self.ended_at = self.now

    def forget_request(self) -> None:
        """Go on without the response that never came."""
        self.requested = None
        self.respond()

    # Refusals

    def on_refusal(self, event_id: str | None, code: str | None) -> bool:
        """Take back what an upstream error says was refused; return True if the client need not hear of it.

        That is only so for a response refused because another one is active: it is asked for again.
        """
        if code == ACTIVE_RESPONSE:
            return self.on_active_response(event_id)
        if event_id is not None and self.requested is not None and event_id == self.requested.event_id:
            self.forget_request()
        elif event_id is not None:
            self.turns = [turn for turn in self.turns if turn.event_id != event_id]
        elif code == "input_audio_buffer_commit_empty":
            ours = [turn for turn in self.turns if turn.kind is TurnKind.AUDIO and turn.event_id and not turn.confirmed]
            self.turns = [turn for turn in self.turns if turn not in ours[:1]]
        return False

    def on_active_response(self, event_id: str | None) -> bool:
        """Ask again for the response that crossed one of the server's own; False when that has been tried enough."""
        request = self.last_request
        if request is None or (event_id != request.event_id and (event_id is not None or not self.is_responding)):
            return True  # no turn hangs on it
        self.last_request = None
        if self.requested is request:
            self.requested = None
        if any(turn.refusals >= self.timing.retries for turn in request.turns):
            return False
        self.retry(request)
        return True

    def retry(self, request: Request) -> None:
        """Put the turns of a refused request back to the head of the queue."""
        free_at = 0 if self.active is not None else self.now + self.timing.retry
        self.turns[:0] = [replace(turn, free_at=free_at, refusals=turn.refusals + 1) for turn in request.turns]

    def waits_for_upstream(self, turn: Turn) -> bool:
        """Tell whether it is the upstream that keeps this turn waiting."""
        return not turn.confirmed or self.is_responding

    def stuck_at(self, turn: Turn) -> Micros:
        """Return when a turn that nothing is heard of becomes an error."""
        return max(turn.since, self.heard_at if turn.confirmed else 0) + self.timing.stuck

    def give_up(self) -> None:
        """Turn what is stuck into one visible error."""
        stuck = [turn for turn in self.turns if self.waits_for_upstream(turn) and self.stuck_at(turn) <= self.now]
        self.turns = [turn for turn in self.turns if turn not in stuck]
        missing = "the end of the running response" if all(turn.confirmed for turn in stuck) else "the item's confirmation"
        self.send_error("upstream_timeout", f"The upstream never sent {missing}, so that this turn stays unanswered.")
        self.respond()


def parts_of(item: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """Return an item's content parts."""
    content = item.get("content")
    return [mapping(part) for part in content] if isinstance(content, list) else []


def remember(ids: dict[str, None], id_: str) -> None:
    """Add an id to an ordered set that forgets its oldest, so that a session of hours stays small."""
    ids[id_] = None
    if len(ids) > _REMEMBERED:
        del ids[next(iter(ids))]
