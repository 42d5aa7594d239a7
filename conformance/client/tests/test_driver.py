"""What the words of the scenario language mean when the client plays them, sentence by sentence."""

import asyncio
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from conformance.client import Hands, NoSuchStep, python_step
from conformance.client.tests.subject import agent, cell_of, instants, marks, play, say, types
from conformance.clock import Clock
from conformance.clock.tests.busy import be_busy
from conformance.scenario.model import Anchor, Close, Connect, Hold, Run, Send, Speaks, Wait
from conformance.wire.durations import MILLISECOND, SECOND
from conformance.wire.frames import Direction, Kind, Leg

if TYPE_CHECKING:
    from conformance.wire.recording import Recorder

SETTINGS = Send(message={"type": "Settings"}, id="settings")
APPLIED = Wait(leg=Leg.CLIENT, pattern="SettingsApplied", within=5 * SECOND, id="applied")
HELLO = Send(message={"type": "InjectUserMessage", "content": "hello"}, id="hello")
ANSWERED = Wait(leg=Leg.CLIENT, pattern={"type": "ConversationText"}, within=5 * SECOND, id="answered")
CLOSE = Close(id="bye", late=0)


def test_a_turn_is_recorded_in_the_order_it_happened() -> None:
    recording = play(Connect(), SETTINGS, APPLIED, HELLO, ANSWERED, CLOSE)
    assert [(frame.kind, frame.dir, frame.type) for frame in recording.frames] == [
        (Kind.OPEN, Direction.UP, ""),
        (Kind.MARK, Direction.UP, "step"),
        (Kind.TEXT, Direction.UP, "Settings"),
        (Kind.MARK, Direction.UP, "step"),
        (Kind.TEXT, Direction.DOWN, "SettingsApplied"),
        (Kind.MARK, Direction.UP, "step"),
        (Kind.TEXT, Direction.UP, "InjectUserMessage"),
        (Kind.MARK, Direction.UP, "step"),
        (Kind.TEXT, Direction.DOWN, "ConversationText"),
        (Kind.MARK, Direction.UP, "step"),
        (Kind.TEXT, Direction.DOWN, "AgentAudioDone"),
        (Kind.CLOSE, Direction.UP, ""),
        (Kind.MARK, Direction.UP, "step"),
    ]
    assert instants(recording) == {"connect": 0, "settings": 0, "applied": 0, "hello": 0, "answered": 100, "bye": 100}


@pytest.mark.parametrize("clock", list(Clock))
def test_the_same_script_plays_on_both_clocks(clock: Clock) -> None:
    recording = play(Connect(), SETTINGS, APPLIED, Hold(duration=30 * MILLISECOND, id="held"), CLOSE, clock=clock)
    held = instants(recording)["held"]
    assert 30 <= held < 60_000
    assert types(recording) == ["Settings", "SettingsApplied"]


def test_hold_counts_from_the_previous_steps_instant() -> None:
    recording = play(Connect(), Hold(duration=2 * SECOND, id="a"), Hold(duration=SECOND, id="b"), CLOSE)
    assert instants(recording) == {"connect": 0, "a": 2000, "b": 3000, "bye": 3000}


def test_at_counts_from_the_previous_steps_instant() -> None:
    steps = [Send(message={"type": "KeepAlive"}, id=f"k{n}", at=70 * MILLISECOND) for n in range(1, 4)]
    assert instants(play(Connect(), *steps, CLOSE)) == {"connect": 0, "k1": 70, "k2": 140, "k3": 210, "bye": 210}


def test_at_after_a_wait_counts_from_the_event_that_matched() -> None:
    later = Send(message={"type": "KeepAlive"}, id="later", at=50 * MILLISECOND)
    assert instants(play(Connect(), HELLO, ANSWERED, later, CLOSE))["later"] == 150


def test_offsets_after_an_anchor_count_from_its_first_instant() -> None:
    anchor = Anchor(leg=Leg.CLIENT, pattern="ConversationText")
    late = Send(message={"type": "KeepAlive"}, id="late", after=anchor, at=40 * MILLISECOND)
    assert instants(play(Connect(), HELLO, late, CLOSE))["late"] == 140


