"""The input audio buffer: how much audio came, how much of it is not committed yet, and the bytes themselves.

Positions are audio time: microseconds of audio since the session's first append, whatever the wall clock says. The API
counts the 100 ms a commit needs since the previous commit (ground truth §3.2, a live probe of 2026-10-06).
"""

from dataclasses import dataclass
from typing import Final

from conformance.wire.audio import PCM_24K, AudioFormat, Samples, decode
from conformance.wire.durations import Micros

MAX_KEPT: Final = 16 * 2**20
"""Bytes kept for retrieval; older ones are forgotten, durations stay exact, so an hour of audio costs no more memory."""


@dataclass(frozen=True, slots=True)
class CommittedAudio:
    """What one commit took: the bytes and where they lie in audio time."""

    data: bytes
    format: AudioFormat
    start: Micros
    end: Micros

    @property
    def duration(self) -> Micros:
        """How long the committed audio lasts."""
        return self.end - self.start


class AudioBuffer:
    """The audio a client appended to one session."""

    def __init__(self, format_: AudioFormat = PCM_24K) -> None:
        self._format = format_
        self._data = bytearray()
        self._size = 0
        """Bytes received in the present format; ``_data`` holds the last of them."""
        self._before: Micros = 0
        """Audio time that passed in earlier formats."""
        self._committed: Micros = 0

    def change_format(self, format_: AudioFormat) -> None:
        """Take another format from now on: audio time goes on, uncommitted bytes of the old one are forgotten."""
        if format_ != self._format:
            self._before = self.total
            self._data.clear()
            self._size = 0
            self._format = format_

    @property
    def total(self) -> Micros:
        """Audio time since the session began: what VAD offsets count."""
        return self._before + self._format.duration(self._size)

    @property
    def duration_since_commit(self) -> Micros:
        """How much audio a commit would take now."""
        return max(0, self.total - self._committed)

    def append(self, data: bytes) -> Samples:
        """Take a chunk and return the samples it completed; PCM may be cut inside a sample."""
        width = self._format.bytes_per_sample
        whole = self._size // width * width
        unheard = bytes(self._data[len(self._data) - (self._size - whole) :]) + data if self._size > whole else data
        self._data += data
        self._size += len(data)
        if len(self._data) > 2 * MAX_KEPT:
            del self._data[: len(self._data) - MAX_KEPT]
        return decode(unheard, self._format.encoding)

    def commit(self, start: Micros | None = None, end: Micros | None = None) -> CommittedAudio:
        """Take the audio from ``start`` (default: the previous commit) to ``end`` (default: all of it)."""
        first = self._committed if start is None else start
        last = self.total if end is None else min(end, self.total)
        first = min(first, last)
        committed = CommittedAudio(bytes(self._data[self._index(first) : self._index(last)]), self._format, first, last)
        self._committed = last
        del self._data[: self._index(last)]
        return committed

    def clear(self) -> None:
        """Forget what is not committed; audio time goes on."""
        self._committed = self.total
        self._data.clear()

    def _index(self, position: Micros) -> int:
        """Return where in ``_data`` a position of audio time lies."""
        return max(0, self._format.size(position - self._before) - (self._size - len(self._data)))
