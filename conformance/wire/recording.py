"""The recording: both legs of one attempt on one clock, as JSON lines.

A header line, a line per frame, a footer. Everything after an attempt (judge, report, replay) reads only this. A file
that was cut off half-way loads with ``footer`` None and without its broken last line.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

import orjson

from conformance.wire.audio import AudioFormat
from conformance.wire.depth import read_json
from conformance.wire.durations import SECOND, Micros
from conformance.wire.folding import AUDIO_FIELDS, KeepAudio, Lately, fold_binary, fold_event, fold_unreadable
from conformance.wire.frames import BINARY, MARK, TEXT, Direction, Frame, Kind, Leg
from conformance.wire.streams import DECLARING, Streams
from conformance.wire.streams import session_format as session_format
from conformance.wire.unread import Lines, UnreadSink

SCHEMA: Final = 1
_BLOT: Final = b"[secret]"
"""What stands where a secret stood."""
_SECRET: Final = re.compile(
    rb"""(?: (?<! [A-Za-z0-9] ) | (?<= \\[bfnrt] ) )   # a word's start, also after an escape such as \n in JSON
         (?: sk- | ek_ )
         (?! [a-z]{1,15} (?: [^A-Za-z0-9_*-] | $ ) )   # a plain lower-case word makes no key: "sk-learning"
         [A-Za-z0-9_*-]{8,}""",
    re.VERBOSE,
)


class Outcome(StrEnum):
    """How an attempt ended, as the harness saw it."""

    FINISHED = "finished"
    CANCELLED = "cancelled"
    DIED = "died"
    """The subject's process ended during the attempt."""
    UNUSABLE = "unusable"
    """The subject made the attempt impossible: it did not start, or flooded its client; ``message`` says how."""
    ERROR = "error"
    """The harness or the infrastructure failed; ``message`` says how."""


@dataclass(frozen=True, slots=True)
class Header:
    """What was driven. ``epoch`` is the unix second that time 0 stands for; ``seed`` the attempt's own."""

    scenario: str = ""
    flow: str = ""
    cell: Mapping[str, Any] = field(default_factory=dict)
    attempt: int = 1
    target: str = "mock"
    speaks: str = "voice-agent"
    seed: int = 0
    clock: str = "virtual"
    epoch: int = 0
    fault: str | None = None
    mutant: str | None = None


@dataclass(frozen=True, slots=True)
class Footer:
    """How it ended. ``lateness`` is the harness's own worst lateness in µs; ``log`` the subject's last log lines."""

    t: Micros
    outcome: Outcome = Outcome.FINISHED
    message: str | None = None
    lateness: Micros = 0
    log: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recording:
    """One attempt, recorded."""

    header: Header
    frames: tuple[Frame, ...]
    footer: Footer | None = None

    @property
    def end(self) -> Micros:
        """When the attempt ended: the footer's time, else the last frame's."""
        if self.footer is not None:
            return self.footer.t
        return self.frames[-1].t if self.frames else 0


class Sink(Protocol):
    """Where a leg's frames go: the seam between the shells that carry frames and the recording."""

    def __call__(
        self,
        conn: int,
        direction: Direction,
        kind: Kind,
        body: str | bytes | Mapping[str, Any],
        scripted: str | None = None,
    ) -> None:
        """Take one frame: text as str or as the parsed event, binary as bytes, open, close and marks as mappings.

        A text or binary frame that was folded already may be given as its data.

        A mark's mapping holds its name under ``mark``.
        """


class Stream(Protocol):
    """What a recording is written to; any binary file is one."""

    def write(self, data: bytes, /) -> object:
        """Take some lines."""

    def flush(self) -> None:
        """Let every line so far be in the file."""


