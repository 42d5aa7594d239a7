"""The files and lines a run leaves behind, beside its page."""

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import orjson
import pytest
from rich.console import Console

import reports
from conformance.verdicts import Verdict
from reports.tests import runs
from reports.tests.golden import DIGESTS, GOLDEN, digests
from reports.tests.runs import Run, attempt, check


@pytest.mark.parametrize("name", GOLDEN)
def test_a_golden_report_is_the_same_byte_for_byte(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    assert digests(name, tmp_path / "run") == json.loads(DIGESTS.read_text())[name], (
        "a report changed; look at it, then renew the digests with: python -m reports.tests.golden"
    )


def test_a_report_of_240_attempts_stays_below_500_kilobytes(written: Callable[..., Path]) -> None:
    folder = written(runs.seeds_run(27))
    assert (folder / "report.html").stat().st_size < 500_000


def test_a_report_of_10000_attempts_is_folded_below_5_megabytes_and_keeps_the_failures_in_sight(tmp_path: Path) -> None:
    results = runs.large_run(10_000, tmp_path)
    reports.write(tmp_path, results)
    html = (tmp_path / "report.html").read_text()
    assert len(html.encode()) < 5_000_000
    failed = sum(found.verdict is Verdict.FAIL for found in results.attempts)
    assert failed > 2_000
    assert html.count('<tr class="fail" data-flow') == 1_200
    assert "8,800 more attempts are in results.json" in html


def test_junit_has_a_case_per_attempt_and_tells_failures_from_errors(written: Callable[..., Path]) -> None:
    folder = written(runs.harness_error_run())
    root = ET.parse(folder / "junit.xml").getroot()
    assert {key: root.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "18",
        "failures": "0",
        "errors": "3",
        "skipped": "0",
    }
    assert len(root.findall("./testsuite/testcase")) == 18
    error = root.find("./testsuite/testcase/error")
    assert error is not None
    assert error.get("message") == "harness: 401 at the handshake: check OPENAI_API_KEY"


def test_junit_skips_known_failures_and_fails_stale_ones(written: Callable[..., Path]) -> None:
    root = ET.parse(written(runs.known_run()) / "junit.xml").getroot()
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("15", "5", "5")
    skipped = root.find("./testsuite/testcase/skipped")
    assert skipped is not None
    assert skipped.get("message") == "known failure: upstream idle error, issue 414"
    failure = root.find("./testsuite/testcase/failure")
    assert failure is not None
    assert (failure.get("message") or "").startswith("known:UP-NO-ERROR: known to fail, yet it passed")


def test_junit_names_the_check_the_blame_the_second_and_the_recording(written: Callable[..., Path]) -> None:
    root = ET.parse(written(runs.seeds_run(1)) / "junit.xml").getroot()
    failure = root.find("./testsuite/testcase/failure")
    assert failure is not None
    assert (failure.text or "").splitlines() == [
        f"fail UP-NO-ERROR at 5.004s, blame upstream: the upstream sent server_error: {runs.ERROR.partition(' Sorry')[0]}",
        "fail no-error-while-idle at 5.005s, blame upstream: Error at 5.0s",
        "recording: recordings/greeting/idle/null/1.jsonl",
    ]


def test_ctrf_counts_as_its_summary_says(written: Callable[..., Path]) -> None:
    run = runs.known_run()
    run.add(attempt("text/turn", {}, 1, [check("c", Verdict.ERROR)], wall_s=0.5, rerun=1), None)
    run.add(attempt("text/turn", {}, 2, [check("c", Verdict.UNSUPPORTED)]), None)
    document = orjson.loads((written(run) / "ctrf.json").read_bytes())
    assert (document["reportFormat"], document["specVersion"]) == ("CTRF", "0.0.0")
    summary = document["results"]["summary"]
    assert {key: summary[key] for key in ("tests", "passed", "failed", "skipped", "pending", "other")} == {
        "tests": 17,
        "passed": 5,
        "failed": 5,
        "skipped": 6,
        "pending": 0,
        "other": 1,
    }
    assert summary["start"] == 1_795_251_600_000
    assert all(test["name"] and isinstance(test["duration"], int) for test in document["results"]["tests"])
    assert document["results"]["tests"][15]["retries"] == 1


def test_the_summary_also_goes_where_github_shows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = tmp_path / "step.md"
    shown.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(shown))
    folder = tmp_path / "run"
    reports.write(folder, runs.seeds_run(2).write(folder))
    text = shown.read_text()
    assert text.startswith("before\n# ❌ mock, 2026-11-21 09:00 UTC")
    assert text.removeprefix("before\n") == (folder / "summary.md").read_text() + "\n"
    assert "| greeting | greeting/idle idle\\_timeout\\_ms null | mock | 0/2 | 0 % to 66 % | stable-fail |" in text


