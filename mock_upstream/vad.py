"""Voice activity detection on the samples the client really sent, in quanta of 32 ms of audio time.

Every recorded pair of offsets obeys ``audio_end_ms ≡ 0`` and ``audio_start_ms + prefix_padding_ms ≡ 0`` modulo 32, clamped
at 0 (ground truth §5.6). The detector is plain energy per quantum, not a learned model: the same bytes give the same events
on every machine, a chunk costs a few microseconds, and a scenario's author can reason about it (silence is silence, speech
and tones are speech). Its clock is audio time only: a client that stops sending leaves the
segment open, as the API does.

Semantic VAD judges words, which energy cannot; ours ends a turn when the API promises to at the latest: 8, 4 or 2 s of
silence by eagerness (SDK reference of ``semantic_vad``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from conformance.wire.audio import AudioFormat, Samples
from conformance.wire.durations import MILLISECOND, SECOND, Micros

QUANTUM_MS: Final = 32
QUANTUM: Final = QUANTUM_MS * MILLISECOND
SEMANTIC_WAIT_MS: Final = {"low": 8_000, "medium": 4_000, "high": 2_000, "auto": 4_000}
DEFAULT_THRESHOLD: Final = 0.5
DEFAULT_PREFIX_MS: Final = 300
DEFAULT_SILENCE_MS: Final = 200

_ONSET: Final = 2
"""Quanta in a row that make speech: a click of a few milliseconds does not interrupt a response."""
_FLOOR_DB: Final = -60.0
_SPAN_DB: Final = 40.0
_FULL_SCALE: Final = 32_768.0


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Speech began; the offset includes the prefix padding."""

    audio_start_ms: int


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """Speech ended; the offset includes the silence that was waited for."""

    audio_end_ms: int


@dataclass(frozen=True, slots=True)
class IdleTimeout:
    """Nobody spoke for ``idle_timeout_ms`` of audio after the last response was played."""

    audio_start_ms: int
    audio_end_ms: int


VadEvent = SpeechStarted | SpeechStopped | IdleTimeout


@dataclass(frozen=True, slots=True)
class VadSettings:
    """What a ``turn_detection`` object asks of the detector, in milliseconds and a threshold between 0 and 1."""

    threshold: float = DEFAULT_THRESHOLD
    prefix_ms: int = DEFAULT_PREFIX_MS
    silence_ms: int = DEFAULT_SILENCE_MS
    idle_ms: int | None = None

    @property
    def loudness(self) -> float:
        """The RMS above which a quantum is speech: threshold 0 is -60 dBFS, 0.5 is -40, 1 is -20."""
        return float(_FULL_SCALE * 10 ** ((_FLOOR_DB + _SPAN_DB * self.threshold) / 20))


def read_settings(turn_detection: Mapping[str, Any]) -> VadSettings:
    """Read a ``turn_detection`` object of either dialect; what it lacks takes the API's defaults."""
    if turn_detection.get("type") == "semantic_vad":
        return VadSettings(silence_ms=SEMANTIC_WAIT_MS.get(str(turn_detection.get("eagerness")), SEMANTIC_WAIT_MS["auto"]))
    return VadSettings(
        threshold=_given(turn_detection, "threshold", DEFAULT_THRESHOLD),
        prefix_ms=_given(turn_detection, "prefix_padding_ms", DEFAULT_PREFIX_MS),
        silence_ms=_given(turn_detection, "silence_duration_ms", DEFAULT_SILENCE_MS),
        idle_ms=turn_detection.get("idle_timeout_ms"),
    )


def make_vad(turn_detection: Mapping[str, Any] | None, format_: AudioFormat, at: Micros = 0) -> "Vad | None":
    """Return a detector that begins at ``at`` of audio time, or None where turn detection is off."""
    return None if turn_detection is None else Vad(read_settings(turn_detection), format_, at)


