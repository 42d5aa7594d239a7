"""``conformance judge`` and ``conformance known`` on a run folder made of text timelines."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from conformance import results
from conformance.cli import judge, known
from conformance.known import Known
from conformance.rejudge import rejudge
from conformance.results import AttemptResult, summarise
from conformance.rules.timeline import parse_timeline
from conformance.verdicts import CheckKind, CheckResult, Verdict
from conformance.wire.recording import dump

SCENARIO = """
scenario: greeting/idle
flow: greeting
title: Silence is survived
client:
  - connect:
  - send: {type: Settings}
  - hold: 2s
  - close: 1000
upstream: {profile: realtime-ga}
forbid:
  - id: quiet
    client: Error
"""
FAILING = """
    0.000 client   up   open {}
    0.001 client   up   Settings {}
    1.000 client   down Error {"code": "server_error", "description": "oops"}
    2.001 client   up   close 1000
    2.002 end
"""
PASSING = FAILING.replace("down Error", "down Warning")


def run_folder(root: Path, *timelines: str, said: Verdict = Verdict.PASS) -> Path:
    run = root / "run"
    (run / "recordings").mkdir(parents=True)
    (root / "scenarios" / "greeting").mkdir(parents=True)
    (root / "scenarios" / "greeting" / "idle.yaml").write_text(SCENARIO)
    attempts = []
    for number, timeline in enumerate(timelines, start=1):
        path = Path("recordings") / f"{number}.jsonl"
        (run / path).write_bytes(dump(parse_timeline(timeline)))
        check = CheckResult("quiet", CheckKind.FORBID, said)
        attempts.append(
            AttemptResult("greeting/idle", "greeting", {}, number, "mock", 0, said, (check,), 2.0, 0.1, path.as_posix())
        )
    (run / "results.json").write_bytes(results.dump(summarise(attempts)))
    return run


def invoke(module: object, *arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(module.command)  # type: ignore[attr-defined]
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_old_run_is_judged_by_todays_rules_and_the_differences_are_told(here: Path) -> None:
    run = run_folder(here, FAILING, PASSING)
    code, output = invoke(judge, str(run), "--dry-run")
    assert code == 1
    assert "  pass -> fail\n" in output
    assert "+ fail quiet (blame: proxy): no Error was allowed; Error 'server_error: oops' came at 1s" in output
    assert "2 attempts judged again, 1 differently." in output
    assert results.load(run / "results.json").attempts[0].verdict is Verdict.PASS


def test_judging_again_renews_the_results(here: Path) -> None:
    run = run_folder(here, PASSING, said=Verdict.FAIL)
    code, output = invoke(judge, str(run))
    assert code == 0, output
    assert results.load(run / "results.json").attempts[0].verdict is Verdict.PASS
    assert "- fail quiet" in output


def test_what_is_known_is_weighed_when_a_run_is_judged_again(here: Path) -> None:
    run = run_folder(here, FAILING)
    entries = ["- {check: quiet, reason: the API does that, error: oops}"]
    entries += [f"- {{check: {id_}, reason: x}}" for id_ in broken_rules(run)]
    (here / "scenarios" / "known.yaml").write_text("\n".join(entries))
    code, output = invoke(judge, str(run))
    assert code == 0, output
    assert (results.load(run / "results.json").attempts[0].known or "").startswith("the API does that")


def broken_rules(run: Path) -> set[str]:
    """Rules that the text recording breaks besides the check; they are not what these tests are about."""
    (each,) = rejudge(run, results.load(run / "results.json"), Known())
    return {check.id for check in each.after.checks if (check.kind, check.verdict) == (CheckKind.RULE, Verdict.FAIL)}


def test_a_scenario_or_cell_that_is_gone_leaves_its_attempts_as_they_were(here: Path) -> None:
    run = run_folder(here, PASSING)
    (here / "scenarios" / "greeting" / "idle.yaml").unlink()
    (here / "elsewhere").mkdir()
    code, output = invoke(judge, str(run), "--dry-run", "--scenarios", "elsewhere")
    assert "not judged again: " in output
    assert (code, "judged again, 0 differently" in output) == (0, True)


def test_a_folder_that_is_no_run_is_one_sentence(here: Path) -> None:
    code, output = invoke(judge, "nowhere")
    assert code == 2
    assert output.startswith("conformance judge: ")
    assert "nowhere" in output


def test_a_first_list_written_from_a_run_makes_that_run_green(here: Path) -> None:
    run = run_folder(here, FAILING)
    invoke(judge, str(run))
    code, text = invoke(known, "--from", str(run))
    assert (code, "- check: quiet" in text) == (0, True)
    (here / "scenarios" / "known.yaml").write_text(text)
    assert invoke(judge, str(run))[0] == 0
    code, listed = invoke(known)
    assert "quiet fails in greeting/idle on mock: seen in run, not yet explained" in listed


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["judge", "nowhere"], "nowhere holds no results.json; name a run folder, such as runs/latest"),
        (["known", "--from", "nowhere"], "nowhere holds no results.json; name a run folder, such as runs/latest"),
        (["known", "--from", "killed"], "killed has no results.json: the run was killed before an attempt was judged"),
        (["known", "--file", "nowhere.yaml"], "there is no nowhere.yaml; correct --file"),
    ],
)
def test_a_path_that_is_not_there_is_told_with_what_to_name_instead(
    words: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed/manifest.json").write_text("{}")
    app = typer.Typer()
    app.command("judge")(judge.command)
    app.command("known")(known.command)
    found = CliRunner().invoke(app, words)
    assert (found.exit_code, found.output) == (2, f"conformance {words[0]}: {sentence}\n")
