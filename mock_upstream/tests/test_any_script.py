"""Any script at all: whatever events a reply lists, in whatever order, each goes out complete and the session lives on."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.wire.durations import MILLISECOND
from conformance.wire.events import GA_SERVER_EVENTS
from conformance.wire.script import FAULTS, Fault, ScriptRule
from mock_upstream.tests.driving import ITEM, RESPOND, Client, rule, update
from mock_upstream.validation import warm_up

warm_up()
IDS = st.sampled_from(["item_a", "item_b", "resp_a"])
names = st.sampled_from([name for name in GA_SERVER_EVENTS if name != "session.created"])
partial = st.fixed_dictionaries(
    {"type": names},
    optional={"item_id": IDS, "response_id": IDS, "output_index": st.integers(0, 2), "call_id": st.just("call_1")},
)
words = st.sampled_from(
    [
        {"type": "response.output_text.delta", "delta": "Hel"},
        {"type": "response.output_text.done", "text": "Hello."},
        {"type": "response.function_call_arguments.done", "call_id": "call_1", "name": "weather", "arguments": "{}"},
        {"type": "response.output_item.added", "item": {"type": "function_call", "name": "weather"}},
        {"type": "response.output_item.done", "item": {"content": [{"type": "output_text", "text": "Hi."}]}},
        {"type": "response.done", "response": {"status": "incomplete"}},
        {"type": "response.done", "response": {"output": []}},
        {"type": "conversation.item.added", "item": {"role": "system"}},
    ]
)
replies = st.lists(names.map(lambda name: {"type": name}) | words, max_size=8)
triggers = st.sampled_from(
    [
        *("session.update", "conversation.item.create", "response.create", "session.updated", "conversation.item.added"),
        *("response.created", "response.output_item.added", "response.output_audio.delta", "response.done", "response.*"),
    ]
)


@st.composite
def rules(draw: st.DrawFn) -> list[ScriptRule]:
    made = []
    for number in range(draw(st.integers(1, 3))):
        when: dict[str, Any] = {"at": draw(st.integers(0, 2000)) * MILLISECOND}
        if draw(st.booleans()):
            when = {"when": draw(triggers), "times": draw(st.integers(1, 3))}
        delay = draw(st.sampled_from([0, 0, 40, 700])) * MILLISECOND
        made.append(rule(f"r{number}", **when, delay=delay, reply=draw(replies)))
    return made


def live_through(client: Client) -> None:
    for _ in range(2):
        client.send(update(), ITEM, RESPOND).wait(900)
        client.send({"type": "response.cancel"}, ITEM).wait(5000)
    assert client.session.deadline() is None or client.session.deadline() > client.now  # type: ignore[operator]


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(rules())
def test_every_event_of_any_reply_is_complete(script: list[ScriptRule]) -> None:
    live_through(Client(*script, settings={"pace": "realtime"}))


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(partial, st.booleans())
def test_ids_of_the_scripts_own_are_kept(wanted: dict[str, Any], running: bool) -> None:
    bare = Client(rule(at=0, reply=[wanted["type"]])).one(wanted["type"])
    event = {key: value for key, value in wanted.items() if key in bare}
    client = Client(rule(at=500 * MILLISECOND, reply=[event]), settings={"pace": "realtime"})
    if running:
        client.send(ITEM, RESPOND)
    client.wait(600)
    (sent,) = [each for each in client.events if each["type"] == event["type"] and event.items() <= each.items()][:1]
    assert sent["event_id"]


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.sampled_from([name for name in FAULTS if FAULTS[name].scope != "handshake"]), triggers, st.integers(1, 3))
def test_any_fault_at_any_event_leaves_a_session_that_can_be_driven(name: str, when: str, times: int) -> None:
    client = Client(rule(when=when, times=times, fault=Fault(name, {"size": 1000})), broken=True)
    if not client.closes:
        live_through(client)
