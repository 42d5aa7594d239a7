"""Output down: each text once, all the audio, every signal in its order."""

from base64 import b64encode
from typing import Any

import numpy as np
import pytest

from conformance.reference_proxy.tests.dialogue import Dialogue, assistant, audio_delta, text_done

ONE = {"response_id": "resp_1", "item_id": "item_a"}
CARRIERS = {
    "item added": ({"type": "conversation.item.added", "item": assistant("Hello.")},),
    "item done": ({"type": "conversation.item.done", "item": assistant("Hello.")},),
    "output item done": ({"type": "response.output_item.done", **ONE, "item": assistant("Hello.")},),
    "text done": ({"type": "response.output_text.done", **ONE, "text": "Hello."},),
    "transcript done": ({"type": "response.output_audio_transcript.done", **ONE, "transcript": "Hello."},),
    "content part": ({"type": "response.content_part.done", **ONE, "part": {"type": "text", "text": "Hello."}},),
    "deltas": tuple({"type": "response.output_text.delta", **ONE, "delta": delta} for delta in ("Hel", "lo.")),
    "object deltas": tuple(
        {"type": "response.audio_transcript.delta", **ONE, "delta": {"text": delta}} for delta in ("Hel", "lo.")
    ),
    "beta text done": ({"type": "response.text.done", **ONE, "text": "Hello."},),
    "beta item": ({"type": "conversation.item.created", "item": assistant("Hello.")},),
}


@pytest.fixture
def talk() -> Dialogue:
    return Dialogue().ready()


def start(talk: Dialogue, response_id: str = "resp_1") -> None:
    talk.upstream({"type": "response.created", "response": {"id": response_id}})


@pytest.mark.parametrize("events", CARRIERS.values(), ids=CARRIERS)
def test_any_one_carrier_brings_the_text_once(talk: Dialogue, events: tuple[dict[str, Any], ...]) -> None:
    start(talk)
    talk.upstream(*events)
    talk.wait(500)
    talk.done("resp_1")
    talk.wait(1_000)
    assert talk.texts() == ["Hello."]
    assert talk.heard() == ["AgentStartedSpeaking", "ConversationText", "AgentAudioDone"]


def test_response_done_alone_brings_the_text(talk: Dialogue) -> None:
    start(talk)
    talk.done("resp_1", output=[assistant("Hello.")])
    assert talk.heard() == ["AgentStartedSpeaking", "ConversationText", "AgentAudioDone"]


def test_all_carriers_together_bring_the_text_once(talk: Dialogue) -> None:
    start(talk)
    for events in CARRIERS.values():
        talk.upstream(*events)
    talk.done("resp_1", output=[assistant("Hello!")])
    talk.wait(1_000)
    assert talk.texts() in (["Hello."], ["Hello.Hello."])
    assert len(talk.texts()) == 1


def test_the_same_words_in_two_responses_are_two_messages(talk: Dialogue) -> None:
    for number in (1, 2):
        talk.respond(f"resp_{number}", {**text_done("Yes."), "item_id": f"item_{number}"})
    assert talk.texts() == ["Yes.", "Yes."]


def test_two_messages_in_one_response_are_two_texts(talk: Dialogue) -> None:
    start(talk)
    talk.done("resp_1", output=[assistant("One.", "item_1"), assistant("Two.", "item_2")])
    assert talk.texts() == ["One.", "Two."]


def test_a_text_that_is_done_comes_even_if_nothing_else_does(talk: Dialogue) -> None:
    start(talk)
    talk.upstream(CARRIERS["text done"][0])
    talk.wait(1_000)
    assert talk.texts() == ["Hello."]


def test_two_parts_of_one_message_are_one_text(talk: Dialogue) -> None:
    start(talk)
    for index, words in enumerate(("Hello ", "there.")):
        talk.upstream({"type": "response.output_text.done", **ONE, "content_index": index, "text": words})
    talk.upstream({"type": "conversation.item.done", "item": assistant("Hello there.")})
    assert talk.texts() == ["Hello there."]


def test_context_that_the_server_echoes_as_items_is_no_new_text() -> None:
    remarks = [{"role": "user", "content": "I am Ada."}, {"role": "assistant", "content": "Hello Ada."}]
    talk = Dialogue().ready(context={"messages": remarks})
    for kind in ("added", "done"):
        talk.upstream({"type": f"conversation.item.{kind}", "item": assistant("Hello Ada.")})
    start(talk)
    talk.upstream({"type": "conversation.item.done", "item": assistant("Hello Ada.")})
    talk.done("resp_1")
    assert talk.texts() == []


def test_an_empty_message_is_no_text(talk: Dialogue) -> None:
    start(talk)
    talk.upstream({"type": "response.output_text.done", **ONE, "text": ""})
    talk.done("resp_1", output=[assistant(" ")])
    assert talk.heard() == ["AgentAudioDone"]


def test_audio_comes_decoded_and_whole_between_its_signals(talk: Dialogue) -> None:
    talk.respond("resp_1", audio_delta(b"\x01\x02" * 100), audio_delta(b"\x03\x04" * 50))
    assert talk.heard() == ["AgentStartedSpeaking", "audio", "audio", "AgentAudioDone"]
    assert talk.sound() == b"\x01\x02" * 100 + b"\x03\x04" * 50


