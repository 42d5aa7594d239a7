# ruff: noqa: E501  # a line of a timeline is one frame
"""Audio is whole on both legs, across chunks, rates and padding."""

from base64 import b64encode

import pytest

from conformance.rules.tests.says import DONE, says

APPEND = ["input_audio_buffer.append"]


def up(client: str, upstream: str, settings: str = "", end: str = "3.0 end") -> list[str] | None:
    timeline = f"""
        0.000 client   up   Settings {settings or "{}"}
        0.010 upstream up   session.update {{"session": {{"audio": {{"input": {{"turn_detection": null}}}}}}}}
        0.020 upstream down session.updated {{"session": {{"audio": {{"input": {{"format": {{"type": "audio/pcm", "rate": 24000}}}}}}}}}}
        {client}
        {upstream}
        {end}"""
    return says("RT-AUDIO-WHOLE", timeline)


def test_chunks_may_be_cut_otherwise() -> None:
    client = "0.1 client up binary 20ms\n0.2 client up binary 40ms"
    assert up(client, "0.2 upstream up input_audio_buffer.append 60ms") == []
    assert (
        up(client, "0.2 upstream up input_audio_buffer.append 30ms\n0.2 upstream up input_audio_buffer.append 30ms") == []
    )


def test_missing_and_extra_audio_is_found() -> None:
    client = "0.1 client up binary 200ms"
    assert up(client, "0.2 upstream up input_audio_buffer.append 180ms") == APPEND
    assert up(client, "0.2 upstream up input_audio_buffer.append 220ms") == APPEND
    assert up(client, "") == APPEND
    assert up("", "0.2 upstream up input_audio_buffer.append 220ms") == APPEND


def test_other_audio_of_the_same_length_is_found() -> None:
    client = "\n".join(f"0.{n} client up binary 200ms" for n in range(1, 6))
    loud = "\n".join(f"0.{n} upstream up input_audio_buffer.append 200ms" for n in range(1, 5))
    assert up(client, f"{loud}\n0.6 upstream up input_audio_buffer.append silence 200ms") == APPEND


def test_silence_directly_before_a_commit_may_be_added() -> None:
    client = "0.1 client up binary 50ms"
    padded = "0.2 upstream up input_audio_buffer.append 50ms\n0.5 upstream up input_audio_buffer.append silence 50ms"
    assert up(client, f"{padded}\n0.5 upstream up input_audio_buffer.commit") == []
    assert up(client, padded) == APPEND


def test_silence_that_the_client_sent_itself_excuses_nothing() -> None:
    client = "0.1 client up binary 400ms\n0.5 client up binary silence 300ms"
    quiet = "0.8 upstream up input_audio_buffer.append silence 300ms\n0.9 upstream up input_audio_buffer.commit"
    assert up(client, f"0.6 upstream up input_audio_buffer.append 400ms\n{quiet}") == []
    assert up(client, f"0.6 upstream up input_audio_buffer.append silence 400ms\n{quiet}") == APPEND
    twice = "0.6 upstream up input_audio_buffer.append 400ms\n0.7 upstream up input_audio_buffer.append 100ms"
    assert up(client, f"{twice}\n{quiet}") == APPEND


def test_rounding_makes_no_audio_of_a_few_samples_that_were_padded() -> None:
    client = '0.1 client up binary "abc"\n0.1 client up binary "defgh"'
    first = f'0.2 upstream up input_audio_buffer.append {{"audio": "{b64encode(b"abcdefgh").decode()}"}}'
    padding = f'0.3 upstream up input_audio_buffer.append {{"audio": "{b64encode(bytes(4798)).decode()}"}}'
    assert up(client, f"{first}\n{padding}\n0.3 upstream up input_audio_buffer.commit") == []


def test_a_resampler_may_be_20_ms_short_in_all() -> None:
    settings = '{"audio": {"input": {"encoding": "linear16", "sample_rate": 16000}}}'
    client = "0.1 client up binary 500ms\n0.6 client up binary 500ms"
    assert up(client, "0.7 upstream up input_audio_buffer.append 981ms", settings) == []
    assert up(client, "0.7 upstream up input_audio_buffer.append 970ms", settings) == APPEND


def test_audio_of_16_khz_passed_on_as_24_khz_is_found() -> None:
    settings = '{"audio": {"input": {"encoding": "linear16", "sample_rate": 16000}}}'
    assert up("0.1 client up binary 600ms", "0.2 upstream up input_audio_buffer.append 400ms", settings) == APPEND


def test_without_a_rate_in_settings_the_targets_rate_counts() -> None:
    timeline = "use ready\n0.1 client up binary 600ms\n0.2 upstream up input_audio_buffer.append 600ms\n3 end"
    assert says("RT-AUDIO-WHOLE", timeline) == []
    assert says("RT-AUDIO-WHOLE", timeline, client_rate=16_000) == APPEND


