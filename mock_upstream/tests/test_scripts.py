"""Scripts: what a rule changes, what it leaves alone, and how its replies are completed."""

from typing import Any

import pytest

from conformance.wire.durations import MILLISECOND, SECOND
from conformance.wire.events import BETA_SERVER_EVENTS, GA_SERVER_EVENTS
from conformance.wire.script import Fault
from mock_upstream.actions import Send
from mock_upstream.tests.driving import ITEM, RESPOND, WEATHER, Client, rule, update

CALL = {
    "type": "response.function_call_arguments.done",
    "call_id": "call_1",
    "name": "weather",
    "arguments": '{"city":"Oslo"}',
}


def scripted(client: Client) -> dict[str, str]:
    """Return the rule of each event type that a script had a hand in."""
    sends = [action for action in client.actions if isinstance(action, Send) and action.scripted and action.event]
    return {str(send.event["type"]): send.scripted for send in sends if send.event is not None and send.scripted}


def test_a_bare_session_updated_carries_the_real_merged_session() -> None:
    client = Client(rule("u", when="session.update", delay=40 * MILLISECOND, reply=["session.updated"]))
    before = client.now
    (updated,) = client.ask(update(instructions="Be brief.", tools=[WEATHER]))
    assert updated["session"]["instructions"] == "Be brief."
    assert updated["session"]["audio"]["output"]["voice"] == "alloy"
    assert client.time("session.updated") * MILLISECOND - before == 40 * MILLISECOND
    assert scripted(client) == {"session.updated": "u"}
    client.turn()
    assert client.one("response.done")["response"]["status"] == "completed"


def test_a_scripted_update_is_in_force_once_it_was_sent() -> None:
    client = Client(rule(when="session.update", times=1, reply=["session.updated"]))
    client.ask(update(instructions="Be brief."))
    (updated,) = client.ask(update())
    assert updated["session"]["instructions"] == "Be brief."


def test_a_scripted_call_becomes_complete_events_and_an_item_of_the_conversation() -> None:
    client = Client(rule("c", when="response.create", times=1, reply=["response.created", CALL, "response.done"]))
    client.ask(ITEM)
    created, called, done = client.ask(RESPOND)
    assert called["response_id"] == created["response"]["id"] == done["response"]["id"]
    (item,) = done["response"]["output"]
    assert item == {
        "id": called["item_id"],
        "type": "function_call",
        "status": "completed",
        "name": "weather",
        "call_id": "call_1",
        "arguments": '{"city":"Oslo"}',
    }
    assert done["response"]["usage"]["total_tokens"] > 0
    output = {"type": "function_call_output", "call_id": "call_1", "output": "rain"}
    added, _ = client.ask({"type": "conversation.item.create", "item": output})
    assert added["previous_item_id"] == called["item_id"]


def test_two_scripted_calls_are_two_items_with_their_own_indices() -> None:
    reply = ["response.created", CALL, {**CALL, "call_id": "call_2"}, "response.done"]
    client = Client(rule(when="response.create", reply=reply))
    _, first, second, done = client.ask(RESPOND)
    assert (first["output_index"], second["output_index"]) == (0, 1)
    assert [item["call_id"] for item in done["response"]["output"]] == ["call_1", "call_2"]


def test_a_scripted_response_is_active_until_its_done() -> None:
    client = Client(rule(when="response.create", times=1, reply=["response.created"]))
    client.ask(RESPOND)
    (error,) = client.ask(RESPOND)
    assert error["error"]["code"] == "conversation_already_has_active_response"


def test_a_scripted_response_without_done_can_be_cancelled() -> None:
    client = Client(rule(when="response.create", times=1, reply=["response.created", "response.output_text.delta"]))
    client.ask(RESPOND)
    client.ask({"type": "response.cancel"})
    assert client.one("response.done")["response"]["status"] == "cancelled"


def test_scripted_audio_is_real_sound() -> None:
    reply = ["response.created", "response.output_audio.delta", "response.output_audio.done", "response.done"]
    client = Client(rule(when="response.create", reply=reply))
    _, delta, audio_done, done = client.ask(RESPOND)
    assert len(delta["delta"]) > 1000
    assert delta["item_id"] == audio_done["item_id"] == done["response"]["output"][0]["id"]


