"""What comes off the wire is hostile, what lies on disk may be broken: neither hurts a report, and no secret gets in."""

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rich.console import Console

import reports
from conformance.results import Results
from conformance.rules.timeline import parse_timeline
from conformance.verdicts import Blame, Verdict
from reports.tests import runs
from reports.tests.runs import Run, attempt, check, line
from reports.text import printable, scrub

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NASTY = (
    "</script><script>window.owned = 1</script>",
    "--><img src=x onerror='window.owned = 1'>",
    "\"'><svg onload=window.owned=1>",
    "{{ 7 * 7 }}{% raw %}",
    "\u202egnirts desrever\u202c \u2066\u200f",
    "nul \x00 bell \x07 escape \x1b[31m del \x7f c1 \x9b",
    "]]> <!-- & &amp; \u2028 \ufffe \uffff",
    "javascript:window.owned=1",
    "../../../etc/passwd",
    "| a | b |\n# heading\n```\n",
)
OUTPUTS = ("report.html", "summary.md", "junit.xml", "ctrf.json")


def hostile_run(text: str) -> Run:
    """A run in which every string anybody else wrote is ``text``."""
    timeline = [
        line(0.0, "client up", "open", {"path": text}),
        line(0.001, "client up", "Settings", {"agent": {"greeting": text, text: text}}),
        line(0.002, "upstream down", "session.created", {"session": {"id": text}}),
        line(0.003, "client up", f"text {json.dumps(text)}"),
        line(0.004, "upstream down", "error", {"error": {"type": text, "code": text, "message": text}}),
        line(0.005, "client down", "Error", {"code": text, "description": text}),
        "0.006 end finished",
    ]
    recording = parse_timeline("\n".join(timeline))
    frames = tuple(
        replace(frame, type=text, scripted=text) if frame.type == "Settings" else frame for frame in recording.frames
    )
    failed = check(text, Verdict.FAIL, blame=Blame.UPSTREAM, t=4_000, event=4, message=text)
    run = Run()
    run.manifest |= {
        "argv": [text],
        "started": text,
        "git": text,
        "clock": text,
        "python": text,
        "fault": text,
        "seed": text,
    }
    for number in (1, 2):
        made = attempt("hostile/one", {"value": text}, number, [failed])
        run.add(
            replace(made, flow=text, target=text, message=text, recording=f"recordings/{number}.jsonl"),
            replace(recording, frames=frames),
        )
    made = attempt(text, {text: text}, 3, [check(text)], target=text)
    third = replace(made, flow=text, known=text, nodeid=text, recording="recordings/three.jsonl")
    run.add(third, replace(recording, frames=frames))
    return run


def test_hostile_text_anywhere_never_runs_and_never_breaks_the_page(
    browser: "Browser", written: Callable[..., Path]
) -> None:
    run = Run()
    for index, text in enumerate(NASTY):
        for made, recording in hostile_run(text).attempts:
            run.add(replace(made, recording=f"recordings/{index}-{made.attempt}.jsonl"), recording)
    path = written(run) / "report.html"
    page = browser.new_page()
    page.set_default_timeout(200_000)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(path.as_uri())
    keys = page.evaluate("Object.keys(JSON.parse(document.getElementById('data').textContent).attempts)")
    assert len(keys) == len(run.attempts)
    for key in keys:
        page.evaluate("document.getElementById('attempt-box').replaceChildren()")
        page.evaluate("key => { location.hash = '#attempt/' + encodeURIComponent(key) }", key)
        page.locator("#attempt-box .wire tbody tr").first.wait_for()
        page.evaluate("document.querySelectorAll('#attempt-box .wire button').forEach(button => button.click())")
        assert page.locator("#attempt-box .wire tr.payload").count() == 6, key
    assert page.evaluate("window.owned") is None
    assert page.locator("svg[onload], img").count() == 0
    assert complaints == []
    page.close()


@pytest.mark.parametrize("text", NASTY)
def test_hostile_text_leaves_every_file_well_formed(written: Callable[..., Path], text: str) -> None:
    folder = written(hostile_run(text))
    ET.parse(folder / "junit.xml")
    assert orjson.loads((folder / "ctrf.json").read_bytes())["results"]["summary"]["failed"] == 2
    markdown = re.sub(r"```sh\n.*?\n```", "", (folder / "summary.md").read_text(), flags=re.DOTALL)
    assert "<script" not in markdown
    assert "<img" not in markdown
    html = (folder / "report.html").read_bytes()
    assert b"\x00" not in html
    assert html.count(b"</script>") == 2, "its own two, and nobody else's"
    assert "\u202e" not in html.decode()


def test_a_megabyte_of_text_is_cut_and_the_recording_named(written: Callable[..., Path]) -> None:
    folder = written(hostile_run("x" * 1_000_000))
    assert (folder / "report.html").stat().st_size < 200_000
    assert (folder / "summary.md").stat().st_size < 20_000
    assert "more characters in the recording" in (folder / "report.html").read_text()


def test_invalid_utf8_in_a_frame_is_shown_as_what_it_was_not(written: Callable[..., Path]) -> None:
    made = attempt("hostile/bytes", {}, 1, [check("c")])
    recording = parse_timeline('0.1 client up text "\\ufffd\\ufffd no JSON"\n0.2 client up binary 3B\n0.3 end finished')
    run = Run()
    run.add(made, recording)
    html = (written(run) / "report.html").read_text()
    assert "text that is no JSON object" in html
    assert "\ufffd\ufffd no JSON" in html


def test_a_lone_surrogate_in_results_is_written_out() -> None:
    assert printable("a\ud800b\x00c\u202ed") == "a⟨U+D800⟩b␀c⟨U+202E⟩d"