class Vad:
    """The detector of one session: samples go in, events come out."""

    def __init__(self, settings: VadSettings, format_: AudioFormat, at: Micros = 0) -> None:
        self.settings = settings
        self._quantum = format_.rate * QUANTUM_MS // 1_000
        self._rate = format_.rate
        self._begun = at
        self._samples = 0
        begun = at * format_.rate // SECOND
        self._position_ms = -(-begun // self._quantum) * QUANTUM_MS
        self._skip = -begun % self._quantum
        """Samples up to the first whole quantum, when the detector was made amid the stream."""
        self._rest: Samples = np.empty(0, dtype=np.int16)
        self._voiced = 0
        self._silent = 0
        self._speaking = False
        self._played_at: Micros | None = None
        self._idle_from: Micros | None = None

    @property
    def total(self) -> Micros:
        """Audio time up to the last sample heard."""
        return self._begun + self._samples * SECOND // self._rate

    @property
    def speaking(self) -> bool:
        """Whether a segment is open."""
        return self._speaking

    def reset(self) -> None:
        """Forget the open segment: the buffer was committed by hand, or cleared."""
        self._speaking = False
        self._voiced = self._silent = 0

    def start_idle_clock(self, at: Micros) -> None:
        """Count ``idle_timeout_ms`` from this audio time on: the end of the last response's playback."""
        self._played_at, self._idle_from = at, None

    def stop_idle_clock(self) -> None:
        """Stop counting: a response or a turn began."""
        self._played_at = self._idle_from = None

    def feed(self, samples: Samples) -> list[VadEvent]:
        """Hear some samples and return what they brought about, in order."""
        before = self.total
        self._samples += samples.size
        events: list[VadEvent] = []
        for loud in self._loud(samples).tolist():
            self._position_ms += QUANTUM_MS
            event = self._hear(loud)
            if event is not None:
                events.append(event)
        timeout = self._idle(before)
        return [*events, timeout] if timeout is not None else events

    def _loud(self, samples: Samples) -> npt.NDArray[np.bool_]:
        """Return which of the quanta that these samples complete are speech."""
        if self._skip:
            skipped = min(self._skip, samples.size)
            self._skip -= skipped
            samples = samples[skipped:]
        heard = np.concatenate((self._rest, samples)) if self._rest.size else samples
        whole = heard.size // self._quantum * self._quantum
        self._rest = heard[whole:].copy()
        quanta = heard[:whole].reshape(-1, self._quantum).astype(np.float64)
        power: npt.NDArray[np.float64] = np.einsum("ij,ij->i", quanta, quanta) / self._quantum
        loud: npt.NDArray[np.bool_] = power > self.settings.loudness**2
        return loud

    def _hear(self, loud: bool) -> VadEvent | None:
        if not self._speaking:
            self._voiced = self._voiced + 1 if loud else 0
            return self._start() if self._voiced >= _ONSET else None
        self._silent = 0 if loud else self._silent + 1
        if self._silent * QUANTUM_MS < self.settings.silence_ms:
            return None
        self.reset()
        return SpeechStopped(self._position_ms)

    def _start(self) -> SpeechStarted:
        self._speaking = True
        self._silent = 0
        self.stop_idle_clock()
        onset_ms = self._position_ms - self._voiced * QUANTUM_MS
        return SpeechStarted(max(0, onset_ms - self.settings.prefix_ms))

    def _idle(self, before: Micros) -> IdleTimeout | None:
        """Look at the idle clock once an append, as the recorded pair shows.

        Appends of 100 ms and a response played by 700 to 799 ms give 672 → 5792 to a server that looks when audio
        comes: its clock begins at 700, more than 5,000 ms have passed at 5,800; both are rounded down to the quantum.
        """
        if self._played_at is None or self.settings.idle_ms is None or self.total <= self._played_at:
            return None
        if self._idle_from is None:
            self._idle_from = before
        if self._voiced or self.total - self._idle_from <= self.settings.idle_ms * MILLISECOND:
            return None
        timeout = IdleTimeout(_on_quantum(self._idle_from), _on_quantum(self.total))
        self.stop_idle_clock()
        return timeout


def _on_quantum(time: Micros) -> int:
    return time // QUANTUM * QUANTUM_MS


def _given(settings: Mapping[str, Any], key: str, default: Any) -> Any:
    value = settings.get(key)
    return default if value is None else value
