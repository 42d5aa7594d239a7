"""The indexed view of a recording that all rules share: connections, which upstream belongs to which client, who left when.

It is built once per `Case`. A `Link` is one upstream connection with the client connection it serves. Its frames end where
the client left, for after that only the rules named for the close apply (principle 6); these read `Link.late`.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, Final

from conformance.rules.exchange import Exchange
from conformance.rules.model import Case, Finding
from conformance.wire.durations import MILLISECOND, SECOND, Micros
from conformance.wire.events import BETA_OF_GA, GA_OF_BETA
from conformance.wire.frames import BINARY, CLIENT, DOWN, MARK, OPEN, TEXT, UP, UPSTREAM, Direction, Frame, Leg

CROSSING: Final = 50 * MILLISECOND
"""On the real clock an event up may have crossed an event down this long before it (principle 5)."""
_NO_SIGNS: Final = frozenset({"dialled", "away"})
"""Marks of the harness about itself, which may come before there is a connection."""
HANDSHAKE: Final = 5 * SECOND
"""An upstream handshake that a client began by coming may be over this long after it left, or before its own is."""

_PROMPT: Final = SECOND
"""A proxy dials this soon after what made it dial."""

_DEVIATIONS: Final = ("withheld", "fault")
"""Marks of a mock that kept an event back, or broke it."""


class Conn:
    """One connection of a leg."""

    def __init__(self, leg: Leg, number: int) -> None:
        self.leg = leg
        self.number = number
        self.opened: Frame | None = None
        self.closed: Frame | None = None
        self.events: list[Frame] = []
        self.marks: list[Frame] = []

    def add(self, frame: Frame) -> None:
        """Take the next frame of this connection."""
        if frame.kind is TEXT or frame.kind is BINARY:
            if self.leg is UPSTREAM or self.left is None:
                self.events.append(frame)  # what still reached a client that had left is nobody's
        elif frame.kind is MARK:
            self.marks.append(frame)
        elif frame.kind is OPEN:
            self.opened = self.opened or frame
        else:
            self.closed = self.closed or frame

    @cached_property
    def up(self) -> list[Frame]:
        """Events up, in order."""
        return [frame for frame in self.events if frame.dir is UP]

    @cached_property
    def down(self) -> list[Frame]:
        """Events down, in order."""
        return [frame for frame in self.events if frame.dir is DOWN]

    @property
    def left(self) -> Frame | None:
        """The close, if the client's side closed first."""
        return self.closed if self.closed is not None and self.closed.dir is UP else None

    @cached_property
    def first(self) -> Frame:
        """Its first frame of any kind."""
        firsts = [self.opened, *self.events[:1], *self.marks[:1], self.closed]
        return min((frame for frame in firsts if frame is not None), key=lambda frame: frame.seq)

    @property
    def start(self) -> Micros:
        """When its first frame was."""
        return self.first.t

    def part(self, start: int, end: int | None) -> "Conn":
        """Return this connection as it was between two frames: while a proxy served it by one upstream of several."""
        part = Conn(self.leg, self.number)
        part.opened = self.opened
        part.closed = self.closed if end is None else None
        part.events = [frame for frame in self.events if start <= frame.seq and (end is None or frame.seq < end)]
        part.marks = [mark for mark in self.marks if start <= mark.seq and (end is None or mark.seq < end)]
        return part

    @property
    def refused(self) -> bool:
        """True when the handshake was refused, or reset."""
        return self.opened is not None and self.opened.is_refusal

    def of(self, *types: str, direction: Direction = DOWN) -> list[Frame]:
        """Return the events of these types in one direction."""
        frames = self.down if direction is DOWN else self.up
        return [frame for frame in frames if frame.type in types]

    def horizon(self, end: Micros) -> Micros:
        """Return the last instant at which anything could still be seen here: until its close, or a half-open peer."""
        ends = [mark.t for mark in self.marks if mark.type == "fault" and mark.data.get("name") == "half-open"]
        return min([end, *ends, *([self.closed.t] if self.closed is not None else [])])


