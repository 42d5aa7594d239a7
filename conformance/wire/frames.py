"""Frames: what crossed a leg, as the recording keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from conformance.wire.durations import Micros


class Leg(StrEnum):
    """The two WebSocket legs of an attempt."""

    CLIENT = "client"
    UPSTREAM = "upstream"


class Direction(StrEnum):
    """Towards OpenAI (up) or towards the client (down)."""

    UP = "up"
    DOWN = "down"


class Kind(StrEnum):
    """What a frame is; ``mark`` is the harness speaking, never a byte on the wire."""

    OPEN = "open"
    TEXT = "text"
    BINARY = "binary"
    CLOSE = "close"
    MARK = "mark"


# The members by themselves, for those who look at every frame: before Python 3.12, looking one up in its class costs more
# than all else that is done with it.
CLIENT: Final = Leg.CLIENT
UPSTREAM: Final = Leg.UPSTREAM
UP: Final = Direction.UP
DOWN: Final = Direction.DOWN
OPEN: Final = Kind.OPEN
TEXT: Final = Kind.TEXT
BINARY: Final = Kind.BINARY
CLOSE: Final = Kind.CLOSE
MARK: Final = Kind.MARK


@dataclass(frozen=True, slots=True)
class Frame:
    """One line of a recording.

    ``type`` is the message's own ``type`` (empty for binary frames and text that is no JSON object; a mark's name for
    marks). ``data`` is the message with audio folded (see `conformance.wire.folding`); for ``close`` it is
    ``{"code", "reason"}`` with code 1006 for an aborted connection; for ``open`` what the handshake showed (path,
    subprotocol, and ``status`` when refused). ``scripted`` is the id of the script rule that produced, altered or
    withheld the frame; a withheld event is a ``mark`` of type ``withheld`` whose data is the event.
    """

    seq: int
    t: Micros
    leg: Leg
    conn: int
    dir: Direction
    kind: Kind
    type: str
    data: Mapping[str, Any]
    scripted: str | None = None

    @property
    def is_event(self) -> bool:
        """True for what really crossed the wire as a message: text and binary frames."""
        return self.kind is TEXT or self.kind is BINARY

    @property
    def is_refusal(self) -> bool:
        """True for a handshake that was answered by another ``status`` than 101, or by none at all (null: reset)."""
        return self.kind is OPEN and self.data.get("status", 101) != 101
