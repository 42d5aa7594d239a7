"""Cassettes: recorded WebSocket sessions in the YAML form of pydantic-ai's tests, read as recordings.

A cassette is ``{version, interactions: [{kind: message, direction: sent|received, data: event}]}``. It has no times; the
ids of received events carry the second in which they were made, so order is exact and gaps are good to a second.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from conformance.scenario.mistakes import Mistake, Place, ScenarioError
from conformance.scenario.yaml_source import read_yaml
from conformance.wire.durations import MILLISECOND, SECOND, Micros
from conformance.wire.frames import Direction, Kind, Leg
from conformance.wire.ids import decode_clock
from conformance.wire.recording import Footer, Header, Recorder, Recording

_STEP: Final[Micros] = MILLISECOND
_DIRECTIONS: Final = {"sent": Direction.UP, "received": Direction.DOWN}


def load_cassette(path: Path) -> Recording:
    """Read a cassette as the upstream leg of a recording.

    Raises:
        ScenarioError: it is no cassette; the message names file, line and column.
        OSError: the file cannot be read.
    """
    document = read_yaml(path.read_text(encoding="utf-8"), str(path))
    data = document.data
    interactions = data.get("interactions") if isinstance(data, Mapping) else None
    if document.mistakes or not isinstance(interactions, list):
        sentence = "this is no cassette: it has no list of `interactions`"
        raise ScenarioError(document.mistakes or [Mistake(str(path), Place(), sentence)])
    clock: list[Micros] = [0]
    recorder = Recorder(Header(target="cassette", speaks="realtime", clock="real"), lambda: clock[0])
    sink = recorder.leg(Leg.UPSTREAM)
    sink(0, Direction.UP, Kind.OPEN, {"path": "/v1/realtime", "query": {}, "subprotocol": None})
    first: int | None = None
    for number, interaction in enumerate(interactions):
        match interaction:
            case {"kind": "message", "direction": "sent" | "received" as direction, "data": dict(event)}:
                made = _made(event)
                first = made if first is None else first
                since = 0 if made is None or first is None else (made - first) * SECOND
                clock[0] = max(clock[0] + _STEP, since)
                sink(0, _DIRECTIONS[direction], Kind.TEXT, event)
            case _:
                place = document.place(("interactions", number))
                sentence = "an interaction is {kind: message, direction: sent or received, data: an event}"
                raise ScenarioError([Mistake(str(path), place, sentence)])
    return recorder.finish(Footer(clock[0]))


def _made(event: Mapping[str, Any]) -> int | None:
    """Return the second in which the server made an event; None for what carries no clock."""
    try:
        return decode_clock(str(event.get("event_id")))
    except ValueError:
        return None
