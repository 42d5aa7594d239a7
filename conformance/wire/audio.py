"""Audio formats of both legs: sizes in time, G.711, resampling, loudness.

Samples are numpy int16 arrays, mono; encoded audio is bytes. G.711 follows ITU-T G.711; resampling is soxr's.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import soxr

from conformance.wire.durations import SECOND, Micros

Samples = npt.NDArray[np.int16]


class Encoding(StrEnum):
    """How a sample is written."""

    PCM16 = "pcm16"
    ULAW = "ulaw"
    ALAW = "alaw"


_WIDTH: Final = {Encoding.PCM16: 2, Encoding.ULAW: 1, Encoding.ALAW: 1}
"""Bytes per sample; looked up with every frame."""


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """An encoding at a sample rate in Hz, mono."""

    encoding: Encoding
    rate: int

    @property
    def bytes_per_sample(self) -> int:
        """2 for PCM, 1 for G.711."""
        return _WIDTH[self.encoding]

    def duration(self, size: int) -> Micros:
        """Return how long ``size`` bytes of this format last."""
        return size * SECOND // (_WIDTH[self.encoding] * self.rate)

    def size(self, duration: Micros) -> int:
        """Return how many bytes ``duration`` takes, rounded down to whole samples."""
        return duration * self.rate // SECOND * _WIDTH[self.encoding]


PCM_24K: Final = AudioFormat(Encoding.PCM16, 24_000)

_REALTIME: Final = {"audio/pcm": Encoding.PCM16, "audio/pcmu": Encoding.ULAW, "audio/pcma": Encoding.ALAW}
_BETA: Final = {"pcm16": Encoding.PCM16, "g711_ulaw": Encoding.ULAW, "g711_alaw": Encoding.ALAW}
_VOICE_AGENT: Final = {"linear16": Encoding.PCM16, "mulaw": Encoding.ULAW, "alaw": Encoding.ALAW}


def realtime_format(format_: Any) -> AudioFormat | None:
    """Read a Realtime format: GA ``{"type": "audio/pcm", "rate": 24000}`` or beta ``"pcm16"``; else None."""
    if isinstance(format_, str) and format_ in _BETA:
        encoding = _BETA[format_]
    elif isinstance(format_, dict) and str(format_.get("type")) in _REALTIME:
        encoding = _REALTIME[str(format_["type"])]
    else:
        return None
    return PCM_24K if encoding is Encoding.PCM16 else AudioFormat(encoding, 8_000)


def voice_agent_format(audio: Any, default: AudioFormat = PCM_24K) -> AudioFormat:
    """Read ``audio.input`` or ``audio.output`` of a ``Settings`` message; else ``default``'s."""
    if not isinstance(audio, dict):
        return default
    encoding = _VOICE_AGENT.get(str(audio.get("encoding")), default.encoding)
    rate = audio.get("sample_rate")
    valid = isinstance(rate, int) and not isinstance(rate, bool) and rate > 0
    assumed = default.rate if encoding is default.encoding else 24_000 if encoding is Encoding.PCM16 else 8_000
    return AudioFormat(encoding, rate if valid and isinstance(rate, int) else assumed)


def _ulaw_table() -> Samples:
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = (((code & 0x0F) << 3) + 0x84 << ((code & 0x70) >> 4)) - 0x84
    samples: Samples = np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)
    return samples


def _alaw_table() -> Samples:
    code = np.arange(256, dtype=np.int32) ^ 0x55
    segment = (code & 0x70) >> 4
    base = ((code & 0x0F) << 4) + np.where(segment > 0, 0x108, 8)
    magnitude = base << np.maximum(segment - 1, 0)
    samples: Samples = np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)
    return samples


_DECODE: Final = {Encoding.ULAW: _ulaw_table(), Encoding.ALAW: _alaw_table()}


def _encoder(table: Samples) -> npt.NDArray[np.uint8]:
    """Return for each of the 65,536 samples (from -32768 up) the code whose value is nearest; of two zeros the higher."""
    values, from_end = np.unique(table[::-1].astype(np.int32), return_index=True)
    samples = np.arange(-32768, 32768, dtype=np.int32)
    return (255 - from_end)[np.searchsorted((values[:-1] + values[1:]) / 2, samples)].astype(np.uint8)


_ENCODE: Final = {encoding: _encoder(table) for encoding, table in _DECODE.items()}


def decode(data: bytes, encoding: Encoding) -> Samples:
    """Decode bytes to samples; an odd last byte of PCM is dropped."""
    if encoding is Encoding.PCM16:
        return np.frombuffer(data[: len(data) & ~1], dtype="<i2").astype(np.int16, copy=False)
    samples: Samples = _DECODE[encoding][np.frombuffer(data, dtype=np.uint8)]
    return samples


def encode(samples: Samples, encoding: Encoding) -> bytes:
    """Encode samples to bytes."""
    if encoding is Encoding.PCM16:
        return samples.astype("<i2", copy=False).tobytes()
    return _ENCODE[encoding][samples.astype(np.int32) + 32768].tobytes()


class Resampler:
    """Resamples a stream chunk by chunk, the same input to the same output.

    It computes in floating point and rounds itself: when soxr makes integers it adds dither, seeded afresh for each stream
    (``soxr_create`` in libsoxr), so that no two runs would give the same bytes.
    """

    def __init__(self, rate: int, to_rate: int) -> None:
        """Start an empty stream between two rates in Hz."""
        self._stream = soxr.ResampleStream(rate, to_rate, 1, dtype="float32")

    def chunk(self, samples: Samples, *, last: bool = False) -> Samples:
        """Return what can be said of the signal so far; the ``last`` chunk (it may be empty) brings all the rest."""
        signal = self._stream.resample_chunk(samples.astype(np.float32), last=last)
        resampled: Samples = np.rint(signal).clip(-32768, 32767).astype(np.int16)
        return resampled


def resample(samples: Samples, rate: int, to_rate: int) -> Samples:
    """Resample a whole signal; for a stream use `Resampler`."""
    if rate == to_rate or samples.size == 0:
        return samples
    return Resampler(rate, to_rate).chunk(samples, last=True)


def loudness(samples: Samples, rate: int, window: Micros = 20_000) -> list[int]:
    """Return the RMS (0 to 32767) of each window of the signal; the last one may be shorter."""
    step = max(1, rate * window // SECOND)
    signal = samples.astype(np.float64)
    whole = signal.size - signal.size % step
    rms: list[int] = []
    if whole == step:  # what nearly every frame is; the general way costs three times as much
        rms.append(_rms(signal[:step]))
    elif whole:
        windows = signal[:whole].reshape(-1, step)
        rms += np.sqrt(np.einsum("ij,ij->i", windows, windows) / step).round().astype(int).tolist()
    if whole < signal.size:
        rms.append(_rms(signal[whole:]))
    return rms


def _rms(signal: npt.NDArray[np.float64]) -> int:
    return round(math.sqrt(np.dot(signal, signal) / signal.size))
