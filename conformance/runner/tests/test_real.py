"""The real API as the upstream: behind the reference proxy or driven directly; its refusals are the harness's errors.

Its stand-in listens in this process, so a loop on the virtual clock will do: how busy the machine is changes nothing.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from conformance.clock import Clock, run
from conformance.runner import AttemptPlan, HarnessError, pacing, record, record_async
from conformance.runner.tests.fakes import cell_of
from conformance.runner.tests.test_in_process import READY, TEXT, events, timeouts, wait
from conformance.scenario.model import Audio, Close, Connect, Send, Speaks, Step
from conformance.targets.model import Target, Upstream
from conformance.wire.frames import Direction, Kind, Leg
from conformance.wire.recording import Outcome, Recording
from conformance.wire.script import Fault
from mock_upstream.server import MockUpstream

KEY = "sk-proj-abcdefghijklmnop"
REAL = Target(name="real", upstream=Upstream.REAL)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_REALTIME_MODEL", raising=False)
    monkeypatch.setattr(pacing, "FIRST_PAUSE", 1_000)
    monkeypatch.setattr(pacing, "SPREAD", 0)
    return monkeypatch


def plan_of(*steps: Step, speaks: Speaks = Speaks.VOICE_AGENT) -> AttemptPlan:
    return AttemptPlan(cell=cell_of(*steps, speaks=speaks), target=REAL, clock=Clock.REAL)


def against(
    server: MockUpstream, environment: pytest.MonkeyPatch, attempt: Callable[[], Awaitable[Recording]]
) -> Recording:
    """Make an attempt while a stand-in for the real API listens."""

    async def main() -> Recording:
        async with server:
            environment.setenv("OPENAI_REALTIME_URL", server.url)
            return await attempt()

    return run(main(), clock=Clock.VIRTUAL)


def outcome(recording: Recording) -> tuple[Outcome, str | None]:
    assert recording.footer is not None
    return recording.footer.outcome, recording.footer.message


def test_a_turn_with_the_real_api_is_recorded_on_both_legs(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    steps = (*TEXT[:-1], Close(late=0))
    path = tmp_path / "r.jsonl"
    recording = against(MockUpstream(key=KEY), environment, lambda: record_async(plan_of(*steps), path=path))
    assert outcome(recording) == (Outcome.FINISHED, None)
    assert not timeouts(recording)
    assert events(recording, Leg.UPSTREAM, Direction.UP) == [
        "session.update",
        "conversation.item.create",
        "response.create",
    ]
    assert "response.done" in events(recording, Leg.UPSTREAM, Direction.DOWN)
    assert (recording.header.target, recording.header.clock) == ("real", "real")
    assert KEY.encode() not in path.read_bytes()
    closes = [frame.leg for frame in recording.frames if frame.kind is Kind.CLOSE]
    assert closes == [Leg.CLIENT, Leg.UPSTREAM]


def test_a_realtime_scenario_talks_to_the_api_directly_and_both_legs_are_the_same_wire(
    environment: pytest.MonkeyPatch,
) -> None:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
    steps = (
        Connect(),
        wait("session.created"),
        Send(message={"type": "conversation.item.create", "item": item}),
        Send(message=b"no text"),
        Audio(source="tone", duration=20_000),
        wait("conversation.item.done"),
        Close(),
    )
    plan = plan_of(*steps, speaks=Speaks.REALTIME)
    recording = against(MockUpstream(key=KEY), environment, lambda: record_async(plan))
    assert outcome(recording) == (Outcome.FINISHED, None)
    for direction in Direction:
        assert events(recording, Leg.CLIENT, direction) == events(recording, Leg.UPSTREAM, direction) != []
    kinds = [frame.kind for frame in recording.frames if frame.leg is Leg.UPSTREAM]
    assert kinds[0] is Kind.OPEN
    assert kinds[-1] is Kind.CLOSE
    assert not [frame for frame in recording.frames if frame.leg is Leg.UPSTREAM and frame.kind is Kind.MARK]
    texts = [frame.data["text"] for frame in recording.frames if frame.kind is Kind.BINARY]
    assert texts == ["no text"] * 2


def test_a_key_that_the_api_refuses_is_the_harnesss_error(environment: pytest.MonkeyPatch) -> None:
    plan = plan_of(*READY, Close())
    result, message = outcome(against(MockUpstream(key="sk-another"), environment, lambda: record_async(plan)))
    assert result is Outcome.ERROR
    assert "refused the session" in str(message)
    assert "Incorrect API key" in str(message)


@pytest.mark.parametrize("speaks", list(Speaks), ids=str)
@pytest.mark.parametrize(("fault", "status"), [("refuse-401", 401), ("refuse-429", 429), ("refuse-500", 500)])
def test_a_handshake_that_the_api_refuses_is_the_harnesss_error_at_once(
    fault: str, status: int, speaks: Speaks, environment: pytest.MonkeyPatch
) -> None:
    plan = plan_of(*READY, Close(), speaks=speaks)
    recording = against(MockUpstream(fault=Fault(fault)), environment, lambda: record_async(plan))
    result, message = outcome(recording)
    assert result is Outcome.ERROR
    assert f"HTTP {status}" in str(message)
    assert recording.end < 2_000_000
    opens = [frame.data for frame in recording.frames if frame.kind is Kind.OPEN and frame.leg is Leg.UPSTREAM]
    assert opens == [{"status": status}]


def test_an_api_that_is_not_there_is_the_harnesss_error(environment: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        environment.setenv("OPENAI_REALTIME_URL", f"ws://127.0.0.1:{taken.getsockname()[1]}/v1/realtime")
        result, message = outcome(record(plan_of(*READY, Close())))
    assert result is Outcome.ERROR
    assert "refuses connections" in str(message)


def test_without_a_key_nothing_is_driven(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("OPENAI_API_KEY")
    with pytest.raises(HarnessError, match="export OPENAI_API_KEY"):
        record(plan_of(*READY))


def test_twenty_attempts_with_the_api_run_at_once(environment: pytest.MonkeyPatch) -> None:
    async def main() -> list[Recording]:
        async with MockUpstream(key=KEY) as server:
            environment.setenv("OPENAI_REALTIME_URL", server.url)
            return await asyncio.gather(*(record_async(plan_of(*READY, Close())) for _ in range(20)))

    recordings = run(main(), clock=Clock.VIRTUAL)
    assert [outcome(recording) for recording in recordings] == [(Outcome.FINISHED, None)] * 20
