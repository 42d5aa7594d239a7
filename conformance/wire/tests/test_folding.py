"""Folding: audio gives way to its measure, and a rule still sees what it needs."""

import hashlib
from base64 import b64encode
from itertools import zip_longest

import pytest

from conformance.wire.audio import PCM_24K, AudioFormat, Encoding
from conformance.wire.folding import AudioStream, Lately, fold_binary, fold_event, fold_unreadable

BODIES = [b"\x10\x00" * 480, b"\x20\x00" * 480, bytes(960)]


def test_an_audio_body_becomes_its_measure() -> None:
    body = b"\x10\x00" * 480
    folded = AudioStream().fold(body)
    assert folded == {
        "bytes": 960,
        "ms": 20.0,
        "sha256": hashlib.sha256(body).hexdigest(),
        "stream_sha256": hashlib.sha256(body).hexdigest(),
        "at": 960,
        "rms": [16],
    }


def test_the_running_hash_does_not_depend_on_the_chunks() -> None:
    whole, pieces = AudioStream(), AudioStream()
    body = bytes(range(256)) * 8
    last = whole.fold(body)
    for start in range(0, len(body), 100):
        piece = pieces.fold(body[start : start + 100])
    assert piece["stream_sha256"] == last["stream_sha256"]
    assert piece["at"] == last["at"]


@pytest.mark.parametrize(
    ("type_", "field"),
    [
        ("input_audio_buffer.append", "audio"),
        ("response.output_audio.delta", "delta"),
        ("response.audio.delta", "delta"),
    ],
)
def test_the_audio_field_of_an_event_is_folded(type_: str, field: str) -> None:
    event = {"type": type_, "event_id": "e", field: b64encode(bytes(960)).decode()}
    folded = fold_event(event, AudioStream())
    assert folded[field]["bytes"] == 960
    assert folded["event_id"] == "e"


def test_an_event_without_audio_stays_itself() -> None:
    for event in ({"type": "response.output_text.delta", "delta": "AAAA"}, {"type": "response.audio.delta", "delta": 5}):
        assert fold_event(event, AudioStream()) is event


def test_bad_base64_is_kept_as_such() -> None:
    folded = fold_event({"type": "input_audio_buffer.append", "audio": "%" * 3_000}, AudioStream())
    assert folded["audio"] == {"invalid": "%" * 2_000, "chars": 3_000}


def test_bodies_are_kept_by_content_when_asked() -> None:
    kept: dict[str, bytes] = {}
    AudioStream(keep=kept.__setitem__).fold(b"ab")
    assert kept == {hashlib.sha256(b"ab").hexdigest(): b"ab"}


def test_json_in_a_binary_frame_is_seen() -> None:
    assert fold_binary(b'{"type":"x"}', AudioStream())["json"] == {"type": "x"}
    assert fold_binary(b"[1]", AudioStream())["json"] == [1]


def test_words_in_a_binary_frame_are_seen_and_audio_is_not_mistaken_for_them() -> None:
    assert fold_binary(b"hello", AudioStream())["text"] == "hello"
    assert fold_binary(b"{broken", AudioStream())["text"] == "{broken"
    assert not {"text", "json"} & set(fold_binary(b"\x00\x01\xfe", AudioStream()))
    assert "text" not in fold_binary(b"", AudioStream())


def test_text_that_is_no_json_is_cut_to_its_head() -> None:
    assert fold_unreadable("x" * 5_000) == {"raw": "x" * 2_000, "chars": 5_000}


@pytest.mark.parametrize("there", [BODIES, BODIES[::-1], [BODIES[0], BODIES[2], BODIES[1]], [b"".join(BODIES)], BODIES[:2]])
@pytest.mark.parametrize("format_", [PCM_24K, AudioFormat(Encoding.ULAW, 8_000)])
def test_two_streams_fold_together_as_they_would_alone(there: list[bytes], format_: AudioFormat) -> None:
    lately = Lately()
    one, other = AudioStream(lately=lately), AudioStream(format_, lately=lately)
    alone, other_alone = AudioStream(), AudioStream(format_)
    for mine, theirs in zip_longest(BODIES, there):
        for stream, same, body in ((one, alone, mine), (other, other_alone, theirs)):
            if body is not None:
                assert stream.fold(body) == same.fold(body)


def test_a_recording_remembers_few_bodies_and_no_large_ones() -> None:
    lately = Lately()
    stream = AudioStream(lately=lately)
    for number in range(100):
        stream.fold(bytes([number]) * 960)
    stream.fold(bytes(1024 * 1024))
    assert len(lately) == 32
