"""The whole chain in one process: driver, reference proxy, mock, both legs recorded."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.clock import Clock, run
from conformance.runner import AttemptPlan, record, record_async
from conformance.runner.tests.fakes import cell_of
from conformance.scenario.model import Audio, Close, Connect, Hold, Mutant, Run, Send, Speaks, Step, Wait
from conformance.wire.durations import MILLISECOND, SECOND
from conformance.wire.frames import Direction, Frame, Kind, Leg
from conformance.wire.recording import Outcome, Recording, dump
from conformance.wire.script import Fault, Reply, Script, ScriptRule

CONNECT = Connect()
CLOSE = Close()


def settings(**agent: object) -> Send:
    return Send(message={"type": "Settings", "agent": agent})


def wait(type_: str, leg: Leg = Leg.CLIENT) -> Wait:
    return Wait(leg=leg, pattern=type_, within=5 * SECOND, id=type_)


READY = (CONNECT, settings(think={"prompt": "Hi"}), wait("SettingsApplied"))
TEXT = (*READY, Send(message={"type": "InjectUserMessage", "content": "Hello"}), wait("AgentAudioDone"), CLOSE)
FIRM_AUDIO = (
    *READY,
    Audio(source="tone", duration=SECOND, id="audio"),
    wait("AgentAudioDone"),
    Hold(duration=SECOND),
    CLOSE,
)


def play(*steps: Step, script: Script | None = None, **options: object) -> Recording:
    cell = cell_of(*steps, script=script or Script())
    recording = record(AttemptPlan(cell=cell, **options))  # type: ignore[arg-type]
    assert recording.footer is not None
    assert recording.footer.outcome is Outcome.FINISHED, recording.footer.message
    return recording


def events(recording: Recording, leg: Leg, direction: Direction) -> list[str]:
    """The types of a leg's messages; repeats in a row are told once."""
    types = [
        frame.type or "audio" for frame in recording.frames if (frame.leg, frame.dir) == (leg, direction) and frame.is_event
    ]
    return [type_ for number, type_ in enumerate(types) if number == 0 or types[number - 1] != type_]


def timeouts(recording: Recording) -> list[Frame]:
    return [frame for frame in recording.frames if frame.type in ("wait-timeout", "skipped", "connect-failed")]


def test_a_text_turn_crosses_both_legs() -> None:
    recording = play(*TEXT)
    assert not timeouts(recording)
    assert events(recording, Leg.UPSTREAM, Direction.UP) == [
        "session.update",
        "conversation.item.create",
        "response.create",
    ]
    assert events(recording, Leg.UPSTREAM, Direction.DOWN)[:2] == ["session.created", "session.updated"]
    heard = events(recording, Leg.CLIENT, Direction.DOWN)
    assert heard[0] == "SettingsApplied"
    assert {"ConversationText", "AgentStartedSpeaking", "audio", "AgentAudioDone"} <= set(heard)


def test_firm_audio_is_committed_and_answered() -> None:
    recording = play(*FIRM_AUDIO)
    assert not timeouts(recording)
    up = events(recording, Leg.UPSTREAM, Direction.UP)
    assert up[0] == "session.update"
    assert {"input_audio_buffer.append", "input_audio_buffer.commit", "response.create"} <= set(up)
    sent = [frame for frame in recording.frames if frame.kind is Kind.BINARY and frame.dir is Direction.UP]
    assert sum(frame.data["ms"] for frame in sent) == 1000


def test_a_greeting_reaches_the_client_and_leaves_the_upstream_quiet() -> None:
    recording = play(CONNECT, settings(greeting="Hello there"), wait("ConversationText"), Hold(duration=12 * SECOND), CLOSE)
    assert not timeouts(recording)
    assert events(recording, Leg.UPSTREAM, Direction.UP) == ["session.update"]
    assert recording.end >= 12 * SECOND


def test_an_idle_session_stays_open() -> None:
    recording = play(*READY, Hold(duration=12 * SECOND), CLOSE)
    assert not timeouts(recording)
    assert "error" not in events(recording, Leg.UPSTREAM, Direction.DOWN)
    closes = [frame for frame in recording.frames if frame.kind is Kind.CLOSE]
    assert [(frame.leg, frame.dir) for frame in closes] == [(Leg.CLIENT, Direction.UP), (Leg.UPSTREAM, Direction.UP)]
    assert closes[0].t == closes[1].t == recording.end > 12 * SECOND


