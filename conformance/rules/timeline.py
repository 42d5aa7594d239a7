"""Recordings as text, one line a frame: how rules state what keeps and what breaks them, and how tests build recordings.

    0.000 client   up   Settings {"agent": {"greeting": "Hi"}}
    0.010 upstream down error @server-error {"error": {"type": "server_error"}}
    0.020 client   up   binary 100ms                      # audio: 100 ms of a tone; `silence 100ms` for zeros
    0.130 upstream up   input_audio_buffer.append 100ms   # the same tone, base64 and folded as on the wire
    0.140 client   up   binary {"type": "KeepAlive"}      # JSON in a binary frame; `binary 3B` for three bytes
    0.150 client   up   text "no JSON"                    # a text frame that is no JSON object
    0.160 upstream#1 down close 1001 "bye"                # connection 1 of the leg; `open {...}` likewise
    0.170 client   up   mark wait-timeout {"index": 2}
    0.180 upstream down mark withheld @slow {"event": {"type": "session.updated"}}
    0.500 end died {"log": ["Segmentation fault"]}

Times are seconds. ``@id`` names the script rule that produced, altered or withheld the frame; ``#`` after a blank starts a
comment outside JSON. The first line may be ``header {...}`` with fields of `Header`. Audio is one endless tone per
direction of a connection, so the same total is the same bytes on both legs, however it is cut.
"""

import re
from base64 import b64encode
from typing import Any, Final

import numpy as np
import orjson

from conformance.wire.audio import AudioFormat, encode
from conformance.wire.durations import SECOND, parse_duration
from conformance.wire.folding import AUDIO_FIELDS
from conformance.wire.frames import Direction, Kind, Leg
from conformance.wire.recording import Footer, Header, Outcome, Recorder, Recording

_LINE: Final = re.compile(
    r"(?P<t>\d+(?:\.\d+)?)\s+(?P<leg>client|upstream)(?:#(?P<conn>\d+))?\s+(?P<dir>up|down)\s+(?P<word>\S+)(?:\s+(?P<rest>.*))?"
)
_END: Final = re.compile(r"(?P<t>\d+(?:\.\d+)?)\s+end(?:\s+(?P<outcome>[a-z]+))?(?:\s+(?P<fields>\{.*\}))?")
_SCRIPTED: Final = re.compile(r"@(\S+)\s*")
_COMMENT: Final = re.compile(r"\s+#\s[^\"{}\[\]]*$")
_TONE_HZ: Final = 220
_TONE_PEAK: Final = 9_000


def parse_timeline(text: str) -> Recording:
    """Read a recording from its text form; times in seconds, frames in the order of the lines.

    Raises:
        ValueError: a line is not of the form above; the message holds the line.
    """
    builder: _Builder | None = None
    for raw in text.strip().splitlines():
        line = _COMMENT.sub("", raw.strip())
        if not line or line.startswith("#"):
            continue
        try:
            if builder is None:
                fields = orjson.loads(line.removeprefix("header")) if line.startswith("header") else None
                builder = _Builder(Header(**{"target": "timeline", **(fields or {})}))
                if fields is not None:
                    continue
            builder.add(line)
        except (ValueError, TypeError) as error:
            raise ValueError(f"not a line of a timeline: {raw.strip()!r}: {error}") from error
    return (builder or _Builder(Header(target="timeline"))).recording()


class _Builder:
    def __init__(self, header: Header) -> None:
        self._now = 0
        self._footer: Footer | None = None
        self._recorder = Recorder(header, lambda: self._now)
        self._played: dict[tuple[Leg, int, Direction], int] = {}

    def recording(self) -> Recording:
        return self._recorder.finish(self._footer or Footer(self._now))

    def add(self, line: str) -> None:
        if end := _END.fullmatch(line):
            self._now = _micros(end["t"])
            fields = orjson.loads(end["fields"] or "{}")
            fields["log"] = tuple(fields.get("log", ()))
            self._footer = Footer(self._now, Outcome(end["outcome"] or "finished"), **fields)
            return
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError("write: seconds, client or upstream, up or down, a type, then JSON, a duration or nothing")
        self._now = _micros(match["t"])
        leg, conn, direction = Leg(match["leg"]), int(match["conn"] or 0), Direction(match["dir"])
        word, rest, scripted = match["word"], match["rest"] or "", None
        if word == "mark":
            name, _, rest = rest.partition(" ")
            word = f"mark {name}"
        if found := _SCRIPTED.match(rest):
            scripted, rest = found[1], rest[found.end() :]
        kind, body = self._body(leg, conn, direction, word, rest)
        self._recorder.leg(leg)(conn, direction, kind, body, scripted)

    def _body(self, leg: Leg, conn: int, direction: Direction, word: str, rest: str) -> tuple[Kind, Any]:
        match word:
            case "binary":
                return Kind.BINARY, self._binary(leg, conn, direction, rest)
            case "text":
                return Kind.TEXT, str(orjson.loads(rest))
            case "open":
                return Kind.OPEN, orjson.loads(rest or "{}")
            case "close":
                code, _, reason = rest.partition(" ")
                return Kind.CLOSE, {"code": int(code or 1000), "reason": orjson.loads(reason or '""')}
            case _ if word.startswith("mark "):
                return Kind.MARK, {"mark": word.removeprefix("mark "), **orjson.loads(rest or "{}")}
            case _:
                return Kind.TEXT, {"type": word, **self._fields(leg, conn, direction, word, rest)}

    def _fields(self, leg: Leg, conn: int, direction: Direction, type_: str, rest: str) -> dict[str, Any]:
        field = AUDIO_FIELDS.get(type_)
        if field is None or not rest or rest.startswith("{"):
            fields: dict[str, Any] = orjson.loads(rest or "{}")
            return fields
        duration, _, others = rest.partition("{")
        audio = b64encode(self._audio(leg, conn, direction, duration.strip())).decode()
        return {field: audio, **(orjson.loads("{" + others) if others else {})}

    def _binary(self, leg: Leg, conn: int, direction: Direction, rest: str) -> bytes:
        if rest.startswith(("{", "[")):
            return rest.encode()
        if rest.startswith('"'):
            return str(orjson.loads(rest)).encode()
        if rest.endswith("B"):
            return bytes(int(rest[:-1]))
        return self._audio(leg, conn, direction, rest)

    def _audio(self, leg: Leg, conn: int, direction: Direction, text: str) -> bytes:
        silent = text.startswith("silence ")
        format_ = self._recorder.audio_format(leg, conn, direction)
        count = parse_duration(text.removeprefix("silence ")) * format_.rate // SECOND
        key = (leg, conn, direction)
        start = self._played.get(key, 0)
        self._played[key] = start + count
        return bytes(format_.bytes_per_sample * count) if silent else _tone(start, count, format_)


def _tone(start: int, count: int, format_: AudioFormat) -> bytes:
    phase = np.arange(start, start + count) * (2 * np.pi * _TONE_HZ / format_.rate)
    return encode((np.sin(phase) * _TONE_PEAK).astype(np.int16), format_.encoding)


def _micros(seconds: str) -> int:
    return round(float(seconds) * SECOND)
