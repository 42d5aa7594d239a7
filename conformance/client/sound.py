"""What an `audio` step sends: a WAV file, silence or a tone, at the client's format, in chunks."""

import wave
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from conformance.scenario.model import Audio, Cell
from conformance.wire.audio import AudioFormat, Samples, decode, encode, resample
from conformance.wire.audio import Encoding as Enc
from conformance.wire.durations import SECOND, Micros

_TONE_HZ: Final = 440
_TONE_LEVEL: Final = 8_000


class NoSuchSound(ValueError):  # noqa: N818 (what is missing)
    """A scenario names audio that cannot be read; the message names the file."""


def chunks(step: Audio, cell: Cell, format_: AudioFormat) -> tuple[bytes, ...]:
    """Return the step's audio in the client's format, cut into chunks of the step's length; the last may be shorter.

    Raises:
        NoSuchSound: the WAV file is missing, or is not 16-bit mono.
    """
    body = _body(step.source, step.duration, _find(step, cell), format_)
    size = max(format_.bytes_per_sample, format_.size(step.chunk))
    return tuple(body[start : start + size] for start in range(0, len(body), size))


def duration(step: Audio, cell: Cell) -> Micros:
    """Return how long the step's audio lasts.

    Raises:
        NoSuchSound: the WAV file is missing, or is not 16-bit mono.
    """
    path = _find(step, cell)
    if path is None:
        return step.duration or 0
    samples, rate = _read(path, path.stat().st_mtime_ns)
    return _cut(samples.size * SECOND // rate, step.duration)


def _find(step: Audio, cell: Cell) -> Path | None:
    """Return the WAV: beside the scenario or in a folder above it, up to the root that its name counts from."""
    if step.source in ("silence", "tone"):
        return None
    for folder in cell.path.parents[: cell.scenario.count("/") + 1]:
        if (folder / step.source).is_file():
            return folder / step.source
    raise NoSuchSound(f"{cell.path}: there is no audio file {step.source!r} beside the scenario or in the folders above it")


@lru_cache(maxsize=64)
def _body(source: str, length: Micros | None, path: Path | None, format_: AudioFormat) -> bytes:
    if path is not None:
        samples, rate = _read(path, path.stat().st_mtime_ns)
        samples = resample(samples, rate, format_.rate)
        samples = samples[: _cut(samples.size, None if length is None else format_.rate * length // SECOND)]
    else:
        count = format_.rate * (length or 0) // SECOND
        angle = np.arange(count) * (2 * np.pi * _TONE_HZ / format_.rate)
        samples = (np.sin(angle) * (_TONE_LEVEL if source == "tone" else 0)).astype(np.int16)
    return encode(samples, format_.encoding)


@lru_cache(maxsize=64)
def _read(path: Path, _modified: int) -> tuple[Samples, int]:
    try:
        with wave.open(str(path), "rb") as file:
            if file.getnchannels() != 1 or file.getsampwidth() != 2:
                raise NoSuchSound(f"{path}: an audio file must be 16-bit mono; convert it first")
            return decode(file.readframes(file.getnframes()), Enc.PCM16), file.getframerate()
    except (wave.Error, EOFError) as error:
        raise NoSuchSound(f"{path}: not a WAV file: {error}") from error


def _cut(size: int, limit: int | None) -> int:
    return size if limit is None else min(size, limit)
