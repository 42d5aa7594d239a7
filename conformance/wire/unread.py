"""Recording encoded events unread: at thousands of deltas a second, decoding and encoding them once more is what costs."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import orjson

from conformance.wire.folding import AUDIO_FIELDS
from conformance.wire.frames import Direction, Frame, Kind, Leg

READ: Final = frozenset({*AUDIO_FIELDS, "Settings", "session.created", "session.updated"})
"""Events that a recorder reads: audio is folded, declared formats are noted."""

_TYPE_FIRST: Final = b'{"type":"'
_TAIL: Final = b"}\n"
_PLAIN: Final = re.compile(r"[a-z_.]+")
_Key = tuple[bytes, str, int, bool]
_MIDDLES: Final[dict[_Key, str | None]] = {}
"""What a line says between the time and the event, by how the event begins and where it goes; None when it must be read."""
_MOST_MIDDLES: Final = 10_000


class UnreadSink:
    """The sink of one leg for a recorder that only writes: passes on the bytes of events that need not be read.

    ``record`` takes the events that must be read (`READ`) and every other frame, and all of them while somebody listens.
    """

    prefers_bytes = True

    def __init__(
        self,
        leg: Leg,
        listeners: list[Callable[[Frame], None]],
        record: Callable[..., None],
        write: Callable[[Sequence[tuple[str, bytes, bytes]]], None],
    ) -> None:
        self._leg = leg.value
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
            middle = self._middle(body, conn, direction)
            if middle is not None:
                tail = _TAIL if scripted is None else b',"scripted":%b}\n' % orjson.dumps(scripted)
                self._write(((middle, body, tail),))
                return
        self._record(conn, direction, kind, body, scripted)

    def many(self, conn: int, direction: Direction, bodies: Sequence[bytes]) -> None:
        """Record events of the same instant that no script had a hand in."""
        middles = [self._middle(body, conn, direction) for body in bodies]
        if None in middles or self._listeners:
            for body in bodies:
                self(conn, direction, Kind.TEXT, body)
        else:
            self._write([(middle or "", body, _TAIL) for middle, body in zip(middles, bodies, strict=True)])

    def _middle(self, body: bytes, conn: int, direction: Direction) -> str | None:
        key = (body[: body.find(b'"', len(_TYPE_FIRST))], self._leg, conn, direction is Direction.UP)
        return _MIDDLES[key] if key in _MIDDLES else self._learn(key, direction)

    def _learn(self, key: _Key, direction: Direction) -> str | None:
        start, leg, conn, _ = key
        type_ = start[len(_TYPE_FIRST) :].decode("ascii", "replace")
        middle = None
        if start.startswith(_TYPE_FIRST) and type_ not in READ and _PLAIN.fullmatch(type_):
            words = (leg, conn, direction.value, Kind.TEXT.value, type_)
            middle = ',"leg":"{}","conn":{},"dir":"{}","kind":"{}","type":"{}","data":'.format(*words)
        if len(_MIDDLES) < _MOST_MIDDLES:
            _MIDDLES[key] = middle
        return middle
