"""What an audio step sends and when: in the background, at absolute offsets, in the client's format."""

import asyncio
import json
import wave
from base64 import b64decode
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.server import ServerConnection

from conformance.client import NoSuchSound
from conformance.client.sound import chunks, duration
from conformance.client.tests.subject import cell_of, instants, marks, play, types
from conformance.clock.tests.busy import be_busy
from conformance.scenario.model import Anchor, Audio, Close, Connect, Hold, Send, Speaks
from conformance.wire.audio import PCM_24K, AudioFormat, Encoding, loudness
from conformance.wire.durations import MILLISECOND, SECOND
from conformance.wire.frames import Kind

CLOSE = Close(id="bye", late=0)
TONE = Audio(source="tone", duration=100 * MILLISECOND, id="tone")


class Microphone:
    """A subject that notes when each frame came, in ms, and its size."""

    def __init__(self) -> None:
        self.frames: list[tuple[int, Any]] = []

    async def __call__(self, connection: ServerConnection) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        async for message in connection:
            self.frames.append((round((loop.time() - start) * 1000), message))

    @property
    def times(self) -> list[int]:
        return [at for at, message in self.frames if isinstance(message, bytes)]

    @property
    def audio(self) -> bytes:
        return b"".join(message for _, message in self.frames if isinstance(message, bytes))


def write_wav(path: Path, rate: int, seconds: float, channels: int = 1) -> bytes:
    samples = (np.sin(np.arange(int(rate * seconds)) * 2 * np.pi * 300 / rate) * 10_000).astype("<i2").tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples)
    return samples


def test_audio_runs_in_the_background_in_chunks_at_its_pace() -> None:
    microphone = Microphone()
    recording = play(Connect(), TONE, Hold(duration=30 * MILLISECOND, id="held"), Hold(duration=SECOND), handler=microphone)
    assert microphone.times == [0, 20, 40, 60, 80]
    assert instants(recording)["held"] == 30
    assert instants(recording)["tone"] == 0
    assert instants(recording)["tone.end"] == 80


def test_audio_starts_at_its_own_offset_and_later_steps_count_from_its_first_frame() -> None:
    audio = Audio(source="tone", duration=60 * MILLISECOND, id="tone", at=500 * MILLISECOND)
    recording = play(Connect(), audio, Hold(duration=SECOND, id="held"), CLOSE)
    assert instants(recording) == {"connect": 0, "tone": 500, "tone.end": 540, "held": 1500, "bye": 1500}


def test_audio_in_a_burst_goes_out_at_once() -> None:
    microphone = Microphone()
    burst = Audio(source="silence", duration=SECOND, realtime=False)
    play(Connect(), burst, Hold(duration=SECOND), CLOSE, handler=microphone)
    assert microphone.times == [0] * 50
    assert microphone.audio == bytes(48_000)


def test_a_chunk_of_another_length_sets_the_step_between_frames() -> None:
    microphone = Microphone()
    audio = Audio(source="silence", duration=500 * MILLISECOND, chunk=200 * MILLISECOND)
    play(Connect(), audio, Hold(duration=SECOND), CLOSE, handler=microphone)
    assert microphone.times == [0, 200, 400]
    assert [len(message) for _, message in microphone.frames] == [9600, 9600, 4800]


def test_two_audio_steps_may_overlap() -> None:
    microphone = Microphone()
    second = Audio(source="tone", duration=40 * MILLISECOND, at=30 * MILLISECOND)
    play(Connect(), TONE, second, Hold(duration=SECOND), CLOSE, handler=microphone)
    assert microphone.times == [0, 20, 30, 40, 50, 60, 80]


def test_a_frame_that_was_late_delays_none_after_it() -> None:
    microphone = Microphone()

    async def busy(connection: ServerConnection) -> None:
        asyncio.get_running_loop().call_later(0.05, be_busy, 40 * MILLISECOND)
        await microphone(connection)

    audio = Audio(source="silence", duration=200 * MILLISECOND)
    play(Connect(), audio, Hold(duration=220 * MILLISECOND), CLOSE, handler=busy)
    assert microphone.times == [0, 20, 40, 90, 90, 100, 120, 140, 160, 180]


def test_audio_stops_when_the_connection_is_closed_and_has_no_end() -> None:
    recording = play(Connect(), TONE, Close(late=0))
    assert "tone" in instants(recording)
    assert "tone.end" not in instants(recording)


def test_a_script_that_ends_with_audio_sends_all_of_it() -> None:
    microphone = Microphone()
    recording = play(Connect(), TONE, handler=microphone)
    assert len(microphone.audio) == 4800
    (close,) = [frame for frame in recording.frames if frame.kind is Kind.CLOSE]
    assert close.t == 80 * MILLISECOND


