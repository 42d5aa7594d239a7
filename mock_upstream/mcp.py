"""MCP servers, played: their tools are listed when a session names them, and called by the model where a script says so.

Order (C: the .NET SDK's live tests, ground truth §2.14): item added → in_progress → completed → item done; a call's
arguments are streamed, then it is in progress, then completed; a call that needs approval is asked for by an item of
its own. No server is ever contacted: a call's output is a fixed sentence.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from conformance.wire.durations import MILLISECOND, Micros
from mock_upstream.conversation import Item
from mock_upstream.model import Call, Words, mcp_tool_names
from mock_upstream.responses import CARRIER, Kind, Output, Response, Step
from mock_upstream.state import State

LISTING: Final[Micros] = 100 * MILLISECOND
CALLING: Final[Micros] = 50 * MILLISECOND
RESULT: Final = "The tool has done what it was asked to do."
_FAILED: Final = {"type": "tool_execution_error", "message": "The tool could not be run."}


def list_tools(state: State) -> None:
    """List the tools of every MCP server that the session names and that was not listed yet."""
    for tool in state.config.get("tools") or ():
        if tool.get("type") == "mcp" and tool["server_label"] not in state.listed:
            state.listed.add(tool["server_label"])
            _list(state, tool)


def settle(state: State, response: Response, plans: list[Words | Call]) -> list[Words | Call]:
    """Ask for approval of the MCP calls that need it; make the call that the client has approved meanwhile."""
    if state.asked is not None and (answer := _answer(state, state.asked)) is not None:
        asked, state.asked = state.asked, None
        return [asked] if answer else plans
    return [
        replace(plan, asks=True) if isinstance(plan, Call) and _needs_approval(plan, response) else plan for plan in plans
    ]


def call_steps(state: State, response: Response, output: Output) -> Iterator[Step]:
    """Yield the end of an MCP call: its arguments, then its execution."""
    type_ = f"{CARRIER[Kind.MCP]}.done"
    if type_ in output.done:
        return  # it was cancelled while it ran
    output.done.add(type_)
    ids = {"item_id": output.item.id, "output_index": output.index}
    yield Step(0, lambda: state.event(type_, response_id=response.id, **ids, arguments=output.said))
    if output.said != output.text:
        return  # it was cut off, so there is nothing to run
    yield Step(0, lambda: state.event("response.mcp_call.in_progress", **ids))
    yield Step(state.latency(CALLING), partial(_finish_call, state, output))


def _finish_call(state: State, output: Output) -> Mapping[str, Any]:
    failed = state.knobs.mcp == "call fails"
    output.item.body = output.item.body | ({"error": _FAILED} if failed else {"output": RESULT})
    type_ = f"response.mcp_call.{'failed' if failed else 'completed'}"
    return state.event(type_, item_id=output.item.id, output_index=output.index)


def _list(state: State, tool: Mapping[str, Any]) -> None:
    body = {"id": state.new_id("item"), "type": "mcp_list_tools", "server_label": tool["server_label"], "tools": []}
    item = Item(str(body["id"]), body)
    state.conversation.insert(item)
    previous = state.conversation.previous_id(item.id)
    state.say(state.event("conversation.item.added", previous_item_id=previous, item=body))
    state.say(state.event("mcp_list_tools.in_progress", item_id=item.id))
    state.agenda.plan(state.latency(LISTING), partial(_listed, state, item, tool))


def _listed(state: State, item: Item, tool: Mapping[str, Any]) -> None:
    failed = state.knobs.mcp == "list fails"
    if not failed:
        tools = [{"name": name, "input_schema": {"type": "object"}} for name in mcp_tool_names(tool)]
        item.body = {**item.body, "tools": tools}
    state.say(state.event(f"mcp_list_tools.{'failed' if failed else 'completed'}", item_id=item.id))
    if item.id in state.conversation:
        previous = state.conversation.previous_id(item.id)
        state.say(state.event("conversation.item.done", previous_item_id=previous, item=item.body))


def _needs_approval(plan: Call, response: Response) -> bool:
    """A call needs approval unless its server's ``require_approval`` is never, or says so of the tool (SPEC)."""
    if plan.server is None:
        return False
    rule = next((tool.get("require_approval") for tool in response.tools if tool.get("server_label") == plan.server), None)
    if isinstance(rule, Mapping):
        return plan.name not in ((rule.get("never") or {}).get("tool_names") or ())
    return rule != "never"


def _answer(state: State, asked: Call) -> bool | None:
    """Return what the client answered to the call that was asked for; None as long as it has not."""
    for item in state.conversation:
        body = item.body
        if body["type"] == "mcp_approval_response" and body.get("approval_request_id") == asked.approval_id:
            return bool(body["approve"])
    return None