def test_an_anchor_may_be_an_event_that_the_client_sent_or_a_step() -> None:
    sent = Hold(duration=10 * MILLISECOND, id="sent", after=Anchor(leg=Leg.CLIENT, pattern="InjectUserMessage"))
    step = Hold(duration=25 * MILLISECOND, id="step", after=Anchor(step="hello"))
    at = instants(play(Connect(), HELLO, sent, step, CLOSE))
    assert (at["sent"], at["step"]) == (10, 25)


def test_an_anchor_long_past_means_now() -> None:
    late = Send(message={"type": "KeepAlive"}, id="late", after=Anchor(step="settings"), at=10 * MILLISECOND)
    recording = play(Connect(), SETTINGS, Hold(duration=SECOND), late, Hold(duration=SECOND, id="held"), CLOSE)
    assert (instants(recording)["late"], instants(recording)["held"]) == (1000, 2000)


def test_an_anchor_that_never_comes_is_a_wait_that_timed_out() -> None:
    late = Send(message={"type": "KeepAlive"}, id="late", after=Anchor(leg=Leg.CLIENT, pattern="Welcome"))
    recording = play(Connect(), late, CLOSE)
    (timeout,) = marks(recording, "wait-timeout")
    assert timeout.data == {"index": 1, "id": "late", "pattern": "client:Welcome"}
    assert instants(recording)["late"] == 30_000


def test_a_wait_that_times_out_is_marked_and_the_script_goes_on() -> None:
    wait = Wait(leg=Leg.CLIENT, pattern={"type": "Welcome"}, within=2 * SECOND, id="welcome")
    recording = play(Connect(), wait, SETTINGS, APPLIED, CLOSE)
    (timeout,) = marks(recording, "wait-timeout")
    assert timeout.data == {"index": 1, "id": "welcome", "pattern": '{"type":"Welcome"}'}
    assert timeout.t == 2 * SECOND
    assert "welcome" not in instants(recording)
    assert instants(recording)["applied"] == 2000


def test_a_wait_matches_an_event_that_came_while_the_script_did_something_else() -> None:
    recording = play(Connect(), SETTINGS, Hold(duration=SECOND), APPLIED, CLOSE)
    assert instants(recording)["applied"] == 1000
    assert not marks(recording, "wait-timeout")


def test_a_wait_does_not_match_what_came_before_the_previous_wait_matched() -> None:
    again = Wait(leg=Leg.CLIENT, pattern="SettingsApplied", within=SECOND, id="again")
    recording = play(Connect(), SETTINGS, Hold(duration=SECOND), APPLIED, HELLO, ANSWERED, again, CLOSE)
    assert [mark.data["id"] for mark in marks(recording, "wait-timeout")] == ["again"]


def test_a_wait_matches_what_came_before_a_wait_that_timed_out() -> None:
    never = Wait(leg=Leg.CLIENT, pattern="Welcome", within=SECOND, id="never")
    recording = play(Connect(), SETTINGS, never, APPLIED, CLOSE)
    assert [mark.data["id"] for mark in marks(recording, "wait-timeout")] == ["never"]
    assert instants(recording)["applied"] == 1000


def test_a_wait_never_matches_what_the_client_sent() -> None:
    echo = Wait(leg=Leg.CLIENT, pattern="InjectUserMessage", within=SECOND, id="echo")
    assert marks(play(Connect(), HELLO, echo, CLOSE), "wait-timeout")


def test_the_first_wait_matches_what_came_while_the_connection_was_being_made() -> None:
    def early(connection: ServerConnection, request: Request) -> None:
        sink = recorders[-1].leg(Leg.UPSTREAM)
        sink(0, Direction.DOWN, Kind.TEXT, {"type": "session.created"})

    recorders: list[Any] = []
    created = Wait(leg=Leg.UPSTREAM, pattern="session.created", within=SECOND, id="created")
    recording = play(Connect(), created, CLOSE, serving={"process_request": early}, recorders=recorders)
    assert instants(recording)["created"] == 0


