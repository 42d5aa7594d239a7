"""An attempt becomes a recording whatever happens, and says honestly how it ended."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from conformance.client import Dial
from conformance.clock import Clock, run
from conformance.clock.tests.busy import be_busy
from conformance.runner import VIRTUAL_EPOCH, Attempt, AttemptPlan, bound, record, record_async
from conformance.runner.tests.fakes import TURN, EchoUpstream, cell_of
from conformance.scenario.model import Audio, Close, Connect, Hold, Run, Send, Wait
from conformance.targets.model import Target
from conformance.wire.durations import MILLISECOND, SECOND
from conformance.wire.frames import Kind, Leg
from conformance.wire.recording import Outcome, dump, load
from conformance.wire.script import Fault

PLAN = AttemptPlan(cell=cell_of(*TURN), seed=7)


def test_a_finished_attempt_says_what_was_driven_and_when_it_ended() -> None:
    recording = record(PLAN, subject=EchoUpstream())
    header, footer = recording.header, recording.footer
    assert (header.scenario, header.flow, header.cell, header.seed) == ("text/one", "text", {"n": 1}, 7)
    assert (header.clock, header.epoch, header.target, header.speaks) == ("virtual", VIRTUAL_EPOCH, "mock", "voice-agent")
    assert footer is not None
    assert (footer.outcome, footer.message, footer.t) == (Outcome.FINISHED, None, SECOND)


def test_both_legs_are_on_one_clock_with_causes_before_effects() -> None:
    frames = record(PLAN, subject=EchoUpstream()).frames
    order = [(frame.leg, frame.type) for frame in frames if frame.kind is Kind.TEXT]
    assert order == [(Leg.CLIENT, "Settings"), (Leg.UPSTREAM, "Settings"), (Leg.CLIENT, "SettingsApplied")]
    assert [frame.t for frame in frames] == sorted(frame.t for frame in frames)
    assert [frame.seq for frame in frames] == list(range(len(frames)))


def test_the_same_seed_gives_the_same_file_byte_for_byte(tmp_path: Path) -> None:
    files = set()
    for number in range(20):
        path = tmp_path / f"{number}.jsonl"
        recording = record(PLAN, path=path, subject=EchoUpstream())
        assert path.read_bytes() == dump(recording).replace(b"hush-hush", b"[secret]")
        files.add(path.read_bytes())
    assert len(files) == 1


def test_secrets_never_reach_the_file(tmp_path: Path) -> None:
    record(PLAN, path=tmp_path / "r.jsonl", subject=EchoUpstream())
    assert b"hush" not in (tmp_path / "r.jsonl").read_bytes()
    assert b"[secret]" in (tmp_path / "r.jsonl").read_bytes()


def test_the_upstream_leg_may_take_its_time_to_end_after_the_client_left() -> None:
    recording = record(PLAN, subject=EchoUpstream(lingering=1.5))
    (close,) = [frame for frame in recording.frames if frame.kind is Kind.CLOSE and frame.leg is Leg.UPSTREAM]
    assert close.t == 2_500_000
    assert recording.end == 2_500_000


def test_an_upstream_leg_that_never_ends_is_left_after_two_seconds() -> None:
    recording = record(PLAN, subject=EchoUpstream(lingering=3600))
    assert recording.end == 3 * SECOND
    assert not [frame for frame in recording.frames if frame.kind is Kind.CLOSE and frame.leg is Leg.UPSTREAM]


def test_a_failure_that_is_not_the_subjects_is_an_error_with_its_reason() -> None:
    recording = record(PLAN, subject=EchoUpstream(on_message=lambda attempt: attempt.fail("the key is spent")))
    assert recording.footer is not None
    assert (recording.footer.outcome, recording.footer.message) == (Outcome.ERROR, "the key is spent")
    assert recording.end == 0


def test_a_scenario_that_names_missing_audio_is_an_error_with_its_name() -> None:
    footer = record(AttemptPlan(cell=cell_of(Connect(), Audio(source="gone.wav"))), subject=EchoUpstream()).footer
    assert footer is not None
    assert footer.outcome is Outcome.ERROR
    assert "gone.wav" in str(footer.message)


def test_a_python_step_that_hangs_ends_the_attempt_at_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(*_: object) -> None:
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr("conformance.client.python_steps.PYTHON_STEPS", {"hang": hang})
    cell = cell_of(Connect(), Run(name="hang"))
    recording = record(AttemptPlan(cell=cell), subject=EchoUpstream())
    assert recording.footer is not None
    assert recording.footer.outcome is Outcome.ERROR
    assert "longer than its steps can take" in str(recording.footer.message)
    assert recording.end == bound(cell)


def test_a_bug_of_ours_is_raised_and_the_recording_still_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stumble(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("conformance.client.python_steps.PYTHON_STEPS", {"stumble": stumble})
    path = tmp_path / "r.jsonl"
    with pytest.raises(ZeroDivisionError):
        record(AttemptPlan(cell=cell_of(Connect(), Run(name="stumble"))), path=path, subject=EchoUpstream())
    footer = load(path).footer
    assert footer is not None
    assert footer.outcome is Outcome.ERROR


def test_a_cancelled_attempt_is_recorded_as_such(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"

    async def main() -> None:
        task = asyncio.create_task(record_async(PLAN, path=path, subject=EchoUpstream()))
        await asyncio.sleep(0.5)
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()

    run(main())
    footer = load(path).footer
    assert footer is not None
    assert (footer.outcome, footer.t) == (Outcome.CANCELLED, 500_000)


def test_an_interrupted_attempt_is_recorded_as_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("conformance.client.python_steps.PYTHON_STEPS", {"interrupt": interrupt})
    path = tmp_path / "r.jsonl"
    with pytest.raises(KeyboardInterrupt):
        record(AttemptPlan(cell=cell_of(Connect(), Run(name="interrupt"))), path=path, subject=EchoUpstream())
    footer = load(path).footer
    assert footer is not None
    assert footer.outcome is Outcome.CANCELLED


def test_on_the_real_clock_the_file_grows_with_the_attempt(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    cell = cell_of(Connect(), Send(message={"type": "Settings"}), Hold(duration=60 * SECOND))

    async def main() -> bytes:
        arrived = asyncio.Event()
        subject = EchoUpstream(on_message=lambda _: arrived.set())
        task = asyncio.create_task(record_async(AttemptPlan(cell=cell, clock="real"), path=path, subject=subject))
        await arrived.wait()
        seen = path.read_bytes()
        task.cancel()
        await asyncio.wait({task})
        return seen

    assert b'"Settings"' in run(main(), clock=Clock.REAL)


def test_many_attempts_share_a_real_loop_and_wait_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    everybody = asyncio.Barrier(20)

    async def meet(*_: object) -> None:
        await everybody.wait()

    monkeypatch.setattr("conformance.client.python_steps.PYTHON_STEPS", {"meet": meet})
    cell = cell_of(Connect(), Run(name="meet"), Close())
    plans = [AttemptPlan(cell=cell, attempt=number, clock="real") for number in range(20)]

    async def main() -> None:
        recordings = await asyncio.gather(*(record_async(plan, subject=EchoUpstream()) for plan in plans))
        assert all(recording.footer and recording.footer.outcome is Outcome.FINISHED for recording in recordings)
        assert [recording.header.attempt for recording in recordings] == list(range(20))

    run(main(), clock=Clock.REAL)


def test_how_late_the_harness_was_before_time_0_excuses_nothing() -> None:
    class SlowToStart(EchoUpstream):
        @asynccontextmanager
        async def join(self, attempt: Attempt) -> AsyncIterator[Dial]:
            async with super().join(attempt) as dial:
                await asyncio.sleep(0.03)
                be_busy(500 * MILLISECOND)  # as an import makes us that a first attempt waits for
                await asyncio.sleep(0.03)
                yield dial

    plan = AttemptPlan(cell=cell_of(Connect(), Close()), clock="real")
    recording = run(record_async(plan, subject=SlowToStart()), clock=Clock.VIRTUAL)
    assert recording.footer is not None
    assert recording.footer.lateness == 0
    assert [frame.t for frame in recording.frames] == sorted(frame.t for frame in recording.frames)


def test_a_message_that_bears_the_name_of_a_mark_is_no_mark() -> None:
    cell = cell_of(Connect(), Send(message={"type": "lateness"}), Close())
    footer = record(AttemptPlan(cell=cell), subject=EchoUpstream()).footer
    assert footer is not None
    assert (footer.outcome, footer.lateness) == (Outcome.FINISHED, 0)


def test_audio_bodies_are_kept_by_content(tmp_path: Path) -> None:
    cell = cell_of(Connect(), Audio(source="silence", duration=100 * MILLISECOND), Hold(duration=SECOND), Close())
    recording = record(AttemptPlan(cell=cell), audio_dir=tmp_path / "audio", subject=EchoUpstream())
    digests = {frame.data["sha256"] for frame in recording.frames if frame.kind is Kind.BINARY and frame.leg is Leg.CLIENT}
    assert {path.stem for path in (tmp_path / "audio").iterdir()} == digests
    assert [path.read_bytes() for path in (tmp_path / "audio").iterdir()] == [bytes(960)]


def test_a_fault_and_the_targets_name_are_in_the_header() -> None:
    plan = AttemptPlan(cell=cell_of(*TURN), fault=Fault("idle-error"), target=Target(name="ours"), attempt=3)
    header = record(plan, subject=EchoUpstream()).header
    assert (header.fault, header.target, header.attempt, header.mutant) == ("idle-error", "ours", 3, None)


def test_the_bound_is_the_sum_of_what_the_steps_may_take() -> None:
    fixed = bound(cell_of())
    assert bound(cell_of(Hold(duration=SECOND), Hold(duration=2 * SECOND, at=SECOND))) == fixed + 4 * SECOND
    assert bound(cell_of(Wait(leg=Leg.CLIENT, pattern="x", within=5 * SECOND))) == fixed + 5 * SECOND
    assert bound(cell_of(Audio(source="tone", duration=3 * SECOND))) == fixed + 3 * SECOND
    assert bound(cell_of(Close(late=0))) < bound(cell_of(Close()))


def test_an_attempt_counts_its_upstream_connections() -> None:
    conns: list[int] = []

    def note(attempt: Attempt) -> None:
        conns.append(attempt.assign().conn)
        attempt.closed()

    record(PLAN, subject=EchoUpstream(on_message=note))
    assert conns == [1]


def test_a_failure_that_comes_before_the_steps_and_is_cancelled_with_them_is_no_complaint_of_the_loop() -> None:
    complaints: list[str] = []

    class FailsAndWaits(EchoUpstream):
        @asynccontextmanager
        async def join(self, attempt: Attempt) -> AsyncIterator[Dial]:
            attempt.fail("the key is spent")
            await asyncio.sleep(60)
            yield  # type: ignore[misc]  # never reached

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))
        task = asyncio.create_task(record_async(PLAN, subject=FailsAndWaits()))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait({task})
        del task
        gc.collect()

    run(main())
    assert complaints == []
