"""Audio up: whole, in the upstream's format, and committed by one party only."""

from typing import Any

import numpy as np
import pytest

from conformance.reference_proxy.tests.dialogue import Dialogue, error
from conformance.wire.audio import Encoding, Samples, decode, encode


@pytest.fixture
def talk() -> Dialogue:
    return Dialogue().ready()


def sine(ms: int, rate: int) -> Samples:
    return (8_000 * np.sin(np.arange(rate * ms // 1000) * 2 * np.pi * 440 / rate)).astype(np.int16)


def rate(hz: int, encoding: str = "linear16") -> dict[str, Any]:
    return {"input": {"encoding": encoding, "sample_rate": hz}}


@pytest.mark.parametrize(("ms", "commits"), [(20, 0), (80, 0), (100, 1), (120, 1), (240, 1), (1_240, 1)])
def test_a_pause_commits_100_ms_or_more(talk: Dialogue, ms: int, commits: int) -> None:
    talk.audio(ms)
    talk.wait(3_000)
    assert talk.sent().count("input_audio_buffer.commit") == commits
    assert len(talk.spoken()) == ms * 48


def test_a_commit_comes_after_400_ms_of_quiet(talk: Dialogue) -> None:
    talk.audio(200)
    last = talk.sent_at("input_audio_buffer.append")[-1]
    talk.wait(2_000)
    assert talk.sent_at("input_audio_buffer.commit") == [last + 400]


def test_a_stream_without_pauses_is_committed_within_3_s(talk: Dialogue) -> None:
    talk.audio(5_000)
    commits = talk.sent_at("input_audio_buffer.commit")
    assert commits
    assert commits[0] <= 3_000


def test_rests_too_short_for_a_commit_wait_for_what_follows(talk: Dialogue) -> None:
    talk.audio(60)
    talk.wait(2_000)
    talk.audio(60)
    talk.wait(2_000)
    assert talk.sent().count("input_audio_buffer.commit") == 1


def test_a_commit_is_answered_after_its_item_is_confirmed(talk: Dialogue) -> None:
    talk.audio(200)
    talk.wait(1_000)
    assert talk.sent()[-1] == "input_audio_buffer.commit"
    talk.commit_confirmed("item_1")
    talk.wait(3_000)
    assert talk.sent().count("response.create") == 1


@pytest.mark.parametrize("twice", ["input_audio_buffer.committed", "conversation.item.added"])
def test_a_repeated_confirmation_asks_for_no_second_response(talk: Dialogue, twice: str) -> None:
    talk.audio(200)
    talk.wait(1_000)
    talk.commit_confirmed("item_1")
    talk.respond("resp_1")
    item = {"id": "item_1", "role": "user", "content": [{"type": "input_audio"}]}
    talk.upstream({"type": twice, "item_id": "item_1", "item": item})
    talk.wait(5_000)
    assert talk.sent().count("response.create") == 1


def test_an_item_shown_before_committed_is_answered_once(talk: Dialogue) -> None:
    talk.audio(200)
    talk.wait(1_000)
    item = {"id": "item_1", "type": "message", "role": "user", "content": [{"type": "input_audio"}]}
    talk.upstream({"type": "conversation.item.added", "item": item})
    talk.upstream({"type": "input_audio_buffer.committed", "item_id": "item_1"})
    talk.respond("resp_1")
    talk.wait(5_000)
    assert talk.sent().count("response.create") == 1


def test_a_commit_whose_item_is_never_shown_is_answered_all_the_same(talk: Dialogue) -> None:
    talk.audio(200)
    talk.wait(1_000)
    talk.upstream({"type": "input_audio_buffer.committed", "item_id": "item_1"})
    talk.wait(1_900)
    assert "response.create" not in talk.sent()
    talk.wait(200)
    assert talk.sent()[-1] == "response.create"


def test_commits_that_the_upstream_confirms_without_naming_an_item_are_answered_all_the_same(talk: Dialogue) -> None:
    for turn in (1, 2):
        talk.audio(200)
        talk.wait(1_000)
        talk.upstream({"type": "input_audio_buffer.committed"})
        talk.wait(2_500)
        assert talk.sent().count("response.create") == turn
        talk.upstream({"type": "response.created", "response": {"id": f"resp_{turn}"}})
        talk.upstream({"type": "response.done", "response": {"id": f"resp_{turn}", "status": "completed"}})


def test_audio_during_a_response_is_committed_after_its_end(talk: Dialogue) -> None:
    talk.respond("resp_1", done=False)
    talk.audio(1_200)
    talk.wait(4_000)
    assert "input_audio_buffer.commit" not in talk.sent()
    talk.done("resp_1")
    talk.wait(3_000)
    assert talk.sent().count("input_audio_buffer.commit") == 1


def test_a_short_rest_that_came_during_a_response_is_padded_with_silence(talk: Dialogue) -> None:
    talk.respond("resp_1", done=False)
    talk.client(b"\x01\x02" * 1_200)
    talk.wait(900)
    talk.done("resp_1")
    talk.wait(3_000)
    assert talk.sent().count("input_audio_buffer.commit") == 1
    assert talk.spoken() == b"\x01\x02" * 1_200 + bytes(2_400)


def test_a_commit_waits_for_a_requested_response_to_begin_but_not_for_ever(talk: Dialogue) -> None:
    talk.audio(200)
    talk.wait(1_000)
    talk.commit_confirmed("item_1")
    talk.audio(200)
    talk.wait(2_500)
    assert talk.sent().count("input_audio_buffer.commit") == 2


def test_a_refused_commit_is_shown_and_gets_no_response(talk: Dialogue) -> None:
    talk.audio(200)
    talk.wait(1_000)
    talk.upstream(error("input_audio_buffer_commit_empty"))
    talk.wait(60_000)
    assert [m["code"] for m in talk.heard("Error")] == ["input_audio_buffer_commit_empty"]
    assert "response.create" not in talk.sent()


def test_with_an_idle_timeout_the_server_alone_commits(talk: Dialogue) -> None:
    talk = Dialogue()
    talk.open()
    talk.upstream("session.created")
    talk.settings(idleTimeoutMs=10_000)
    detection = talk.sent("session.update")[0]["session"]["audio"]["input"]["turn_detection"]
    assert detection == {"type": "server_vad", "idle_timeout_ms": 10_000, "create_response": False}
    talk.upstream("session.updated")
    talk.audio(5_000)
    talk.wait(5_000)
    assert "input_audio_buffer.commit" not in talk.sent()
    talk.commit_confirmed("item_1")
    assert talk.sent().count("response.create") == 1
    talk.respond("resp_1")
    talk.commit_confirmed("item_2")
    assert talk.sent().count("response.create") == 2


def test_a_nudge_that_the_server_answers_itself_is_not_answered_twice() -> None:
    talk = Dialogue().ready(idleTimeoutMs=5_000)
    talk.upstream({"type": "input_audio_buffer.timeout_triggered", "item_id": "item_1"})
    talk.commit_confirmed("item_1")
    talk.wait(10)
    talk.respond("resp_server")
    talk.wait(3_000)
    assert "response.create" not in talk.sent()


def test_a_nudge_that_the_server_does_not_answer_gets_a_response() -> None:
    talk = Dialogue().ready(idleTimeoutMs=5_000)
    talk.upstream({"type": "input_audio_buffer.timeout_triggered", "item_id": "item_1"})
    talk.commit_confirmed("item_1")
    talk.wait(3_000)
    assert talk.sent() == ["response.create"]


def test_a_server_that_commits_unasked_has_taken_the_audio(talk: Dialogue) -> None:
    talk.audio(200)
    talk.commit_confirmed("item_1")
    talk.wait(3_000)
    assert talk.sent().count("input_audio_buffer.commit") == 0
    assert talk.sent().count("response.create") == 1


@pytest.mark.parametrize("hz", [8_000, 16_000, 44_100, 48_000])
def test_audio_is_resampled_without_loss_of_time(hz: int) -> None:
    talk = Dialogue().ready(audio=rate(hz))
    pcm = sine(1_000, hz).tobytes()
    step = len(pcm) // 50
    for start in range(0, len(pcm), step):
        talk.client(pcm[start : start + step])
        talk.wait(20)
    talk.wait(1_000)
    assert abs(len(talk.spoken()) - 48_000) <= 48
    loudness = np.sqrt(np.mean(np.frombuffer(talk.spoken(), "<i2").astype(float) ** 2))
    assert loudness == pytest.approx(8_000 / 2**0.5, rel=0.02)


def test_100_ms_at_16_khz_are_enough_for_a_commit() -> None:
    talk = Dialogue().ready(audio=rate(16_000))
    talk.audio(100, rate=16_000)
    talk.wait(1_000)
    assert talk.sent()[-1] == "input_audio_buffer.commit"
    assert len(talk.spoken()) == 4_800


@pytest.mark.parametrize(("name", "encoding"), [("mulaw", Encoding.ULAW), ("alaw", Encoding.ALAW)])
def test_telephone_audio_is_decoded(name: str, encoding: Encoding) -> None:
    talk = Dialogue().ready(audio=rate(24_000, name))
    samples = sine(200, 24_000)
    coded = encode(samples, encoding)
    talk.client(coded)
    assert talk.spoken() == decode(coded, encoding).tobytes()


def test_half_a_sample_waits_for_its_other_half(talk: Dialogue) -> None:
    pcm = sine(40, 24_000).tobytes()
    talk.client(pcm[:961])
    talk.client(pcm[961:962])
    talk.client(pcm[962:])
    assert talk.spoken() == pcm
    assert all(len(event["audio"]) % 4 == 0 for event in talk.sent("input_audio_buffer.append"))


def test_a_large_frame_is_split_into_pieces_that_the_api_takes(talk: Dialogue) -> None:
    body = bytes(range(256)) * (16 * 4096)
    talk.client(body)
    assert talk.spoken() == body
    assert all(len(event["audio"]) < 15 * 1024 * 1024 for event in talk.sent("input_audio_buffer.append"))


def test_json_in_a_binary_frame_is_audio_like_any_other(talk: Dialogue) -> None:
    talk.client(b'{"type":"InjectUserMessage","content":"hi"}!')
    assert talk.heard() == []
    assert talk.sent() == ["input_audio_buffer.append"]


def test_audio_too_short_for_a_commit_goes_up_in_a_pause_though_a_resampler_holds_it() -> None:
    talk = Dialogue().ready(audio=rate(16_000))
    talk.client(bytes(960))
    talk.wait(1_000)
    assert talk.sent() == ["input_audio_buffer.append"]
    assert len(talk.spoken()) == 1_440


def test_the_audio_that_a_resampler_holds_goes_up_in_a_pause_when_the_server_segments() -> None:
    talk = Dialogue().ready(idleTimeoutMs=5_000, audio=rate(16_000))
    talk.audio(1_000, rate=16_000)
    talk.wait(1_000)
    assert abs(len(talk.spoken()) - 48_000) <= 48