def test_the_mark_of_a_wait_names_its_event_and_follows_it_directly() -> None:
    async def burst(connection: ServerConnection) -> None:
        for type_ in ("One", "Two", "Three"):
            await say(connection, {"type": type_})
        await connection.wait_closed()

    wait = Wait(leg=Leg.CLIENT, pattern="Two", within=SECOND)
    recording = play(Connect(), wait, Hold(duration=SECOND), CLOSE, handler=burst)
    (mark,) = [mark for mark in marks(recording) if mark.data["verb"] == "wait"]
    assert recording.frames[mark.seq - 1].type == "Two"
    assert mark.data["event"] == mark.seq - 1


def test_saved_values_are_put_into_later_messages_with_their_type() -> None:
    async def caller(connection: ServerConnection) -> None:
        await say(connection, {"type": "FunctionCallRequest", "functions": [{"id": "call_7", "n": 3}]})
        await connection.wait_closed()

    wait = Wait(
        leg=Leg.CLIENT, pattern="FunctionCallRequest", within=SECOND, save={"call": "functions.0.id", "n": "functions.0.n"}
    )
    answer = Send(message={"type": "FunctionCallResponse", "id": "${call}", "n": "${n}", "content": "for ${call}"})
    recording = play(Connect(), wait, answer, CLOSE, handler=caller)
    sent = [frame.data for frame in recording.frames if frame.type == "FunctionCallResponse"]
    assert sent == [{"type": "FunctionCallResponse", "id": "call_7", "n": 3, "content": "for call_7"}]


def test_a_step_that_needs_what_was_never_saved_is_skipped_and_says_so() -> None:
    wait = Wait(leg=Leg.CLIENT, pattern="FunctionCallRequest", within=SECOND, save={"call": "id"})
    answer = Send(message={"type": "FunctionCallResponse", "id": "${call}"}, id="answer")
    recording = play(Connect(), wait, answer, SETTINGS, APPLIED, CLOSE)
    (skipped,) = marks(recording, "skipped")
    assert skipped.data["id"] == "answer"
    assert "${call}" in skipped.data["reason"]
    assert types(recording) == ["Settings", "SettingsApplied"]


def test_the_late_window_listens_until_five_seconds_after_the_turn() -> None:
    recording = play(Connect(), HELLO, ANSWERED, Hold(duration=SECOND), Close(id="bye"))
    assert instants(recording)["bye"] == 100 + 5000
    (window,) = marks(recording, "late-window")
    assert window.data["ms"] == 4000


def test_the_late_window_hears_an_error_that_comes_late() -> None:
    async def grumbler(connection: ServerConnection) -> None:
        await say(connection, {"type": "AgentAudioDone"})
        await asyncio.sleep(4.9)
        await say(connection, {"type": "Error"})
        await connection.wait_closed()

    wait = Wait(leg=Leg.CLIENT, pattern="AgentAudioDone", within=SECOND)
    assert "Error" in types(play(Connect(), wait, Close(), handler=grumbler))
    assert "Error" not in types(play(Connect(), wait, CLOSE, handler=grumbler))


def test_there_is_no_late_window_without_a_finished_turn() -> None:
    recording = play(Connect(), SETTINGS, APPLIED, Close(id="bye"))
    assert instants(recording)["bye"] == 0
    assert not marks(recording, "late-window")


def test_a_close_sends_its_code_and_reason_and_is_recorded_once() -> None:
    seen: list[tuple[int | None, str | None]] = []

    async def watcher(connection: ServerConnection) -> None:
        await connection.wait_closed()
        seen.append((connection.close_code, connection.close_reason))

    recording = play(Connect(), Close(code=4001, reason="enough"), handler=watcher)
    closes = [frame for frame in recording.frames if frame.kind is Kind.CLOSE]
    assert [(frame.dir, frame.data) for frame in closes] == [(Direction.UP, {"code": 4001, "reason": "enough"})]
    assert seen == [(4001, "enough")]


def test_an_abort_ends_the_connection_without_a_handshake() -> None:
    seen: list[int | None] = []

    async def watcher(connection: ServerConnection) -> None:
        await connection.wait_closed()
        seen.append(connection.close_code)

    recording = play(Connect(), Close(abort=True), handler=watcher)
    assert [frame.data["code"] for frame in recording.frames if frame.kind is Kind.CLOSE] == [1006]
    assert seen == [1006]


