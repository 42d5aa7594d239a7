"""Turns: one response at a time, each after its own item's confirmation."""

import pytest

from conformance.reference_proxy.tests.dialogue import Dialogue, error, text_done


@pytest.fixture
def talk() -> Dialogue:
    return Dialogue().ready()


def say(talk: Dialogue, content: str) -> None:
    talk.client({"type": "InjectUserMessage", "content": content})


def test_a_user_message_is_echoed_and_answered_after_its_confirmation(talk: Dialogue) -> None:
    say(talk, "hi")
    assert talk.heard("ConversationText") == [{"type": "ConversationText", "role": "user", "content": "hi"}]
    assert talk.sent() == ["conversation.item.create"]
    talk.wait(300)
    talk.confirm()
    assert talk.sent() == ["conversation.item.create", "response.create"]


@pytest.mark.parametrize("kinds", [["added"], ["done"], ["created"], ["added", "done"], ["added", "added", "done", "done"]])
def test_any_form_of_confirmation_asks_for_one_response(talk: Dialogue, kinds: list[str]) -> None:
    say(talk, "hi")
    for kind in kinds:
        talk.confirm(kind=kind)
    talk.wait(5_000)
    assert talk.sent().count("response.create") == 1


def test_an_unrelated_item_confirms_nothing(talk: Dialogue) -> None:
    say(talk, "hi")
    talk.upstream({"type": "conversation.item.added", "item": {"id": "item_x", "type": "message", "role": "system"}})
    other = {"id": "item_y", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "ho"}]}
    talk.upstream({"type": "conversation.item.added", "item": other})
    assert talk.sent() == ["conversation.item.create"]


def test_a_server_that_gives_its_own_ids_is_understood_by_content(talk: Dialogue) -> None:
    say(talk, "hi")
    say(talk, "hi")
    talk.confirm(0, id="item_server_1")
    talk.confirm(0, id="item_server_1", kind="done")
    assert talk.sent().count("response.create") == 1
    assert [turn.confirmed for turn in talk.translator.turns] == [False]


def test_equal_messages_are_told_apart_by_id(talk: Dialogue) -> None:
    say(talk, "hi")
    say(talk, "hi")
    talk.confirm(1)
    talk.respond("resp_1")
    assert talk.sent().count("response.create") == 1
    talk.confirm(1, kind="done")
    assert talk.sent().count("response.create") == 1
    talk.confirm(0)
    assert talk.sent().count("response.create") == 2


def test_a_message_during_a_response_is_answered_after_response_done(talk: Dialogue) -> None:
    say(talk, "one")
    talk.confirm()
    talk.respond("resp_1", text_done("1"), done=False)
    say(talk, "two")
    talk.confirm()
    talk.upstream({"type": "response.output_item.done", "response_id": "resp_1", "item": {}})
    assert talk.sent().count("response.create") == 1
    talk.done("resp_1")
    assert talk.sent().count("response.create") == 2


def test_one_response_answers_all_that_is_confirmed(talk: Dialogue) -> None:
    say(talk, "one")
    talk.confirm()
    talk.respond("resp_1", done=False)
    for word in ("two", "three"):
        say(talk, word)
        talk.confirm()
    talk.done("resp_1")
    talk.respond("resp_2")
    assert talk.sent().count("response.create") == 2


def test_a_response_that_the_server_started_is_waited_for(talk: Dialogue) -> None:
    talk.respond("resp_server", done=False)
    say(talk, "hi")
    talk.confirm()
    assert "response.create" not in talk.sent()
    talk.done("resp_server")
    assert talk.sent()[-1] == "response.create"


def test_a_second_response_done_asks_for_nothing_more(talk: Dialogue) -> None:
    say(talk, "one")
    talk.confirm()
    talk.respond("resp_1")
    say(talk, "two")
    talk.confirm()
    talk.respond("resp_2", done=False)
    say(talk, "three")
    talk.confirm()
    talk.done("resp_1")
    assert talk.sent().count("response.create") == 2