def test_a_function_call_is_answered_after_the_response_that_asked() -> None:
    call = {"type": "response.function_call_arguments.done", "call_id": "call_1", "name": "weather", "arguments": "{}"}
    script = Script(
        rules=(
            ScriptRule(
                id="call",
                when="response.create",
                times=1,
                reply=(Reply({"type": "response.created"}), Reply(call), Reply({"type": "response.done"})),
            ),
        )
    )
    ask = Wait(leg=Leg.CLIENT, pattern="FunctionCallRequest", within=5 * SECOND, save={"call": "functions.0.id"})
    answer = Send(message={"type": "FunctionCallResponse", "id": "${call}", "name": "weather", "content": "4 degrees"})
    hello = Send(message={"type": "InjectUserMessage", "content": "Weather?"})
    recording = play(
        *READY, hello, ask, replace(answer, at=150 * MILLISECOND), wait("AgentAudioDone"), CLOSE, script=script
    )
    assert not timeouts(recording)
    up = [frame for frame in recording.frames if frame.leg is Leg.UPSTREAM and frame.dir is Direction.UP]
    assert [frame.type for frame in up if frame.kind is Kind.TEXT] == [
        "session.update",
        "conversation.item.create",
        "response.create",
        "conversation.item.create",
        "response.create",
    ]
    (output,) = [frame.data["item"] for frame in up if frame.type == "conversation.item.create"][1:]
    assert (output["call_id"], output["output"]) == ("call_1", "4 degrees")


def test_a_realtime_scenario_talks_to_the_mock_directly_and_both_ends_are_recorded() -> None:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
    steps = (
        CONNECT,
        wait("session.created"),
        Send(message={"type": "conversation.item.create", "item": item}),
        wait("conversation.item.done"),
        Send(message={"type": "response.create"}),
        wait("response.done"),
        CLOSE,
    )
    recording = record(AttemptPlan(cell=cell_of(*steps, speaks=Speaks.REALTIME)))
    assert not timeouts(recording)
    for direction in Direction:
        assert events(recording, Leg.CLIENT, direction) == events(recording, Leg.UPSTREAM, direction)
    assert recording.header.speaks == "realtime"


@pytest.mark.parametrize("steps", [TEXT, FIRM_AUDIO], ids=["text", "firm-audio"])
def test_the_same_seed_gives_the_same_file_byte_for_byte(steps: tuple[Step, ...], tmp_path: Path) -> None:
    plan = AttemptPlan(cell=cell_of(*steps), seed=5)
    paths = [tmp_path / f"{number}.jsonl" for number in range(20)]
    for path in paths:
        record(plan, path=path)
    assert len({path.read_bytes() for path in paths}) == 1
    assert dump(record(replace(plan, seed=6))) != paths[0].read_bytes()


def test_a_mutants_rules_come_before_the_scenarios() -> None:
    own = ScriptRule(id="own", when="session.update", delay=SECOND)
    mutant = Mutant("mute", (ScriptRule(id="mute", when="session.update", reply=()),), ("x",))
    cell = cell_of(*READY, CLOSE, script=Script(rules=(own,)))
    assert not timeouts(record(AttemptPlan(cell=cell)))
    mutated = record(AttemptPlan(cell=cell, mutant=mutant))
    assert [frame.data["id"] for frame in timeouts(mutated)] == ["SettingsApplied"]
    assert mutated.header.mutant == "mute"


def test_a_fault_from_the_command_line_acts_on_the_upstream() -> None:
    recording = play(*READY, Hold(duration=12 * SECOND), CLOSE, fault=Fault("idle-error"))
    (error,) = [frame for frame in recording.frames if frame.leg is Leg.UPSTREAM and frame.type == "error"]
    assert error.t == pytest.approx(5 * SECOND, abs=50 * MILLISECOND)
    assert "Error" in events(recording, Leg.CLIENT, Direction.DOWN)


def test_a_refused_upstream_is_recorded_and_reaches_the_client() -> None:
    recording = play(CONNECT, settings(), wait("Error"), fault=Fault("refuse-401"))
    assert not timeouts(recording)
    (opened,) = [frame for frame in recording.frames if frame.leg is Leg.UPSTREAM and frame.kind is Kind.OPEN]
    assert opened.data["status"] == 401


def test_a_reconnect_is_connection_1_on_both_legs() -> None:
    recording = play(*READY, CLOSE, *READY, CLOSE)
    opens = [(frame.leg, frame.conn) for frame in recording.frames if frame.kind is Kind.OPEN]
    assert sorted(opens) == [(Leg.CLIENT, 0), (Leg.CLIENT, 1), (Leg.UPSTREAM, 0), (Leg.UPSTREAM, 1)]
    assert not timeouts(recording)


def test_twenty_attempts_in_real_time_wait_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    everybody = asyncio.Barrier(20)

    async def meet(*_: object) -> None:
        await everybody.wait()

    monkeypatch.setattr("conformance.client.python_steps.PYTHON_STEPS", {"meet": meet})
    ready = replace(wait("SettingsApplied"), within=60 * SECOND)
    cell = cell_of(CONNECT, settings(think={"prompt": "Hi"}), ready, Run(name="meet"), CLOSE)

    async def main() -> None:
        plans = [AttemptPlan(cell=cell, attempt=number, clock=Clock.REAL) for number in range(20)]
        for recording in await asyncio.gather(*(record_async(plan) for plan in plans)):
            assert not timeouts(recording)
            assert recording.footer is not None
            assert recording.footer.outcome is Outcome.FINISHED

    run(main(), clock=Clock.REAL)
