"""Replay: the upstream side of a recorded session, served again; pure, for the same shell as the faithful session.

Theory. A recorded connection is a row of *turns*: what the client sent, and what the upstream sent after it with its
gaps. A turn's answers are due when the client has sent that turn's events again, each gap counted from the last of them.
Ids that the client chose (items, events, calls) are bound to the new ones and replaced in every answer. Audio counts by
its duration: a recorded run of appends is there as soon as as much audio has come, in whatever chunks. Lenient,
unforeseen client events are passed over and marked; strict, they end the replay with a close that names both events.
"""

import re
from base64 import b64encode
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

from conformance.wire.audio import PCM_24K, AudioFormat, encode, realtime_format
from conformance.wire.closing import can_close_with
from conformance.wire.durations import Micros
from conformance.wire.folding import AUDIO_FIELDS
from conformance.wire.frames import Direction, Frame, Kind, Leg
from conformance.wire.recording import Recording
from conformance.wire.streams import REALTIME, session_format
from mock_upstream.actions import Abort, Action, Close, Mark, Send

_MISMATCH: Final = 4000
_NO_EVENT: Final = "a frame that is no event"
_APPEND: Final = "input_audio_buffer.append"
_IDS: Final = frozenset({"id", "event_id", "item_id", "previous_item_id", "call_id", "response_id"})
_DIGEST: Final = re.compile("[0-9a-f]{64}")
_LARGEST: Final = 64 * 2**20
"""Bytes of one body; a recording that says more was not made by us."""
_AUDIO_TOLERANCE_MS: Final = 20.0
"""What a resampler on the way may swallow."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One thing the upstream did, ``gap`` after the client event before it."""

    gap: Micros
    frame: Frame


@dataclass(frozen=True, slots=True)
class Turn:
    """The client events that must come, then the upstream's answers. ``audio_ms`` is the duration of appends among them."""

    events: tuple[Frame, ...]
    audio_ms: float
    answers: tuple[Answer, ...]


@dataclass(slots=True)
class _Progress:
    """How much of a turn has come."""

    missing: list[Frame]
    audio_ms: float
    answers: deque[Answer] = field(default_factory=deque)