class Recorder:
    """Collects the frames of both legs on one clock, and writes them as they come if given a stream."""

    def __init__(
        self,
        header: Header,
        now: Callable[[], Micros],
        *,
        client_format: AudioFormat | None = None,
        keep_audio: KeepAudio | None = None,
        secrets: tuple[str, ...] = (),
        stream: Stream | None = None,
        keep_frames: bool = True,
    ) -> None:
        """Start a recording; ``now`` gives the microseconds since the attempt's start.

        With ``keep_frames`` False only the stream and the listeners get the frames, so that hours cost no memory.
        """
        self.header = header
        self.frames: list[Frame] = []
        self.footer: Footer | None = None
        self.listeners: list[Callable[[Frame], None]] = []
        self._now = now
        # Without frames it is the recording of one leg, and of sessions by the hundred: nothing to be met again.
        self._streams = Streams(client_format, keep_audio, Lately() if keep_frames else None)
        plain = [secret for secret in secrets if len(secret) >= 6]
        self._secrets = tuple({form: None for secret in plain for form in (orjson.dumps(secret)[1:-1], secret.encode())})
        self._blotted: dict[int, bytes] = {}
        """The lines of frames that held a secret, by ``seq``: what is judged later is what was written."""
        self._stream = stream
        self._keep_frames = keep_frames
        self._only_writes = stream is not None and not keep_frames
        self._count = 0
        if stream is not None:
            stream.write(header_line(header))

    def leg(self, leg: Leg) -> Sink:
        """Return the sink of a leg."""
        record = partial(self._record, leg)
        if not self._only_writes:
            return record
        write = partial(self._write_unread, leg)
        return UnreadSink(leg, self.listeners, self._streams, record, write, self.flush)

    def flush(self) -> None:
        """Let every line so far be in the file, if the stream holds some."""
        if self._stream is not None:
            self._stream.flush()

    def finish(self, footer: Footer) -> Recording:
        """Write the footer and return the recording."""
        self.footer = footer
        if self._stream is not None:
            line = self._scrub(footer_line(footer))
            self._stream.write(line)
            self.flush()
            footer = _read_footer(orjson.loads(line)) if _BLOT in line else footer
        for place, frame in enumerate(self.frames) if self._blotted else ():
            if frame.seq in self._blotted:
                self.frames[place] = read_frame(orjson.loads(self._blotted[frame.seq]))
        return Recording(self.header, tuple(self.frames), footer)

    def audio_format(self, leg: Leg, conn: int, direction: Direction) -> AudioFormat:
        """Return the audio format in force on one direction of a connection, as the frames so far declared it."""
        return self._streams.of(leg, conn, direction).format

    def _record(
        self,
        leg: Leg,
        conn: int,
        direction: Direction,
        kind: Kind,
        body: str | bytes | Mapping[str, Any],
        scripted: str | None = None,
    ) -> None:
        type_, data = self._read(leg, conn, direction, kind, body)
        frame = Frame(self._count, self._now(), leg, conn, direction, kind, type_, data, scripted)
        self._count += 1
        if self._keep_frames:
            self.frames.append(frame)
        if self._stream is not None:
            line = self._scrub(frame_line(frame))
            self._stream.write(line)
            if _BLOT in line:
                self._blotted[frame.seq] = line
        for listener in self.listeners:
            listener(frame)

    def _write_unread(self, leg: Leg, conn: int, lines: Lines, tail: bytes) -> None:
        """Write the lines of events of this instant around their own bytes; see `conformance.wire.unread`."""
        place = f',"t":{self._now() / SECOND!r},"leg":"{leg.value}","conn":{conn}'.encode()
        numbered = enumerate(lines, self._count)
        written = b"".join([b'{"seq":%d%b%b%b%b' % (seq, place, middle, body, tail) for seq, (middle, body) in numbered])
        self._count += len(lines)
        if self._stream is not None:
            self._stream.write(self._scrub(scrub(written)))

    def _read(
        self, leg: Leg, conn: int, direction: Direction, kind: Kind, body: str | bytes | Mapping[str, Any]
    ) -> tuple[str, Mapping[str, Any]]:
        if kind is BINARY:
            if isinstance(body, bytes):
                return "", fold_binary(body, self._streams.of(leg, conn, direction))
            return "", body if isinstance(body, Mapping) else fold_binary(b"", self._streams.of(leg, conn, direction))
        if isinstance(body, (str, bytes)):
            try:
                event = read_json(body)
            except ValueError:
                event = None
            if not isinstance(event, dict):
                text = body if isinstance(body, str) else body.decode("utf-8", "replace")
                return "", fold_unreadable(text)
            body = event
        if kind is MARK:
            return str(body.get("mark", "")), {key: value for key, value in body.items() if key != "mark"}
        if kind is not TEXT:
            return "", body
        type_ = body.get("type")
        if not isinstance(type_, str):
            return "", body
        if type_ in DECLARING:
            self._streams.note(leg, conn, body)
        elif type_ in AUDIO_FIELDS:
            return type_, fold_event(body, self._streams.of(leg, conn, direction))
        return type_, body

    def _scrub(self, line: bytes) -> bytes:
        for secret in self._secrets:
            line = line.replace(secret, _BLOT)
        return line


