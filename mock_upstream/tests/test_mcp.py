"""MCP servers: listed, called, asked for, failing."""

from typing import Any

from mock_upstream.tests.driving import RESPOND, Client, once, update

SERVER = {"type": "mcp", "server_label": "docs", "server_url": "https://docs.example", "allowed_tools": ["find"]}
CALLS = [{"name": "find", "arguments": {"what": "x"}, "server_label": "docs"}]


def connected(approval: str = "never", **settings: Any) -> Client:
    client = Client(settings={"calls": CALLS, **settings})
    client.ask(update(tools=[{**SERVER, "require_approval": approval}], output_modalities=["text"]), ms=300)
    return client


def test_a_servers_tools_are_listed_once_in_the_recorded_order() -> None:
    client = connected()
    client.ask(update())
    assert client.types[1:] == [
        "session.updated",
        "conversation.item.added",
        "mcp_list_tools.in_progress",
        "mcp_list_tools.completed",
        "conversation.item.done",
        "session.updated",
    ]
    assert client.one("conversation.item.done")["item"]["tools"] == [{"name": "find", "input_schema": {"type": "object"}}]


def test_a_call_is_streamed_then_run() -> None:
    client = connected()
    assert once([event["type"] for event in client.ask(RESPOND, ms=3000)]) == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.mcp_call_arguments.delta",
        "response.mcp_call_arguments.done",
        "response.mcp_call.in_progress",
        "response.mcp_call.completed",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    (item,) = client.one("response.done")["response"]["output"]
    assert item["type"] == "mcp_call"
    assert item["output"]
    assert item["error"] is None


def test_a_call_that_needs_approval_waits_for_it() -> None:
    client = connected("always")
    client.ask(RESPOND, ms=3000)
    (request,) = client.one("response.done")["response"]["output"]
    assert request["type"] == "mcp_approval_request"
    assert request["arguments"] == '{"what":"x"}'
    approval = {"type": "mcp_approval_response", "id": "ok", "approval_request_id": request["id"], "approve": True}
    client.ask({"type": "conversation.item.create", "item": approval})
    client.ask(RESPOND, ms=3000)
    (call,) = client.all("response.done")[-1]["response"]["output"]
    assert (call["type"], call["approval_request_id"]) == ("mcp_call", request["id"])


def test_a_refused_call_is_not_made() -> None:
    client = connected("always")
    client.ask(RESPOND, ms=3000)
    (request,) = client.one("response.done")["response"]["output"]
    refusal = {"type": "mcp_approval_response", "id": "no", "approval_request_id": request["id"], "approve": False}
    client.ask({"type": "conversation.item.create", "item": refusal}, RESPOND, ms=3000)
    assert client.all("response.done")[-1]["response"]["output"][0]["type"] == "message"


def test_a_server_or_its_tool_may_fail() -> None:
    assert "mcp_list_tools.failed" in connected(mcp="list fails").types
    client = connected(mcp="call fails")
    client.ask(RESPOND, ms=3000)
    assert "response.mcp_call.failed" in client.types
    assert client.one("response.done")["response"]["output"][0]["error"]["type"] == "tool_execution_error"


def test_a_cancelled_call_is_not_run() -> None:
    client = connected(calls=[{**CALLS[0], "arguments": {"what": "x" * 900}}])
    client.send(RESPOND).wait(400)
    client.ask({"type": "response.cancel"})
    assert client.one("response.done")["response"]["status"] == "cancelled"
    assert "response.mcp_call.in_progress" not in client.types


def test_a_call_cancelled_while_it_runs_ends_without_a_result() -> None:
    client = connected()
    client.send(RESPOND)
    while "response.mcp_call.in_progress" not in client.types:
        client.wait(1)
    client.ask({"type": "response.cancel"}, ms=1000)
    assert client.types.count("response.mcp_call_arguments.done") == 1
    assert "response.mcp_call.completed" not in client.types
    assert client.one("response.done")["response"]["status"] == "cancelled"
