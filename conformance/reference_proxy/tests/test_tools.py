"""Function calls: shown once, answered whole, continued in order."""

import json
from typing import Any

import pytest

from conformance.reference_proxy.tests.dialogue import CALL, Dialogue, error


@pytest.fixture
def talk() -> Dialogue:
    return Dialogue().ready()


def calls(talk: Dialogue, *call_ids: str, response_id: str = "resp_1") -> None:
    events = [{**CALL, "type": "response.function_call_arguments.done", "call_id": call_id} for call_id in call_ids]
    talk.respond(response_id, *events, done=False)


def answer(talk: Dialogue, call_id: str = "call_1", **output: Any) -> None:
    talk.client({"type": "FunctionCallResponse", "id": call_id, "name": "weather", **(output or {"content": "4"})})


def test_a_call_is_shown_once_whichever_events_carry_it(talk: Dialogue) -> None:
    calls(talk, "call_1")
    talk.upstream({"type": "response.output_item.done", "response_id": "resp_1", "item": CALL})
    talk.upstream({"type": "conversation.item.done", "item": CALL})
    talk.done("resp_1", output=[CALL])
    function = {"id": "call_1", "name": "weather", "arguments": '{"city": "Oslo"}', "client_side": True}
    assert talk.heard("FunctionCallRequest") == [{"type": "FunctionCallRequest", "functions": [function]}]


@pytest.mark.parametrize("carrier", ["response.output_item.done", "conversation.item.done", "response.done"])
def test_a_call_that_only_an_item_carries_is_shown(talk: Dialogue, carrier: str) -> None:
    talk.respond("resp_1", done=False)
    if carrier == "response.done":
        talk.done("resp_1", output=[CALL])
    else:
        talk.upstream({"type": carrier, "response_id": "resp_1", "item": CALL})
    assert len(talk.heard("FunctionCallRequest")) == 1


def test_a_call_that_was_cut_off_is_not_shown(talk: Dialogue) -> None:
    talk.respond("resp_1", done=False)
    cut = {**CALL, "arguments": '{"ci', "status": "incomplete"}
    talk.done("resp_1", status="cancelled", output=[cut])
    assert talk.heard("FunctionCallRequest") == []


def test_the_name_of_a_call_may_come_with_its_item(talk: Dialogue) -> None:
    talk.respond("resp_1", done=False)
    talk.upstream({"type": "response.output_item.added", "response_id": "resp_1", "item": {**CALL, "arguments": ""}})
    done = {
        "type": "response.function_call_arguments.done",
        "response_id": "resp_1",
        "call_id": "call_1",
        "arguments": "{}",
    }
    talk.upstream(done)
    assert talk.heard("FunctionCallRequest")[0]["functions"][0]["name"] == "weather"


def test_the_output_goes_up_at_once_and_the_response_waits_for_response_done(talk: Dialogue) -> None:
    calls(talk, "call_1")
    answer(talk)
    assert talk.sent() == ["conversation.item.create"]
    talk.confirm()
    talk.confirm(kind="done")
    talk.upstream({"type": "response.output_item.done", "response_id": "resp_1", "item": CALL})
    assert talk.sent() == ["conversation.item.create"]
    talk.done("resp_1")
    assert talk.sent() == ["conversation.item.create", "response.create"]


def test_the_response_waits_for_the_confirmation_that_comes_after_response_done(talk: Dialogue) -> None:
    calls(talk, "call_1")
    answer(talk)
    talk.done("resp_1")
    assert talk.sent() == ["conversation.item.create"]
    talk.confirm()
    assert talk.sent()[-1] == "response.create"


def test_an_answer_after_response_done_is_continued_at_once(talk: Dialogue) -> None:
    calls(talk, "call_1")
    talk.done("resp_1")
    talk.wait(100)
    answer(talk)
    talk.confirm()
    assert talk.sent() == ["conversation.item.create", "response.create"]


def test_parallel_calls_are_continued_when_every_output_is_up_and_confirmed(talk: Dialogue) -> None:
    calls(talk, "call_1", "call_2")
    talk.done("resp_1")
    answer(talk, "call_1")
    talk.confirm()
    talk.wait(1_000)
    assert "response.create" not in talk.sent()
    answer(talk, "call_2")
    assert "response.create" not in talk.sent()
    talk.confirm()
    talk.wait(5_000)
    assert talk.sent().count("response.create") == 1


def test_an_output_that_is_never_confirmed_becomes_an_error(talk: Dialogue) -> None:
    calls(talk, "call_1")
    answer(talk)
    talk.done("resp_1")
    talk.wait(29_000)
    assert [m["code"] for m in talk.heard("Error")] == ["upstream_timeout"]


def test_a_response_that_never_ends_becomes_an_error_for_the_output(talk: Dialogue) -> None:
    calls(talk, "call_1")
    answer(talk)
    talk.confirm()
    talk.wait(29_000)
    assert [m["code"] for m in talk.heard("Error")] == ["upstream_timeout"]


def test_a_user_message_is_answered_while_a_call_is_open(talk: Dialogue) -> None:
    calls(talk, "call_1")
    talk.done("resp_1")
    talk.client({"type": "InjectUserMessage", "content": "well?"})
    talk.wait(350)
    talk.confirm()
    assert talk.sent() == ["conversation.item.create", "response.create"]


@pytest.mark.parametrize(
    ("given", "output"),
    [
        ({"content": '{"c": 4}'}, '{"c": 4}'),
        ({"content": " plain\n"}, " plain\n"),
        ({"result": "plain"}, "plain"),
        ({"content": ""}, ""),
    ],
)
def test_a_string_goes_up_verbatim(talk: Dialogue, given: dict[str, Any], output: str) -> None:
    answer(talk, **given)
    item = talk.sent("conversation.item.create")[0]["item"]
    assert (item["type"], item["call_id"], item["output"]) == ("function_call_output", "call_1", output)


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ({"result": {"c": 4, "ok": [True, None]}}, {"c": 4, "ok": [True, None]}),
        ({"result": 4}, 4),
        ({"content": {"c": 4}}, {"c": 4}),
        ({"error": "no such city"}, {"error": "no such city"}),
        ({"error": {"code": 1}, "result": 2}, {"error": {"code": 1}, "result": 2}),
    ],
)
def test_any_other_value_goes_up_as_json(talk: Dialogue, given: dict[str, Any], value: object) -> None:
    answer(talk, **given)
    assert json.loads(talk.sent("conversation.item.create")[0]["item"]["output"]) == value


def test_a_call_is_answered_once(talk: Dialogue) -> None:
    calls(talk, "call_1")
    answer(talk)
    answer(talk)
    assert talk.sent() == ["conversation.item.create"]
    assert [m["code"] for m in talk.heard("Error")] == ["duplicate_function_response"]


def test_a_refused_output_leaves_nothing_waiting(talk: Dialogue) -> None:
    answer(talk, "call_unknown")
    talk.upstream(error("invalid_tool_call_id", event_id=talk.sent("conversation.item.create")[0]["event_id"]))
    talk.wait(60_000)
    assert [m["code"] for m in talk.heard("Error")] == ["invalid_tool_call_id"]
    assert "response.create" not in talk.sent()


@pytest.mark.parametrize("message", [{"id": "call_1"}, {"content": "4"}, {"id": 4, "content": "4"}])
def test_a_response_that_answers_no_call_is_an_error_of_the_client(talk: Dialogue, message: dict[str, Any]) -> None:
    talk.client({"type": "FunctionCallResponse", **message})
    assert talk.heard() == ["Error"]
    assert talk.sent() == []
