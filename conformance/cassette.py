"""Cassettes: recorded WebSocket sessions in the YAML form of pydantic-ai's tests, read as recordings.

A cassette is ``{version, interactions: [...]}``. An interaction is a message, ``{direction: sent|received, data: event}``,
or the end of a connection, ``{kind: close, code, reason, ok}``; what follows that is the next connection. Those of
2026-09 and later say ``at`` how many seconds after the first each one happened. In older ones the ids of received events
carry the second in which they were made, so order is exact and gaps are good to a second.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from conformance.scenario.mistakes import Mistake, Place, ScenarioError
from conformance.scenario.yaml_source import Document, read_yaml
from conformance.scenario.yaml_source import Path as Way
from conformance.wire.depth import is_too_deep
from conformance.wire.durations import MILLISECOND, SECOND, Micros
from conformance.wire.frames import Direction, Kind, Leg
from conformance.wire.ids import decode_clock
from conformance.wire.recording import Footer, Header, Recorder, Recording, Sink

MAX_SIZE: Final = 64 * 2**20
MAX_VALUES: Final = 2_000_000
"""What a machine writes may be longer than what people write: a session of an hour, its audio kept."""
_STEP: Final[Micros] = MILLISECOND
_DIRECTIONS: Final = {"sent": Direction.UP, "received": Direction.DOWN}
_LONGEST: Final = 86_400
"""Seconds; an id that is later than that after the first is another maker's and carries no clock."""
_GOOD_ENDINGS: Final = (1000, 1001)
_ABNORMAL: Final = 1006
_FORM: Final = (
    "an interaction is {direction: sent or received, data: an event} or {kind: close, code: a number, reason: a text}"
)


def load_cassette(path: Path) -> Recording:
    """Read a cassette as the upstream leg of a recording.

    Raises:
        ScenarioError: it is no cassette; the message names file, line and column.
        ValueError: it is no text.
        OSError: the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: this is no text in UTF-8; unpack it if it is compressed") from None
    document = read_yaml(text, str(path), max_size=MAX_SIZE, max_values=MAX_VALUES)
    data = document.data
    interactions = data.get("interactions") if isinstance(data, Mapping) else None
    if document.mistakes:
        raise ScenarioError(document.mistakes[:1])
    if not isinstance(interactions, list):
        raise _mistake(document, (), "this is no cassette: it has no list of `interactions`")
    if not interactions:
        raise _mistake(document, (), "this cassette is empty: its list of `interactions` holds none")
    tape = _Tape()
    for number, interaction in enumerate(interactions):
        if not tape.take(interaction):
            way: Way = ("interactions", number)
            if isinstance(interaction, Mapping) and "request" in interaction:
                raise _mistake(document, way, "this is a cassette of HTTP requests; name one of a WebSocket")
            raise _mistake(document, way, _FORM)
    return tape.finish()


class _Tape:
    """The recording that a cassette's interactions become."""

    def __init__(self) -> None:
        self._now: Micros = 0
        self._recorder = Recorder(Header(target="cassette", speaks="realtime", clock="real"), lambda: self._now)
        self._sink: Sink = self._recorder.leg(Leg.UPSTREAM)
        self._conn = -1
        self._is_open = False
        self._first: int | None = None
        """The second of the first event that carries a clock."""

    def take(self, interaction: Any) -> bool:
        """Record an interaction; False if it is none."""
        match interaction:
            case {"kind": "close", "code": int(code)}:
                self._pass(interaction.get("at"), None)
                self._open()
                failed = interaction.get("ok") is False and code in _GOOD_ENDINGS
                ending = {"code": _ABNORMAL if failed else code, "reason": str(interaction.get("reason") or "")}
                self._sink(self._conn, Direction.DOWN, Kind.CLOSE, ending)
                self._is_open = False
            case {"direction": "sent" | "received" as direction, "data": dict(event)} if interaction.get(
                "kind", "message"
            ) == "message" and not is_too_deep(event):
                self._pass(interaction.get("at"), event)
                self._open()
                self._sink(self._conn, _DIRECTIONS[direction], Kind.TEXT, event)
            case _:
                return False
        return True

    def finish(self) -> Recording:
        """Return what was recorded."""
        return self._recorder.finish(Footer(self._now))

    def _open(self) -> None:
        """Begin a connection, unless one is open."""
        if not self._is_open:
            self._conn += 1
            self._is_open = True
            opening: dict[str, Any] = {"path": "/v1/realtime", "query": {}, "subprotocol": None}
            self._sink(self._conn, Direction.UP, Kind.OPEN, opening)

    def _pass(self, at: Any, event: Mapping[str, Any] | None) -> None:
        """Let it be the time of an interaction: what it says, else what its event's id says, else a moment later."""
        if isinstance(at, int | float) and not isinstance(at, bool) and 0 <= at < 1e9:
            self._now = max(self._now, round(at * SECOND))
            return
        made = None if event is None else _made(event)
        self._first = made if self._first is None else self._first
        since = 0 if made is None or self._first is None else made - self._first
        self._now = max(self._now + _STEP, since * SECOND if since <= _LONGEST else 0)


def _mistake(document: Document, way: Way, sentence: str) -> ScenarioError:
    return ScenarioError([Mistake(document.file, document.place(way) if way else Place(), sentence)])


def _made(event: Mapping[str, Any]) -> int | None:
    """Return the second in which the server made an event; None for what carries no clock."""
    try:
        return decode_clock(str(event.get("event_id")))
    except ValueError:
        return None
