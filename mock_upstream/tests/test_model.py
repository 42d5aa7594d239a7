"""What the model says and in which pieces, profiles by model name, and settings that make no sense."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_upstream.model import argument_pieces, pieces, sample
from mock_upstream.profiles import ANY_MODEL, PROFILES, is_realtime_model, profile_of, read_knobs
from mock_upstream.tests.driving import Client


@given(st.text())
def test_pieces_add_up_to_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text
    assert "".join(argument_pieces(text)) == text


def test_pieces_are_short_enough_to_be_obfuscated() -> None:
    assert max(map(len, pieces("Donaudampfschifffahrtsgesellschaft, " * 3))) < 16


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}}, {"a": "example", "b": 1}),
        ({"type": "object", "properties": {"a": {"type": "string"}, "b": {}}, "required": ["a"]}, {"a": "example"}),
        ({"enum": ["x", "y"]}, "x"),
        ({"type": "array", "items": {"type": "boolean"}}, [True]),
        ({"type": ["null", "number"], "minimum": 3}, 3),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, None),
        ({"const": 7}, 7),
        ({}, "example"),
    ],
)
def test_arguments_are_the_plainest_that_fit_a_schema(schema: dict[str, Any], value: object) -> None:
    assert sample(schema) == value


def test_replies_differ_from_turn_to_turn() -> None:
    client = Client()
    for _ in range(3):
        client.turn(output_modalities=["text"])
    assert len({event["text"] for event in client.all("response.output_text.done")}) == 3


def test_a_list_of_words_starts_over_and_a_list_of_calls_ends() -> None:
    client = Client(settings={"transcript": ["One.", "Two."], "calls": [{"name": "f"}]})
    for _ in range(4):
        client.turn(output_modalities=["text"])
    assert len(client.all("response.function_call_arguments.done")) == 1
    assert [event["text"] for event in client.all("response.output_text.done")] == ["Two.", "One.", "Two."]


@pytest.mark.parametrize(
    ("model", "voice", "silence_ms"),
    [
        ("gpt-realtime", "alloy", 200),
        ("gpt-realtime-2.1-mini", "marin", 500),
        ("gpt-realtime-2.1-2026-07-01", "marin", 500),
    ],
)
def test_defaults_go_by_the_models_name(model: str, voice: str, silence_ms: int) -> None:
    profile = profile_of(ANY_MODEL, model, transcription=False)
    assert (profile.model, profile.voice, profile.silence_ms) == (model, voice, silence_ms)


def test_a_named_profile_overrides_the_clients_model() -> None:
    client = Client(profile="gpt-realtime-2.1", model="gpt-realtime")
    assert client.one("session.created")["session"]["model"] == "gpt-realtime-2.1"


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_opens_a_session(profile: str) -> None:
    transcription = profile == "transcription"
    client = Client(profile=profile, dialect="beta" if profile == "beta" else "ga")
    session = client.one("session.created")["session"]
    assert session.get("type", "realtime") == ("transcription" if transcription else "realtime")


@pytest.mark.parametrize(
    ("name", "known"),
    [
        *(("gpt-realtime-2025-08-28", True), ("gpt-4o-mini-realtime-preview", True), ("gpt-audio-mini", True)),
        *(("gpt-realtime-whisper", False), ("gpt-4o", False), ("whisper-1", False), ("gpt-live-1", False)),
    ],
)
def test_realtime_models_are_known_by_their_names(name: str, known: bool) -> None:
    assert is_realtime_model(name) is known


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pase": 1}, "there is no mock setting 'pase'; use one of transcript"),
        ({"pace": "slow"}, "mock setting 'pace' cannot be 'slow'"),
        ({"pace": -1}, "write a number that is not negative"),
        ({"transcript": []}, "write a text or a list of texts"),
        ({"calls": [{"arguments": "{}"}]}, "mock setting 'calls' cannot be"),
        ({"chunk_ms": 0}, "write milliseconds between 1 and 10000"),
        ({"dialect": "gamma"}, "write ga or beta"),
        ({"expiry": "soon"}, "'soon' is not a duration"),
        ({"oob_items": "yes"}, "write true or false"),
    ],
)
def test_a_setting_that_makes_no_sense_says_what_to_write(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="mock setting") as raised:
        read_knobs(settings)
    assert message in str(raised.value)


def test_an_unknown_profile_names_those_there_are() -> None:
    with pytest.raises(ValueError, match="there is no mock profile 'gpt-5'; use one of realtime-ga, gpt-realtime"):
        Client(profile="gpt-5")


def test_pace_and_latency_scale_time() -> None:
    def seconds(**settings: Any) -> float:
        client = Client(settings={"transcript": "12345678901234567890", **settings})
        client.turn()
        return client.time("response.done") - client.time("response.created")

    assert seconds(latency=0, pace="burst") == 0
    assert seconds(pace="realtime") > seconds() > seconds(latency=0.5)
