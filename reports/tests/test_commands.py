"""``conformance report`` and ``conformance history``, as a shell sees them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from conformance.cli import fidelity, history, report
from reports.tests import runs

Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    app = typer.Typer()
    app.command("report")(report.command)
    app.command("history")(history.command)
    app.command("fidelity")(fidelity.command)
    return lambda *args: CliRunner().invoke(app, [str(arg) for arg in args], env={"GITHUB_STEP_SUMMARY": ""})


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    green, red = tmp_path / "runs/green", tmp_path / "runs/red"
    runs.green_run(3).write(green)
    runs.seeds_run(3).write(red)
    return green, red


def test_a_report_is_written_again(run: Run, folders: tuple[Path, Path]) -> None:
    result = run("report", folders[1])
    assert result.exit_code == 0
    assert result.output.startswith(" FAIL  greeting and idle fail")
    assert (folders[1] / "report.html").exists()
    assert not (folders[0] / "report.html").exists()


@pytest.mark.parametrize(("flag", "code"), [((), 0), (("--fail-on-regression",), 1)])
def test_a_regression_fails_the_command_only_when_asked(
    run: Run, folders: tuple[Path, Path], flag: tuple[str, ...], code: int
) -> None:
    result = run("report", *folders, *flag)
    assert result.exit_code == code
    assert "regression: greeting/idle idle_timeout_ms null on mock (3/3 -> 0/3)" in result.output
    assert "7 cells unchanged" in result.output
    assert run("report", folders[1], "--compare", folders[0], *flag).exit_code == code


def test_an_improvement_is_no_regression(run: Run, folders: tuple[Path, Path]) -> None:
    result = run("report", folders[1], folders[0], "--fail-on-regression")
    assert result.exit_code == 0
    assert "improvement: greeting/idle" in result.output


def test_a_diary_entry_is_printed_and_nothing_written(run: Run, folders: tuple[Path, Path]) -> None:
    result = run("report", folders[1], "--entry")
    assert result.exit_code == 0
    assert result.output.startswith("## 2026-11-21 09:00 UTC: greeting and idle: UP-NO-ERROR")
    assert not (folders[1] / "report.html").exists()
    assert "nothing failed" in run("report", folders[0], "--entry").output


def test_a_folder_that_is_no_run_is_one_sentence(run: Run, tmp_path: Path) -> None:
    result = run("report", tmp_path / "nowhere")
    assert result.exit_code == 2
    assert result.output == (
        f"conformance report: {tmp_path}/nowhere is no run folder: it holds neither results.json nor manifest.json\n"
    )


def test_a_run_that_cannot_be_read_is_no_success(run: Run, folders: tuple[Path, Path], tmp_path: Path) -> None:
    (folders[0] / "results.json").write_text("{")
    found = run("report", folders[0])
    assert found.exit_code == 2
    assert "results.json cannot be read (" in found.output
    (folders[0] / "results.json").unlink()
    found = run("report", folders[0])
    assert found.exit_code == 2
    assert found.output.startswith(" ERROR  The run was ended before an attempt was.")
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "results.json").write_text('{"tests": 1}')
    found = run("report", foreign)
    assert found.exit_code == 2
    assert "is no run folder: it holds no manifest.json, and results.json cannot be read (the key 'schema'" in found.output
    assert [path.name for path in foreign.iterdir()] == ["results.json"]
    found = run("report", foreign / "results.json")
    assert "results.json is a file; name the run folder, such as runs/latest" in found.output
    assert found.exit_code == run("fidelity", foreign).exit_code == run("fidelity", folders[0]).exit_code == 2


def test_the_history_of_a_folder_of_runs_is_a_page(run: Run, folders: tuple[Path, Path], tmp_path: Path) -> None:
    result = run("history", tmp_path / "runs", "--out", tmp_path / "h.html")
    assert result.exit_code == 0
    assert result.output.startswith("2 runs: 4 failures still there, first of all UP-NO-ERROR in greeting")
    assert "still failing" in (tmp_path / "h.html").read_text()


def test_a_history_without_runs_says_what_to_name(run: Run, tmp_path: Path) -> None:
    result = run("history", tmp_path)
    assert result.exit_code == 2
    assert "holds no run; name the folder that holds run folders" in result.output
    assert run("history", tmp_path / "nowhere").exit_code == 2
