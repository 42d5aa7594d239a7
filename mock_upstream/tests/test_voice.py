"""The mock's voice."""

import pytest

from conformance.wire.audio import PCM_24K, AudioFormat, Encoding, decode, loudness
from mock_upstream.voice import PER_CHARACTER, SHORTEST, speak

ULAW = AudioFormat(Encoding.ULAW, 8_000)
ALAW = AudioFormat(Encoding.ALAW, 8_000)


@pytest.mark.parametrize("format_", [PCM_24K, ULAW, ALAW])
def test_the_length_follows_the_text_in_every_format(format_: AudioFormat) -> None:
    assert format_.duration(len(speak("x" * 100, format_))) == 100 * PER_CHARACTER
    assert format_.duration(len(speak("x", format_))) == SHORTEST


def test_the_same_text_and_seed_give_the_same_bytes() -> None:
    assert speak("Good morning", PCM_24K, 7) == speak("Good morning", PCM_24K, 7)


def test_other_words_or_another_seed_sound_different() -> None:
    said = speak("Good morning", PCM_24K, 7)
    assert speak("Good evening", PCM_24K, 7) != said
    assert speak("Good morning", PCM_24K, 8) != said


def test_no_text_makes_no_sound() -> None:
    assert speak("  ", PCM_24K) == b""


@pytest.mark.parametrize("format_", [PCM_24K, ULAW, ALAW])
def test_it_is_never_silent_and_never_clips(format_: AudioFormat) -> None:
    samples = decode(speak("How are you today? I am fine.", format_), format_.encoding)
    assert min(loudness(samples, format_.rate)) > 300
    assert abs(samples.astype(int)).max() < 16_000