def test_a_close_by_the_subject_is_recorded_with_its_direction() -> None:
    async def leaver(connection: ServerConnection) -> None:
        await asyncio.sleep(1)
        await connection.close(1011, "broken")

    send = Send(message={"type": "KeepAlive"}, id="too-late")
    recording = play(Connect(), Hold(duration=2 * SECOND), send, Close(), handler=leaver)
    (close,) = [frame for frame in recording.frames if frame.kind is Kind.CLOSE]
    assert (close.t, close.dir, close.data) == (SECOND, Direction.DOWN, {"code": 1011, "reason": "broken"})
    assert [mark.data["id"] for mark in marks(recording, "skipped")] == ["too-late", None]


def test_a_connection_cut_off_by_the_subject_is_recorded_as_1006() -> None:
    async def cutter(connection: ServerConnection) -> None:
        await asyncio.sleep(1)
        connection.transport.abort()

    recording = play(Connect(), Hold(duration=2 * SECOND), handler=cutter)
    (close,) = [frame for frame in recording.frames if frame.kind is Kind.CLOSE]
    assert (close.t, close.dir, close.data["code"]) == (SECOND, Direction.DOWN, 1006)


def test_what_the_script_leaves_open_is_closed_at_its_end() -> None:
    recording = play(Connect(), SETTINGS, APPLIED)
    assert [frame.data["code"] for frame in recording.frames if frame.kind is Kind.CLOSE] == [1000]


def test_a_second_connect_is_a_reconnect_on_conn_1() -> None:
    recording = play(Connect(), SETTINGS, APPLIED, CLOSE, Connect(id="again"), SETTINGS, APPLIED, CLOSE)
    opens = [frame.conn for frame in recording.frames if frame.kind is Kind.OPEN]
    applied = [frame.conn for frame in recording.frames if frame.type == "SettingsApplied"]
    assert (opens, applied) == ([0, 1], [0, 1])
    assert not marks(recording, "wait-timeout")


def test_when_the_newest_connection_is_closed_the_one_before_it_goes_on() -> None:
    recording = play(Connect(), Connect(), CLOSE, SETTINGS, APPLIED)
    assert [frame.conn for frame in recording.frames if frame.kind is Kind.TEXT] == [0, 0]


def test_the_opening_is_recorded_without_host_or_secret() -> None:
    recording = play(Connect(query={"lang": "en", "token": "abc123"}), CLOSE)
    (opened,) = [frame for frame in recording.frames if frame.kind is Kind.OPEN]
    assert opened.data == {"path": "/agent", "query": {"lang": "en"}, "subprotocol": None}


def test_messages_may_be_text_that_is_no_json_and_binary() -> None:
    received: list[Any] = []

    async def keeper(connection: ServerConnection) -> None:
        received.extend([message async for message in connection])

    play(Connect(), Send(message="not json"), Send(message=b"\x01"), Send(message={"type": "X"}), CLOSE, handler=keeper)
    assert received == ["not json", b"\x01", '{"type":"X"}']


def test_the_targets_settings_are_merged_into_every_settings_message() -> None:
    settings = Send(message={"type": "Settings", "agent": {"greeting": "Hi", "think": {"prompt": "Be kind"}}})
    recording = play(Connect(), settings, CLOSE, settings={"agent": {"think": {"model": "m"}}, "key": 1})
    (sent,) = [frame.data for frame in recording.frames if frame.type == "Settings"]
    assert sent == {
        "type": "Settings",
        "agent": {"greeting": "Hi", "think": {"prompt": "Be kind", "model": "m"}},
        "key": 1,
    }


def test_a_realtime_client_sends_no_merged_settings() -> None:
    cell = cell_of(Connect(), SETTINGS, CLOSE, speaks=Speaks.REALTIME)
    recording = play(cell=cell, settings={"key": 1})
    assert [frame.data for frame in recording.frames if frame.type == "Settings"] == [{"type": "Settings"}]


