"""The model's mind: what it answers, in which pieces, and what that costs in tokens.

It says what the script's knobs say, turn by turn; it calls a function where the knobs name one or ``tool_choice`` demands
one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import orjson

from conformance.wire.durations import MILLISECOND, Micros
from mock_upstream.profiles import Knobs

_PIECE: Final = re.compile(r" ?\w{1,12}| ?[^\w\s]|\s")
_ARGUMENTS_PIECE: Final = re.compile(r"\s+|\w{1,12}|[^\w\s]{1,2}")
_AUDIO_OUT: Final[Micros] = 50 * MILLISECOND
_AUDIO_IN: Final[Micros] = 100 * MILLISECOND
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
    if not calls and (name := _demanded(tools, tool_choice)) is not None:
        parameters = next((tool.get("parameters") for tool in tools if tool.get("name") == name), None)
        calls = [Call(name, orjson.dumps(sample(parameters or {})).decode())]
    if not calls:
        return [words]
    return [Words(knobs.call_text), *calls] if knobs.call_text is not None else [*calls]


def sample(schema: Mapping[str, Any]) -> Any:
    """Return the plainest value that a JSON schema describes."""
    if "const" in schema or "default" in schema:
        return schema.get("const", schema.get("default"))
    if schema.get("enum"):
        return schema["enum"][0]
    for choice in ("anyOf", "oneOf"):
        if schema.get(choice):
            return sample(schema[choice][0])
    type_ = schema.get("type", "object" if "properties" in schema else None)
    if isinstance(type_, list):
        type_ = next((name for name in type_ if name != "null"), "null")
    match type_:
        case "object":
            properties = schema.get("properties") or {}
            required = schema.get("required", list(properties))
            return {name: sample(properties.get(name) or {}) for name in required}
        case "array":
            return [sample(schema.get("items") or {})] * max(1, int(schema.get("minItems", 1)))
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return "example"


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


def _demanded(tools: Sequence[Mapping[str, Any]], tool_choice: Any) -> str | None:
    functions = [str(tool["name"]) for tool in tools if tool.get("type", "function") == "function" and tool.get("name")]
    if isinstance(tool_choice, Mapping) and tool_choice.get("type") == "function":
        return str(tool_choice["name"])
    return functions[0] if tool_choice == "required" and functions else None
