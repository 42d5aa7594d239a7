"""The quick validators agree with the long way, on good events and on events spoiled at every place."""

from collections.abc import Iterator
from typing import Any

import pytest

from conformance.wire import schema
from conformance.wire.tests.test_schema import RESPONSE, SESSION, TEXT, VAD

ASKED = {key: value for key, value in SESSION.items() if key not in ("object", "id", "expires_at")}
TOOLS = [
    {"type": "function", "name": "x", "description": "d", "parameters": {}},
    {"type": "mcp", "server_label": "l", "server_url": "https://example.org"},
]
USER = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
CALL = {"type": "function_call", "name": "x", "call_id": "call_1", "arguments": "{}"}
ANSWER = {"id": "item_1", "type": "message", "role": "assistant", "status": "completed", "content": [TEXT]}
FOLDED = {"bytes": 2, "ms": 0.04, "sha256": "0", "stream_sha256": "0", "at": 2, "rms": [0]}
PLACE = {"event_id": "e", "response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}
EVENTS: list[tuple[schema.Side, dict[str, Any]]] = [
    ("client", {"type": "session.update", "event_id": "e", "session": {**ASKED, "tools": TOOLS}}),
    ("client", {"type": "conversation.item.create", "previous_item_id": None, "item": USER}),
    ("client", {"type": "response.create", "response": {"input": [USER, CALL], "tools": TOOLS, "metadata": {"a": "b"}}}),
    (
        "server",
        {"type": "session.updated", "event_id": "e", "session": {**ASKED, "audio": {"input": {"turn_detection": VAD}}}},
    ),
    ("server", {"type": "conversation.item.done", "event_id": "e", "item": ANSWER}),
    ("server", {"type": "response.done", "event_id": "e", "response": {**RESPONSE, "output": [ANSWER, CALL]}}),
    ("client", {"type": "input_audio_buffer.append", "audio": "AAAA"}),
    ("server", {"type": "response.output_text.delta", "delta": "Hi", "obfuscation": "abcd", **PLACE}),
    ("server", {"type": "error", "event_id": "e", "error": {"type": "server_error", "message": "m", "param": None}}),
]
REFERENCE = {"type": "item_reference", "id": "item_1"}
LEFT_TO_THE_LONG_WAY: list[tuple[schema.Side, dict[str, Any]]] = [
    ("client", {"type": "response.create", "response": {"input": [REFERENCE]}}),
    ("client", {"type": "input_audio_buffer.append", "audio": FOLDED}),
    ("server", {"type": "response.output_audio.delta", "delta": FOLDED, **PLACE}),
]
WRONG: tuple[Any, ...] = (None, 7, "word", [], {}, [{"type": "word"}])


def spoiled(value: Any) -> Iterator[Any]:
    """Yield the value with one thing changed, for each thing in it, at every depth."""
    yield from WRONG
    if isinstance(value, dict):
        yield {**value, "surplus": 1}
        for key, part in value.items():
            yield {name: each for name, each in value.items() if name != key}
            yield from ({**value, key: other} for other in spoiled(part))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from ([*value[:index], other, *value[index + 1 :]] for other in spoiled(part))


def ways(side: schema.Side, event: dict[str, Any]) -> Iterator[tuple[bool, bool, Any]]:
    """Yield what the quick validator and the long way say of the event and of its spoiled variants."""
    type_ = event["type"]
    class_, quick = schema._classes(side, "ga")[type_], schema._quick(type_, side, "ga")
    for variant in (event, *spoiled(event)):
        if isinstance(variant, dict):
            accepted = quick.isinstance_python(variant, strict=True, extra="forbid")
            yield accepted, not schema._explain(class_, type_, variant, side, "ga"), variant


@pytest.mark.parametrize(("side", "event"), EVENTS, ids=[f"{side} {event['type']}" for side, event in EVENTS])
def test_what_one_accepts_the_other_accepts(side: schema.Side, event: dict[str, Any]) -> None:
    answers = []
    for quick, long, variant in ways(side, event):
        assert quick is long, variant
        answers.append(quick)
    assert answers[0]
    assert not all(answers)


@pytest.mark.parametrize(("side", "event"), LEFT_TO_THE_LONG_WAY, ids=["reference", "append", "delta"])
def test_what_the_quick_one_accepts_the_long_way_accepts(side: schema.Side, event: dict[str, Any]) -> None:
    answers = []
    for quick, long, variant in ways(side, event):
        assert long or not quick, variant
        answers.append((quick, long))
    assert answers[0] == (event != LEFT_TO_THE_LONG_WAY[0][1], True)
    assert (False, False) in answers
