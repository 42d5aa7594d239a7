"""External proxies: broken ones end in one sentence and leave nothing behind; a healthy one serves many at once."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.clock import Clock
from conformance.judge import judge
from conformance.runner import AttemptPlan, HarnessError, record_async
from conformance.runner.tests.fakes import cell_of
from conformance.scenario.model import Cell, Close, Connect, Hold, Send, Wait
from conformance.targets.external import ExternalSubject, ExternalSubjects
from conformance.targets.model import Target, Upstream
from conformance.targets.process import ProxyProcess
from conformance.verdicts import Blame, Verdict
from conformance.wire.durations import MILLISECOND, SECOND
from conformance.wire.frames import Kind, Leg
from conformance.wire.recording import Outcome, Recording
from conformance.wire.script import Reply, Script, ScriptRule

BROKEN = Path(__file__).with_name("broken_proxy.py")
SETTINGS = Send(message={"type": "Settings", "agent": {"think": {"prompt": "Hi"}}})
APPLIED = Wait(leg=Leg.CLIENT, pattern="SettingsApplied", within=60 * SECOND)
TURN = cell_of(Connect(), SETTINGS, APPLIED, Close(late=0))
UNTIL_CLOSED = cell_of(Connect(), SETTINGS, replace(APPLIED, pattern={"type": "close"}), Close(late=0))


def target(defect: str) -> Target:
    command = f"exec {sys.executable} {BROKEN} {defect} {{port}}"
    return Target(name="proxy", url="ws://127.0.0.1:{port}/agent", command=command)


def plan(cell: Cell = TURN, **options: object) -> AttemptPlan:
    return AttemptPlan(cell=cell, clock=Clock.REAL, **options)  # type: ignore[arg-type]


async def attempt(subject: ExternalSubject, cell: Cell = TURN) -> Recording:
    async with asyncio.timeout(200):
        return await record_async(plan(cell), subject=subject)


def ending(recording: Recording) -> tuple[Outcome, str]:
    assert recording.footer is not None
    return recording.footer.outcome, recording.footer.message or ""


def processes() -> str:
    return subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout


@asynccontextmanager
async def broken(defect: str, **options: object) -> AsyncIterator[ExternalSubject]:
    async with ExternalSubject(target(defect), **{"ready": 200 * SECOND, **options}) as subject:  # type: ignore[arg-type]
        yield subject
    assert f"{BROKEN} {defect}" not in processes()


async def test_a_proxy_that_exits_at_start_says_why_and_is_not_started_for_every_attempt(tmp_path: Path) -> None:
    async with broken("exits-at-start", log=tmp_path / "proxy.log") as subject:
        first, second = await attempt(subject), await attempt(subject)
    outcome, sentence = ending(first)
    assert outcome is Outcome.UNUSABLE
    assert sentence.startswith("the proxy exited with code 3 before it listened on 127.0.0.1:")
    assert ending(second) == (outcome, sentence)
    assert first.footer is not None
    assert first.footer.log == ("cannot find my configuration",)
    assert (tmp_path / "proxy.log").read_text() == "cannot find my configuration\n"
    judgement = judge(TURN, first, Target(name="proxy", url="ws://x/"))
    [death] = [check for check in judgement.checks if check.id == "subject"]
    assert (death.verdict, death.blame) == (Verdict.FAIL, Blame.PROXY)
    assert "cannot find my configuration" in death.message


async def test_a_proxy_on_another_port_is_missed_in_time() -> None:
    async with broken("wrong-port", ready=SECOND) as subject:
        outcome, sentence = ending(await attempt(subject))
    assert outcome is Outcome.UNUSABLE
    assert "nothing listens on 127.0.0.1:" in sentence
    assert "{port}" in sentence


async def test_a_proxy_that_hangs_on_connect_is_not_waited_for_in_every_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.targets.external.HANDSHAKE", 0.3)
    async with broken("hangs-on-connect") as subject:
        endings = [ending(await attempt(subject)) for _ in range(3)]
        monkeypatch.setattr("conformance.targets.external.HANDSHAKE", 3_600)
        endings.append(ending(await attempt(subject)))
    [(outcome, sentence)] = set(endings)
    assert outcome is Outcome.UNUSABLE
    assert "did not answer the handshake in time" in sentence


async def test_a_proxy_that_does_not_run_is_nobodys_fault() -> None:
    async with ExternalSubject(Target(name="proxy", url="ws://127.0.0.1:1/agent")) as subject:
        outcome, sentence = ending(await attempt(subject))
    assert outcome is Outcome.ERROR
    assert sentence == "ws://127.0.0.1:1/agent refuses connections: start the server, or check the port"


async def test_a_proxy_that_floods_is_cut_off() -> None:
    async with broken("floods", flood=2_000) as subject:
        outcome, sentence = ending(await attempt(subject))
    assert (outcome, sentence) == (Outcome.UNUSABLE, "the proxy flooded its client with 2,000 frames")


async def test_a_proxy_that_sends_garbage_is_recorded() -> None:
    async with broken("garbage") as subject:
        recording = await attempt(subject, cell_of(Connect(), SETTINGS, Hold(duration=2 * SECOND), Close(late=0)))
    assert ending(recording)[0] is Outcome.FINISHED
    assert any(frame.kind is Kind.CLOSE and frame.leg is Leg.CLIENT for frame in recording.frames)


async def test_a_proxy_that_dies_takes_its_attempt_along_and_is_started_anew() -> None:
    async with broken("dies") as subject:
        for _ in range(2):
            recording = await attempt(subject)
            assert ending(recording) == (Outcome.DIED, "the proxy exited with code 139 during the attempt")
            assert recording.footer is not None
            assert recording.footer.log == ("segmentation fault, as it were",)


async def test_a_command_that_does_not_exist_is_one_sentence() -> None:
    nowhere = replace(target("x"), command="no-such-command-anywhere {port}")
    async with ExternalSubject(nowhere) as subject:
        recording = await attempt(subject)
    assert ending(recording)[0] is Outcome.UNUSABLE
    assert recording.footer is not None
    assert "no-such-command-anywhere" in recording.footer.log[-1]


async def test_a_mock_port_that_is_taken_is_our_own_failure() -> None:
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as taken:
        port = taken.sockets[0].getsockname()[1]
        async with ExternalSubject(Target(name="proxy", url="ws://127.0.0.1:1/", mock_port=port)) as subject:
            outcome, sentence = ending(await attempt(subject))
    assert outcome is Outcome.ERROR
    assert f"our upstream cannot listen on 127.0.0.1:{port}" in sentence


async def test_the_real_api_without_a_key_is_our_own_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(HarnessError, match="OPENAI_API_KEY"):
        ExternalSubject(Target(name="proxy", url="ws://127.0.0.1:1/", upstream=Upstream.REAL))


def healthy(node: str, defect: str = "") -> Target:
    env = {"PORT": "{port}", "UPSTREAM_URL": "{upstream_url}", "DEFECT": defect}
    return Target(name="proxy", url="ws://127.0.0.1:{port}/openai", command=node, env=env)


async def test_fifty_attempts_at_once_through_one_process_do_not_mix(node: str) -> None:
    def words(number: int) -> str:
        return f"I am number {number}."

    async def one(subject: ExternalSubject, number: int) -> Recording:
        say = Send(message={"type": "InjectUserMessage", "content": words(number)})
        done = Wait(leg=Leg.CLIENT, pattern="AgentAudioDone", within=60 * SECOND)
        cell = cell_of(Connect(), SETTINGS, APPLIED, say, done, Close(late=0))
        return await record_async(plan(cell, seed=number), subject=subject)

    async with ExternalSubject(healthy(node), ready=200 * SECOND) as subject:
        recordings = await asyncio.gather(*(one(subject, number) for number in range(50)))
    sessions = set()
    for number, recording in enumerate(recordings):
        assert ending(recording) == (Outcome.FINISHED, "")
        said = [frame for frame in recording.frames if "I am number" in json.dumps(dict(frame.data))]
        assert {frame.leg for frame in said} == set(Leg)
        assert all(words(number) in json.dumps(dict(frame.data)) for frame in said)
        assert {frame.conn for frame in recording.frames} == {0}
        [created] = [frame for frame in recording.frames if frame.type == "session.created"]
        sessions.add(created.data["session"]["id"])
    assert len(sessions) == 50


async def test_each_defect_of_the_node_proxy_is_found_by_its_rule_and_its_health_by_none(node: str) -> None:
    trouble = {"type": "error", "error": {"type": "server_error", "code": None, "message": "No."}}
    late = ScriptRule("late", when="session.updated", delay=400 * MILLISECOND)
    script = Script(rules=(late, ScriptRule("error", at=1_500 * MILLISECOND, reply=(Reply(trouble),))))
    say = Send(message={"type": "InjectUserMessage", "content": "Hi"})
    start = (Connect(), Hold(duration=200 * MILLISECOND), SETTINGS, Send(message=bytes(2_400)), APPLIED, say)
    failed_upstream = Wait(leg=Leg.UPSTREAM, pattern="error", within=60 * SECOND)
    cell = cell_of(*start, failed_upstream, Hold(duration=4 * SECOND), Close(late=0), script=script)

    async def failed(defect: str) -> set[str]:
        chosen = healthy(node, defect)
        async with ExternalSubject(chosen, ready=200 * SECOND) as subject:
            recording = await record_async(plan(cell, target=chosen), subject=subject)
        assert ending(recording)[0] is Outcome.FINISHED
        checks = judge(cell, recording, chosen).checks
        return {check.id for check in checks if check.verdict is Verdict.FAIL and check.blame is Blame.PROXY}

    expected = {
        "": set(),
        "early-audio": {"RT-READY-AUDIO"},
        "eager-response": {"RT-ITEM-CONFIRMED"},
        "swallowed-errors": {"VA-ERROR-FORWARDED"},
    }
    found = await asyncio.gather(*(failed(defect) for defect in expected))
    assert dict(zip(expected, found, strict=True)) == expected


async def test_a_mock_that_fails_is_our_own_failure_and_not_the_upstreams(
    node: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("mock_upstream.session.Session.receive", fail)
    chosen = healthy(node)
    async with ExternalSubject(chosen, ready=200 * SECOND) as subject:
        recording = await attempt(subject, UNTIL_CLOSED)
    [check] = judge(UNTIL_CLOSED, recording, chosen).checks
    assert (check.id, check.verdict, check.blame) == ("attempt", Verdict.ERROR, Blame.HARNESS)
    assert "our own mock failed (ZeroDivisionError)" in check.message


async def test_the_subjects_of_a_run_are_made_once_and_stopped_together(node: str, tmp_path: Path) -> None:
    subjects = ExternalSubjects(tmp_path)
    assert subjects.of(Target()) is None
    subject = subjects.of(healthy(node))
    assert subject is not None
    assert subjects.of(healthy(node)) is subject
    await record_async(plan(), subject=subject)
    await subjects.stop()
    assert (tmp_path / "proxy.log").exists()


async def test_a_proxy_that_runs_already_is_driven_where_it_is(node: str) -> None:
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as server:
        mock_port = server.sockets[0].getsockname()[1]
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
    env = {"PORT": str(port), "UPSTREAM_URL": f"ws://127.0.0.1:{mock_port}/v1/realtime"}
    process = ProxyProcess(node, env, None)
    await process.start()
    try:
        assert await process.listening("127.0.0.1", port, 200)
        async with ExternalSubject(Target(name="proxy", url=f"ws://127.0.0.1:{port}/", mock_port=mock_port)) as subject:
            recording = await attempt(subject)
        assert ending(recording) == (Outcome.FINISHED, "")
        assert "SettingsApplied" in [frame.type for frame in recording.frames]
    finally:
        await process.stop()