class Replay:
    """One recorded connection of the upstream leg, as a core for `mock_upstream.live.Live`.

    Args:
        recording: what to play.
        conn: which connection of its upstream leg.
        strict: end with an error when the client sends what the recording has not.
        audio_dir: where bodies are kept by their hash (``--keep-audio``); without them equally loud noise is played.

    Raises:
        ValueError: the recording has no such connection on its upstream leg.
    """

    def __init__(self, recording: Recording, conn: int = 0, *, strict: bool = False, audio_dir: Path | None = None) -> None:
        frames = [f for f in recording.frames if f.leg is Leg.UPSTREAM and f.conn == conn and f.kind is not Kind.MARK]
        if not frames:
            raise ValueError(f"the recording has no connection {conn} on its upstream leg; there is nothing to replay")
        self._turns = deque(_turns(frames))
        self._strict = strict
        self._audio = _Audio(audio_dir)
        self._ids: dict[str, str] = {}
        self._agenda: deque[tuple[Micros, Frame]] = deque()
        self._current: _Progress | None = None
        self._owed_ms = 0.0
        """Audio that the recording has beyond what came, up to the tolerance; negative where more came."""
        self._format: AudioFormat = PCM_24K
        """In which the client's audio comes."""
        self._over = False

    def open(self, now: Micros) -> Sequence[Action]:
        """Begin: what the upstream said before the client spoke."""
        self._begin_turn(now)
        return self.wake(now)

    def receive(self, frame: str | bytes, now: Micros) -> Sequence[Action]:
        """Take a client's message and look for it in the recording."""
        if self._over:
            return ()
        event = _read(frame)
        return self.wake(now) if self._take(event, now) else self._unforeseen(event)

    def wake(self, now: Micros) -> Sequence[Action]:
        """Play what has become due."""
        actions: list[Action] = []
        while self._agenda and self._agenda[0][0] <= now and not self._over:
            actions.append(self._play(self._agenda.popleft()[1]))
        return actions

    def deadline(self) -> Micros | None:
        """Tell when the next answer is due."""
        return self._agenda[0][0] if self._agenda and not self._over else None

    def closed(self, now: Micros) -> None:  # noqa: ARG002 (every core is told the time)
        """Learn that the client is gone."""
        self._over = True

    def _begin_turn(self, now: Micros) -> None:
        """Go on to the next turn; one whose client events are all there is answered at once."""
        self._owed_ms = self._current.audio_ms if self._current is not None else 0.0
        while self._turns:
            turn = self._turns.popleft()
            events = [event for event in turn.events if event.type != _APPEND]
            self._current = _Progress(events, turn.audio_ms + self._owed_ms, deque(turn.answers))
            if events or self._current.audio_ms > _AUDIO_TOLERANCE_MS:
                return
            self._owed_ms = self._current.audio_ms
            self._answer(now)
        self._current = None

    def _answer(self, now: Micros) -> None:
        if self._current is not None:
            after = max(now, self._agenda[-1][0]) if self._agenda else now
            self._agenda.extend((max(after, now + answer.gap), answer.frame) for answer in self._current.answers)

    def _take(self, event: Mapping[str, Any], now: Micros) -> bool:
        current, type_ = self._current, event.get("type")
        if current is None:
            self._owed_ms -= self._duration_ms(event)
            return type_ == _APPEND and (not self._strict or self._owed_ms >= -_AUDIO_TOLERANCE_MS)
        if type_ == _APPEND:
            if current.audio_ms <= 0:
                return not self._strict
            current.audio_ms -= self._duration_ms(event)
        else:
            wanted = type_ if isinstance(type_, str) else ""
            recorded = next((frame for frame in current.missing if frame.type == wanted), None)
            if recorded is None:
                return False
            current.missing.remove(recorded)
            self._bind(recorded.data, event)
        if not current.missing and current.audio_ms <= _AUDIO_TOLERANCE_MS:
            self._answer(now)
            self._begin_turn(now)
        return True

    def _bind(self, recorded: Any, live: Any) -> None:
        """Remember which new id stands for which recorded one, wherever both events hold one at the same place."""
        if isinstance(recorded, Mapping) and isinstance(live, Mapping):
            for key, value in recorded.items():
                new = live.get(key)
                if key in _IDS and isinstance(value, str) and isinstance(new, str):
                    self._ids.setdefault(value, new)
                else:
                    self._bind(value, new)
        elif isinstance(recorded, list) and isinstance(live, list):
            for old, new in zip(recorded, live, strict=False):
                self._bind(old, new)

    def _play(self, frame: Frame) -> Action:
        if frame.kind is Kind.CLOSE:
            self._over = True
            code, reason = frame.data.get("code", 1000), frame.data.get("reason")
            return Close(code, str(reason or "")) if can_close_with(code) else Abort()
        if frame.kind is Kind.BINARY:
            return Send(self._audio.body(frame.data), None, binary=True)
        if "raw" in frame.data and not frame.type:
            return Send(str(frame.data["raw"]).encode(), None)
        if frame.type in REALTIME:
            self._format = realtime_format(session_format(_session(frame.data), "input")) or self._format
        event = self._rebound(self._audio.unfold(frame))
        return Send(orjson.dumps(event), event)

    def _rebound(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: self._rebound(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._rebound(item) for item in value]
        return self._ids.get(value, value) if isinstance(value, str) else value

    def _unforeseen(self, event: Mapping[str, Any]) -> Sequence[Action]:
        came = event.get("type")
        came = came if isinstance(came, str) and came else _NO_EVENT
        wanted = self._wanted()
        mark = Mark({"mark": "unforeseen", "came": came, "wanted": wanted})
        if not self._strict:
            return (mark,)
        self._over = True
        return (mark, Close(_MISMATCH, f"replay: {came} came, the recording has {wanted}"))

    def _wanted(self) -> str:
        if self._current is None:
            return "nothing more"
        wanted = [frame.type or _NO_EVENT for frame in self._current.missing]
        if self._current.audio_ms > _AUDIO_TOLERANCE_MS:
            wanted.append(f"{self._current.audio_ms:.0f} ms of audio")
        return ", ".join(wanted)

    def _duration_ms(self, event: Mapping[str, Any]) -> float:
        audio = event.get("audio")
        return self._format.duration(len(audio) * 3 // 4) / 1000 if isinstance(audio, str) else 0.0


def connections(recording: Recording) -> list[int]:
    """Return the numbers of the connections of a recording's upstream leg."""
    return sorted({frame.conn for frame in recording.frames if frame.leg is Leg.UPSTREAM and frame.kind is not Kind.MARK})


class _Audio:
    """Gives folded audio a body again."""

    def __init__(self, kept: Path | None) -> None:
        self._kept = kept
        self._format: AudioFormat = PCM_24K

    def unfold(self, frame: Frame) -> Mapping[str, Any]:
        """Return the event with its audio as base64 again."""
        if frame.type in REALTIME:
            self._format = realtime_format(session_format(_session(frame.data), "output")) or self._format
        name = AUDIO_FIELDS.get(frame.type)
        folded = frame.data.get(name) if name else None
        if name is None or not isinstance(folded, Mapping):
            return frame.data
        if "bytes" not in folded:
            return {**frame.data, name: folded.get("invalid", "")}
        return {**frame.data, name: b64encode(self.body(folded)).decode()}

    def body(self, folded: Mapping[str, Any]) -> bytes:
        """Return the kept body, or noise of the same length and loudness, the same for the same body."""
        digest = str(folded.get("sha256", ""))
        kept = self._kept / f"{digest}.raw" if self._kept is not None and _DIGEST.fullmatch(digest) else None
        if kept is not None and kept.is_file():
            return kept.read_bytes()
        size = folded.get("bytes")
        size = min(size, _LARGEST) if isinstance(size, int) and size > 0 else 0
        count = -(-size // self._format.bytes_per_sample)
        rms = folded.get("rms")
        loud = [level for level in rms if isinstance(level, int | float)] if isinstance(rms, list) else []
        levels = np.repeat(np.asarray(loud or [0], dtype=np.float64), self._format.rate // 50)
        random = np.random.default_rng(int(sha256(digest.encode()).hexdigest()[:16], 16))
        noise = random.uniform(-1.0, 1.0, count) * 3**0.5 * np.resize(levels, count)
        return encode(np.clip(noise, -32768, 32767).astype(np.int16), self._format.encoding)[:size]


def _turns(frames: Sequence[Frame]) -> Iterator[Turn]:
    """Cut a connection into turns; the first one may have no client events."""
    events: list[Frame] = []
    answers: list[Answer] = []
    heard = frames[0].t
    for frame in frames:
        if frame.kind is Kind.OPEN:
            heard = frame.t
        elif frame.dir is Direction.UP:
            if frame.kind is Kind.CLOSE:
                break  # the client left; nothing after it can be asked for again
            if answers:
                yield Turn(tuple(events), _appended_ms(events), tuple(answers))
                events, answers = [], []
            events.append(frame)
            heard = frame.t
        else:
            answers.append(Answer(frame.t - heard, frame))
    if events or answers:
        yield Turn(tuple(events), _appended_ms(events), tuple(answers))


def _appended_ms(events: Sequence[Frame]) -> float:
    bodies = (event.data.get("audio") for event in events if event.type == _APPEND)
    lengths = [body.get("ms") for body in bodies if isinstance(body, Mapping)]
    return sum(float(ms) for ms in lengths if isinstance(ms, int | float))


def _session(event: Mapping[str, Any]) -> Mapping[str, Any]:
    session = event.get("session")
    return session if isinstance(session, Mapping) else {}


def _read(frame: str | bytes) -> Mapping[str, Any]:
    try:
        event = orjson.loads(frame)
    except orjson.JSONDecodeError:
        return {}
    return event if isinstance(event, dict) else {}
