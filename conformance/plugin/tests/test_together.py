"""The plugin beside other plugins, in real time, in several processes, and cut off half-way."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conformance.plugin.tests.conftest import IDLE, REALTIME_PACE, TEXT_TURN, Repository
from conformance.real.tests.conftest import KEY, StartMock, start_mock

__all__ = ["start_mock"]

FUNCTIONS = """
import pytest

@pytest.mark.repeat(3)
def test_marked(): pass

def test_plain(): pass
"""


@pytest.mark.parametrize(
    "plugins",
    [
        pytest.param([], id="both found as installed"),
        pytest.param(["-p", "pytest_repeat", "-p", "conformance.plugin"], id="pytest-repeat first"),
        pytest.param(["-p", "conformance.plugin", "-p", "pytest_repeat"], id="pytest-repeat last"),
    ],
)
def test_pytest_repeat_and_ours_share_count_in_either_order(
    repository: Repository, plugins: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.pytester.makepyfile(test_functions=FUNCTIONS)
    if plugins:
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        plugins = [*plugins, "-p", "pytest_asyncio.plugin", "-p", "pytest_timeout"]
    found = repository.run_outside(*plugins, "-q", "--collect-only", "--count", "2", ".")
    ids = [line for line in found.outlines if "::" in line]
    assert sum("text/turn[one" in line for line in ids) == 2
    assert sum("test_marked" in line for line in ids) == 3
    assert sum("test_plain" in line for line in ids) == 2


def test_without_pytest_repeat_count_is_ours_alone(repository: Repository) -> None:
    repository.pytester.makepyfile(test_functions="def test_plain(): pass\n")
    found = repository.run_outside("-p", "no:repeat", "-q", "--collect-only", "--count", "2", ".")
    ids = [line for line in found.outlines if "::" in line]
    assert sum("text/turn[one" in line for line in ids) == 2
    assert sum("test_plain" in line for line in ids) == 1


def test_workers_share_one_run_folder_and_give_the_same_recordings(repository: Repository) -> None:
    repository.run_outside("scenarios", "-q", "--count", "2", "--run-dir", "alone").assert_outcomes(passed=8)
    repository.run_outside("scenarios", "-q", "--count", "2", "--run-dir", "two", "-n", "2").assert_outcomes(passed=8)

    def recordings(folder: str) -> dict[str, bytes]:
        path = repository.path / folder / "recordings"
        return {p.relative_to(path).as_posix(): p.read_bytes() for p in path.rglob("*.jsonl")}

    assert recordings("alone") == recordings("two")
    assert (repository.path / "two" / "report.html").exists()


def test_concurrency_and_workers_exclude_each_other(repository: Repository) -> None:
    found = repository.run_outside("scenarios", "--clock", "real", "--concurrency", "3", "-n", "2")
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    found.stderr.fnmatch_lines(["*--concurrency above 1 and -n exclude each other*"])


def test_workers_that_run_no_scenario_leave_no_run_behind(repository: Repository) -> None:
    (repository.path / "test_own.py").write_text("def test_own():\n    pass\n")
    found = repository.run_outside("test_own.py", "-q", "-n", "2")
    found.assert_outcomes(passed=1)
    assert "report" not in found.stdout.str()
    assert list((repository.path / "runs").iterdir()) == []


def test_attempts_that_wait_in_real_time_wait_at_once(empty_repository: Repository) -> None:
    empty_repository.scenario(REALTIME_PACE.replace("2s", "5s"))
    started = time.monotonic()
    empty_repository.run("scenarios", "-q", "--clock", "real", "--count", "8")
    assert time.monotonic() - started < 8 * 5
    durations = [attempt["duration_s"] for attempt in empty_repository.results["attempts"]]
    assert len(durations) == 8
    assert min(durations) >= 5


def test_x_cancels_what_was_started_ahead_and_names_it(empty_repository: Repository) -> None:
    fails = IDLE.replace("idle/wait", "idle/a-fails").replace("client: Error", "client: SettingsApplied")
    empty_repository.scenario(fails.replace("    after: ready\n", "").replace("hold: 6s", "hold: 1s"))
    empty_repository.scenario(REALTIME_PACE.replace("2s", "300s"))
    started = time.monotonic()
    args = ["scenarios/idle/a-fails.yaml", "scenarios/idle/two-seconds.yaml"]
    empty_repository.run(*args, "-q", "--clock", "real", "--seed", "4", "-x", "--concurrency", "2")
    results = empty_repository.results
    assert [attempt["scenario"] for attempt in results["attempts"]] == ["idle/a-fails"]
    [cancelled] = results["run"]["cancelled"]
    assert "idle/two-seconds" in cancelled
    assert time.monotonic() - started < 300


def test_an_attempt_that_was_started_ahead_and_raised_is_an_error_of_the_run(
    empty_repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    from conformance.plugin.run import Key, Run
    from conformance.wire.recording import Recording

    record = Run._record_in_real_time

    async def full(run: Run, key: Key) -> Recording:
        if "two-seconds" in key.name:
            raise OSError("no space left on device")
        return await record(run, key)

    monkeypatch.setattr(Run, "_record_in_real_time", full)
    fails = IDLE.replace("idle/wait", "idle/a-fails").replace("client: Error", "client: SettingsApplied")
    empty_repository.scenario(fails.replace("    after: ready\n", "").replace("hold: 6s", "hold: 1s"))
    empty_repository.scenario(REALTIME_PACE)
    args = ["scenarios/idle/a-fails.yaml", "scenarios/idle/two-seconds.yaml"]
    empty_repository.run(*args, "-q", "--clock", "real", "--seed", "4", "-x", "--concurrency", "2")
    made = {attempt["scenario"]: attempt for attempt in empty_repository.results["attempts"]}
    assert made["idle/two-seconds"]["verdict"] == "error"
    assert made["idle/two-seconds"]["message"] == "OSError: no space left on device"


def test_real_drives_whatever_server_the_environment_names(repository: Repository, start_mock: StartMock) -> None:
    url = start_mock().url
    found = repository.run("scenarios", "-q", "--real", "--count", "2", "--flow", "text")
    found.assert_outcomes(passed=4)
    assert found.outlines[0] == f"REAL API {url} model gpt-realtime, 4 attempts, at most 4 at once"
    assert found.outlines[1].startswith("plan: 4 attempts, about ")
    found.stdout.fnmatch_lines(["tokens: the API counted *"])
    assert {attempt["target"] for attempt in repository.results["attempts"]} == {"real"}
    everything = b"".join(path.read_bytes() for path in repository.latest.rglob("*") if path.is_file())
    assert KEY.encode() not in everything
    assert b'"leg":"upstream"' in everything


def test_real_and_mock_runs_the_real_one_first(repository: Repository, start_mock: StartMock) -> None:
    start_mock()
    repository.run("scenarios", "-q", "--real", "--mock", "--flow", "text").assert_outcomes(passed=4)
    assert [attempt["target"] for attempt in repository.results["attempts"]] == ["real", "real", "mock", "mock"]


def test_a_server_that_is_not_there_is_said_once_before_anything_is_spent(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_REALTIME_URL", "ws://127.0.0.1:9/v1/realtime")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-a-real-key-at-all")
    found = repository.run("scenarios", "-q", "--real")
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    found.stderr.fnmatch_lines(["ERROR: ws://127.0.0.1:9/v1/realtime refuses connections: *"])


def test_reruns_repeat_harness_errors_only_and_visibly(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    from conformance.plugin.run import Run
    from conformance.wire.recording import Footer, Outcome, Recording

    record = Run._record
    broken: list[Path] = []

    def fail_once(run: Run, key: object, path: Path) -> Recording:
        recording = record(run, key, path)  # type: ignore[arg-type]
        if "one" in str(key) and not broken:
            broken.append(path)
            return Recording(recording.header, recording.frames, Footer(1, Outcome.ERROR, "the network went away"))
        return recording

    monkeypatch.setattr(Run, "_record", fail_once)
    found = repository.run("scenarios", "-q", "--reruns", "2", "-k", "turn and not mutants")
    found.assert_outcomes(passed=2)
    assert [(a["verdict"], a["rerun"]) for a in repository.results["attempts"] if a["cell"] == {"words": "one"}] == [
        ("error", 0),
        ("pass", 1),
    ]
    assert (repository.latest / "recordings/text/turn/one/1.r1.jsonl").exists()
    found = repository.run("scenarios", "-q", "--reruns", "2", "--fault", "idle-error", "-k", "idle")
    found.assert_outcomes(failed=1)
    assert len(repository.results["attempts"]) == 1


@pytest.mark.parametrize("endings", [[signal.SIGINT], [signal.SIGTERM], [signal.SIGINT, signal.SIGINT]])
def test_a_run_that_is_interrupted_reports_what_it_has(empty_repository: Repository, endings: list[signal.Signals]) -> None:
    empty_repository.scenario(TEXT_TURN)
    empty_repository.scenario(REALTIME_PACE.replace("2s", "30s"))
    args = ["scenarios/text/turn.yaml", "scenarios/idle/two-seconds.yaml", "--clock", "real", "--seed", "3", "--count", "1"]
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", *args],
        cwd=empty_repository.path,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background is told to ignore it
    ) as run:
        deadline = time.monotonic() + 300
        while not list(empty_repository.path.glob("runs/*/recordings/idle/**/1.jsonl")) and time.monotonic() < deadline:
            time.sleep(0.1)
        for ending in endings:
            run.send_signal(ending)
            time.sleep(0.1)
        output, _ = run.communicate(timeout=200)
    assert run.returncode == pytest.ExitCode.INTERRUPTED, output.decode()
    results = empty_repository.results
    assert results["run"]["interrupted"] is True
    assert "idle/two-seconds" in str(results["run"]["cancelled"])
    assert "interrupted" in (empty_repository.latest / "report.html").read_text()
    cancelled = next(empty_repository.latest.glob("recordings/idle/**/1.jsonl")).read_text()
    assert '"outcome":"cancelled"' in cancelled