def test_words_of_a_script_stand_in_every_event_that_carries_them() -> None:
    reply: list[Any] = [
        "response.created",
        "response.output_item.added",
        "response.content_part.added",
        {"type": "response.output_text.delta", "delta": "Hel"},
        {"type": "response.output_text.delta", "delta": "lo."},
        *("response.output_text.done", "response.content_part.done", "conversation.item.done"),
        *("response.output_item.done", "response.done"),
    ]
    client = Client(rule(when="response.create", reply=reply))
    client.ask(update(output_modalities=["text"]))
    client.ask(ITEM, RESPOND)
    assert client.one("response.output_text.done")["text"] == "Hello."
    assert client.one("response.content_part.done")["part"] == {"type": "text", "text": "Hello."}
    content = [{"type": "output_text", "text": "Hello."}]
    assert client.all("conversation.item.done")[-1]["item"]["content"] == content
    assert client.one("response.done")["response"]["output"][0]["content"] == content


def test_only_the_events_a_script_lists_are_sent() -> None:
    reply = ["response.created", {"type": "response.output_text.done", "text": "Hi."}, "response.done"]
    client = Client(rule(when="response.create", reply=reply))
    assert [event["type"] for event in client.ask(RESPOND, ms=3000)] == [
        "response.created",
        "response.output_text.done",
        "response.done",
    ]


def test_a_script_may_give_words_to_response_done_alone() -> None:
    item = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Only here."}]}
    done = {"type": "response.done", "response": {"output": [item]}}
    client = Client(rule(when="response.create", reply=["response.created", done]))
    _, event = client.ask(RESPOND)
    (shown,) = event["response"]["output"]
    assert shown["content"] == item["content"]
    assert shown["id"].startswith("item_")
    assert shown["status"] == "completed"


def test_an_empty_output_stays_empty() -> None:
    done = {"type": "response.done", "response": {"output": []}}
    reply = ["response.created", {"type": "response.output_text.done", "text": "Hi."}, done]
    client = Client(rule(when="response.create", reply=reply))
    assert client.ask(RESPOND)[-1]["response"]["output"] == []


@pytest.mark.parametrize(
    ("status", "details"),
    [
        ("cancelled", {"type": "cancelled", "reason": "client_cancelled"}),
        ("incomplete", {"type": "incomplete", "reason": "max_output_tokens"}),
        ("failed", {"type": "failed", "error": {"type": "server_error", "code": None}}),
    ],
)
def test_a_status_alone_brings_its_details(status: str, details: dict[str, Any]) -> None:
    done = {"type": "response.done", "response": {"status": status}}
    client = Client(rule(when="response.create", reply=["response.created", done]))
    assert client.ask(RESPOND)[-1]["response"]["status_details"] == details


def test_a_held_confirmation_lets_others_overtake_and_the_item_is_known_already() -> None:
    client = Client(rule("h", when="conversation.item.added", times=1, delay=300 * MILLISECOND))
    client.send(ITEM, RESPOND).wait(1000)
    user = client.all("conversation.item.done")[0]["item"]["id"]
    (held_until,) = [
        t for t, event in client.log if event["type"].endswith("added") and event.get("item", {}).get("id") == user
    ]
    assert held_until - client.time("conversation.item.done") == 300
    assert client.time("response.created") < held_until
    assert client.all("conversation.item.added")[0]["previous_item_id"] == user
    assert [mark.body for mark in client.marks("delayed")] == [
        {"mark": "delayed", "type": "conversation.item.added", "by": 300_000}
    ]


def test_a_held_response_done_leaves_the_response_active() -> None:
    client = Client(rule(when="response.done", delay=SECOND))
    client.send(ITEM, RESPOND).wait(900)
    (error,) = client.ask(RESPOND)
    assert error["error"]["code"] == "conversation_already_has_active_response"
    client.wait(2000)
    client.ask(RESPOND)
    assert len(client.all("response.created")) == 2


def test_a_held_update_is_not_in_force_yet() -> None:
    client = Client(rule(when="session.updated", times=1, delay=SECOND))
    client.ask(update(output_modalities=["text"]))
    client.send(RESPOND).wait(20)
    assert client.one("response.created")["response"]["output_modalities"] == ["audio"]


