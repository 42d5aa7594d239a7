"""Spoken turns: manual commits, turn detection, barge-in, idle timeout."""

import pytest

from conformance.wire.audio import PCM_24K
from mock_upstream import voice
from mock_upstream.tests.driving import ITEM, RESPOND, VAD_OFF, Client, once, update

SILENCE = bytes(4800)
SPEECH = voice.speak("Hello, can you hear me?", PCM_24K)
QUIET = bytes(48_000)


def test_a_manual_commit_makes_an_item_and_no_response() -> None:
    client = Client()
    client.ask(VAD_OFF)
    client.say(SILENCE).ask({"type": "input_audio_buffer.commit"})
    client.wait(2000)
    assert client.types[-3:] == ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"]
    committed, added = client.events[-3], client.events[-2]
    assert added["item"] == {
        "id": committed["item_id"],
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_audio", "transcript": None}],
    }


def test_server_vad_turns_speech_into_a_turn_and_answers_it() -> None:
    client = Client().say(QUIET + SPEECH + QUIET).wait(3000)
    assert once(client.types)[1:7] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
    ]
    started, stopped = client.one("input_audio_buffer.speech_started"), client.one("input_audio_buffer.speech_stopped")
    assert (started["audio_start_ms"] + 300) % 32 == 0 == stopped["audio_end_ms"] % 32
    assert started["item_id"] == stopped["item_id"] == client.one("input_audio_buffer.committed")["item_id"]
    assert client.one("response.done")["response"]["status"] == "completed"


def test_without_create_response_a_spoken_turn_ends_with_its_item() -> None:
    client = Client()
    client.ask(update(audio={"input": {"turn_detection": {"type": "server_vad", "create_response": False}}}))
    client.say(QUIET + SPEECH + QUIET).wait(3000)
    assert client.types[-1] == "conversation.item.done"


def test_with_turn_detection_off_speech_causes_nothing() -> None:
    client = Client()
    client.ask(VAD_OFF)
    before = len(client.log)
    client.say(QUIET + SPEECH + QUIET).wait(3000)
    assert len(client.log) == before


def test_a_commit_during_open_speech_commits_without_speech_stopped() -> None:
    client = Client().say(QUIET + SPEECH)
    started = client.one("input_audio_buffer.speech_started")
    client.ask({"type": "input_audio_buffer.commit"})
    assert client.one("input_audio_buffer.committed")["item_id"] == started["item_id"]
    assert client.all("input_audio_buffer.speech_stopped") == []


def test_speech_interrupts_the_response_and_the_server_does_not_truncate() -> None:
    client = Client(settings={"transcript": "word " * 40, "pace": "realtime"})
    client.send(ITEM, RESPOND).wait(1500)
    client.say(SPEECH)
    done = client.one("response.done")["response"]
    assert done["status"] == "cancelled"
    assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert client.types.index("input_audio_buffer.speech_started") < client.types.index("response.done")
    assert "conversation.item.truncated" not in client.types


def test_without_interrupt_response_speech_leaves_the_response_alone() -> None:
    client = Client(settings={"transcript": "word " * 40, "pace": "realtime"})
    client.ask(update(audio={"input": {"turn_detection": {"type": "server_vad", "interrupt_response": False}}}))
    client.send(ITEM, RESPOND).wait(1500)
    client.say(SPEECH + QUIET).wait(30_000)
    assert "input_audio_buffer.speech_started" in client.types
    assert [event["response"]["status"] for event in client.all("response.done")] == ["completed"]
    assert [error["code"] for error in client.errors] == ["conversation_already_has_active_response"]


def test_after_an_idle_timeout_the_model_speaks_up_by_itself() -> None:
    client = Client(model="gpt-realtime-2.1-mini")
    audio = {
        "turn_detection": {"type": "server_vad", "idle_timeout_ms": 5000},
        "transcription": {"model": "gpt-realtime-whisper"},
    }
    client.ask(update(audio={"input": audio}))
    client.turn()
    before = len(client.log)
    client.say(bytes(4800 * 90)).wait(3000)
    assert client.types[before : before + 7] == [
        "input_audio_buffer.timeout_triggered",
        "conversation.item.added",
        "conversation.item.done",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
    ]
    timeout = client.one("input_audio_buffer.timeout_triggered")
    assert timeout["audio_start_ms"] % 32 == 0 == timeout["audio_end_ms"] % 32
    nudge, heard = client.all("conversation.item.added")[2:4]
    assert nudge["item"]["role"] == "system"
    assert client.one("input_audio_buffer.committed")["previous_item_id"] == nudge["item"]["id"]
    assert heard["item"]["id"] == timeout["item_id"]
    heard_words = client.one("conversation.item.input_audio_transcription.completed")
    assert (heard_words["transcript"], heard_words["usage"]) == ("", {"type": "duration", "seconds": 0})


def test_semantic_vad_waits_longer_before_it_ends_a_turn() -> None:
    client = Client()
    client.ask(update(audio={"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "high"}}}))
    client.say(QUIET + SPEECH + bytes(48_000))
    assert "input_audio_buffer.speech_stopped" not in client.types
    client.say(bytes(48_000 * 2)).wait(3000)
    assert client.one("response.done")["response"]["status"] == "completed"


@pytest.mark.parametrize(("size", "accepted"), [(800, True), (792, False)])
def test_100_ms_of_g711_are_800_bytes(size: int, accepted: bool) -> None:
    client = Client()
    client.ask(update(audio={"input": {"format": {"type": "audio/pcmu"}, "turn_detection": None}}))
    client.say(b"\xff" * size)
    client.ask({"type": "input_audio_buffer.commit"})
    assert ("input_audio_buffer.committed" in client.types) is accepted
    assert [error["code"] for error in client.errors] == ([] if accepted else ["input_audio_buffer_commit_empty"])


def test_a_client_that_commits_what_turn_detection_has_committed_is_refused() -> None:
    client = Client()
    client.say(QUIET + SPEECH)
    while "input_audio_buffer.committed" not in client.types:
        client.say(bytes(960), ms=20)
    client.ask({"type": "input_audio_buffer.commit"})
    assert [error["code"] for error in client.errors] == ["input_audio_buffer_commit_empty"]


def test_another_input_format_in_mid_stream_starts_afresh() -> None:
    client = Client()
    client.ask(VAD_OFF)
    client.say(SILENCE)
    client.ask(update(audio={"input": {"format": {"type": "audio/pcma"}}}))
    client.say(b"\xd5" * 1600)
    client.ask({"type": "input_audio_buffer.commit"})
    assert "input_audio_buffer.committed" in client.types
    assert client.errors == []