def test_a_step_may_come_after_the_last_frame_however_long_the_audio_is() -> None:
    audio = Audio(source="silence", duration=60 * SECOND, chunk=SECOND, id="long")
    later = Hold(duration=SECOND, after=Anchor(step="long.end"), id="later")
    recording = play(Connect(), audio, later, CLOSE)
    assert not marks(recording, "wait-timeout")
    assert instants(recording) == {"connect": 0, "long": 0, "long.end": 59_000, "later": 60_000, "bye": 60_000}


def test_an_end_that_never_comes_is_known_when_the_connection_is_closed() -> None:
    recording = play(Connect(), TONE, CLOSE, Hold(duration=SECOND, after=Anchor(step="tone.end"), id="later"))
    assert [mark.data["pattern"] for mark in marks(recording, "wait-timeout")] == ["tone.end"]
    assert instants(recording)["later"] == 1020


def test_audio_without_a_connection_is_skipped() -> None:
    assert [mark.data["id"] for mark in marks(play(Connect(), CLOSE, TONE), "skipped")] == ["tone"]


def test_the_rate_is_that_of_the_settings_sent() -> None:
    microphone = Microphone()
    settings = Send(message={"type": "Settings", "audio": {"input": {"encoding": "linear16", "sample_rate": 16_000}}})
    recording = play(Connect(), settings, TONE, handler=microphone, client_rate=48_000)
    assert len(microphone.audio) == 3200
    (first, *_) = [frame.data for frame in recording.frames if frame.kind is Kind.BINARY]
    assert first["ms"] == 20.0


def test_the_rate_without_settings_is_the_targets_else_24_khz() -> None:
    for rate, size in ((8_000, 1600), (None, 4800)):
        microphone = Microphone()
        play(Connect(), TONE, handler=microphone, client_rate=rate)
        assert len(microphone.audio) == size


def test_the_targets_settings_decide_the_rate_too() -> None:
    microphone = Microphone()
    settings = {"audio": {"input": {"encoding": "mulaw", "sample_rate": 8_000}}}
    play(Connect(), Send(message={"type": "Settings"}), TONE, handler=microphone, settings=settings)
    assert len(microphone.audio) == 800


def test_a_realtime_client_sends_appends_in_the_format_of_its_session() -> None:
    microphone = Microphone()
    update = {"type": "session.update", "session": {"audio": {"input": {"format": {"type": "audio/pcmu"}}}}}
    cell = cell_of(Connect(), TONE, Hold(duration=SECOND), Send(message=update), TONE, speaks=Speaks.REALTIME)
    recording = play(cell=cell, handler=microphone)
    events = [json.loads(message) for _, message in microphone.frames]
    bodies = [b64decode(event["audio"]) for event in events if event["type"] == "input_audio_buffer.append"]
    assert [len(body) for body in bodies] == [960] * 5 + [160] * 5
    assert types(recording).count("input_audio_buffer.append") == 10


def test_a_wav_is_resampled_to_the_clients_rate(tmp_path: Path) -> None:
    write_wav(tmp_path / "speech" / "hum.wav", 24_000, 0.5)
    cell = cell_of(path=tmp_path / "text" / "one.yaml")
    step = Audio(source="speech/hum.wav")
    at_16k = b"".join(chunks(step, cell, AudioFormat(Encoding.PCM16, 16_000)))
    assert len(at_16k) == 16_000
    levels = loudness(np.frombuffer(at_16k, dtype="<i2"), 16_000)
    assert levels[5] == pytest.approx(7071, rel=0.02)
    assert duration(step, cell) == 500 * MILLISECOND


def test_a_wav_at_the_clients_own_rate_is_sent_as_it_is(tmp_path: Path) -> None:
    body = write_wav(tmp_path / "text" / "hum.wav", 24_000, 0.1)
    cell = cell_of(path=tmp_path / "text" / "one.yaml")
    assert b"".join(chunks(Audio(source="hum.wav"), cell, PCM_24K)) == body
    cut = Audio(source="hum.wav", duration=50 * MILLISECOND)
    assert b"".join(chunks(cut, cell, PCM_24K)) == body[:2400]
    assert duration(cut, cell) == 50 * MILLISECOND


def test_a_wav_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    write_wav(tmp_path / "text" / "stereo.wav", 24_000, 0.1, channels=2)
    (tmp_path / "text" / "noise.wav").write_bytes(b"not RIFF")
    cell = cell_of(path=tmp_path / "text" / "one.yaml")
    with pytest.raises(NoSuchSound, match=r"there is no audio file 'gone\.wav'"):
        chunks(Audio(source="gone.wav"), cell, PCM_24K)
    with pytest.raises(NoSuchSound, match=r"stereo\.wav: .*16-bit mono"):
        chunks(Audio(source="stereo.wav"), cell, PCM_24K)
    with pytest.raises(NoSuchSound, match=r"noise\.wav: not a WAV file"):
        chunks(Audio(source="noise.wav"), cell, PCM_24K)