def test_audio_goes_on_after_text_done(talk: Dialogue) -> None:
    start(talk)
    talk.upstream(CARRIERS["text done"][0])
    talk.wait(250)
    talk.upstream({**audio_delta(b"ab"), **ONE})
    talk.upstream({"type": "response.output_audio.done", **ONE})
    talk.wait(500)
    talk.done("resp_1")
    assert talk.heard() == ["AgentStartedSpeaking", "ConversationText", "audio", "AgentAudioDone"]


def test_audio_after_response_done_is_dropped_and_late_text_is_not(talk: Dialogue) -> None:
    talk.respond("resp_1", audio_delta(b"ab"))
    talk.upstream({**audio_delta(b"cd"), "response_id": "resp_1"})
    talk.upstream({"type": "response.output_text.done", **ONE, "text": "Late."})
    talk.wait(500)
    assert talk.heard() == ["AgentStartedSpeaking", "audio", "AgentAudioDone", "ConversationText"]


def test_a_repeated_response_done_is_heard_once(talk: Dialogue) -> None:
    talk.respond("resp_1", audio_delta(b"ab"))
    talk.done("resp_1")
    assert talk.heard().count("AgentAudioDone") == 1


def test_an_empty_response_is_done_all_the_same(talk: Dialogue) -> None:
    talk.respond("resp_1")
    assert talk.heard() == ["AgentAudioDone"]


def test_the_beta_names_mean_the_same(talk: Dialogue) -> None:
    talk.respond(
        "resp_1", audio_delta(b"ab"), {"type": "response.output_audio_transcript.done", "transcript": "A"}, beta=True
    )
    assert talk.heard() == ["AgentStartedSpeaking", "audio", "ConversationText", "AgentAudioDone"]


def test_the_speaker_gets_its_own_format() -> None:
    talk = Dialogue().ready(audio={"output": {"encoding": "mulaw", "sample_rate": 8_000}})
    tone = (8_000 * np.sin(np.arange(24_000) / 10)).astype("<i2").tobytes()
    talk.respond("resp_1", *(audio_delta(tone[start : start + 4_800]) for start in range(0, len(tone), 4_800)))
    assert abs(len(talk.sound()) - 8_000) <= 8
    assert talk.heard()[-1] == "AgentAudioDone"


def test_audio_that_is_not_base64_is_an_error_and_no_binary_frame(talk: Dialogue) -> None:
    talk.respond("resp_1", {"type": "response.output_audio.delta", "delta": "%%%"})
    assert talk.sound() == b""
    assert talk.heard() == ["Error", "AgentAudioDone"]


def test_voice_detection_is_mapped_with_its_values(talk: Dialogue) -> None:
    talk.upstream({"type": "input_audio_buffer.speech_started", "item_id": "i"})
    talk.upstream({"type": "input_audio_buffer.speech_stopped", "item_id": "i", "channel": [0, 1], "last_word_end": 1.2})
    talk.upstream({"type": "input_audio_buffer.speech_stopped", "item_id": "i"})
    assert [message for _, message in talk.down] == [
        {"type": "UserStartedSpeaking"},
        {"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": 1.2},
        {"type": "UtteranceEnd"},
    ]


def test_transcripts_accumulate_per_item_and_the_final_one_comes_through(talk: Dialogue) -> None:
    kind = "conversation.item.input_audio_transcription"
    for item_id, delta in (("a", " How"), ("b", "Yes"), ("a", " are"), ("a", " you")):
        talk.upstream({"type": f"{kind}.delta", "item_id": item_id, "delta": delta})
    talk.upstream({"type": f"{kind}.completed", "item_id": "a", "transcript": "How are you?", "start": 1, "duration": 2})
    talk.upstream({"type": f"{kind}.failed", "item_id": "b", "error": {"code": None, "message": "no"}})
    talk.upstream({"type": f"{kind}.delta", "item_id": "b", "delta": "New"})
    heard = [(m["transcript"], m["is_final"]) for m in talk.heard("Transcript")]
    interim = [" How", "Yes", " How are", " How are you"]
    assert heard == [*((words, False) for words in interim), ("How are you?", True), ("New", False)]
    assert talk.heard("Transcript")[4]["duration"] == 2
    assert talk.heard("Error") == []


def test_garbage_in_every_field_hurts_nobody(talk: Dialogue) -> None:
    for type_ in (
        "response.output_text.delta",
        "response.output_audio.delta",
        "response.done",
        "response.output_item.done",
    ):
        for value in (None, 5, [], {}, "x", [5], {"id": 5, "output": 5, "content": 5}):
            names = ("delta", "response", "item", "part", "item_id", "response_id", "content_index")
            talk.upstream({"type": type_, **dict.fromkeys(names, value)})
    talk.respond("resp_9", {**audio_delta(b64encode(b"x") + b"y"), "item_id": "z"})
    assert "AgentAudioDone" in talk.heard()
