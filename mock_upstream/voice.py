"""The mock's voice: a speech-like signal whose length follows the text.

A harmonic tone between 300 and 3400 Hz with two formants, cut into syllables by an envelope: loud enough for any detector,
inside the voice band so that resamplers and codecs keep it, different for different texts and seeds, the same for the same
ones. Nobody is meant to understand it.
"""

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from conformance.wire.audio import AudioFormat, encode
from conformance.wire.durations import MILLISECOND, Micros

PER_CHARACTER: Final[Micros] = 65 * MILLISECOND
"""About 15 characters a second, an unhurried English speaker."""
SHORTEST: Final[Micros] = 200 * MILLISECOND
SYLLABLE: Final[Micros] = 200 * MILLISECOND

_PITCHES: Final = 8
_PEAK: Final = 9_000.0
_LONGEST_CACHED: Final = 200


def spoken_duration(text: str, speed: float = 1.0) -> Micros:
    """Return how long the text takes to say; ``speed`` is that of ``audio.output``, 0.25 to 1.5."""
    return round(max(SHORTEST, len(text.strip()) * PER_CHARACTER) / speed)


def speak(text: str, format_: AudioFormat, seed: int = 0, speed: float = 1.0) -> bytes:
    """Return the text's signal in the given format; an empty text gives none."""
    if not text.strip():
        return b""
    is_cached = len(text) <= _LONGEST_CACHED
    return _speak_cached(text, format_, seed, speed) if is_cached else _speak(text, format_, seed, speed)


def _speak(text: str, format_: AudioFormat, seed: int, speed: float) -> bytes:
    count = format_.size(spoken_duration(text, speed)) // format_.bytes_per_sample
    syllable = _syllable(format_.rate)
    syllables = -(-count // syllable.size)
    codes = np.frombuffer(text.encode(), dtype=np.uint8).astype(np.int64)
    accents = codes[np.arange(syllables) * codes.size // syllables] + np.arange(syllables) * 7 + seed
    levels = (0.55 + 0.15 * (accents % 4)).astype(np.float32)
    envelope = (levels[:, None] * syllable).ravel()[:count]
    tone = np.resize(_tone(format_.rate, seed % _PITCHES), count)
    return encode((tone * envelope).astype(np.int16), format_.encoding)


_speak_cached: Final = lru_cache(maxsize=128)(_speak)


@lru_cache(maxsize=4)
def _syllable(rate: int) -> npt.NDArray[np.float32]:
    """Return one syllable's envelope: it swells and falls, never quite to silence."""
    count = rate * SYLLABLE // 1_000_000
    swell: npt.NDArray[np.float64] = np.sin(np.pi * (np.arange(count) + 0.5) / count)
    envelope: npt.NDArray[np.float32] = (0.12 + 0.88 * swell).astype(np.float32)
    return envelope


@lru_cache(maxsize=2 * _PITCHES)
def _tone(rate: int, pitch: int) -> npt.NDArray[np.float32]:
    """Return one second of voice at one of eight pitches (whole Hz, so that it loops without a click)."""
    fundamental = 110 + 15 * pitch
    time = np.arange(rate) / rate
    harmonics = [hertz for hertz in range(fundamental, 3_400, fundamental) if hertz >= 300]
    signal = np.zeros(rate)
    for number, hertz in enumerate(harmonics):
        weight = np.exp(-(((hertz - 550) / 350) ** 2)) + 0.5 * np.exp(-(((hertz - 1_700) / 600) ** 2)) + 0.02
        signal += weight * np.sin(2 * np.pi * hertz * time + number * number)
    tone: npt.NDArray[np.float32] = (signal * (_PEAK / np.abs(signal).max())).astype(np.float32)
    return tone
