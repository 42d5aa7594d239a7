"""Audio: sizes in time, G.711 as ITU-T defines it, formats of either protocol."""

import sys
import warnings
from typing import Any

import numpy as np
import pytest

from conformance.wire.audio import (
    PCM_24K,
    AudioFormat,
    Encoding,
    Resampler,
    Samples,
    decode,
    encode,
    loudness,
    realtime_format,
    resample,
    voice_agent_format,
)

EVERY_SAMPLE: Samples = np.arange(-32768, 32768).astype(np.int16)
EVERY_CODE = bytes(range(256))


def tone(rate: int, ms: int = 500) -> Samples:
    samples: Samples = (10_000 * np.sin(np.arange(rate * ms // 1000) * 2 * np.pi * 440 / rate)).astype(np.int16)
    return samples


@pytest.mark.parametrize(
    ("format_", "size"),
    [(PCM_24K, 4_800), (AudioFormat(Encoding.ULAW, 8_000), 800), (AudioFormat(Encoding.PCM16, 16_000), 3_200)],
)
def test_100_ms_have_their_size(format_: AudioFormat, size: int) -> None:
    assert format_.size(100_000) == size
    assert format_.duration(size) == 100_000


def test_a_size_is_rounded_down_to_whole_samples() -> None:
    assert PCM_24K.size(30) == 0
    assert PCM_24K.size(50) == 2


@pytest.mark.parametrize(
    ("code", "ulaw", "alaw"),
    [(0x00, -32_124, -5_504), (0x80, 32_124, 5_504), (0xFF, 0, 848), (0x7F, 0, -848), (0xD5, 716, 8), (0x55, -716, -8)],
)
def test_known_codes_have_their_values(code: int, ulaw: int, alaw: int) -> None:
    assert decode(bytes([code]), Encoding.ULAW)[0] == ulaw
    assert decode(bytes([code]), Encoding.ALAW)[0] == alaw


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="the standard library's audioop is gone")
@pytest.mark.parametrize("encoding", [Encoding.ULAW, Encoding.ALAW])
def test_g711_is_the_standard_librarys(encoding: Encoding) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import audioop
    read, write = (
        (audioop.ulaw2lin, audioop.lin2ulaw) if encoding is Encoding.ULAW else (audioop.alaw2lin, audioop.lin2alaw)
    )
    assert decode(EVERY_CODE, encoding).tobytes() == read(EVERY_CODE, 2)
    theirs = decode(write(EVERY_SAMPLE.tobytes(), 2), encoding).astype(int)
    ours = decode(encode(EVERY_SAMPLE, encoding), encoding).astype(int)
    assert (abs(ours - EVERY_SAMPLE) <= abs(theirs - EVERY_SAMPLE)).all()
    assert (ours != theirs).mean() < 0.02  # only where two codes are equally near


@pytest.mark.parametrize("encoding", Encoding)
def test_what_is_encoded_decodes_to_itself(encoding: Encoding) -> None:
    samples = decode(EVERY_CODE, encoding)
    assert (decode(encode(samples, encoding), encoding) == samples).all()


def test_silence_is_the_code_that_telephones_send() -> None:
    silence: Samples = np.zeros(3, dtype=np.int16)
    assert encode(silence, Encoding.ULAW) == b"\xff\xff\xff"
    assert encode(silence, Encoding.ALAW) in (b"\xd5\xd5\xd5", b"\x55\x55\x55")


def test_an_odd_last_byte_of_pcm_is_dropped() -> None:
    assert decode(b"\x01\x00\x02", Encoding.PCM16).tolist() == [1]


@pytest.mark.parametrize(
    ("given", "encoding", "rate"),
    [
        ({"type": "audio/pcm", "rate": 24_000}, Encoding.PCM16, 24_000),
        ({"type": "audio/pcmu"}, Encoding.ULAW, 8_000),
        ({"type": "audio/pcma"}, Encoding.ALAW, 8_000),
        ("pcm16", Encoding.PCM16, 24_000),
        ("g711_ulaw", Encoding.ULAW, 8_000),
        ("g711_alaw", Encoding.ALAW, 8_000),
    ],
)
def test_a_realtime_format_is_read_in_either_dialect(given: Any, encoding: Encoding, rate: int) -> None:
    assert realtime_format(given) == AudioFormat(encoding, rate)


@pytest.mark.parametrize("given", [None, 5, "opus", {}, {"type": "audio/opus"}, {"type": []}, []])
def test_what_is_no_realtime_format_is_none(given: Any) -> None:
    assert realtime_format(given) is None


@pytest.mark.parametrize(
    ("given", "encoding", "rate"),
    [
        ({"encoding": "linear16", "sample_rate": 16_000}, Encoding.PCM16, 16_000),
        ({"encoding": "mulaw", "sample_rate": 8_000}, Encoding.ULAW, 8_000),
        ({"encoding": "alaw"}, Encoding.ALAW, 8_000),
        ({"sample_rate": 48_000}, Encoding.PCM16, 48_000),
        ({"sample_rate": -1}, Encoding.PCM16, 24_000),
        ({"sample_rate": "16000"}, Encoding.PCM16, 24_000),
        ({"sample_rate": True}, Encoding.PCM16, 24_000),
        (None, Encoding.PCM16, 24_000),
        ([], Encoding.PCM16, 24_000),
    ],
)
def test_settings_audio_is_read_with_its_defaults(given: Any, encoding: Encoding, rate: int) -> None:
    assert voice_agent_format(given) == AudioFormat(encoding, rate)


def test_resampling_keeps_duration_and_loudness() -> None:
    resampled = resample(tone(16_000), 16_000, 24_000)
    assert resampled.size == 12_000
    assert loudness(resampled, 24_000)[10] == pytest.approx(loudness(tone(16_000), 16_000)[10], rel=0.02)


def test_resampling_gives_the_same_samples_every_time() -> None:
    signal = tone(16_000)
    assert len({resample(signal, 16_000, 24_000).tobytes() for _ in range(10)}) == 1


def test_a_stream_is_resampled_as_the_whole_signal_is() -> None:
    signal, resampler = tone(16_000), Resampler(16_000, 24_000)
    parts = [resampler.chunk(part) for part in np.split(signal, 25)]
    parts.append(resampler.chunk(signal[:0], last=True))
    assert np.array_equal(np.concatenate(parts), resample(signal, 16_000, 24_000))


def test_resampling_clips_instead_of_wrapping_around() -> None:
    square: Samples = np.where(np.arange(1_600) // 40 % 2, 32_767, -32_768).astype(np.int16)
    louder = resample(square, 16_000, 24_000)
    assert np.abs(np.diff(louder.astype(np.int32))).max() < 65_536
    assert louder.max() == 32_767


def test_resampling_to_the_same_rate_or_nothing_changes_nothing() -> None:
    empty: Samples = np.zeros(0, dtype=np.int16)
    assert resample(tone(8_000), 8_000, 8_000) is not None
    assert resample(empty, 8_000, 24_000).size == 0


def test_loudness_has_a_value_per_20_ms_and_one_for_the_rest() -> None:
    samples: Samples = np.concatenate([np.full(480, 1_000), np.full(240, -2_000)]).astype(np.int16)
    assert loudness(samples, 24_000) == [1_000, 2_000]
    assert loudness(np.zeros(0, dtype=np.int16), 24_000) == []
