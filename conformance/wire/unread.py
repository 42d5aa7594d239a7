"""Recording encoded events unread: at thousands of deltas a second, decoding and encoding them once more is what costs.

A line of a recording ends with the event itself, so an event that is compact JSON is written as it came, behind a beginning
that depends on its type alone. Read are only events with audio, which is folded; what declares an audio format is kept and
read when audio comes.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, cast

import orjson

from conformance.wire import base64
from conformance.wire.depth import read_json
from conformance.wire.folding import AUDIO_FIELDS, fold_event
from conformance.wire.frames import CLOSE, OPEN, TEXT, Direction, Frame, Kind, Leg
from conformance.wire.streams import REALTIME, Streams

READ: Final = frozenset({*AUDIO_FIELDS, "Settings"})
"""Events that a recorder reads at once."""
_WHOLE: Final = (OPEN, CLOSE)
"""What is recorded as it is said."""
Lines = list[tuple[bytes, bytes]]
"""For each event what its line says between the connection and the event, and the event."""
_TYPE_FIRST: Final = b'{"type":"'
_TYPE_AT: Final = len(_TYPE_FIRST)
_TAIL: Final = b"}\n"
_PLAIN: Final = re.compile(r"[a-z_.]+")
_Middles = dict[bytes, bytes | None]
"""What a line says between the connection and the event, by how the event begins; None when it must be read."""
_MIDDLES: Final[Mapping[Direction, _Middles]] = {direction: {} for direction in Direction}
_MOST_MIDDLES: Final = 5_000
_DECLARING_STARTS: Final = frozenset(_TYPE_FIRST + type_.encode() for type_ in REALTIME)


class UnreadSink:
    """The sink of one leg for a recorder that only writes: passes on the bytes of events that need not be read.

    ``record`` takes the events that must be read and every other frame, and all of them while somebody listens; ``write``
    takes the lines of one connection and their tail.
    """

    prefers_bytes = True

    def __init__(
        self,
        leg: Leg,
        listeners: list[Callable[[Frame], None]],
        streams: Streams,
        record: Callable[..., None],
        write: Callable[[int, Lines, bytes], None],
        flush: Callable[[], None],
    ) -> None:
        self._leg = leg
        self._listeners = listeners
        self._streams = streams
        self._record = record
        self._write = write
        self.flush = flush
        """Lets every line so far be in the file; worth calling before what was recorded is sent."""

    def __call__(
        self,
        conn: int,
        direction: Direction,
        kind: Kind,
        body: str | bytes | Mapping[str, Any],
        scripted: str | None = None,
    ) -> None:
        """Record one frame; a text's bytes are compact JSON, a str is whatever came."""
        tail = _TAIL if scripted is None else b',"scripted":%b}\n' % orjson.dumps(scripted)
        if kind in _WHOLE and not self._listeners:
            self._write(conn, [(_middle("", direction, kind), orjson.dumps(body))], tail)
            return
        if kind is not TEXT or self._listeners:
            self._record(conn, direction, kind, body, scripted)
            return
        if type(body) is bytes:
            if self._write_unread(conn, direction, (body,), tail) and not self._write_folded(conn, direction, body, tail):
                self._record(conn, direction, kind, body, scripted)
            return
        event = _loads(body) if isinstance(body, str) else body
        type_ = event.get("type") if isinstance(event, Mapping) else None
        if not isinstance(event, dict) or not isinstance(type_, str) or type_ == "Settings":
            self._record(conn, direction, kind, body if event is None else event, scripted)
            return
        if type_ in AUDIO_FIELDS:
            event = fold_event(event, self._streams.of(self._leg, conn, direction))
        text = orjson.dumps(event, option=orjson.OPT_NON_STR_KEYS)
        self._write(conn, [(_middle(type_, direction), text)], tail)
        if type_ in REALTIME:
            self._streams.note_unread(self._leg, conn, text)

    def many(self, conn: int, direction: Direction, bodies: Sequence[bytes]) -> None:
        """Record events of the same instant that no script had a hand in."""
        if self._listeners:
            for body in bodies:
                self._record(conn, direction, TEXT, body)
            return
        while bodies:
            bodies = self._write_unread(conn, direction, bodies, _TAIL)
            if bodies:
                if not self._write_folded(conn, direction, bodies[0], _TAIL):
                    self._record(conn, direction, TEXT, bodies[0])
                bodies = bodies[1:]

    def _write_unread(self, conn: int, direction: Direction, bodies: Sequence[bytes], tail: bytes) -> Sequence[bytes]:
        """Write events up to the first that must be read; return the rest."""
        known = _MIDDLES[direction]
        starts = [body[: body.find(b'"', _TYPE_AT)] for body in bodies]
        middles = [known[start] if start in known else _learn(known, start, direction) for start in starts]
        unread = middles.index(None) if None in middles else len(middles)
        if unread:
            self._write(conn, list(zip(cast("list[bytes]", middles[:unread]), bodies, strict=False)), tail)
            if not _DECLARING_STARTS.isdisjoint(starts):
                for start, body in zip(starts[:unread], bodies, strict=False):
                    if start in _DECLARING_STARTS:
                        self._streams.note_unread(self._leg, conn, body)
        return bodies[unread:]

    def _write_folded(self, conn: int, direction: Direction, body: bytes, tail: bytes) -> bool:
        """Write an event whose last field is its audio, as the mock says it; False if it is any other."""
        type_ = body[_TYPE_AT : body.find(b'"', _TYPE_AT)].decode("ascii", "replace")
        field = AUDIO_FIELDS.get(type_)
        if field is None:
            return False
        start = body.find(b'"%b":"' % field.encode()) + len(field) + 4
        if body.find(b'"', start) != len(body) - 2:
            return False
        try:
            audio = base64.decode(body[start:-2].decode("ascii"))
        except ValueError:
            return False
        folded = orjson.dumps(self._streams.of(self._leg, conn, direction).fold(audio))
        self._write(conn, [(_middle(type_, direction), b"%b%b}" % (body[: start - 1], folded))], tail)
        return True


def _loads(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError:
        return None


def _learn(known: _Middles, start: bytes, direction: Direction) -> bytes | None:
    type_ = start[_TYPE_AT:].decode("ascii", "replace")
    middle = None
    if start.startswith(_TYPE_FIRST) and type_ not in READ and _PLAIN.fullmatch(type_):
        middle = _middle(type_, direction)
    if len(known) < _MOST_MIDDLES:
        known[start] = middle
    return middle


@lru_cache(maxsize=256)
def _middle(type_: str, direction: Direction, kind: Kind = TEXT) -> bytes:
    words = (direction.value.encode(), kind.value.encode(), orjson.dumps(type_))
    return b',"dir":"%b","kind":"%b","type":%b,"data":' % words
