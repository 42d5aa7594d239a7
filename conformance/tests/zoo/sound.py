"""Broken proxies: audio up, commits, leaving."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import numpy as np

from conformance.reference_proxy.core import Timing
from conformance.reference_proxy.microphone import Converter
from conformance.reference_proxy.phases import Phase
from conformance.reference_proxy.translator import Translator
from conformance.reference_proxy.turns import Turn, TurnKind
from conformance.tests.zoo.animal import Hasty, animal
from conformance.wire.audio import PCM_24K, AudioFormat
from conformance.wire.durations import MILLISECOND, SECOND


@animal("RT-COMMIT-MIN", "vad/lengths")
class CommitsTooLittle(Hasty):
    """Commits less than 100 ms, without padding."""

    timing_of_it = Timing(shortest_commit=30 * MILLISECOND)


@animal("RT-COMMIT-OWNER", "vad/server")
class CommitsBesideTheServer(Translator):
    """Commits although it asked for the server's voice detection."""

    def on_session_updated(self, event: Mapping[str, Any]) -> None:
        super().on_session_updated(event)
        self.owns_commits = True


@animal("RT-COMMIT-COMES", "firm-audio/silence")
class NeverCommits(Translator):
    """Never commits."""

    def may_commit(self) -> bool:
        return False


@animal("RT-COMMIT-COMES", "firm-audio/silence")
class ClearsForACommit(Translator):
    """Clears the buffer where it should commit it."""

    def commit(self) -> None:
        self.flush_microphone()
        self.send_up({"type": "input_audio_buffer.clear"})
        self.forget_waiting()


@animal("RT-COMMIT-STREAM", "firm-audio/microphone")
class WaitsForAPause(Hasty):
    """Commits after a pause only, which a microphone never makes."""

    timing_of_it = Timing(longest_wait=3600 * SECOND)


@animal("RT-COMMIT-AFTER-RESPONSE", "firm-audio/during-response")
class ForgetsWhatCameMeanwhile(Translator):
    """Passes on what the user says during a response, and forgets to commit it."""

    def on_audio(self, chunk: bytes) -> None:
        if self.is_responding:
            self.append(self.microphone.convert(chunk))
        else:
            super().on_audio(chunk)


@animal("RT-COMMIT-TAIL", "firm-audio/during-response")
class KeepsTheTail(Translator):
    """Keeps a rest under 100 ms for ever."""

    def may_commit(self) -> bool:
        return super().may_commit() and self.waiting >= self.timing.shortest_commit


@animal("RT-COMMIT-FIRST", "firm-audio/silence", first_commit_min=5 * SECOND)
class CommitsAnyFirstTurn(Translator):
    """Commits a first turn that is shorter than its target declares."""


@animal("RT-CLOSE-COMMITS", "close/client-leaves")
class DropsTheLastWords(Translator):
    """Leaves the last words uncommitted when the client goes; as the reference proxy chooses to."""


@animal("RT-CLOSE-QUIET", "close/client-leaves")
class CommitsForNobody(Translator):
    """Commits and asks for a response after the client has left."""

    def on_client_left(self) -> None:
        if self.waiting:
            self.send_up({"type": "input_audio_buffer.commit"})
            self.send_up({"type": "response.create"})
        super().on_client_left()


@animal("RT-APPEND-MAX", "hostile-client/large")
class SendsItInOnePiece(Translator):
    """Sends any chunk in one append."""

    def append(self, audio: bytes) -> None:
        if audio:
            self.send_up({"type": "input_audio_buffer.append", "audio": b64encode(audio).decode()})


@animal("RT-AUDIO-WHOLE", "firm-audio/speech")
class DropsChunks(Translator):
    """Drops every tenth chunk of the microphone."""

    _heard = 0

    def on_audio(self, chunk: bytes) -> None:
        self._heard += 1
        if self._heard % 10:
            super().on_audio(chunk)


@animal("RT-AUDIO-WHOLE", "firm-audio/silence")
class IgnoresTheRate(Translator):
    """Passes 16 kHz audio on as if it were 24 kHz."""

    def use_microphone(self, format_: AudioFormat) -> None:
        self.microphone = Converter(PCM_24K, PCM_24K)


@animal("RT-AUDIO-WHOLE", "firm-audio/early")
class LosesEarlyAudio(Translator):
    """Drops the audio that comes before the session is ready."""

    def client_frame(self, frame: str | bytes, now: int) -> list[Any]:
        if isinstance(frame, bytes) and self.phase < Phase.READY:
            return []
        return super().client_frame(frame, now)


@animal("RT-AUDIO-WHOLE", "firm-audio/offsets")
class MutesTheMicrophone(Translator):
    """Sends silence for what the client says, as long as it was."""

    def on_audio(self, chunk: bytes) -> None:
        super().on_audio(bytes(len(chunk)))


@animal("RT-AUDIO-WHOLE", "firm-audio/offsets")
class SwapsTheBytes(Translator):
    """Passes samples on with their bytes in the wrong order."""

    def on_audio(self, chunk: bytes) -> None:
        super().on_audio(np.frombuffer(chunk, "<i2").byteswap().tobytes())


@animal("RT-AUDIO-ANSWERED", "firm-audio/silence")
class CommitsAndIsSilent(Translator):
    """Commits, and never asks for the response."""

    def may_answer(self, turn: Turn, now: int) -> bool:
        return turn.kind is not TurnKind.AUDIO and super().may_answer(turn, now)
