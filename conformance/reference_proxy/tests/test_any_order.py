"""Whatever comes from either side, in whatever order: no exception, no endless waking, and the law is kept."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.reference_proxy.tests.dialogue import CALL, Dialogue, assistant, audio_delta, error
from conformance.wire.events import GA_SERVER_EVENTS
from conformance.wire.schema import problems

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from(["", "resp_1", "item_1", "call_1", "assistant", "user"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["id", "type", "text", "role"]), inner, max_size=3)
    ),
    max_leaves=4,
)
FIELDS = st.sampled_from(
    ["response", "response_id", "item", "item_id", "delta", "error", "session", "part", "call_id", "text"]
)
CLIENT = st.one_of(
    st.sampled_from(
        [
            {"type": "Settings", "agent": {"greeting": "Hello", "think": {"prompt": "Hi"}}},
            {"type": "Settings", "agent": {"idleTimeoutMs": 5_000}, "audio": {"input": {"sample_rate": 16_000}}},
            {"type": "InjectUserMessage", "content": "hi"},
            {"type": "FunctionCallResponse", "id": "call_1", "content": "4"},
            {"type": "KeepAlive"},
            {"type": "Invented"},
        ]
    ),
    st.builds(lambda size: bytes(size), st.sampled_from([1, 480, 961, 9_600])),
    st.dictionaries(st.sampled_from(["type", "audio", "agent", "content", "id"]), ANYTHING, max_size=3),
)
UPSTREAM = st.one_of(
    st.sampled_from(
        [
            {"type": "session.created"},
            {"type": "session.updated"},
            {"type": "response.created", "response": {"id": "resp_1"}},
            {"type": "response.created", "response": {"id": "resp_2"}},
            {"type": "response.done", "response": {"id": "resp_1", "output": [CALL, assistant("Hello.")]}},
            {"type": "response.done", "response": {"id": "resp_2", "status": "failed"}},
            {**CALL, "type": "response.function_call_arguments.done", "response_id": "resp_1"},
            {"type": "input_audio_buffer.committed", "item_id": "item_1"},
            {"type": "response.output_text.done", "response_id": "resp_1", "item_id": "item_a", "text": "Hello."},
            {**audio_delta(b"abcd"), "response_id": "resp_2"},
            error("conversation_already_has_active_response"),
            error("idle_timeout"),
        ]
    ),
    st.builds(
        lambda type_, fields: {**fields, "type": type_},
        st.sampled_from(GA_SERVER_EVENTS),
        st.dictionaries(FIELDS, ANYTHING),
    ),
)
STEP = st.one_of(
    CLIENT.map(lambda message: ("client", message)),
    UPSTREAM.map(lambda event: ("upstream", event)),
    st.integers(1, 4_000).map(lambda ms: ("wait", ms)),
    st.sampled_from([("confirm", "added"), ("confirm", "done"), ("refuse", "latest")]),
)


def take(talk: Dialogue, kind: str, value: Any) -> None:
    match kind:
        case "client":
            talk.client(value if isinstance(value, bytes) else json.dumps(value))
        case "upstream":
            talk.upstream(value)
        case "wait":
            talk.wait(value)
        case "confirm" if talk.sent("conversation.item.create"):
            talk.confirm(kind=value)
        case "refuse" if talk.up:
            talk.upstream(error("invalid_value", event_id=talk.up[-1][1]["event_id"]))


@settings(max_examples=200, deadline=None)
@given(st.lists(STEP, max_size=40), st.sampled_from([None, 1000, 1006, 4000]))
def test_the_law_is_kept_in_any_order(steps: list[tuple[str, Any]], end: int | None) -> None:
    talk = Dialogue()
    talk.open()
    running: str | None = None
    ready = False
    for kind, value in steps:
        before = len(talk.up)
        starts = kind == "upstream" and value.get("type") == "response.created"
        talk_type = value.get("type") if kind == "upstream" else None
        was_updating = "session.update" in talk.sent()
        take(talk, kind, value)
        went_up = [event["type"] for _, event in talk.up[before:]]
        ready = ready or (talk_type == "session.updated" and was_updating)
        if not ready:
            assert set(went_up) <= {"session.update"}
        if running is not None and talk_type not in ("response.done", "response.created"):
            assert "response.create" not in went_up
        if talk_type == "response.done":
            running = None
        elif starts and isinstance(value.get("response"), dict):
            running = value["response"].get("id")
    talk.wait(60_000)
    if end is None:
        talk.leave()
    else:
        talk.end(end)
    assert talk.translator.deadline() is None
    for _, event in talk.up:
        assert problems(event, "client") == []
    for _, message in talk.down:
        assert isinstance(message, bytes) or isinstance(message["type"], str)
    done = [event["call_id"] for event in _calls(talk)]
    assert len(done) == len(set(done))


def _calls(talk: Dialogue) -> list[dict[str, Any]]:
    return [
        {"call_id": function["id"]} for message in talk.heard("FunctionCallRequest") for function in message["functions"]
    ]
