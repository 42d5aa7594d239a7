"""Voice activity detection: the quantum, the offsets, the waits."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.wire.audio import PCM_24K, AudioFormat, Encoding, Samples, decode
from conformance.wire.durations import MILLISECOND
from mock_upstream.vad import IdleTimeout, SpeechStarted, SpeechStopped, Vad, VadEvent, make_vad
from mock_upstream.voice import speak

ULAW = AudioFormat(Encoding.ULAW, 8_000)
SERVER_VAD = {"type": "server_vad"}


def vad(turn_detection: dict[str, Any], format_: AudioFormat = PCM_24K, at: int = 0) -> Vad:
    made = make_vad(turn_detection, format_, at)
    assert made is not None
    return made


def silence(ms: int, rate: int = 24_000) -> Samples:
    return np.zeros(rate * ms // 1_000, dtype=np.int16)


def tone(ms: int, rate: int = 24_000, peak: int = 8_000) -> Samples:
    return (peak * np.sin(np.arange(rate * ms // 1_000) * 2 * np.pi * 440 / rate)).astype(np.int16)


def hear(detector: Vad, *parts: Samples, chunk: int = 480) -> list[VadEvent]:
    signal = np.concatenate(parts)
    return [event for i in range(0, signal.size, chunk) for event in detector.feed(signal[i : i + chunk])]


def test_without_turn_detection_there_is_no_detector() -> None:
    assert make_vad(None, PCM_24K) is None


def test_silence_is_not_speech() -> None:
    assert hear(vad(SERVER_VAD), silence(5_000)) == []


def test_a_turn_starts_before_the_first_word_and_stops_after_the_silence() -> None:
    # 1,000 ms lies in the quantum that begins at 992: 992 - 300. The tone ends in the one up to 2,016; 7 quanta on: 2,240.
    assert hear(vad(SERVER_VAD), silence(1_000), tone(1_000), silence(1_000)) == [SpeechStarted(692), SpeechStopped(2_240)]


def test_speech_at_once_starts_at_zero() -> None:
    assert hear(vad(SERVER_VAD), tone(500), silence(500))[0] == SpeechStarted(0)


def test_a_stream_that_ends_leaves_the_segment_open() -> None:
    detector = vad(SERVER_VAD)
    assert hear(detector, tone(500), silence(100)) == [SpeechStarted(0)]
    assert detector.speaking


def test_a_click_is_not_speech() -> None:
    assert hear(vad(SERVER_VAD), silence(320), tone(25), silence(500)) == []


@pytest.mark.parametrize("silence_ms", [200, 500, 700])
def test_the_turn_ends_after_the_silence_asked_for(silence_ms: int) -> None:
    stopped = hear(vad({**SERVER_VAD, "silence_duration_ms": silence_ms}), tone(320), silence(2_000))[-1]
    assert stopped == SpeechStopped(320 + -(-silence_ms // 32) * 32)


def test_a_threshold_decides_how_loud_speech_must_be() -> None:
    quiet = tone(500, peak=150)
    assert hear(vad(SERVER_VAD), quiet, silence(500)) == []
    assert hear(vad({**SERVER_VAD, "threshold": 0.1}), quiet, silence(500)) != []


@pytest.mark.parametrize(("eagerness", "wait_ms"), [("high", 2_000), ("medium", 4_000), ("auto", 4_000), ("low", 8_000)])
def test_semantic_vad_waits_no_longer_than_its_eagerness_allows(eagerness: str, wait_ms: int) -> None:
    events = hear(vad({"type": "semantic_vad", "eagerness": eagerness}), tone(640), silence(9_000))
    assert events == [SpeechStarted(0), SpeechStopped(640 + -(-wait_ms // 32) * 32)]


def test_the_idle_timeout_counts_audio_after_the_response_was_played() -> None:
    # The recorded pair (ground truth §2.6): appends of 100 ms, about 0.75 s of response to play, 5,000 ms asked.
    detector = vad({**SERVER_VAD, "idle_timeout_ms": 5_000})
    detector.start_idle_clock(750 * MILLISECOND)
    assert hear(detector, silence(8_000), chunk=2_400) == [IdleTimeout(672, 5_792)]


def test_speech_stops_the_idle_clock() -> None:
    detector = vad({**SERVER_VAD, "idle_timeout_ms": 5_000})
    detector.start_idle_clock(0)
    events = hear(detector, silence(4_000), tone(500), silence(8_000))
    assert [type(event) for event in events] == [SpeechStarted, SpeechStopped]


def test_the_idle_clock_does_not_run_before_a_response() -> None:
    assert hear(vad({**SERVER_VAD, "idle_timeout_ms": 5_000}), silence(20_000)) == []


def test_a_reset_forgets_the_open_segment() -> None:
    detector = vad(SERVER_VAD)
    hear(detector, tone(500))
    detector.reset()
    assert hear(detector, silence(2_000)) == []


def test_the_mocks_own_voice_is_one_turn_in_every_format() -> None:
    for format_ in (PCM_24K, ULAW, AudioFormat(Encoding.ALAW, 8_000)):
        speech = decode(speak("Good morning, is anybody there?", format_), format_.encoding)
        events = hear(vad(SERVER_VAD, format_), silence(500, format_.rate), speech, silence(600, format_.rate))
        assert [type(event) for event in events] == [SpeechStarted, SpeechStopped]


@settings(deadline=None)
@given(
    before=st.integers(0, 1_500),
    lasting=st.integers(64, 1_500),
    prefix=st.integers(0, 500),
    made_at=st.integers(0, 1_000),
    chunk=st.integers(1, 5_000),
)
def test_every_offset_lies_on_the_quantum(before: int, lasting: int, prefix: int, made_at: int, chunk: int) -> None:
    detector = vad({**SERVER_VAD, "prefix_padding_ms": prefix}, at=made_at * MILLISECOND)
    events = hear(detector, silence(before), tone(lasting + 64), silence(500), chunk=chunk)
    match events:
        case [SpeechStarted(start), SpeechStopped(end)]:
            assert start == 0 or (start + prefix) % 32 == 0
            assert end % 32 == 0
            assert start <= end
            assert abs(start + prefix - (made_at + before)) <= 64 or start == 0
        case _:
            pytest.fail(f"one turn was spoken, {events} heard")
