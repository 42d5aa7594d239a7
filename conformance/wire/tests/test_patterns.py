"""Patterns: types with globs, partial messages, operators."""

from typing import Any

import pytest

from conformance.wire.patterns import Pattern, look_up, matches, pattern_type

MESSAGE = {
    "type": "response.done",
    "n": 3,
    "ok": True,
    "nothing": None,
    "response": {"id": "resp_1", "output": [{"type": "message"}, {"type": "function_call"}]},
}


@pytest.mark.parametrize(
    "pattern",
    [
        "response.done",
        "response.*",
        "*",
        {},
        {"type": "response.*"},
        {"type": {"$re": "done$"}},
        {"n": 3},
        {"n": 3.0},
        {"ok": True},
        {"nothing": None},
        {"response": {"id": "resp_1"}},
        {"response": {"output": [{"type": "message"}]}},
        {"response": {"id": {"$re": "^resp_"}}},
        {"response": {"$any": True}},
        {"nothing": {"$any": True}},
        {"elsewhere": {"$absent": True}},
        {"elsewhere": {"$any": False}},
        {"n": {"$gt": 2, "$lt": 4}},
        {"response": {"output": []}},
    ],
    ids=str,
)
def test_a_pattern_matches_what_it_names(pattern: Pattern) -> None:
    assert matches(pattern, MESSAGE)


@pytest.mark.parametrize(
    "pattern",
    [
        "response.don",
        "session.*",
        {"type": "response.d"},
        {"n": 4},
        {"n": "3"},
        {"ok": 1},
        {"n": True},
        {"elsewhere": None},
        {"ok": None},
        {"response": {"output": [{"type": "function_call"}]}},
        {"response": {"output": [{}, {}, {}]}},
        {"response": {"output": "message"}},
        {"nothing": {"$absent": True}},
        {"elsewhere": {"$any": True}},
        {"n": {"$gt": 3}},
        {"n": {"$lt": 3}},
        {"ok": {"$gt": 0}},
        {"n": {"$re": "3"}},
        {"response": "resp_1"},
    ],
    ids=str,
)
def test_a_pattern_matches_nothing_else(pattern: Pattern) -> None:
    assert not matches(pattern, MESSAGE)


def test_a_message_without_a_type_matches_no_type() -> None:
    assert not matches("response.*", {"type": None})
    assert not matches("Settings", {})


@pytest.mark.parametrize(("pattern", "type_"), [("a.*", "a.*"), ({"type": "a"}, "a"), ({"n": 1}, "*"), ({"type": 5}, "*")])
def test_a_patterns_type_is_what_it_asks_for(pattern: Pattern, type_: str) -> None:
    assert pattern_type(pattern) == type_


@pytest.mark.parametrize(("path", "value"), [("n", 3), ("response.output.1.type", "function_call"), ("nothing", None)])
def test_a_dotted_path_finds_its_value(path: str, value: Any) -> None:
    assert look_up(MESSAGE, path) == value


@pytest.mark.parametrize("path", ["x", "n.x", "response.output.2", "response.output.x", "response.id.0", "nothing.x"])
def test_a_path_to_nothing_is_named(path: str) -> None:
    with pytest.raises(KeyError, match=path):
        look_up(MESSAGE, path)
