"""Recording encoded events unread: at thousands of deltas a second, decoding and encoding them once more is what costs."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from conformance.wire.frames import Direction, Frame, Kind, Leg

_TYPE_FIRST: Final = b'{"type":"'
_PLAIN: Final = re.compile(r"[a-z_.]+")
_MOST_TYPES: Final = 1_000


class UnreadSink:
    """The sink of one leg for a recorder that only writes: passes on the bytes of events that need not be read.

    ``read`` names the types that must be, since something in them is folded or noted; ``record`` takes those and every other
    frame, and all of them while somebody listens.
    """

    prefers_bytes = True

    def __init__(
        self,
        leg: Leg,
        read: Collection[str],
        listeners: list[Callable[[Frame], None]],
        record: Callable[..., None],
        write: Callable[[str, bytes, str | None], None],
    ) -> None:
        self._leg = leg
        self._read = read
        self._listeners = listeners
        self._record = record
        self._write = write
        self._middles: dict[tuple[bytes, int, bool], str | None] = {}
        """What a line says between the time and the event, by how the event begins; None when it must be read."""

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
            key = (body[: body.find(b'"', len(_TYPE_FIRST))], conn, direction is Direction.UP)
            middle = self._middles[key] if key in self._middles else self._learn(key, direction)
            if middle is not None:
                self._write(middle, body, scripted)
                return
        self._record(conn, direction, kind, body, scripted)

    def _learn(self, key: tuple[bytes, int, bool], direction: Direction) -> str | None:
        start, conn, _ = key
        type_ = start[len(_TYPE_FIRST) :].decode("ascii", "replace")
        middle = None
        if start.startswith(_TYPE_FIRST) and type_ not in self._read and _PLAIN.fullmatch(type_):
            words = (self._leg.value, conn, direction.value, Kind.TEXT.value, type_)
            middle = ',"leg":"{}","conn":{},"dir":"{}","kind":"{}","type":"{}","data":'.format(*words)
        if len(self._middles) < _MOST_TYPES:
            self._middles[key] = middle
        return middle
