"""What no client should send: the mock names what is wrong or takes it, and goes on."""

from typing import Any

import orjson
import pytest

from mock_upstream.model import sample
from mock_upstream.tests.driving import WEATHER, Client, update


def create(**response: Any) -> dict[str, Any]:
    return {"type": "response.create", "response": response}


def nested(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


def tool(parameters: Any, name: str = "f") -> dict[str, Any]:
    return {"type": "function", "name": name, "parameters": parameters}


@pytest.mark.parametrize("levels", [200, 254, 1000, 1100, 100_000])
def test_json_that_could_not_be_echoed_is_no_json(levels: int) -> None:
    client = Client()
    frame = orjson.dumps(update(tools=[tool("HERE")])).decode().replace('"HERE"', nested(levels))
    (error,) = client.ask(frame)
    assert error["error"]["code"] == "invalid_json"
    assert client.turn(output_modalities=["text"])[-1]["type"] == "rate_limits.updated"


def test_a_hundred_levels_are_echoed() -> None:
    parameters = orjson.loads(nested(100))
    (updated,) = Client().ask(update(tools=[tool(parameters)]))
    assert updated["session"]["tools"][0]["parameters"] == parameters


SENSELESS: list[Any] = [
    *(5, "x", [], None, {}, {"properties": 5}, {"properties": {"a": 5, "b": True, "c": None}}, {"properties": []}),
    *({"enum": 5}, {"enum": {"a": 1}}, {"anyOf": [5]}, {"anyOf": {"a": 1}}, {"oneOf": 5}, {"type": {}}, {"type": [5]}),
    *({"required": 5}, {"required": [[1]], "type": "object"}, {"type": "integer", "minimum": "x"}),
    *({"type": "array", "minItems": "x"}, {"type": "array", "minItems": None}, {"type": "array", "minItems": []}),
    *({"type": "array", "items": 5}, {"type": "array", "items": [1]}, {"type": "array", "minItems": -3}),
]


@pytest.mark.parametrize("schema", SENSELESS, ids=str)
def test_a_demanded_call_has_an_object_for_arguments_whatever_its_schema_says(schema: Any) -> None:
    client = Client()
    client.ask(update(tools=[tool(schema)], tool_choice="required"))
    client.turn()
    assert isinstance(orjson.loads(client.one("response.function_call_arguments.done")["arguments"]), dict)


def test_no_schema_makes_arguments_without_end() -> None:
    many: Any = {"type": "string"}
    for _ in range(8):
        many = {"type": "array", "minItems": 10**9, "items": many}
    assert len(orjson.dumps(sample(many))) < 10_000
    wide = {"properties": {str(number): {"properties": {"a": many, "b": many}} for number in range(1000)}}
    assert len(orjson.dumps(sample(wide))) < 20_000


def test_a_tool_choice_of_none_forbids_the_calls_of_a_script() -> None:
    client = Client(settings={"calls": [[{"name": "weather"}], [{"name": "weather"}]]})
    client.ask(update(tools=[WEATHER], tool_choice="none"))
    client.turn(output_modalities=["text"])
    assert client.all("response.function_call_arguments.done") == []
    client.turn(tool_choice="auto")
    assert client.one("response.function_call_arguments.done")["name"] == "weather"


def test_a_named_function_is_called_and_no_other() -> None:
    client = Client(settings={"calls": [[{"name": "weather"}]]})
    client.turn(tools=[WEATHER, tool({}, "clock")], tool_choice={"type": "function", "name": "clock"})
    done = client.one("response.function_call_arguments.done")
    assert (done["name"], done["arguments"]) == ("clock", "{}")


def test_a_tool_of_an_mcp_server_can_be_demanded() -> None:
    server = {"type": "mcp", "server_label": "s", "server_url": "https://example.org", "require_approval": "never"}
    for choice, name in [({}, "look_up"), ({"name": "other"}, "other")]:
        client = Client()
        client.turn(
            tools=[{**server, "allowed_tools": ["look_up"]}], tool_choice={"type": "mcp", "server_label": "s", **choice}
        )
        assert client.one("response.mcp_call.completed")
        assert client.one("response.output_item.done")["item"]["name"] == name


@pytest.mark.parametrize("tools", [[], [{"type": "mcp", "server_label": "s", "server_url": "https://example.org"}]])
def test_a_server_that_nobody_named_can_be_demanded_all_the_same(tools: Any) -> None:
    for label in ("", "other"):
        client = Client()
        client.turn(tools=tools, tool_choice={"type": "mcp", "server_label": label})
        assert client.one("response.output_item.done")["item"]["server_label"] == label


@pytest.mark.parametrize(
    ("response", "code", "param"),
    [
        ({"input": [{"type": "item_reference", "id": []}]}, "invalid_type", "response.input[0].id"),
        ({"input": [{"type": "item_reference"}]}, "missing_required_parameter", "response.input[0].id"),
        ({"input": [{"type": "item_reference", "id": "a", "x": 1}]}, "unknown_parameter", "response.input[0].x"),
        ({"input": [{"type": "item_reference", "id": "a"}, {"type": "x"}]}, "invalid_value", "response.input[1].type"),
        ({"input": [{"type": "item_reference", "id": "a"}]}, "item_retrieve_invalid_item_id", None),
        (
            {"input": [{"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": "%"}]}]},
            "invalid_value",
            "response.input[0].content[0].audio",
        ),
        (
            {"input": [{"type": "message", "role": "user", "content": [{"type": "input_text"}]}]},
            "missing_required_parameter",
            "response.input[0].content[0].text",
        ),
        ({"conversation": "other"}, "invalid_value", "response.conversation"),
    ],
)
def test_a_response_is_not_made_from_what_is_no_input(response: Any, code: str, param: str | None) -> None:
    (event,) = Client().ask({**create(**response), "event_id": "mine"})
    error = event["error"]
    assert (error["code"], error["param"], error["event_id"]) == (code, param, "mine")


def test_a_custom_voice_is_named_in_the_response() -> None:
    client = Client()
    client.ask(update(audio={"output": {"voice": {"id": "voice_1"}}}))
    assert client.one("session.updated")["session"]["audio"]["output"]["voice"] == {"id": "voice_1"}
    client.turn()
    assert client.one("response.done")["response"]["audio"]["output"]["voice"] == "voice_1"
