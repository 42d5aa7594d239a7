"""A recording told in lines: audio folded into bars with their duration, deltas into one line, the rest as it was."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

import orjson

from conformance.wire.durations import SECOND, Micros, format_duration
from conformance.wire.folding import AUDIO_FIELDS
from conformance.wire.frames import Direction, Frame, Kind, Leg
from conformance.wire.recording import Recording

from .text import clip, printable, value_of

_PAUSE: Final = SECOND
"""A run of audio or deltas ends when nothing came for this long."""
_PAYLOAD: Final = 3_000
_TOLD_MARKS: Final = frozenset({"fault", "withheld", "delayed", "wait-timeout", "connect-failed"})
"""Marks a reader needs; the driver's steps are left to the recording."""


class LineKind(StrEnum):
    """What a line of the story is."""

    EVENT = "event"
    AUDIO = "audio"
    DELTAS = "deltas"
    OPEN = "open"
    CLOSE = "close"
    MARK = "mark"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Line:
    """One line: ``count`` frames from ``t`` to ``end``; ``ms`` is the audio in it; ``seq`` the first frame's."""

    seq: int
    last: int
    t: Micros
    end: Micros
    leg: Leg
    conn: int
    dir: Direction
    kind: LineKind
    type: str
    data: Mapping[str, Any]
    count: int = 1
    ms: float = 0.0
    scripted: str | None = None

    @property
    def name(self) -> str:
        """What to call it: the event's type, or what it is when it has none."""
        if self.type:
            return self.type
        return {"audio": "audio", "open": "connected", "close": "closed", "unreadable": "text that is no JSON object"}.get(
            self.kind.value, self.kind.value
        )

    @property
    def payload(self) -> str:
        """What it carried, as JSON on one line, harmless and at most 3,000 characters."""
        text = orjson.dumps(self.data, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
        shown = printable(text[: 2 * _PAYLOAD])
        if len(text) <= _PAYLOAD:
            return shown
        return f"{shown[:_PAYLOAD]}… ({len(text) - _PAYLOAD:,} more characters in the recording)"


def tell(recording: Recording) -> tuple[Line, ...]:
    """Return the lines, by the time of their first frame."""
    told: list[Line] = []
    runs: dict[tuple[Leg, int, Direction, str], int] = {}
    for frame in recording.frames:
        line = _line(frame)
        if line is None:
            continue
        if line.kind not in {LineKind.AUDIO, LineKind.DELTAS}:
            if line.kind is not LineKind.MARK:
                for key in [key for key in runs if key[:3] == (line.leg, line.conn, line.dir)]:
                    del runs[key]
            told.append(line)
            continue
        key = (line.leg, line.conn, line.dir, line.type)
        index = runs.get(key)
        if index is not None and line.t - told[index].end <= _PAUSE and told[index].scripted == line.scripted:
            told[index] = _joined(told[index], line)
        else:
            runs[key] = len(told)
            told.append(line)
    return tuple(told)


def _joined(run: Line, line: Line) -> Line:
    data: Mapping[str, Any] = {**run.data, "bytes": run.data.get("bytes", 0) + line.data.get("bytes", 0)}
    if run.kind is LineKind.DELTAS:
        data = {**run.data, "delta": f"{run.data.get('delta', '')}{line.data.get('delta', '')}"}
    return replace(run, last=line.seq, end=line.t, data=data, count=run.count + line.count, ms=round(run.ms + line.ms, 3))


def _line(frame: Frame) -> Line | None:
    kind, type_, data, ms = LineKind.EVENT, frame.type, frame.data, 0.0
    field = AUDIO_FIELDS.get(frame.type)
    audio = frame.data if frame.kind is Kind.BINARY else frame.data.get(field) if field is not None else None
    if frame.kind is Kind.MARK:
        if frame.type not in _TOLD_MARKS:
            return None
        kind = LineKind.MARK
    elif frame.kind is Kind.OPEN or frame.kind is Kind.CLOSE:
        kind = LineKind.OPEN if frame.kind is Kind.OPEN else LineKind.CLOSE
    elif isinstance(audio, Mapping) and "ms" in audio and "json" not in audio and "text" not in audio:
        kind, ms = LineKind.AUDIO, _number(audio.get("ms"))
        data = {"bytes": int(_number(audio.get("bytes")))}
    elif frame.kind is Kind.BINARY:
        kind, type_ = LineKind.UNREADABLE, "binary that is no audio"
        data = {key: frame.data[key] for key in ("json", "text", "bytes") if key in frame.data}
    elif not frame.type:
        kind = LineKind.UNREADABLE
    elif frame.type.endswith(".delta"):
        kind = LineKind.DELTAS
    if kind in {LineKind.EVENT, LineKind.DELTAS}:
        data = {key: value for key, value in data.items() if key != "type"}
    t = frame.t
    return Line(frame.seq, frame.seq, t, t, frame.leg, frame.conn, frame.dir, kind, type_, data, 1, ms, frame.scripted)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def of_leg(lines: Iterable[Line], leg: Leg) -> tuple[Line, ...]:
    """Return the lines of a leg that crossed the wire; marks are the harness speaking."""
    return tuple(line for line in lines if line.leg is leg and line.kind is not LineKind.MARK)


def title(line: Line) -> str:
    """Write a line for people: ``input_audio_buffer.append ×10, 200 ms``."""
    name = printable(clip(line.name, 120))
    if line.kind is LineKind.AUDIO:
        return f"{name} ×{line.count}, {line.ms:g} ms" if line.count > 1 else f"{name}, {line.ms:g} ms"
    if line.kind is LineKind.CLOSE:
        return f"closed {line.data.get('code', '')}".strip()
    if line.kind is LineKind.MARK:
        return printable(clip(_mark(line), 120))
    return f"{name} ×{line.count}" if line.count > 1 else name


def _mark(line: Line) -> str:
    match line.type, line.data:
        case "delayed", {"type": kind, "by": int(by)}:
            return f"delayed {kind} by {format_duration(by)}"
        case "withheld", {"event": {"type": kind}}:
            return f"withheld {kind}"
        case "wait-timeout", {"pattern": pattern}:
            return f"waited in vain for {value_of(pattern)}"
    return " ".join([line.name, *map(value_of, line.data.values())])
