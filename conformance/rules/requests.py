"""What goes up and asks for something, and what became of it: updates, items, creates, commits, and the responses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.rules.reading import item_text, mapping
from conformance.wire.durations import Micros
from conformance.wire.events import ga_name
from conformance.wire.frames import Frame


@dataclass(slots=True, eq=False)
class Request:
    """An event up, and the error that refused it, or (``answer``) the event that granted it."""

    frame: Frame
    refused: Frame | None = None
    answer: Frame | None = None

    @property
    def is_open(self) -> bool:
        """True while it is neither granted nor refused."""
        return self.answer is None and self.refused is None


@dataclass(slots=True, eq=False)
class Update(Request):
    """A `session.update` and the `session.updated` that answered it."""

    @property
    def is_doubtful(self) -> bool:
        """True when only its place in the order speaks for its refusal, so that a `session.updated` outweighs it."""
        error = mapping(self.refused.data.get("error")) if self.refused is not None else {}
        return self.refused is not None and not error.get("event_id") and not error.get("param")


@dataclass(slots=True, eq=False)
class Item(Request):
    """A `conversation.item.create` and its confirmations (`added`, `done`, beta `created`)."""

    confirmations: list[Frame] = field(default_factory=list)
    server_id: str | None = None

    @property
    def is_open(self) -> bool:
        """True while it is neither confirmed nor refused."""
        return not self.confirmations and self.refused is None

    @property
    def body(self) -> Mapping[str, Any]:
        """The item itself."""
        return mapping(self.frame.data.get("item"))

    @property
    def is_output(self) -> bool:
        """True for a function call's output."""
        return self.body.get("type") == "function_call_output"

    @property
    def is_user(self) -> bool:
        """True for a user message."""
        return self.body.get("role") == "user" and self.body.get("type", "message") == "message"

    @property
    def confirmed(self) -> Frame | None:
        """The first confirmation."""
        return self.confirmations[0] if self.confirmations else None

    @property
    def text(self) -> str:
        """The words of the item."""
        return item_text(self.body)


@dataclass(slots=True, eq=False)
class Response:
    """A response as the upstream told it; ``create`` is None when the server started it by itself."""

    id: str
    start: Frame
    create: "Create | None" = None
    end: Frame | None = None
    frames: list[Frame] = field(default_factory=list)
    calls: dict[str, Frame] = field(default_factory=dict)
    default: bool = True

    @property
    def first_seq(self) -> int:
        """Where it began to be active: with its request, else with `response.created`."""
        return self.create.frame.seq if self.create is not None else self.start.seq

    @property
    def first_t(self) -> Micros:
        """When it began to be active."""
        return self.create.frame.t if self.create is not None else self.start.t

    @property
    def began(self) -> bool:
        """True when it was asked for or announced; an event of a response that never was does not make one active."""
        return self.create is not None or self.start.type == "response.created"

    @property
    def last(self) -> Frame:
        """The last event of it that was really sent."""
        return self.frames[-1] if self.frames else self.start

    @property
    def status(self) -> str:
        """The status in `response.done`; empty while it runs."""
        return "" if self.end is None else str(mapping(self.end.data.get("response")).get("status", "completed"))

    def active_at(self, seq: int) -> bool:
        """True from its request to its `response.done`."""
        return self.began and self.first_seq < seq and (self.end is None or self.end.seq > seq)

    def of(self, *types: str) -> list[Frame]:
        """Return its events of these GA names."""
        return [frame for frame in self.frames if ga_name(frame.type) in types]

    @property
    def outputs(self) -> Sequence[Mapping[str, Any]]:
        """The items that `response.done` lists."""
        output = mapping(self.end.data.get("response")).get("output") if self.end is not None else None
        return [item for item in output if isinstance(item, Mapping)] if isinstance(output, list) else []


@dataclass(slots=True, eq=False)
class Create(Request):
    """A `response.create` and the response it brought."""

    response: Response | None = None

    @property
    def is_open(self) -> bool:
        """True while it has neither brought a response nor been refused."""
        return self.response is None and self.refused is None

    @property
    def default(self) -> bool:
        """False for an out-of-band response."""
        return mapping(self.frame.data.get("response")).get("conversation") != "none"


@dataclass(slots=True, eq=False)
class Commit(Request):
    """An audio commit, ours or (``server``) the server's own.

    ``audio`` is what was appended since the last commit of anybody, ``own`` since the last of the proxy's, in bytes;
    ``appends`` are the frames of ``audio``.
    """

    server: bool = False
    committed: Frame | None = None
    audio: int = 0
    own: int = 0
    appends: list[Frame] = field(default_factory=list)
    timed_out: bool = False

    @property
    def is_open(self) -> bool:
        """True while it is neither taken nor refused."""
        return self.committed is None and self.refused is None
