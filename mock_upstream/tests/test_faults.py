"""Named faults: what each does, in a script and named on the command line."""

from typing import Any

import orjson
import pytest

from conformance.wire.durations import SECOND
from conformance.wire.script import FAULTS, Fault
from mock_upstream.actions import Abort, HalfOpen, NoPong, Send
from mock_upstream.tests.driving import COMMIT, ITEM, RESPOND, VAD_OFF, Client, rule, update

APPEND = {"type": "input_audio_buffer.append", "audio": "AAAA" * 1600}
IDLE_30 = update(audio={"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 30_000}}})


def with_fault(name: str, **params: Any) -> Client:
    return Client(fault=Fault(name, params))


def server_errors(client: Client) -> list[float]:
    """Return the times of server errors, in milliseconds."""
    return [time for time, event in client.log if event["type"] == "error" and event["error"]["type"] == "server_error"]


def test_idle_error_strikes_once_five_seconds_after_the_greeting() -> None:
    client = with_fault("idle-error").wait(30_000)
    assert server_errors(client) == [client.time("session.created") + 5000]
    assert client.errors[0]["code"] is None
    assert client.closes == []


def test_idle_error_strikes_even_with_turn_detection_off() -> None:
    client = with_fault("idle-error")
    client.ask(VAD_OFF)
    assert len(server_errors(client.wait(6000))) == 1


@pytest.mark.parametrize("frames", [[APPEND, COMMIT], [RESPOND], [IDLE_30]], ids=["commit", "response.create", "idle set"])
def test_idle_error_spares_a_session_that_does_something(frames: list[Any]) -> None:
    client = with_fault("idle-error")
    client.send(*frames).wait(10_000)
    assert server_errors(client) == []


def test_idle_error_close_closes_after_the_error() -> None:
    client = with_fault("idle-error-close").wait(6000)
    assert len(server_errors(client)) == 1
    assert [close.code for close in client.closes] == [1000]


def test_idle_error_rolling_counts_from_the_last_activity() -> None:
    client = with_fault("idle-error-rolling").wait(3000)
    client.ask(ITEM)
    last = max(time for time, _ in client.log)
    client.wait(6000)
    assert server_errors(client) == [last + 5000]


def test_error_after_created_comes_right_after_it() -> None:
    client = with_fault("error-after-created").wait(100)
    assert client.types == ["session.created", "error"]


def test_error_after_append_closes_1000() -> None:
    client = with_fault("error-after-append")
    client.send(APPEND).wait(100)
    assert len(server_errors(client)) == 1
    assert [close.code for close in client.closes] == [1000]


def test_error_after_turn_comes_one_to_two_seconds_after_response_done() -> None:
    client = with_fault("error-after-turn")
    client.turn()
    client.wait(3000)
    (time,) = server_errors(client)
    assert 1000 <= time - client.time("response.done") <= 2000


def test_close_after_first_text_confirms_the_item_and_closes_without_a_reply() -> None:
    client = with_fault("close-after-first-text")
    sent = client.now / 1000
    client.send(ITEM, RESPOND).wait(2600)
    assert "conversation.item.done" in client.types
    assert client.closes == []
    client.wait(200)
    assert [close.code for close in client.closes] == [1000]
    assert "response.done" not in client.types
    assert sent + 2700 == client.now / 1000 - 100


def test_silent_model_confirms_items_and_commits_and_says_nothing() -> None:
    client = with_fault("silent-model")
    client.ask(VAD_OFF)
    client.send(ITEM, APPEND, COMMIT, RESPOND).wait(5000)
    assert "input_audio_buffer.committed" in client.types
    assert client.types[-1] == "response.created"


def faulty(name: str, **params: Any) -> Client:
    """Return a client whose ``response.done`` the fault spoils."""
    return Client(rule("f", when="response.done", times=1, fault=Fault(name, params)), broken=True)


def frames(client: Client) -> list[Send]:
    return [action for action in client.actions if isinstance(action, Send)]


def test_delay_holds_just_that_event() -> None:
    client = faulty("delay", by="700ms")
    client.turn()
    assert client.time("response.done") - client.time("rate_limits.updated") == 700 - 30


def test_drop_withholds_it_and_the_response_stays_active() -> None:
    client = faulty("drop")
    client.turn()
    assert "response.done" not in client.types
    assert client.marks("withheld")[0].body["event"]["type"] == "response.done"
    assert client.ask(RESPOND)[0]["error"]["code"] == "conversation_already_has_active_response"


def test_duplicate_sends_it_twice() -> None:
    client = faulty("duplicate")
    client.turn()
    first, second = client.all("response.done")
    assert first == second


def test_reorder_lets_the_next_event_overtake() -> None:
    client = faulty("reorder")
    client.turn()
    assert client.types[-2:] == ["rate_limits.updated", "response.done"]


def test_a_reordered_last_event_comes_in_the_end() -> None:
    client = Client(rule(when="rate_limits.updated", fault=Fault("reorder")))
    client.turn()
    assert client.types[-1] == "rate_limits.updated"


@pytest.mark.parametrize("name", ["corrupt", "truncate"])
def test_broken_json_cannot_be_read(name: str) -> None:
    client = faulty(name)
    client.turn()
    (broken,) = [frame for frame in frames(client) if frame.event is None]
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(broken.text)
    assert broken.text.decode()
    assert broken.scripted == "f"


def test_binary_sends_the_event_as_a_binary_frame() -> None:
    client = faulty("binary")
    client.turn()
    (binary,) = [frame for frame in frames(client) if frame.binary]
    assert orjson.loads(binary.text)["type"] == "response.done"


def test_oversize_makes_the_event_big() -> None:
    client = faulty("oversize", size=2_000_000)
    client.turn()
    assert max(len(frame.text) for frame in frames(client)) > 2_000_000


def test_stall_withholds_this_and_everything_after_it() -> None:
    client = faulty("stall")
    client.turn()
    got = len(client.log)
    client.turn()
    assert len(client.log) == got
    assert {mark.scripted for mark in client.marks("withheld")} == {"f"}


def test_stall_of_a_client_event_withholds_its_answer() -> None:
    client = Client(rule(when="session.update", fault=Fault("stall")))
    client.ask(update(), ITEM)
    assert client.types == ["session.created"]
    withheld = [mark.body["event"]["type"] for mark in client.marks("withheld")]
    assert withheld == ["session.updated", "conversation.item.added", "conversation.item.done"]


def test_drop_of_a_client_event_loses_it() -> None:
    client = Client(rule(when="conversation.item.create", times=1, fault=Fault("drop")))
    client.ask(ITEM)
    added, _ = client.ask(ITEM)
    assert added["previous_item_id"] is None


@pytest.mark.parametrize(("name", "action"), [("abort", Abort), ("half-open", HalfOpen), ("no-pong", NoPong)])
def test_connection_faults_are_actions_of_the_shell(name: str, action: type) -> None:
    client = Client(rule("c", at=SECOND, fault=Fault(name))).wait(1000)
    (found,) = [each for each in client.actions if isinstance(each, action)]
    assert found.scripted == "c"
    assert [mark.body["name"] for mark in client.marks("fault")] == [name]


def test_close_in_mid_response_has_its_code_and_reason_and_ends_everything() -> None:
    broken = Fault("close", {"code": 1011, "reason": "keepalive ping timeout"})
    client = Client(rule(when="response.output_audio.delta", fault=broken))
    client.send(ITEM, RESPOND).wait(5000)
    assert client.types[-1] == "response.output_audio.delta"
    assert [(close.code, close.reason) for close in client.closes] == [(1011, "keepalive ping timeout")]
    assert client.session.deadline() is None


def test_a_close_on_a_client_event_comes_instead_of_the_answer() -> None:
    client = Client(rule(when="session.update", fault=Fault("close", {"code": 1001})))
    client.send(update()).wait(1000)
    assert client.types == ["session.created"]
    assert [close.code for close in client.closes] == [1001]


def test_close_on_the_command_line_comes_right_after_the_greeting() -> None:
    client = with_fault("close", code=1011)
    assert client.types == ["session.created"]
    assert [close.code for close in client.closes] == [1011]


def test_a_fault_of_the_command_line_is_never_marked_as_scripted() -> None:
    client = with_fault("idle-error").wait(6000)
    assert {send.scripted for send in frames(client)} == {None}
    assert [mark.scripted for mark in client.marks("fault")] == [None]


def test_on_the_command_line_an_events_fault_names_its_events() -> None:
    client = Client(fault=Fault("drop", {"on": "conversation.item.*", "times": 2}))
    client.ask(ITEM)
    client.ask(ITEM)
    assert client.types.count("conversation.item.added") == 1


def test_on_the_command_line_an_events_fault_may_be_rare() -> None:
    client = Client(fault=Fault("duplicate", {"on": "response.output_text.delta", "percent": 50}), broken=True)
    client.turn(output_modalities=["text"])
    deltas = client.all("response.output_text.delta")
    assert 9 < len(deltas) < 18


@pytest.mark.parametrize("name", [name for name in FAULTS if FAULTS[name].scope == "event"])
def test_every_fault_of_an_event_can_be_named_on_the_command_line(name: str) -> None:
    client = Client(fault=Fault(name, {"on": "response.done", "size": 1000}), broken=True)
    client.send(ITEM, RESPOND).wait(8000)
    assert [mark.body["name"] for mark in client.marks("fault")] == [name]


@pytest.mark.parametrize("name", [name for name in FAULTS if FAULTS[name].scope != "handshake"])
def test_every_fault_can_be_armed_by_a_script(name: str) -> None:
    event = {"when": "response.done"} if FAULTS[name].scope == "event" else {"when": "session.created"}
    client = Client(rule("f", **event, fault=Fault(name)), broken=True)
    if not client.closes:
        client.send({"type": "input_audio_buffer.append", "audio": "AAAA"}).wait(5500)
    if not client.closes:
        client.send(ITEM, RESPOND).wait(8000)
    marks = client.marks("fault")
    assert marks
    assert {(mark.body["name"], mark.scripted) for mark in marks} == {(name, "f")}