def test_a_crossed_response_is_asked_for_again_quietly(talk: Dialogue) -> None:
    say(talk, "hi")
    talk.confirm()
    create = talk.sent("response.create")[0]
    talk.respond("resp_server", done=False)
    talk.upstream(error("conversation_already_has_active_response", event_id=create["event_id"]))
    talk.wait(3_000)
    assert talk.sent().count("response.create") == 1
    talk.done("resp_server")
    assert talk.sent().count("response.create") == 2
    assert talk.heard("Error") == []


def test_a_refusal_with_no_response_in_sight_is_retried_and_at_last_shown(talk: Dialogue) -> None:
    say(talk, "hi")
    talk.confirm()
    for _ in range(6):
        create = talk.sent("response.create")[-1]
        talk.upstream(error("conversation_already_has_active_response", event_id=create["event_id"]))
        talk.wait(1_000)
    assert talk.sent().count("response.create") == 6
    assert [m["code"] for m in talk.heard("Error")] == ["conversation_already_has_active_response"]


def test_a_response_refused_for_another_reason_is_shown_and_the_next_turn_goes_on(talk: Dialogue) -> None:
    say(talk, "hi")
    talk.confirm()
    talk.upstream(error("invalid_value", event_id=talk.sent("response.create")[0]["event_id"]))
    assert [m["code"] for m in talk.heard("Error")] == ["invalid_value"]
    say(talk, "again")
    talk.confirm()
    assert talk.sent().count("response.create") == 2


def test_a_refused_item_gets_no_response(talk: Dialogue) -> None:
    say(talk, "hi")
    talk.upstream(error("invalid_value", event_id=talk.sent("conversation.item.create")[0]["event_id"]))
    talk.wait(60_000)
    assert len(talk.heard("Error")) == 1
    assert "response.create" not in talk.sent()


def test_a_confirmation_that_never_comes_becomes_an_error(talk: Dialogue) -> None:
    say(talk, "hi")
    talk.wait(29_000)
    assert [m["code"] for m in talk.heard("Error")] == ["upstream_timeout"]
    assert "response.create" not in talk.sent()


def test_a_completion_that_never_comes_becomes_an_error_for_the_turn_that_waits(talk: Dialogue) -> None:
    say(talk, "one")
    talk.confirm()
    talk.respond("resp_1", done=False)
    say(talk, "two")
    talk.confirm()
    talk.wait(29_000)
    assert [m["code"] for m in talk.heard("Error")] == ["upstream_timeout"]
    assert talk.sent().count("response.create") == 1


def test_a_long_response_that_goes_on_is_not_stuck(talk: Dialogue) -> None:
    say(talk, "one")
    talk.confirm()
    talk.respond("resp_1", done=False)
    say(talk, "two")
    talk.confirm()
    for _ in range(6):
        talk.wait(10_000)
        talk.upstream({"type": "response.output_text.delta", "response_id": "resp_1", "item_id": "i", "delta": "x"})
    assert talk.heard("Error") == []


def test_a_lost_response_created_is_made_up_for_by_any_other_event(talk: Dialogue) -> None:
    say(talk, "one")
    talk.confirm()
    talk.upstream({"type": "response.output_text.delta", "response_id": "resp_1", "item_id": "i", "delta": "x"})
    say(talk, "two")
    talk.confirm()
    assert talk.sent().count("response.create") == 1
    talk.done("resp_1")
    assert talk.sent().count("response.create") == 2


def test_a_request_without_any_answer_does_not_block_the_next_turn_for_ever(talk: Dialogue) -> None:
    say(talk, "one")
    talk.confirm()
    say(talk, "two")
    talk.confirm()
    talk.wait(12_000)
    assert talk.sent().count("response.create") == 2


def test_a_lone_event_of_no_response_blocks_nothing(talk: Dialogue) -> None:
    talk.upstream({"type": "response.content_part.added", "response_id": "resp_x", "item_id": "i", "part": {}})
    say(talk, "hi")
    talk.confirm()
    assert talk.sent()[-1] == "response.create"
