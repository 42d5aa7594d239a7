"""Requests and their answers on one upstream connection: what each event up asked for, and what became of it.

One pass over the events in order. The API answers in order, so an answer belongs to the oldest open request of its kind;
an error names its request by ``event_id``, else by its code or parameter, else by order (principle 8). Responses that no
open `response.create` explains were started by the server. The pass never raises: hostile frames hold values of any type.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from conformance.rules.culprit import culprit
from conformance.rules.reading import (
    UNNAMED,
    audio_bytes,
    is_out_of_band,
    item_text,
    mapping,
    name_of,
    response_id,
    turn_detection,
)
from conformance.rules.requests import Commit, Create, Item, Request, Response, Update
from conformance.wire.durations import Micros
from conformance.wire.events import ga_name
from conformance.wire.frames import TEXT, UP, Frame

DEFAULT_DETECTION: Final[Mapping[str, Any]] = {"type": "server_vad"}
"""What holds while nobody, the server included, names `turn_detection`: server VAD that responds (ground truth §1.5)."""
_ONCE: Final = ("session.updated", "error", "input_audio_buffer.committed")
_GRANTS: Final[Mapping[str, str]] = {
    "conversation.item.truncated": "conversation.item.truncate",
    "conversation.item.deleted": "conversation.item.delete",
    "conversation.item.retrieved": "conversation.item.retrieve",
}
"""Answers to requests of which nothing else is asked."""


class Exchange:
    """The requests of one upstream connection with their answers."""

    def __init__(self, events: Sequence[Frame], settings: Sequence[Frame] = (), injects: Sequence[Frame] = ()) -> None:
        self.updates: list[Update] = []
        self.items: list[Item] = []
        self.creates: list[Create] = []
        self.commits: list[Commit] = []
        self.responses: list[Response] = []
        self.cancels: list[Request] = []
        self.errors: list[tuple[Frame, Request | None]] = []
        self.rest: list[Frame] = []
        """Appends that no commit covered."""
        self.cleared: list[list[Frame]] = []
        """Appends that were cleared away before any commit covered them."""
        self._requests: list[Request] = []
        self._own = 0
        self._timeouts: set[str] = set()
        self._told: set[tuple[str, str]] = set()
        self._initial: Any = DEFAULT_DETECTION
        self.settings = settings
        self.injects = injects
        for frame in events:
            if frame.kind is TEXT:
                (self._sent if frame.dir is UP else self._received)(frame)

    # Up

    def _sent(self, frame: Frame) -> None:
        match frame.type:
            case "input_audio_buffer.append":
                self.rest.append(frame)
                self._own += audio_bytes(frame)
            case "session.update":
                self._ask(self.updates, Update(frame))
            case "conversation.item.create":
                self._ask(self.items, Item(frame))
            case "response.create":
                self._ask(self.creates, Create(frame))
            case "response.cancel":
                self._ask(self.cancels, Request(frame))
            case "input_audio_buffer.commit":
                self._ask(self.commits, self._commit(frame, server=False))
            case "input_audio_buffer.clear":
                self.cleared += [self.rest] if self.rest else []
                self.rest, self._own = [], 0
            case _:
                self._requests.append(Request(frame))

    def _ask(self, requests: list[Any], request: Request) -> None:
        requests.append(request)
        self._requests.append(request)

    def _commit(self, frame: Frame, *, server: bool) -> Commit:
        appends, own = self.rest, self._own
        self.rest = []
        if not server:
            self._own = 0
        return Commit(frame, server=server, audio=sum(map(audio_bytes, appends)), own=own, appends=appends)

    # Down

    def _received(self, frame: Frame) -> None:
        if self._is_told_again(frame):
            return
        match ga_name(frame.type):
            case "session.created":
                named = turn_detection(mapping(frame.data.get("session")))
                self._initial = self._initial if named is UNNAMED else named
            case "session.updated":
                self._updated(frame)
            case "error":
                self._refuse(frame)
            case "input_audio_buffer.committed":
                self._committed(frame)
            case "input_audio_buffer.timeout_triggered":
                self._timeouts.add(name_of(frame.data.get("item_id")))
            case "response.created":
                self._started(frame)
            case "response.done":
                self._ended(frame)
            case "conversation.item.added" | "conversation.item.done":
                self._confirm(frame)
            case name if name.startswith("response."):
                self._note(frame)
            case name if name in _GRANTS:
                self._grant(_GRANTS[name], frame)
            case _:
                pass

    def _is_told_again(self, frame: Frame) -> bool:
        """True for an answer that came before: told twice, it still answers one request."""
        id_ = frame.data.get("event_id")
        if frame.type not in _ONCE or not isinstance(id_, str):
            return False
        again = (frame.type, id_) in self._told
        self._told.add((frame.type, id_))
        return again

    def _grant(self, asked: str, frame: Frame) -> None:
        request = next((r for r in self._requests if r.is_open and r.frame.type == asked), None)
        if request is not None:
            request.answer = frame

    def _updated(self, frame: Frame) -> None:
        """Match `session.updated` with the oldest open update; without one, a doubtful refusal was of something else."""
        open_ = [update for update in self.updates if update.is_open]
        doubtful = [update for update in self.updates if update.answer is None and update.is_doubtful]
        for update in (open_ or doubtful[-1:])[:1]:
            update.answer, update.refused = frame, None

    def _committed(self, frame: Frame) -> None:
        for commit in self.commits:
            if not commit.server and commit.committed is None and commit.refused is None:
                commit.committed = frame
                return
        commit = self._commit(frame, server=True)
        commit.committed = frame
        commit.timed_out = name_of(frame.data.get("item_id")) in self._timeouts
        self.commits.append(commit)

    def _started(self, frame: Frame) -> None:
        response = Response(response_id(frame), frame, frames=[frame])
        known = next((each for each in self.responses if each.id and each.id == response.id), None)
        if known is not None:  # told twice; it is still one response
            known.frames.append(frame)
            return
        self.responses.append(response)
        out_of_band = is_out_of_band(frame)
        for create in self.creates:
            if create.response is None and create.refused is None and create.default is not (out_of_band is True):
                create.response, response.create, response.default = response, create, create.default
                return
        response.default = out_of_band is not True

    def _ended(self, frame: Frame) -> None:
        response = self._response_of(frame)
        response.frames.append(frame)
        response.end = response.end or frame
        if response.status == "cancelled":
            self._grant("response.cancel", frame)
        for item in response.outputs:
            self._note_call(response, item, frame)

    def _note(self, frame: Frame) -> None:
        response = self._response_of(frame)
        response.frames.append(frame)
        if ga_name(frame.type) == "response.function_call_arguments.done":
            call = frame.data.get("call_id")
            if isinstance(call, str):
                response.calls[call] = frame
        self._note_call(response, mapping(frame.data.get("item")), frame)

    def _note_call(self, response: Response, item: Mapping[str, Any], frame: Frame) -> None:
        call = item.get("call_id")
        if item.get("type") == "function_call" and isinstance(call, str):
            response.calls.setdefault(call, frame)

    def _response_of(self, frame: Frame) -> Response:
        """Return the response an event belongs to; one whose `response.created` was withheld begins with this event."""
        wanted = response_id(frame)
        for response in reversed(self.responses):
            if response.id == wanted and wanted:
                return response
        running = [r for r in self.responses if r.end is None and not (wanted and r.id)]
        if running:
            return running[-1]
        response = Response(wanted, frame)
        for create in self.creates:
            if create.response is None and create.refused is None:
                create.response, response.create, response.default = response, create, create.default
                break
        self.responses.append(response)
        return response

    def _confirm(self, frame: Frame) -> None:
        body = mapping(frame.data.get("item"))
        id_ = body.get("id")
        known = next((item for item in self.items if item.server_id is not None and item.server_id == id_), None)
        open_ = (item for item in self.items if not item.confirmations and item.refused is None)
        item = known or next((item for item in open_ if _is_same(item.body, body)), None)
        if item is not None:
            item.confirmations.append(frame)
            item.server_id = item.server_id or (id_ if isinstance(id_, str) else None)
            return
        running = [response for response in self.responses if response.end is None]
        if running and (body.get("role") == "assistant" or body.get("type") == "function_call"):
            running[-1].frames.append(frame)
            self._note_call(running[-1], body, frame)

    def _refuse(self, frame: Frame) -> None:
        request = culprit(self, self._requests, frame.data)
        self.errors.append((frame, request))
        if request is not None and request.refused is None:
            request.refused = frame

    # Questions

    @cached_property
    def conversation(self) -> list[Response]:
        """The responses of the default conversation that were asked for or announced."""
        return [response for response in self.responses if response.default and response.began]

    def active(self, seq: int) -> Response | None:
        """Return the response of the default conversation that is active just before the event ``seq``."""
        for response in reversed(self.conversation):
            if response.active_at(seq):
                return response
        return None

    def idle_due(self, t: Micros, patience: Micros) -> Micros | None:
        """Return when ``patience`` from ``t`` is over, started again at the end of each response that is active meanwhile.

        None when such a response never ends, or one that was asked for was neither begun nor refused: then nothing is due.
        """
        due = t + patience
        for response in self.conversation:
            if response.first_t > due:
                continue
            if response.end is None:
                return None
            if response.end.t >= t:
                due = max(due, response.end.t + patience)
        silent = [
            create for create in self.creates if create.default and create.response is None and create.refused is None
        ]
        return None if any(create.frame.t <= due for create in silent) else due

    @cached_property
    def _detections(self) -> list[tuple[int, Any]]:
        found: list[tuple[int, Any]] = []
        for update in self.updates:
            named = turn_detection(mapping(update.frame.data.get("session")))
            if update.refused is None and named is not UNNAMED:
                found.append((update.frame.seq, named))
        return found

    def detection(self, seq: int) -> Mapping[str, Any] | None:
        """Return the turn detection that the last accepted update before ``seq`` asked for; None when it is off.

        Until an update names it, what `session.created` told holds.
        """
        last = self._initial
        for at, value in self._detections:
            if at < seq:
                last = value
        if last is None:  # the most frequent answer, and an abstract class is slow to ask
            return None
        return last if isinstance(last, Mapping) and last.get("type") != "none" else None

    def creates_responses(self, seq: int) -> bool:
        """True when the server answers by itself the turns it detects."""
        detection = self.detection(seq)
        return detection is not None and detection.get("create_response") is not False


def _is_same(sent: Mapping[str, Any], seen: Mapping[str, Any]) -> bool:
    """Tell whether a confirmed item is the one sent: by id, else by type, role or call_id, and content."""
    if sent.get("id") is not None:
        return bool(sent["id"] == seen.get("id"))
    if sent.get("type", "message") != seen.get("type", "message"):
        return False
    if sent.get("type") == "function_call_output":
        return seen.get("call_id") in (None, sent.get("call_id"))
    if sent.get("role") != seen.get("role"):
        return False
    return not seen.get("content") or item_text(sent) == item_text(seen)
