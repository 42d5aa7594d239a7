"""Items where the client wants them, and functions the model calls."""

from base64 import b64decode

import pytest

from mock_upstream.tests.driving import ITEM, RESPOND, USER, WEATHER, Client, once, update


def test_a_function_call_streams_its_arguments_and_takes_its_output() -> None:
    client = Client(settings={"calls": [{"name": "weather", "arguments": {"city": "Oslo"}}]})
    client.ask(update(tools=[WEATHER], output_modalities=["text"]))
    events = client.turn()
    assert once([event["type"] for event in events]) == [
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    done = client.one("response.function_call_arguments.done")
    assert done["name"] == "weather"
    assert done["arguments"] == '{"city":"Oslo"}'
    assert client.one("response.output_item.added")["item"]["arguments"] == ""
    output = {"type": "function_call_output", "call_id": done["call_id"], "output": "rain"}
    added, confirmed = client.ask({"type": "conversation.item.create", "item": output})
    assert list(added["item"]) == ["id", "type", "call_id", "output"]
    assert added["previous_item_id"] == confirmed["previous_item_id"] == done["item_id"]
    client.send(RESPOND).wait(3000)
    assert client.all("response.done")[-1]["response"]["output"][0]["content"][0]["type"] == "output_text"


@pytest.mark.parametrize("choice", ["required", {"type": "function", "name": "weather"}])
def test_a_demanded_function_is_called_with_arguments_that_fit_its_schema(choice: object) -> None:
    client = Client()
    client.turn(tools=[WEATHER], tool_choice=choice)
    assert client.one("response.function_call_arguments.done")["arguments"] == '{"city":"example"}'


def test_tools_that_nobody_demands_are_not_called() -> None:
    client = Client()
    client.turn(tools=[WEATHER], tool_choice="auto")
    assert client.one("response.output_item.done")["item"]["type"] == "message"


def test_words_before_a_call_are_closed_after_the_calls_arguments() -> None:
    client = Client(model="gpt-realtime-2", settings={"calls": [{"name": "weather"}], "call_text": "Let me look."})
    client.ask(update(output_modalities=["text"]))
    types = once([f"{event['type']}({event.get('output_index')})" for event in client.turn()][2:])
    assert types[:-2] == [
        "response.created(None)",
        "response.output_item.added(0)",
        "conversation.item.added(None)",
        "response.content_part.added(0)",
        "response.output_text.delta(0)",
        "response.output_item.added(1)",
        "conversation.item.added(None)",
        "response.function_call_arguments.delta(1)",
        "response.output_text.done(0)",
        "response.content_part.done(0)",
        "conversation.item.done(None)",
        "response.output_item.done(0)",
        "response.function_call_arguments.done(1)",
        "conversation.item.done(None)",
        "response.output_item.done(1)",
    ]


def test_items_go_where_the_client_wants_them() -> None:
    client = Client()

    def create(item_id: str, **place: str) -> str | None:
        added, done = client.ask({"type": "conversation.item.create", "item": {**USER, "id": item_id}, **place})
        assert added["previous_item_id"] == done["previous_item_id"]
        return str(added["previous_item_id"]) if added["previous_item_id"] else None

    assert create("a") is None
    assert create("b") == "a"
    assert create("first", previous_item_id="root") is None
    assert create("last", previous_item_id="") == "b"
    assert create("c", previous_item_id="a") == "a"
    assert create("last") == "last"


def test_items_are_retrieved_deleted_and_truncated() -> None:
    client = Client()
    client.turn()
    spoken = client.one("response.output_item.done")["item"]
    (got,) = client.ask({"type": "conversation.item.retrieve", "item_id": spoken["id"]})
    assert len(b64decode(got["item"]["content"][0]["audio"])) > 48_000
    truncate = {"type": "conversation.item.truncate", "item_id": spoken["id"], "content_index": 0, "audio_end_ms": 500}
    (truncated,) = client.ask(truncate)
    assert truncated["audio_end_ms"] == 500
    (got,) = client.ask({"type": "conversation.item.retrieve", "item_id": spoken["id"]})
    assert len(b64decode(got["item"]["content"][0]["audio"])) == 24_000
    assert got["item"]["content"][0]["transcript"] is None
    (deleted,) = client.ask({"type": "conversation.item.delete", "item_id": spoken["id"]})
    assert deleted["type"] == "conversation.item.deleted"
    (error,) = client.ask({"type": "conversation.item.retrieve", "item_id": spoken["id"]})
    assert error["error"]["code"] == "item_retrieve_invalid_item_id"


def test_an_item_can_be_truncated_while_it_is_still_being_said() -> None:
    client = Client(settings={"pace": "realtime", "transcript": "word " * 30})
    client.send(ITEM, RESPOND).wait(1500)
    item_id = client.one("response.output_item.added")["item"]["id"]
    cut = {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": 300}
    assert "conversation.item.truncated" in [event["type"] for event in client.ask(cut)]
    client.wait(30_000)
    assert client.one("response.done")["response"]["status"] == "completed"
