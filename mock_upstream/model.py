"""The model's mind: what it answers, in which pieces, and what that costs in tokens.

It says what the script's knobs say, turn by turn; it calls a function where the knobs name one or ``tool_choice`` demands
one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import orjson

from conformance.wire.durations import MILLISECOND, Micros
from mock_upstream.profiles import Knobs

_PIECE: Final = re.compile(r" ?\w{1,12}| ?[^\w\s]|\s")
_ARGUMENTS_PIECE: Final = re.compile(r"\s+|\w{1,12}|[^\w\s]{1,2}")
_AUDIO_OUT: Final[Micros] = 50 * MILLISECOND
_AUDIO_IN: Final[Micros] = 100 * MILLISECOND
_LARGEST_SAMPLE: Final = 256
"""Plain values in made-up arguments; a schema could ask for any number."""
_EXAMPLE: Final = "search"
_PER_ITEM: Final = 4
"""Tokens an item costs beside its words."""


@dataclass(frozen=True, slots=True)
class Words:
    """A message, said or written."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function call; with ``server`` the call of an MCP server's tool, which ``asks`` to be approved first or was."""

    name: str
    arguments: str
    call_id: str | None = None
    server: str | None = None
    asks: bool = False
    approval_id: str | None = None


def decide(knobs: Knobs, turn: int, tools: Sequence[Mapping[str, Any]], tool_choice: Any) -> list[Words | Call]:
    """Return what the model answers in its ``turn``-th response (from 0)."""
    words = Words(knobs.transcript[turn % len(knobs.transcript)])
    calls = [_scripted_call(call) for call in knobs.calls[turn]] if turn < len(knobs.calls) else []
    calls = [call for call in calls if _may_call(call, tool_choice)]
    if not calls and (demanded := _demanded(tools, tool_choice)) is not None:
        calls = [demanded]
    if not calls:
        return [words]
    return [Words(knobs.call_text), *calls] if knobs.call_text is not None else [*calls]


def sample(schema: Any, room: int = _LARGEST_SAMPLE) -> Any:
    """Return the plainest value that a JSON schema describes, of at most ``room`` plain values.

    A client's schema may be anything: what makes no sense in it is taken as not said.
    """
    if not isinstance(schema, Mapping):
        return "example"
    if "const" in schema or "default" in schema:
        return schema.get("const", schema.get("default"))
    for choice in ("enum", "anyOf", "oneOf"):
        match schema.get(choice):
            case [first, *_]:
                return first if choice == "enum" else sample(first, room)
            case _:
                pass
    type_ = schema.get("type", "object" if "properties" in schema else None)
    if isinstance(type_, list):
        type_ = next((name for name in type_ if name != "null"), "null")
    match type_:
        case "object":
            return _sample_object(schema, room)
        case "array":
            least = schema.get("minItems")
            count = min(max(1, least), room) if isinstance(least, int) else 1
            return [sample(schema.get("items"), max(1, room // count))] * count
        case "integer" | "number":
            least = schema.get("minimum")
            return least if isinstance(least, int | float) else 1
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return "example"


def _sample_object(schema: Mapping[str, Any], room: int) -> dict[str, Any]:
    properties = schema.get("properties")
    known: Mapping[str, Any] = properties if isinstance(properties, Mapping) else {}
    required = schema.get("required")
    names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else list(known)
    return {name: sample(known.get(name), max(1, room // len(names))) for name in names[:room]}


def pieces(text: str) -> list[str]:
    """Cut a text into deltas, about one token each; joined they are the text."""
    return _PIECE.findall(text)


def argument_pieces(arguments: str) -> list[str]:
    """Cut function arguments into deltas."""
    return _ARGUMENTS_PIECE.findall(arguments)


@lru_cache(maxsize=256)
def text_tokens(text: str) -> int:
    """Return about how many tokens a text is; the same instructions are counted for every response."""
    return len(pieces(text))


def audio_in_tokens(duration: Micros) -> int:
    """Return the tokens of heard audio: one per 100 ms (C: 51 for 5.12 s)."""
    return duration // _AUDIO_IN


def audio_out_tokens(duration: Micros) -> int:
    """Return the tokens of spoken audio: one per 50 ms."""
    return -(-duration // _AUDIO_OUT)


def item_tokens(body: Mapping[str, Any]) -> int:
    """Return the text tokens of an item."""
    texts = [str(part.get("text") or "") for part in body.get("content") or ()]
    texts += [str(body.get(key) or "") for key in ("name", "arguments", "output")]
    return _PER_ITEM + sum(text_tokens(text) for text in texts if text)


def _scripted_call(call: Mapping[str, Any]) -> Call:
    arguments = call.get("arguments", "{}")
    text = arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()
    return Call(call["name"], text, call.get("call_id"), call.get("server_label"))


def _may_call(call: Call, tool_choice: Any) -> bool:
    """Tell whether ``tool_choice`` lets the model make a call: ``none`` no call, a named tool no other."""
    match tool_choice:
        case "none":
            return False
        case {"type": "function", "name": name}:
            return call.server is None and call.name == name
        case {"type": "mcp", "server_label": server}:
            return call.server == server and tool_choice.get("name") in (None, call.name)
        case _:
            return True


def _demanded(tools: Sequence[Mapping[str, Any]], tool_choice: Any) -> Call | None:
    """Return the call that ``tool_choice`` demands, None if it leaves the choice to the model."""
    match tool_choice:
        case "required":
            named = (tool for tool in tools if tool.get("name") is not None or "server_label" in tool)
            return next(map(_plain_call, named), None)
        case {"type": "function", "name": name}:
            return _plain_call(next((tool for tool in tools if tool.get("name") == name), tool_choice))
        case {"type": "mcp", "server_label": server}:
            listed = next((tool for tool in tools if tool.get("server_label") == server), tool_choice)
            call = _plain_call(listed)
            return replace(call, name=tool_choice.get("name") or call.name)
        case _:
            return None


def _plain_call(tool: Mapping[str, Any]) -> Call:
    """Return a call of a tool with the plainest arguments."""
    if "server_label" in tool:
        return Call(mcp_tool_names(tool)[0], "{}", server=tool["server_label"])
    arguments = sample(tool.get("parameters"))
    return Call(tool["name"], orjson.dumps(arguments if isinstance(arguments, dict) else {}).decode())


def mcp_tool_names(tool: Mapping[str, Any]) -> list[str]:
    """Return the tools that an MCP server is said to have: those it is allowed to offer, else an example."""
    allowed = tool.get("allowed_tools")
    names = allowed.get("tool_names") if isinstance(allowed, Mapping) else allowed
    return list(names or [_EXAMPLE])