def test_a_delayed_client_event_delays_the_whole_answer() -> None:
    client = Client(rule("late", when="conversation.item.create", delay=300 * MILLISECOND))
    before = client.now // MILLISECOND
    client.ask(ITEM, ms=1000)
    assert client.time("conversation.item.added") - before == 300
    assert scripted(client) == {"conversation.item.added": "late", "conversation.item.done": "late"}


def test_a_confirmation_can_be_reduced_to_added_or_done() -> None:
    for only in ("conversation.item.added", "conversation.item.done"):
        client = Client(rule(when="conversation.item.create", reply=[only]))
        (event,) = client.ask({**ITEM, "item": {**ITEM["item"], "id": "mine"}})  # type: ignore[dict-item]
        assert event["type"] == only
        assert event["item"]["id"] == "mine"
        assert event["item"]["content"] == [{"type": "input_text", "text": "Hello there"}]
        (got,) = client.ask({"type": "conversation.item.retrieve", "item_id": "mine"})
        assert got["type"] == "conversation.item.retrieved"


def test_an_unrelated_item_can_be_confirmed_first() -> None:
    other = {
        "type": "conversation.item.added",
        "item": {"role": "system", "content": [{"type": "input_text", "text": "x"}]},
    }
    reply = [other, "conversation.item.added", "conversation.item.done"]
    client = Client(rule(when="conversation.item.create", reply=reply))
    stranger, added, done = client.ask(ITEM)
    assert stranger["item"]["role"] == "system"
    assert added["item"]["id"] == done["item"]["id"] != stranger["item"]["id"]
    assert added["item"]["role"] == "user"


def test_an_event_replaced_by_its_own_type_keeps_what_the_script_does_not_change() -> None:
    changed = {"type": "response.output_text.done", "text": "Other words."}
    client = Client(rule(when="response.output_text.done", reply=[changed]))
    client.turn(output_modalities=["text"])
    done = client.one("response.output_text.done")
    assert done["text"] == "Other words."
    assert done["item_id"] == client.one("response.output_item.done")["item"]["id"]
    assert len(client.marks("withheld")) == 1
    assert client.types[client.types.index("response.output_text.done") + 1] == "response.content_part.done"


def test_a_replaced_response_done_still_ends_the_response() -> None:
    done = {"type": "response.done", "response": {"status": "failed"}}
    client = Client(rule(when="response.done", times=1, reply=[done]))
    client.turn()
    client.turn()
    assert [event["response"]["status"] for event in client.all("response.done")] == ["failed", "completed"]


def test_an_empty_reply_withholds_and_changes_nothing() -> None:
    client = Client(rule("w", when="response.done", reply=[]))
    client.turn()
    assert "response.done" not in client.types
    assert client.marks("withheld")[0].body["event"]["type"] == "response.done"
    assert client.marks("withheld")[0].scripted == "w"
    assert client.ask(RESPOND)[0]["error"]["code"] == "conversation_already_has_active_response"


def test_rules_are_tried_in_order_and_used_up() -> None:
    client = Client(
        rule("one", when="response.create", times=1, reply=[{"type": "error", "error": {"message": "first"}}]),
        rule("two", when="response.create", times=2, reply=[{"type": "error", "error": {"message": "second"}}]),
    )
    for _ in range(3):
        client.ask(RESPOND)
    assert [error["message"] for error in client.errors] == ["first", "second", "second"]
    client.turn()
    assert "response.done" in client.types


def test_a_timed_rule_strikes_at_its_offset_from_the_opening() -> None:
    error = {"type": "error", "error": {"type": "server_error", "code": None, "message": "The server had an error"}}
    client = Client(rule("t", at=5 * SECOND, reply=[error])).wait(6000)
    assert client.time("error") == 5000
    assert client.errors[0]["message"] == "The server had an error"
    assert scripted(client) == {"error": "t"}


def test_a_bare_error_is_the_server_error_with_the_sessions_id() -> None:
    client = Client(rule(at=SECOND, reply=["error"])).wait(1000)
    (error,) = client.errors
    assert error["type"] == "server_error"
    assert error["code"] is None
    assert client.one("session.created")["session"]["id"] in error["message"]


def test_an_error_answers_the_event_that_set_it_off() -> None:
    client = Client(rule(when="response.create", reply=["error"]))
    client.ask({**RESPOND, "event_id": "mine"})
    assert client.errors[0]["event_id"] == "mine"