KEYS = st.builds(
    lambda prefix, body: prefix + body,
    st.sampled_from(["sk-", "sk-proj-", "sk_", "ek_", "ek-"]),
    st.text("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0123456789", min_size=12, max_size=40),
)


@settings(
    max_examples=8, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(key=KEYS, before=st.sampled_from(["", "Bearer ", "key=", '"', "\n", "https://u:p@h/?token=", "x "]))
def test_no_secret_reaches_any_file(tmp_path: Path, key: str, before: str) -> None:
    folder = tmp_path / "run"
    run = hostile_run(f"{before}{key} after")
    results = run.write(folder)
    reports.write(folder, results)
    for name in OUTPUTS:
        assert key not in (folder / name).read_text(), name
    console = Console(width=80, record=True, file=io.StringIO())
    reports.summary(results, console, folder)
    assert key not in console.export_text()
    assert key not in (reports.entry(folder, results) or "")


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("Authorization: Bearer abcdef123456", "Authorization: Bearer [secret]"),
        ("openai-insecure-api-key.abc123", "openai-insecure-api-key.[secret]"),
        ("OPENAI_API_KEY=hunter2 next", "OPENAI_API_KEY=[secret] next"),
        ("wss://user:password@host/x?api-key=zzz", "wss://[secret]@host/x?api-key=[secret]"),
        ("a task-force, desk-bound", "a task-force, desk-bound"),
    ],
)
def test_scrubbing_knows_keys_in_their_habitats_and_leaves_words_alone(text: str, scrubbed: str) -> None:
    assert scrub(text) == scrubbed


def problem_of(written: Callable[..., Path], spoil: Callable[[Path], object]) -> str:
    """Spoil the recording of attempt 1 and return what the report says about it."""
    run = runs.seeds_run(2, ("greeting/idle",))
    folder = written(run)
    spoil(folder / "recordings/greeting/idle/null/1.jsonl")
    reports.write(folder, run.results)
    markdown = (folder / "summary.md").read_text().replace("\\", "")
    html = (folder / "report.html").read_text()
    [said] = [text for text in markdown.splitlines() if "recordings/greeting/idle/null/1.jsonl" in text]
    assert said.removeprefix("- ").replace("'", "&#39;") in html
    return said


def test_a_recording_that_breaks_off_is_told_with_what_it_holds(written: Callable[..., Path]) -> None:
    said = problem_of(written, lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3]))
    assert "breaks off after" in said


def test_a_recording_that_is_missing_is_told(written: Callable[..., Path]) -> None:
    assert "is missing; its attempt is shown without events" in problem_of(written, Path.unlink)


def test_a_recording_of_another_schema_is_told(written: Callable[..., Path]) -> None:
    def age(path: Path) -> None:
        path.write_bytes(path.read_bytes().replace(b'"recording":1', b'"recording":0', 1))

    said = problem_of(written, age)
    assert "recording schema 0; this version reads 1" in said


def test_a_recording_of_garbage_is_told(written: Callable[..., Path]) -> None:
    assert "cannot be read" in problem_of(written, lambda path: path.write_bytes(b"\x00\xff{]\n" * 9))


def test_a_recording_outside_the_run_folder_is_not_read(written: Callable[..., Path], tmp_path: Path) -> None:
    made, recording = runs.seeds_attempt("greeting/idle", None, 1)
    run = Run()
    run.add(made, recording)
    results = run.write(tmp_path / "run")
    outside = replace(results.attempts[0], recording="../elsewhere.jsonl")
    reports.write(tmp_path / "run", replace(results, attempts=(outside,)))
    assert "lies outside the run folder" in (tmp_path / "run/report.html").read_text()


def test_results_of_an_older_schema_are_a_sentence_in_the_report(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    runs.green_run(1).write(folder)
    (folder / "results.json").write_bytes(b'{"schema": 0, "attempts": []}')
    run = reports.read_run(folder)
    reports.write(folder, run.results, problems=run.problems)
    html = (folder / "report.html").read_text()
    assert "results.json cannot be read (schema 0; this version reads 1)" in html
    assert "repeat the run" in html


def test_a_run_killed_before_its_first_result_still_reports(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    runs.green_run(1).write(folder)
    (folder / "results.json").unlink()
    run = reports.read_run(folder)
    reports.write(folder, run.results, problems=run.problems)
    assert "the run was killed before its first attempt was judged" in (folder / "report.html").read_text()


def test_a_run_killed_half_way_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    run = runs.green_run(1)
    del run.manifest["interrupted"]
    run.write(tmp_path)
    [problem] = reports.read_run(tmp_path).problems
    assert problem == "The run was killed, or is still going on: this is what 9 attempts had shown by then."


def test_a_folder_that_is_no_run_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is no run folder"):
        reports.read_run(tmp_path)


def test_an_interrupted_run_says_so(tmp_path: Path) -> None:
    run = runs.green_run(1)
    run.manifest |= {"interrupted": True, "cancelled": ["greeting/idle[null-2-5]"]}
    folder = tmp_path / "run"
    reports.write(folder, run.write(folder))
    html = (folder / "report.html").read_text()
    assert "This run was interrupted; it shows what it has." in html
    assert "1 attempt started ahead and then cancelled; not counted." in html


def test_an_empty_run_is_reported_as_empty(tmp_path: Path) -> None:
    reports.write(tmp_path, Results({}))
    assert "so nothing is shown." in (tmp_path / "report.html").read_text()
    assert "Nothing was tried, so nothing is shown." in (tmp_path / "summary.md").read_text().replace("*", "")