def printed(run: Run, folder: Path, **options: object) -> str:
    stream = io.StringIO()
    reports.summary(run.write(folder), Console(file=stream, **options), folder)  # type: ignore[arg-type]
    return stream.getvalue()


@pytest.mark.parametrize("make", [make for make, _ in GOLDEN.values()])
def test_the_terminal_summary_fits_80_columns_and_has_no_colour_when_piped(make: Callable[[], Run], tmp_path: Path) -> None:
    text = printed(make(), tmp_path / "r", width=80)
    assert "\x1b" not in text
    assert max(map(len, text.splitlines()[:-1])) <= 80
    assert text.splitlines()[-1].startswith("report ")


def test_the_terminal_summary_is_coloured_on_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in printed(runs.seeds_run(1), tmp_path, width=80, force_terminal=True, color_system="standard")


def test_the_terminal_names_failing_cells_as_they_are_selected(tmp_path: Path) -> None:
    text = printed(runs.seeds_run(2), tmp_path, width=80)
    assert "  idle[null] 0/2 0-66 % UP-NO-ERROR at 5.0 s, upstream" in re.sub(r"(?<=\S) +", " ", text)


def test_a_diary_entry_is_filled_where_the_recording_knows(tmp_path: Path) -> None:
    entry = reports.entry(tmp_path, runs.seeds_run(5).write(tmp_path))
    assert entry is not None
    assert entry.startswith("## 2026-11-21 09:00 UTC: greeting and idle: UP-NO-ERROR\n")
    for section in ("Outcome", "Key evidence", "Diagnosis", "Remediation", "Next steps", "Status"):
        assert f"- **{section}**\n  - " in entry
    assert "`server_error` on the upstream leg at 5.004 s" in entry
    assert "Session `sess_" in entry
    assert "`session.update` differs in `session.audio.input.turn_detection`: `null`, passing: `{" in entry


def test_a_green_run_makes_no_diary_entry(tmp_path: Path) -> None:
    assert reports.entry(tmp_path, runs.green_run().write(tmp_path)) is None


class Ticks:
    """A clock that goes on by a second each time it is read."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def test_progress_shows_what_is_done_and_failing_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    stream = io.StringIO()
    progress = reports.Progress(Console(file=stream, force_terminal=True, width=100), clock=Ticks())
    progress.started(3)
    for found in runs.seeds_run(1, ("greeting/idle",)).results.attempts:
        progress.attempt(found)
    progress.finished()
    assert (progress.done, progress.failing, progress.line) == (3, 1, "1 failing")
    assert "3/3" in stream.getvalue()


@pytest.mark.parametrize("in_ci", [True, False])
def test_progress_is_silent_in_ci_and_when_piped(monkeypatch: pytest.MonkeyPatch, in_ci: bool) -> None:
    if in_ci:
        monkeypatch.setenv("CI", "true")
    else:
        monkeypatch.delenv("CI", raising=False)
    stream = io.StringIO()
    progress = reports.Progress(Console(file=stream, force_terminal=in_ci), clock=Ticks())
    progress.started(3)
    for found in runs.seeds_run(1, ("greeting/idle",)).results.attempts:
        progress.attempt(replace(found, known=None))
    progress.finished()
    assert stream.getvalue() == ""
    assert progress.failing == 1


def test_a_run_compared_with_a_baseline_says_so_on_the_page(written: Callable[..., Path]) -> None:
    html = (written(runs.seeds_run(5), baseline=runs.green_run()) / "report.html").read_text()
    assert "2 regressions, 0 improvements, 0 new cells, 0 cells gone, 7 cells unchanged." in html
    assert "did not turn by chance" in html


def test_a_comparison_is_told_on_the_terminal_and_in_markdown(written: Callable[..., Path]) -> None:
    folder = written(runs.seeds_run(5), baseline=runs.green_run())
    told = "2 regressions, 0 improvements, 0 new cells, 0 cells gone, 7 cells unchanged"
    markdown = (folder / "summary.md").read_text()
    assert f"## Since the baseline\n\n{told}.\n" in markdown
    assert "- regression: greeting/idle idle\\_timeout\\_ms null on mock, 5/5 before, 0/5 now\n" in markdown
    stream = io.StringIO()
    reports.summary(runs.seeds_run(5).results, Console(file=stream, width=80), folder, compare=runs.green_run().results)
    assert f"since the baseline: {told}" in " ".join(stream.getvalue().split())


def test_reports_are_imported_without_scipy() -> None:
    import subprocess
    import sys

    code = "import sys, reports; sys.exit(any(name.split('.')[0] in {'scipy', 'jinja2'} for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
