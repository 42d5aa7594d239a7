"""The microphone: audio goes up in the upstream's format, and this proxy alone commits it.

Unless the upstream's own voice detection has been asked for: then the proxy never commits, because two controllers would
race for the same buffer, and answers what the server commits.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from conformance.reference_proxy.core import Timer, Timing, text
from conformance.reference_proxy.tools import Tools
from conformance.reference_proxy.turns import Turn, TurnKind, remember
from conformance.wire import base64
from conformance.wire.audio import PCM_24K, AudioFormat, Resampler, decode, encode
from conformance.wire.durations import Micros

_LARGEST_APPEND: Final = 4 * 1024 * 1024
"""Bytes of audio in one append; the API takes 15 MiB of base64."""


class Converter:
    """Turns a stream of one format into another, without loss at the seams of its chunks."""

    def __init__(self, source: AudioFormat, target: AudioFormat) -> None:
        """Start an empty stream."""
        self.source = source
        self.target = target
        self._is_same = source == target
        self._odd = b""
        self._resampler: Resampler | None = None

    def convert(self, chunk: bytes) -> bytes:
        """Convert a chunk; a resampler holds some of it back. Half a sample waits for its other half."""
        chunk = self._odd + chunk
        whole = len(chunk) - len(chunk) % self.source.bytes_per_sample
        self._odd = chunk[whole:]
        if self._is_same:
            return chunk[:whole]
        samples = decode(chunk[:whole], self.source.encoding)
        if self.source.rate != self.target.rate:
            if self._resampler is None:
                self._resampler = Resampler(self.source.rate, self.target.rate)
            samples = self._resampler.chunk(samples)
        return encode(samples, self.target.encoding)

    @property
    def holds_back(self) -> bool:
        """True when the resampler may still hold samples."""
        return self._resampler is not None

    def flush(self) -> bytes:
        """Return what the resampler holds back, and start afresh."""
        if self._resampler is None:
            return b""
        rest = self._resampler.chunk(np.zeros(0, dtype=np.int16), last=True)
        self._resampler = None
        return encode(rest, self.target.encoding)


class Microphone(Tools):
    """Sends audio up and finds the end of turns by the clock."""

    def __init__(self, timing: Timing) -> None:
        """Start silent."""
        super().__init__(timing)
        self.owns_commits = True
        """False when the upstream's voice detection segments the audio."""
        self.microphone = Converter(PCM_24K, PCM_24K)
        self.waiting_since: Micros = 0
        self.heard_client_at: Micros = 0
        self._waiting_bytes = 0
        self._waiting_up = 0
        self._nudged: set[str] = set()

    @property
    def waiting(self) -> Micros:
        """How much of the client's audio has not been committed."""
        return self.microphone.source.duration(self._waiting_bytes)

    def use_microphone(self, format_: AudioFormat) -> None:
        """Set the client's format."""
        self.microphone = Converter(format_, PCM_24K)

    def on_audio(self, chunk: bytes) -> None:
        """Send a chunk of the client's audio up."""
        if not self._waiting_bytes:
            self.waiting_since = self.now
        self._waiting_bytes += len(chunk)
        self.heard_client_at = self.now
        self.append(self.microphone.convert(chunk))

    def append(self, audio: bytes) -> None:
        """Append audio in the upstream's format, in pieces that the API takes."""
        for start in range(0, len(audio), _LARGEST_APPEND):
            piece = audio[start : start + _LARGEST_APPEND]
            self._waiting_up += len(piece)
            self.send_up({"type": "input_audio_buffer.append", "audio": base64.encode(piece)})

    def timers(self) -> list[Timer]:
        """Add: the end of a turn, or a pause without one."""
        timers = super().timers()
        if self.may_commit():
            timers.append((self.commit_at(), self.commit))
        elif self.microphone.holds_back:
            timers.append((self.heard_client_at + self.timing.debounce, self.flush_microphone))
        return timers

    def may_commit(self) -> bool:
        """Tell whether the audio so far may be committed: it is ours to commit, long enough, and nobody is speaking.

        A rest that is too short alone is padded, but only after a response: it came during that response, and what follows
        would come too late for it.
        """
        if not self._waiting_bytes or not self.owns_commits or self.active is not None:
            return False
        waiting = self.waiting
        is_rest = waiting > 0 and self.waiting_since < self.ended_at
        return waiting >= self.timing.shortest_commit or is_rest

    def commit_at(self) -> Micros:
        """Return when to commit: after a pause, or when a stream without pauses has waited long enough."""
        longest = max(self.waiting_since, self.ended_at) + self.timing.longest_wait
        at = min(self.heard_client_at + self.timing.debounce, longest)
        return at if self.requested is None else max(at, self.requested.at + self.timing.request_grace)

    def flush_microphone(self) -> None:
        """Send up what the resampler holds back."""
        self.append(self.microphone.flush())

    def commit(self) -> None:
        """Commit the audio so far, with silence up to what the API asks for, and queue the turn."""
        self.flush_microphone()
        self.append(bytes(max(0, PCM_24K.size(self.timing.shortest_commit) - self._waiting_up)))
        event_id = self.send_up({"type": "input_audio_buffer.commit"})
        self.forget_waiting()
        self.add_turn(Turn(TurnKind.AUDIO, self.now, event_id))

    def forget_waiting(self) -> None:
        """Note that no audio waits for a commit."""
        self._waiting_bytes = self._waiting_up = 0

    def on_timeout_triggered(self, event: Mapping[str, Any]) -> None:
        """Note an item that the server commits because nobody speaks, and usually answers by itself."""
        self._nudged.add(text(event.get("item_id")))

    def on_committed(self, event: Mapping[str, Any]) -> None:
        """Match ``committed`` with our commit, or queue the turn that the server found."""
        item_id = text(event.get("item_id"))
        if item_id in self.committed_items:
            return
        if item_id:
            remember(self.committed_items, item_id)
        for index, turn in enumerate(self.turns):
            if turn.kind is TurnKind.AUDIO and turn.event_id and turn.item_id is None:
                del self.turns[index]
                self.add_turn(Turn(TurnKind.AUDIO, self.now, turn.event_id, item_id))
                return
        self.on_server_commit(item_id)

    def on_server_commit(self, item_id: str) -> None:
        """Queue a turn that the server committed; where it may answer by itself, give it the time to."""
        self.forget_waiting()
        may_answer_itself = self.owns_commits or item_id in self._nudged
        self._nudged.discard(item_id)
        free_at = self.now + self.timing.server_grace if may_answer_itself else 0
        turn = Turn(TurnKind.AUDIO, self.now, item_id=item_id, free_at=free_at, server_answers=may_answer_itself)
        self.add_turn(turn)