@pytest.mark.parametrize("wrong", [{"response": {"output_modalities": 5}}, {"response": 5}, {"session": 5}])
def test_a_reply_to_an_invalid_request_is_complete_all_the_same(wrong: dict[str, Any]) -> None:
    client = Client(rule(when="response.create", reply=["response.created", "response.done"]))
    assert [event["type"] for event in client.ask({**RESPOND, **wrong})] == ["response.created", "response.done"]


def test_a_raw_event_goes_out_as_it_is() -> None:
    client = Client(rule(at=SECOND, reply=[{"type": "bogus", "x": 1, "raw": True}]), broken=True).wait(1000)
    assert client.events[-1] == {"type": "bogus", "x": 1}


def test_a_rule_for_another_connection_is_not_ours() -> None:
    client = Client(rule(when="response.create", conn=1, reply=[]))
    client.turn()
    assert "response.done" in client.types


def test_a_probability_is_drawn_from_the_seed() -> None:
    def struck(seed: int) -> list[bool]:
        client = Client(rule(when="nope", probability=0.5, reply=[]), seed=seed)
        return [client.ask({"type": "nope"}) == [] for _ in range(20)]

    assert struck(1) == struck(1)
    assert 2 < sum(struck(1)) < 18


def test_a_pattern_may_ask_for_fields() -> None:
    pattern = {"type": "session.update", "session": {"audio": {"input": {"turn_detection": None}}}}
    client = Client(rule(when=pattern, reply=[]))
    assert client.ask(update(audio={"input": {"turn_detection": None}})) == []
    assert [event["type"] for event in client.ask(update())] == ["session.updated"]


def test_the_server_can_be_made_to_commit_and_respond_by_itself() -> None:
    spoken = ["input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", "input_audio_buffer.committed"]
    reply = [*spoken, "conversation.item.added", "conversation.item.done", "response.created", "response.done"]
    client = Client(rule(at=SECOND, reply=reply)).wait(1000)
    started, stopped, committed, added, done = client.events[1:6]
    ids = {started["item_id"], stopped["item_id"], committed["item_id"], added["item"]["id"], done["item"]["id"]}
    assert len(ids) == 1
    assert client.one("response.done")["response"]["output"] == []


def test_interim_transcripts_add_up_to_the_final_one() -> None:
    name = "conversation.item.input_audio_transcription"
    reply: list[Any] = [{"type": f"{name}.delta", "delta": text} for text in (" Hel", "lo", ".")]
    client = Client(rule(at=SECOND, reply=[*reply, f"{name}.completed"])).wait(1000)
    assert client.one(f"{name}.completed")["transcript"] == "Hello."
    assert len({event["item_id"] for event in client.events[1:]}) == 1


@pytest.mark.parametrize(
    "type_", [name for name in GA_SERVER_EVENTS if name not in ("session.created", "response.created")]
)
def test_every_server_event_can_be_scripted_by_its_name_into_an_idle_session(type_: str) -> None:
    client = Client(rule(at=SECOND, reply=[type_])).wait(2000)
    assert client.types == ["session.created", type_]
    client.turn()
    assert client.all("response.done")[-1]["response"]["status"] == "completed"


@pytest.mark.parametrize(
    "type_", [name for name in GA_SERVER_EVENTS if name not in ("session.created", "response.created")]
)
def test_every_server_event_can_be_scripted_into_a_running_response(type_: str) -> None:
    client = Client(rule(at=600 * MILLISECOND, reply=[type_]), settings={"pace": "realtime"})
    client.send(ITEM, RESPOND).wait(8000)
    assert client.types.count("response.done") == 1
    client.turn()
    assert client.types.count("response.done") == 2


@pytest.mark.parametrize(
    "type_", [name for name in BETA_SERVER_EVENTS if not name.startswith("transcription_session") and "segment" not in name]
)
def test_every_beta_event_can_be_scripted_by_its_name(type_: str) -> None:
    client = Client(rule(at=SECOND, reply=[type_]), profile="beta", dialect="beta").wait(1000)
    assert client.types[-1] == type_


def test_fault_and_reply_of_one_rule_both_happen() -> None:
    client = Client(rule(when="session.update", reply=["error"], fault=Fault("close", {"code": 1011})))
    client.ask(update())
    assert client.types[-1] == "error"
    assert [close.code for close in client.closes] == [1011]