def test_the_last_500_ms_before_the_clients_close_may_be_missing() -> None:
    client = "0.1 client up binary 200ms\n2.0 client up binary 200ms"
    sent = "0.2 upstream up input_audio_buffer.append 200ms"
    assert up(client, sent, end="2.4 client up close 1000\n5 end") == []
    assert up(client, sent, end="2.6 client up close 1000\n5 end") == APPEND


def test_half_a_sample_may_be_dropped_with_its_frame() -> None:
    client = "0.1 client up binary 200ms\n0.2 client up binary 3B"
    assert up(client, "0.2 upstream up input_audio_buffer.append 200ms") == []


def test_a_session_that_never_gets_ready_owes_no_audio() -> None:
    assert says("RT-AUDIO-WHOLE", "use connected\n0.1 client up Settings\n0.2 client up binary 200ms\n9 end") is None


@pytest.mark.parametrize(("seconds", "causes"), [(245, []), (246, APPEND)])
def test_15_mib_are_counted_as_base64(seconds: int, causes: list[str]) -> None:
    assert says("RT-APPEND-MAX", f"use ready\n0.1 upstream up input_audio_buffer.append {seconds}s") == causes


DELTA = "response.output_audio.delta"
HEARD = 'use responding\n0.2 upstream down response.output_audio.delta 100ms{"response_id": "r1", "item_id": "a1"}\n'
MORE = '0.3 upstream down response.output_audio.delta 100ms{"response_id": "r1", "item_id": "a1"}\n'


def test_a_beta_upstreams_audio_is_audio_too() -> None:
    timeline = f"""use responding
        0.200 upstream down response.audio.delta 100ms{{"response_id": "r1", "item_id": "a1"}}
        0.300 upstream down {DONE}
        3.000 end"""
    assert says("VA-AUDIO-WHOLE", timeline) == [DELTA]
    assert says("VA-AUDIO-WHOLE", timeline.replace("0.300", "0.200 client down binary 100ms\n0.300")) == []


def test_audio_cut_off_by_user_speech_or_a_cancel_may_be_missing() -> None:
    half = f"{HEARD}0.2 client down binary 100ms\n"
    stop = '0.25 upstream down input_audio_buffer.speech_started {"audio_start_ms": 0, "item_id": "i1"}\n'
    assert says("VA-AUDIO-WHOLE", f"{half}{stop}{MORE}3 end") == []
    cancelled = '0.4 upstream down response.done {"response": {"id": "r1", "status": "cancelled"}}\n3 end'
    assert says("VA-AUDIO-WHOLE", f"{half}{MORE}{cancelled}") == []
    assert says("VA-AUDIO-WHOLE", f"{half}{MORE}0.4 upstream down {DONE}\n3 end") == [DELTA]


def test_across_rates_the_duration_counts() -> None:
    start = """
        0.000 client   up   Settings {"audio": {"output": {"encoding": "mulaw", "sample_rate": 8000}}}
        0.010 upstream up   session.update {"session": {}}
        0.020 upstream down session.updated
        0.100 upstream down response.created {"response": {"id": "r1"}}
        0.200 upstream down response.output_audio.delta 600ms{"response_id": "r1"}
    """
    assert says("VA-AUDIO-WHOLE", f"{start}\n0.2 client down binary 600ms\n3 end") == []
    assert says("VA-AUDIO-WHOLE", f"{start}\n0.2 client down binary 500ms\n3 end") == [DELTA]


def test_json_in_a_binary_frame_is_found_and_audio_without_an_upstreams_too() -> None:
    assert says("VA-BINARY-IS-AUDIO", 'use ready\n0.1 client down binary {"type": "Error"}') == ["Error"]
    assert says("VA-BINARY-IS-AUDIO", "use ready\n0.1 client down binary 20ms") == ["binary"]
    assert says("VA-BINARY-IS-AUDIO", "use ready\n0.1 client down SettingsApplied") is None


def test_audio_that_was_folded_without_hashes_or_loudness_still_has_its_length() -> None:
    bare = '{"audio": {"bytes": 4800, "ms": 100.0}}'
    timeline = f"use ready\n0.1 upstream up input_audio_buffer.append {bare}\n0.5 upstream up input_audio_buffer.commit"
    assert says("RT-COMMIT-MIN", timeline) == []
    delta = '0.2 upstream down response.output_audio.delta {"response_id": "r1", "delta": {"bytes": 4800}}'
    assert says("UP-AUDIO-SPEAKS", f"use responding\n{delta}\n0.3 upstream down {DONE}") == []
