"""What a session asks its shell to do, and what the shell tells it when a connection opens."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

import orjson

from conformance.wire.script import Fault, Script

_UNREAD: Final = object()


class Send:
    """One frame to the client. ``text`` is UTF-8 as it goes out; ``event`` what it says, None if that cannot be read.

    A text frame unless ``binary``. ``scripted`` names the script rule that produced, altered or delayed it. Deltas are
    written from templates and read back only if somebody asks for the event; that, and the price of a frozen dataclass
    at 100,000 of them a second, is why this is a plain class. Treat it as frozen.
    """

    __slots__ = ("_event", "binary", "scripted", "text")
    __match_args__ = ("text", "event", "scripted", "binary")

    def __init__(self, text: bytes, event: object = _UNREAD, scripted: str | None = None, binary: bool = False) -> None:
        """Take a frame; without ``event`` it is what ``text`` says."""
        self.text = text
        self._event = event
        self.scripted = scripted
        self.binary = binary

    @property
    def is_readable(self) -> bool:
        """Whether the frame is an event; it need not be read for that."""
        return self._event is not None

    @property
    def is_ordinary(self) -> bool:
        """Whether the frame is an event as any other, in whose form no script had a hand."""
        return self.scripted is None and self._event is not None and not self.binary

    @property
    def event(self) -> Mapping[str, Any] | None:
        """What the frame says."""
        if self._event is _UNREAD:
            self._event = orjson.loads(self.text)
        return cast("Mapping[str, Any] | None", self._event)

    def __eq__(self, other: object) -> bool:
        mine = (self.text, self.scripted, self.binary)
        return isinstance(other, Send) and mine == (other.text, other.scripted, other.binary)

    def __hash__(self) -> int:
        return hash((self.text, self.scripted, self.binary))

    def __repr__(self) -> str:
        return f"Send({self.text!r}, scripted={self.scripted!r}, binary={self.binary!r})"


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection with this code and reason."""

    code: int
    reason: str = ""
    scripted: str | None = None


@dataclass(frozen=True, slots=True)
class Abort:
    """Reset the connection, without a closing handshake."""

    scripted: str | None = None


@dataclass(frozen=True, slots=True)
class HalfOpen:
    """Stop reading and writing; the connection stays open."""

    scripted: str | None = None


@dataclass(frozen=True, slots=True)
class NoPong:
    """Answer no ping from now on."""

    scripted: str | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """A line for the recording that never crosses the wire: ``{"mark": "withheld" | "fault" | "delayed", …}``."""

    body: Mapping[str, Any]
    scripted: str | None = None


Action = Send | Close | Abort | HalfOpen | NoPong | Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What the shell knows when a connection opens.

    ``epoch`` is the unix second that time 0 stands for, ``conn`` the number of the connection within its attempt.
    ``model`` and ``intent`` come from the query, ``headers`` have lower-case names. ``key`` is the key the client showed
    (None: none), and ``valid_key`` what the shell thinks of it. ``preset`` is the session that an ephemeral key was made
    for. ``fault`` is the one named on the command line; scripts bring their own.
    """

    script: Script = field(default_factory=Script)
    seed: int = 0
    epoch: int = 1_790_000_000
    conn: int = 0
    model: str | None = None
    intent: str | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    valid_key: bool = True
    preset: Mapping[str, Any] | None = None
    fault: Fault | None = None
