"""The quick validators agree with the SDK's own, on good events and on events spoiled at every place."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

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
    ("server", {"type": "error", "event_id": "e", "error": {"type": "server_error", "message": "m", "param": None}}),
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


@pytest.mark.parametrize(("side", "event"), EVENTS, ids=[f"{side} {event['type']}" for side, event in EVENTS])
def test_what_one_accepts_the_other_accepts(side: schema.Side, event: dict[str, Any]) -> None:
    quick, full = schema._validators(schema._classes(side, "ga")[event["type"]])
    answers = []
    for variant in (event, *spoiled(event)):
        try:
            full.validate_python(variant, strict=True, extra="forbid")
        except ValidationError:
            accepted = False
        else:
            accepted = True
        assert quick.isinstance_python(variant, strict=True, extra="forbid") is accepted, variant
        answers.append(accepted)
    assert answers[0]
    assert not all(answers)