def test_a_refused_handshake_is_recorded_with_its_status() -> None:
    def refuse(connection: ServerConnection, request: Request) -> Response:
        return connection.respond(HTTPStatus.UNAUTHORIZED, "no")

    recording = play(Connect(), SETTINGS, CLOSE, serving={"process_request": refuse})
    (opened,) = [frame for frame in recording.frames if frame.kind is Kind.OPEN]
    assert opened.data == {"status": 401}
    (failed,) = marks(recording, "connect-failed")
    assert failed.data["status"] == 401
    assert "401" in failed.data["message"]


def test_a_python_step_can_send_and_use_what_was_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    registry: dict[str, Any] = {}
    monkeypatch.setattr("conformance.client.python_steps.PYTHON_STEPS", registry)

    @python_step("shout")
    async def shout(hands: Hands, args: Any) -> None:
        hands.send({"type": "Shout", "text": args["text"], "saved": hands.saved["type"]})
        await asyncio.sleep(0.5)

    wait = Wait(leg=Leg.CLIENT, pattern="SettingsApplied", within=SECOND, save={"type": "type"})
    recording = play(Connect(), SETTINGS, wait, Run(name="shout", args={"text": "${type}!"}, id="ran"), CLOSE)
    (sent,) = [frame.data for frame in recording.frames if frame.type == "Shout"]
    assert sent == {"type": "Shout", "text": "SettingsApplied!", "saved": "SettingsApplied"}
    assert instants(recording)["ran"] == 500
    with pytest.raises(ValueError, match="registered twice"):
        python_step("shout")(shout)
    assert list(registry) == ["shout"]


def test_a_python_step_that_nobody_registered_is_named() -> None:
    with pytest.raises(NoSuchStep, match=r"no Python step 'juggle'.*known: big-frame"):
        play(Connect(), Run(name="juggle"), CLOSE)


def test_a_script_that_breaks_off_during_a_close_records_nothing_more() -> None:
    async def close_slowly(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        connection.transport.write(b"\x88\x02\x03\xe8")
        await asyncio.sleep(0.2)
        connection.transport.abort()

    recorders: list[Recorder] = []
    script = (Connect(), Hold(duration=100 * MILLISECOND), Run(name="nobody"))
    with pytest.raises(NoSuchStep):
        play(*script, handler=close_slowly, recorders=recorders)
    assert [frame.kind for frame in recorders[0].frames] == [Kind.OPEN, Kind.MARK, Kind.MARK]


def test_a_16_mib_frame_leaves_without_holding_the_script() -> None:
    async def deaf(connection: ServerConnection) -> None:
        await asyncio.sleep(3)
        await agent(connection)

    big = Run(name="big-frame", args={"bytes": 16 * 1024 * 1024}, id="big")
    recording = play(Connect(), big, SETTINGS, APPLIED, CLOSE, handler=deaf)
    assert instants(recording) == {"connect": 0, "big": 0, "settings": 0, "applied": 3000, "bye": 3000}


def test_the_lateness_of_a_step_is_measured() -> None:
    async def hogging(connection: ServerConnection) -> None:
        asyncio.get_running_loop().call_later(0.04, be_busy, 30 * MILLISECOND)
        await connection.wait_closed()

    recording = play(Connect(), Hold(duration=50 * MILLISECOND), CLOSE, handler=hogging)
    late = [mark.data["us"] for mark in marks(recording, "lateness") if mark.data["index"] == 1]
    assert late == [20 * MILLISECOND]


def test_nothing_is_late_on_the_virtual_clock() -> None:
    assert not marks(play(Connect(), Hold(duration=SECOND), SETTINGS, APPLIED, CLOSE), "lateness")


def test_a_wait_may_be_for_the_close_of_the_connection() -> None:
    async def leaver(connection: ServerConnection) -> None:
        await connection.close(4000, "")

    wait = Wait(leg=Leg.CLIENT, pattern={"type": "close", "code": 4000}, within=SECOND, id="closed")
    assert "closed" in instants(play(Connect(), wait, handler=leaver))


def test_json_written_by_the_client_is_what_the_recording_says() -> None:
    received: list[Any] = []

    async def keeper(connection: ServerConnection) -> None:
        received.extend([json.loads(message) async for message in connection])

    recording = play(Connect(), HELLO, CLOSE, handler=keeper)
    assert received == [frame.data for frame in recording.frames if frame.kind is Kind.TEXT]
