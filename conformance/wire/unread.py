"""Recording encoded events unread: at thousands of deltas a second, decoding and encoding them once more is what costs."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import orjson

from conformance.wire.folding import AUDIO_FIELDS
from conformance.wire.frames import Direction, Frame, Kind

READ: Final = frozenset({*AUDIO_FIELDS, "Settings", "session.created", "session.updated"})
"""Events that a recorder reads: audio is folded, declared formats are noted."""

_TYPE_FIRST: Final = b'{"type":"'
_TAIL: Final = b"}\n"
_PLAIN: Final = re.compile(r"[a-z_.]+")
_Middles = dict[bytes, bytes | None]
"""What a line says between the connection and the event, by how the event begins; None when it must be read."""
_MIDDLES_UP: Final[_Middles] = {}
_MIDDLES_DOWN: Final[_Middles] = {}
_MOST_MIDDLES: Final = 5_000


class UnreadSink:
    """The sink of one leg for a recorder that only writes: passes on the bytes of events that need not be read.

    ``record`` takes the events that must be read (`READ`) and every other frame, and all of them while somebody listens.
    """

    prefers_bytes = True

    def __init__(
        self,
        listeners: list[Callable[[Frame], None]],
        record: Callable[..., None],
        write: Callable[[int, Sequence[tuple[bytes, bytes]], bytes], None],
    ) -> None:
        self._listeners = listeners
        self._record = record
        self._write = write

    def __call__(
        self,
        conn: int,
        direction: Direction,
        kind: Kind,
        body: str | bytes | Mapping[str, Any],
        scripted: str | None = None,
    ) -> None:
        """Record one frame."""
        if type(body) is bytes and kind is Kind.TEXT and not self._listeners:
            (middle,) = _middles((body,), direction)
            if middle is not None:
                tail = _TAIL if scripted is None else b',"scripted":%b}\n' % orjson.dumps(scripted)
                self._write(conn, ((middle, body),), tail)
                return
        self._record(conn, direction, kind, body, scripted)

    def many(self, conn: int, direction: Direction, bodies: Sequence[bytes]) -> None:
        """Record events of the same instant that no script had a hand in."""
        middles = _middles(bodies, direction)
        unread = [(middle, body) for middle, body in zip(middles, bodies, strict=True) if middle is not None]
        if len(unread) < len(bodies) or self._listeners:
            for body in bodies:
                self(conn, direction, Kind.TEXT, body)
        else:
            self._write(conn, unread, _TAIL)


def _middles(bodies: Sequence[bytes], direction: Direction) -> list[bytes | None]:
    known = _MIDDLES_UP if direction is Direction.UP else _MIDDLES_DOWN
    starts = [body[: body.find(b'"', len(_TYPE_FIRST))] for body in bodies]
    return [known[start] if start in known else _learn(known, start, direction) for start in starts]


def _learn(known: _Middles, start: bytes, direction: Direction) -> bytes | None:
    type_ = start[len(_TYPE_FIRST) :].decode("ascii", "replace")
    middle = None
    if start.startswith(_TYPE_FIRST) and type_ not in READ and _PLAIN.fullmatch(type_):
        words = (direction.value, Kind.TEXT.value, type_)
        middle = ',"dir":"{}","kind":"{}","type":"{}","data":'.format(*words).encode()
    if len(known) < _MOST_MIDDLES:
        known[start] = middle
    return middle
