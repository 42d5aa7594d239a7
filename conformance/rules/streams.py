"""Comparing two streams of folded audio: by chunk, by running hash, across rates by duration and loudness.

A recording keeps of each audio body its size, hash, the running hash of its stream and the RMS per 20 ms. So equality can
be shown byte by byte where both sides share offsets, and across a resampler by how long and how loud it was.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from conformance.rules.reading import listed
from conformance.rules.sound import folded
from conformance.wire.audio import AudioFormat
from conformance.wire.durations import MILLISECOND, Micros
from conformance.wire.frames import Frame

_WINDOW: Final = 20 * MILLISECOND
_GRID: Final = 100 * MILLISECOND
_SHORTEST: Final = 400 * MILLISECOND
_QUIET: Final = 30
"""RMS below which a resampler's rounding and dither are as loud as the signal."""
_LOUDER: Final = 0.4
"""How much a stream's sound may grow or shrink on its way."""
_ALIKE: Final = 0.35
"""Two envelopes differ when more than this share of their energy lies elsewhere."""


class Chunk(NamedTuple):
    """One audio body: ``stream`` hashes everything up to the offset ``at`` in bytes, this body included."""

    frame: Frame
    size: int
    sha: str
    stream: str
    at: int
    length: Micros
    rms: Sequence[int]


def chunks(frames: Sequence[Frame], format_: AudioFormat) -> list[Chunk]:
    """Return the audio bodies of these frames; empty ones are left out."""
    found = []
    at = 0
    for frame in frames:
        body = folded(frame)
        size = body.get("bytes")
        if isinstance(size, int) and size > 0:
            at += size
            hashes = str(body.get("sha256", "")), str(body.get("stream_sha256", ""))
            found.append(Chunk(frame, size, *hashes, at, format_.duration(size), listed(body.get("rms"))))
    return found


def total(found: Sequence[Chunk]) -> int:
    """Return the bytes of these chunks together."""
    return sum(chunk.size for chunk in found)


def is_prefix(shorter: Sequence[Chunk], longer: Sequence[Chunk]) -> bool:
    """Tell whether one stream begins with the other, as far as their offsets can show.

    The running hashes are compared at every offset both streams have; without a common offset the envelopes are.
    """
    hashes = {chunk.at: chunk.stream for chunk in longer if chunk.stream}
    common = [(chunk.stream, hashes[chunk.at]) for chunk in shorter if chunk.stream and chunk.at in hashes]
    if common:
        return all(one == other for one, other in common)
    return sounds_alike(shorter, longer)


def sounds_alike(one: Sequence[Chunk], other: Sequence[Chunk]) -> bool:
    """Tell whether two streams are as loud at the same moments, over the length of the shorter."""
    until = min(sum(chunk.length for chunk in one), sum(chunk.length for chunk in other))
    if until < _SHORTEST or not all(chunk.rms for chunk in (*one, *other)):
        return True
    first, second = _energy(one, until), _energy(other, until)
    most = max(float(np.maximum(first, second).sum()), float(_QUIET * until))
    return float(np.abs(first - second).sum()) / most <= _ALIKE


def as_loud(one: Sequence[Chunk], least: Sequence[Chunk], most: Sequence[Chunk]) -> bool:
    """Tell whether a stream has about as much sound in all as another, of which all but ``least`` may be missing."""
    if not all(chunk.rms for chunk in (*one, *most)):
        return True
    low, heard, high = (sum(rms * _WINDOW for chunk in found for rms in chunk.rms) for found in (least, one, most))
    faint = _QUIET * sum(chunk.length for chunk in most)
    return max(heard, high) <= faint or low * (1 - _LOUDER) - faint <= heard <= high * (1 + _LOUDER) + faint


def silence(found: Sequence[Chunk]) -> Micros:
    """Return how much of a stream is digital silence, in windows of 20 ms."""
    return sum(min(chunk.length, _WINDOW * sum(not rms for rms in chunk.rms)) for chunk in found)


def _energy(found: Sequence[Chunk], until: Micros) -> npt.NDArray[np.float64]:
    """Return the amplitude per 100 ms of a stream."""
    edges, sums = [0], [0.0]
    for chunk in found:
        left = chunk.length
        for rms in chunk.rms:
            step = min(_WINDOW, left)
            left -= step
            edges.append(edges[-1] + step)
            sums.append(sums[-1] + rms * step)
    grid = np.arange(0, until + 1, _GRID)
    energy: npt.NDArray[np.float64] = np.diff(np.interp(grid, edges, sums))
    return energy