class Link:
    """One upstream connection and the client connection it serves (None without a proxy)."""

    def __init__(self, upstream: Conn, client: Conn | None, case: Case, *, real: bool) -> None:
        self.upstream = upstream
        self.client = client
        self.case = case
        self.crossing = CROSSING if real else 0

    def serves(self, conn: Conn) -> bool:
        """True when this is the client connection that the upstream connection serves."""
        return self.client is not None and self.client.number == conn.number

    @cached_property
    def left(self) -> Frame | None:
        """The frame with which the client left."""
        if self.client is not None:
            return self.client.left
        return self.upstream.left

    @cached_property
    def events(self) -> list[Frame]:
        """Events of the upstream leg in both directions until the client left."""
        left = self.left
        return [frame for frame in self.upstream.events if left is None or frame.seq < left.seq]

    @cached_property
    def up(self) -> list[Frame]:
        """Events up the upstream leg until the client left."""
        return [frame for frame in self.events if frame.dir is UP]

    @cached_property
    def down(self) -> list[Frame]:
        """Events down the upstream leg until the client left."""
        return [frame for frame in self.events if frame.dir is DOWN]

    @cached_property
    def late(self) -> list[Frame]:
        """Events up the upstream leg after the client left."""
        left = self.left
        return [] if left is None else [frame for frame in self.upstream.up if frame.seq > left.seq]

    @cached_property
    def by_type(self) -> Mapping[str, list[Frame]]:
        """Events of the upstream leg by GA name."""
        index: dict[str, list[Frame]] = {}
        for frame in self.events:
            index.setdefault(GA_OF_BETA.get(frame.type, frame.type), []).append(frame)
        return index

    def of(self, *types: str) -> list[Frame]:
        """Return the upstream leg's events of these GA names, in order."""
        if len(types) == 1:
            return self.by_type.get(types[0], [])
        return sorted((frame for name in types for frame in self.by_type.get(name, [])), key=lambda frame: frame.seq)

    @cached_property
    def exchange(self) -> Exchange:
        """Requests and their answers: updates, items, creates, responses, commits."""
        return Exchange(self.events, settings=self.settings_frames, injects=self.client_texts("InjectUserMessage"))

    @cached_property
    def ready(self) -> Frame | None:
        """The first `session.updated`."""
        return next(iter(self.of("session.updated")), None)

    @cached_property
    def granted(self) -> Frame | None:
        """The first `session.updated` that answers an update of this link: from then on its subject owes something."""
        return next((update.answer for update in self.exchange.updates if update.answer is not None), None)

    @cached_property
    def created(self) -> Frame | None:
        """The first `session.created`."""
        return next(iter(self.of("session.created")), None)

    @cached_property
    def horizon(self) -> Micros:
        """The last instant at which the upstream leg could still carry something up."""
        ends = [self.case.recording.end, self.upstream.horizon(self.case.recording.end)]
        if self.client is not None:
            ends.append(self.client.horizon(self.case.recording.end))
        return min(ends)

    @cached_property
    def spoken_until(self) -> Micros:
        """The last instant at which the upstream could still say something: a half-open one only does not."""
        closes = [conn.closed.t for conn in (self.upstream, self.client) if conn is not None and conn.closed is not None]
        return min([self.case.recording.end, *closes])

    @cached_property
    def client_horizon(self) -> Micros:
        """The last instant at which the client could still be told something."""
        end = self.case.recording.end
        return end if self.client is None else self.client.horizon(end)

    def was_kept_from(self, request: Frame) -> bool:
        """True when the mock kept something back, or broke it, after a request: its answer may have been among it."""
        return any(mark.seq > request.seq and mark.type in _DEVIATIONS for mark in self.upstream.marks)

    def client_texts(self, *types: str) -> list[Frame]:
        """Return the client's text messages of these types, in order."""
        return [] if self.client is None else [f for f in self.client.up if f.type in types and f.kind is TEXT]

    def shown(self, *types: str) -> list[Frame]:
        """Return what the client was sent of these types, in order."""
        return [] if self.client is None else [f for f in self.client.down if f.type in types]

    @cached_property
    def settings_frames(self) -> list[Frame]:
        """The client's `Settings`, in order."""
        return self.client_texts("Settings")

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """The `Settings` that were asked for upstream: the last before the first update not refused, else the first."""
        update = next((update.frame for update in self.exchange.updates if update.refused is None), None)
        before = [frame for frame in self.settings_frames if update is not None and frame.seq < update.seq]
        chosen = before[-1:] or self.settings_frames[:1]
        return chosen[0].data if chosen else {}

    @cached_property
    def is_beta(self) -> bool:
        """True when the upstream speaks the beta dialect."""
        return is_beta(self.upstream)