def scrub(line: bytes) -> bytes:
    """Replace what looks like a key of the API (``sk-…``) or a client secret (``ek_…``)."""
    # Most of a session's lines hold no hyphen at all, and one character is found ten times faster than three.
    may = (b"-" in line and b"sk-" in line) or b"ek_" in line
    return _SECRET.sub(_BLOT, line) if may else line


def header_line(header: Header) -> bytes:
    """Write the first line."""
    line = {"recording": SCHEMA, **{name: getattr(header, name) for name in Header.__slots__}}
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def frame_line(frame: Frame) -> bytes:
    """Write a frame's line: its time in seconds, ``scripted`` only where a script had a hand in it."""
    line: dict[str, Any] = {
        "seq": frame.seq,
        "t": frame.t / SECOND,
        "leg": frame.leg,
        "conn": frame.conn,
        "dir": frame.dir,
        "kind": frame.kind,
        "type": frame.type,
        "data": frame.data,
    }
    if frame.scripted is not None:
        line["scripted"] = frame.scripted
    return scrub(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS))


def footer_line(footer: Footer) -> bytes:
    """Write the last line."""
    line = {"end": footer.t / SECOND, **{name: getattr(footer, name) for name in Footer.__slots__ if name != "t"}}
    return scrub(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))


def read_frame(line: Mapping[str, Any]) -> Frame:
    """Read a frame's line.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    if type(line["data"]) is not dict or type(line["type"]) is not str or type(line["conn"]) is not int:
        raise TypeError("a frame has an object for data, a text for type and a number for conn")
    return Frame(
        seq=line["seq"],
        t=round(line["t"] * SECOND),
        leg=Leg(line["leg"]),
        conn=line["conn"],
        dir=Direction(line["dir"]),
        kind=Kind(line["kind"]),
        type=line["type"],
        data=line["data"],
        scripted=line.get("scripted"),
    )


def dump(recording: Recording) -> bytes:
    """Write a recording as JSON lines."""
    lines = [header_line(recording.header), *(frame_line(frame) for frame in recording.frames)]
    if recording.footer is not None:
        lines.append(footer_line(recording.footer))
    return b"".join(lines)


def load(path: Path) -> Recording:
    """Read a recording.

    Raises:
        ValueError: the file is no recording, or of a newer schema; the message names the file and the line.
        OSError: the file cannot be read.
    """
    lines = path.read_bytes().split(b"\n")
    header: Header | None = None
    footer: Footer | None = None
    frames: list[Frame] = []
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            value = orjson.loads(line)
            if not isinstance(value, dict):
                raise TypeError("it is no object")
            if header is None:
                header = _read_header(value)
            elif "end" in value:
                footer = _read_footer(value)
            else:
                frames.append(read_frame(value))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            if header is not None and number == len(lines):
                break  # the attempt was killed while this line was being written
            raise ValueError(f"{path}:{number}: not a line of a recording: {error}") from error
    if header is None:
        raise ValueError(f"{path}: the file is empty; the attempt was killed before it began")
    return Recording(header, tuple(frames), footer)


def _read_header(value: Mapping[str, Any]) -> Header:
    if value.get("recording") != SCHEMA:
        raise ValueError(f"recording schema {value.get('recording')!r}; this version reads {SCHEMA}")
    return Header(**{key: item for key, item in value.items() if key in Header.__slots__})


def _read_footer(value: Mapping[str, Any]) -> Footer:
    return Footer(
        t=round(value["end"] * SECOND),
        outcome=Outcome(value["outcome"]),
        message=value.get("message"),
        lateness=value.get("lateness", 0),
        log=tuple(value.get("log", ())),
    )