class View:
    """A recording, indexed."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.recording = case.recording
        self.real = case.recording.header.clock == "real"
        self.crossing = CROSSING if self.real else 0
        self._conns: dict[tuple[Leg, int], Conn] = {}
        for frame in case.recording.frames:
            if frame.kind is MARK and frame.type in _NO_SIGNS:
                continue
            key = (frame.leg, frame.conn)
            conn = self._conns.get(key)
            if conn is None:
                conn = self._conns[key] = Conn(frame.leg, frame.conn)
            conn.add(frame)
        self.clients = [conn for (leg, _), conn in self._conns.items() if leg is CLIENT]
        self.upstreams = [conn for (leg, _), conn in self._conns.items() if leg is UPSTREAM]

    @cached_property
    def is_realtime(self) -> bool:
        """True when the client leg speaks Realtime."""
        return self.recording.header.speaks == "realtime"

    @cached_property
    def driven(self) -> bool:
        """True when our own driver plays the client, as a scenario tells it: then the client is not the subject."""
        return any(mark.type == "step" for conn in self.clients for mark in conn.marks)

    @cached_property
    def links(self) -> list[Link]:
        """Every upstream connection that was opened, with its client."""
        if not self.case.subject or not self.upstreams:
            conns = self.upstreams or (self.clients if self.is_realtime else [])
            return [Link(conn, None, self.case, real=self.real) for conn in conns]
        ordered = sorted(self.upstreams, key=lambda conn: conn.first.seq)
        pairs = [(conn, self._client_of(conn)) for conn in ordered]
        links = []
        for index, (conn, client) in enumerate(pairs):
            others = [other.first.seq for other, owner in pairs[index + 1 :] if owner is client]
            again = any(owner is client for _, owner in pairs[:index])
            if client is not None and (others or again):
                client = client.part(conn.first.seq if again else 0, min(others, default=None))
            links.append(Link(conn, client, self.case, real=self.real))
        return links

    @cached_property
    def unlinked(self) -> list[Conn]:
        """Client connections for which no upstream connection was ever seen."""
        served = {link.client.number for link in self.links if link.client is not None}
        return [conn for conn in self.clients if conn.number not in served]

    def _client_of(self, upstream: Conn) -> Conn | None:
        """Return the client that an upstream connection serves.

        It was there and had not left; of several the one with the fewest upstream connections so far, of these the one that
        spoke last before; where nobody spoke lately (the upstream let all wait) the one that came first. On the real clock
        an upstream handshake may be recorded before the client's own is over, or only when a client that never had an
        upstream has left: then those that stayed are served already. A gateway answers its client only when the upstream
        has answered, so where nobody else was there the client's opening may be recorded long after.
        """
        first = upstream.first
        here = [c for c in self.clients if c.first.seq < first.seq and (c.closed is None or c.closed.t >= first.t)]
        soon = [c for c in self.clients if first.seq < c.first.seq and c.start - first.t <= self.crossing]
        fresh = [c for c in here if not self._taken.get(c.number)] or [c for c in soon if not self._taken.get(c.number)]
        unserved = [c for c in self.clients if c.first.seq < first.seq and not self._taken.get(c.number)]
        if not fresh and self.real and all(self._is_served(c, first) for c in here):
            fresh = [c for c in unserved if c.closed is not None and first.t - c.closed.t <= HANDSHAKE]
        if not fresh and not here and self.real:
            fresh = [c for c in self.clients if _was_answered_after(c, upstream) and not self._taken.get(c.number)][:1]
        candidates = fresh or here or [c for c in self.clients if c.first.seq < first.seq] or soon
        if not candidates:
            return None
        fewest = min(self._taken.get(c.number, 0) for c in candidates)
        equals = [c for c in candidates if self._taken.get(c.number, 0) == fewest]
        recent = [c for c in equals if first.t - _spoke_last(c, first.seq).t <= _PROMPT]
        best = max(recent, key=lambda c: _spoke_last(c, first.seq).seq) if recent else equals[0]
        self._taken[best.number] = self._taken.get(best.number, 0) + 1
        self._serving[best.number] = upstream
        return best

    def _is_served(self, client: Conn, at: Frame) -> bool:
        """Tell whether a client's upstream connection was open when another began."""
        serving = self._serving.get(client.number)
        return serving is not None and (serving.closed is None or serving.closed.seq > at.seq)

    @cached_property
    def _taken(self) -> dict[int, int]:
        return {}

    @cached_property
    def _serving(self) -> dict[int, Conn]:
        return {}


def _was_answered_after(client: Conn, upstream: Conn) -> bool:
    """Tell whether a client's opening was recorded soon after that of an upstream connection, and while that was open."""
    began, opened = upstream.first, client.first
    ended = upstream.closed
    return began.seq < opened.seq and opened.t - began.t <= HANDSHAKE and (ended is None or ended.seq > opened.seq)


def _spoke_last(conn: Conn, seq: int) -> Frame:
    return next((frame for frame in reversed(conn.up) if frame.seq < seq), conn.first)


def view(case: Case) -> View:
    """Return the case's view, built at the first call."""
    found = case.cache.get("view")
    if not isinstance(found, View):
        found = case.cache["view"] = View(case)
    return found


def is_beta(conn: Conn) -> bool:
    """Tell from the server's own words whether a connection speaks the beta dialect."""
    for frame in conn.down:
        if frame.type == "conversation.item.created" and "object" not in _item(frame):
            continue
        if frame.type in GA_OF_BETA or frame.type.startswith("transcription_session."):
            return True
        if frame.type in BETA_OF_GA:
            return False
        session = frame.data.get("session") if frame.type in ("session.created", "session.updated") else None
        if isinstance(session, Mapping) and session:
            # Only GA nests `audio`; a server that mixes the two speaks GA with fields it should have left behind.
            return "audio" not in session and ("modalities" in session or "input_audio_format" in session)
    return False


def _item(frame: Frame) -> Mapping[str, Any]:
    item = frame.data.get("item")
    return item if isinstance(item, Mapping) else {}


def once_per_cause(findings: Iterable[Finding]) -> list[Finding]:
    """Keep the first finding of each cause (principle 2)."""
    first: dict[str, Finding] = {}
    for finding in findings:
        first.setdefault(finding.cause, finding)
    return list(first.values())


def find(frame: Frame, message: str, cause: str | None = None, **rest: Any) -> Finding:
    """Make a finding of the frame that breaks the rule; its type is the cause unless another is given."""
    return Finding(cause=cause or frame.type or frame.kind, message=message, t=frame.t, event=frame.seq, **rest)
