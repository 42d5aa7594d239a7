"""pytest as people use it on scenarios: one item per attempt, everything pytest knows keeps working."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from socket import socket

import pytest

from conformance.plugin.tests.conftest import IDLE, TEXT_TURN, Repository


def test_a_node_id_names_the_path_the_scenario_and_the_matrix_values(repository: Repository) -> None:
    found = repository.run("scenarios", "--collect-only", "-q", "--count", "2")
    ids = [line for line in found.outlines if "::" in line]
    assert "scenarios/text/turn.yaml::text/turn[one-1-2]" in ids
    assert "scenarios/idle/wait.yaml::idle/wait[2-2]" in ids
    assert not (repository.path / "runs").exists()


def test_without_count_a_cell_is_one_item_named_by_its_values_only(repository: Repository) -> None:
    found = repository.run("scenarios", "--collect-only", "-q")
    assert "scenarios/text/turn.yaml::text/turn[two]" in found.outlines
    assert "scenarios/idle/wait.yaml::idle/wait" in found.outlines


def test_count_makes_that_many_attempts_of_each_cell_and_proves_each_scenario_once(repository: Repository) -> None:
    repository.run("scenarios", "--count", "3", "-q").assert_outcomes(passed=3 * 3 + 2)
    assert len(repository.results["attempts"]) == 9
    assert {(cell["n"], cell["passed"], cell["stability"]) for cell in repository.results["cells"]} == {
        (3, 3, "stable-pass")
    }


def test_a_failing_attempt_is_a_failure_with_the_check_the_blame_and_the_recording(repository: Repository) -> None:
    found = repository.run("scenarios", "--fault", "idle-error", "-q")
    found.assert_outcomes(passed=2, failed=1)
    found.stdout.fnmatch_lines(["fail no-error (blame: upstream): *", "recording: recordings/idle/wait/default/1.jsonl"])
    check = next(
        c for a in repository.results["attempts"] for c in a["checks"] if c["id"] == "no-error" and c["verdict"] == "fail"
    )
    assert check["blame"] == "upstream"
    assert check["t"] == pytest.approx(5.0, abs=0.1)


def test_a_run_folder_holds_what_the_design_lists(repository: Repository) -> None:
    repository.run("scenarios", "-q")
    files = {path.relative_to(repository.latest).as_posix() for path in repository.latest.rglob("*") if path.is_file()}
    assert {"manifest.json", "results.json", "report.html", "summary.md", "junit.xml"} <= files
    assert "recordings/text/turn/one/1.jsonl" in files
    manifest = json.loads((repository.latest / "manifest.json").read_text())
    assert manifest["seed"] == 0
    assert "scenarios/text/turn.yaml" in manifest["scenarios"]


def test_select_by_k_by_flow_and_by_marker(repository: Repository) -> None:
    repository.run("scenarios", "-q", "-k", "turn and one").assert_outcomes(passed=1, deselected=4)
    repository.run("scenarios", "-q", "--flow", "idle").assert_outcomes(passed=2, deselected=3)
    repository.run("scenarios", "-q", "-m", "text").assert_outcomes(passed=3, deselected=2)


def test_an_unknown_flow_is_a_usage_error_that_suggests_one(repository: Repository) -> None:
    found = repository.run("scenarios", "--flow", "idel")
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    found.stderr.fnmatch_lines(["*--flow idel: no scenario has this flow; did you mean 'idle'?*"])
    assert not (repository.path / "runs").exists()


def test_selecting_nothing_is_an_error(repository: Repository) -> None:
    assert repository.run("scenarios", "-k", "nothing-is-called-so").ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_a_mistake_in_a_scenario_names_line_and_word_and_nothing_runs(repository: Repository) -> None:
    repository.scenario(IDLE.replace("within: 6s", "witin: 6s"))
    found = repository.run("scenarios", "-q")
    found.stdout.fnmatch_lines(["scenarios/idle/wait.yaml:*:5: unknown key 'witin'; did you mean 'within'?"])
    assert found.ret == pytest.ExitCode.INTERRUPTED
    assert not (repository.path / "runs").exists()


def test_a_mistake_in_known_yaml_is_a_usage_error_and_nothing_runs(repository: Repository) -> None:
    (repository.path / "scenarios" / "known.yaml").write_text("- {check: no-error}\n")
    found = repository.run("scenarios", "-q")
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    found.stderr.fnmatch_lines(["ERROR: *known.yaml:1:3: missing key 'reason'"])
    assert not (repository.path / "runs").exists()


def test_yaml_that_is_no_scenario_and_yaml_elsewhere_is_left_alone(repository: Repository) -> None:
    (repository.path / "scenarios" / "known.yaml").write_text("[]\n")
    (repository.path / "other.yaml").write_text("scenario: other\n")
    repository.run(".", "-q").assert_outcomes(passed=5)


def test_the_same_seed_gives_the_same_recordings_byte_for_byte(repository: Repository) -> None:
    recordings = []
    for folder in ("a", "b"):
        repository.run("scenarios", "-q", "--count", "2", "--seed", "7", "--run-dir", folder)
        path = repository.path / folder / "recordings"
        recordings.append({p.relative_to(path): p.read_bytes() for p in sorted(path.rglob("*.jsonl"))})
    assert recordings[0] == recordings[1]
    assert len(recordings[0]) == 6


def test_an_attempts_seed_does_not_depend_on_the_selection(repository: Repository) -> None:
    def seeds() -> dict[str, int]:
        return {a["nodeid"].partition("::")[2]: a["seed"] for a in repository.results["attempts"]}

    repository.run("scenarios", "-q", "--count", "2")
    every = seeds()
    repository.run("scenarios", "-q", "--count", "2", "-k", "two-2-2")
    assert seeds() == {"text/turn[two-2-2]": every["text/turn[two-2-2]"]}
    assert len(set(every.values())) == len(every)


def test_attempts_are_shuffled_inside_blocks_by_the_seed(repository: Repository) -> None:
    orders = set()
    for seed in range(6):
        repository.run("scenarios", "-q", "--count", "3", "--seed", str(seed))
        attempts = repository.results["attempts"]
        assert [a["attempt"] for a in attempts] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
        orders.add(tuple(a["nodeid"] for a in attempts))
    assert len(orders) > 1


def test_junitxml_tells_failures_from_errors(repository: Repository) -> None:
    repository.run("scenarios", "-q", "--fault", "idle-error", "--junitxml", "out.xml")
    suite = ElementTree.parse(repository.path / "out.xml").getroot()[0]
    assert (suite.get("failures"), suite.get("errors")) == ("1", "0")


def test_scenarios_run_from_another_directory_too(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    repository.pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    monkeypatch.chdir(repository.pytester.mkdir("elsewhere"))
    repository.run(str(repository.path / "scenarios"), "-q", "-k", "turn and one").assert_outcomes(passed=1, deselected=4)


def test_an_attempt_that_cannot_be_carried_out_is_one_sentence_and_no_traceback(repository: Repository) -> None:
    with socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: whoever connects is refused
        nobody = f"ws://127.0.0.1:{taken.getsockname()[1]}/"
        with socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        found = repository.run("scenarios", "-q", "-k", "turn and one", "--proxy", nobody, "--mock-port", port)
    found.assert_outcomes(errors=1, deselected=2)
    found.stdout.fnmatch_lines([f"{nobody} refuses connections: start the server, or check the port"])
    found.stdout.no_fnmatch_line("*raise HarnessError*")


def test_a_run_of_which_the_target_supports_nothing_is_no_success(repository: Repository) -> None:
    target = '[tool.conformance.targets.gate]\nurl = "ws://127.0.0.1:9/"\nmock_port = 10\nspeaks = ["realtime"]\n'
    (repository.path / "pyproject.toml").write_text(target)
    found = repository.run("scenarios", "-q", "-k", "turn and not mutants", "--target", "gate")
    found.assert_outcomes(skipped=2)
    assert found.ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_lf_runs_only_what_failed(repository: Repository) -> None:
    repository.pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    repository.run("scenarios", "-q", "--fault", "idle-error")
    found = repository.run("scenarios", "-q", "--fault", "idle-error", "--lf")
    found.assert_outcomes(failed=1)


def test_x_stops_at_the_first_failure_and_reports_what_there_is(repository: Repository) -> None:
    found = repository.run("scenarios", "-q", "--fault", "idle-error", "--count", "4", "-x", "--flow", "idle")
    found.assert_outcomes(failed=1)
    assert len(repository.results["attempts"]) == 1


def test_a_known_failure_is_an_xfail_and_one_that_passes_is_red(repository: Repository) -> None:
    script = "\nupstream:\n  rules:\n    - {at: 3s, reply: [{type: error, error: {type: server_error, message: Boom}}]}\n"
    repository.scenario(IDLE + script)
    known = repository.path / "scenarios" / "known.yaml"
    known.write_text("- {check: no-error, scenario: idle/wait, reason: the service does that}\n")
    repository.run("scenarios", "-q", "-k", "wait and not mutants").assert_outcomes(xfailed=1)
    repository.scenario(IDLE)
    found = repository.run("scenarios", "-q", "-k", "wait and not mutants")
    found.assert_outcomes(failed=1)
    found.stdout.fnmatch_lines(["*known*"])


def test_a_check_that_nothing_can_break_fails_the_scenarios_proof(repository: Repository) -> None:
    repository.scenario(IDLE.replace("client: Error", "client: {type: Error, code: {$absent: true, $any: true}}"))
    found = repository.run("scenarios", "-q", "-k", "idle/wait")
    found.stdout.fnmatch_lines(["no-error: neither a mutant nor a spoiled recording can make this check fail"])
    assert found.ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["--count", "0"], "--count 0: at least one attempt per cell is needed"),
        (["--real"], "the real API needs a key: export OPENAI_API_KEY=… (nothing was run)"),
        (["--proxy", "http://x", "--mock-port", "1"], "--proxy: 'http://x' is not a WebSocket address; *"),
        (["--proxy", "ws://${PROXY_HOST}/", "--mock-port", "1"], "--proxy: * still holds ${PROXY_HOST}; set PROXY_HOST *"),
        (["--proxy", "ws://127.0.0.1:1/"], "--proxy needs --mock-port P, *"),
        (["--proxy-command", "x"], "--proxy-command needs --proxy-url, *"),
        (["--fault", "idle-eror"], "--fault idle-eror: *did you mean 'idle-error'?"),
        (["--concurrency", "0"], "--concurrency 0: at least one attempt must be in flight"),
        (["--compare", "nowhere"], "--compare nowhere: there is no results.json; *"),
        (["--target", "t"], "--target*"),
        (["--proxy-env", "A=b"], "--proxy-env needs --proxy-command or --target beside it"),
        (["--proxy-url", "ws://127.0.0.1:1/"], "--proxy-url needs --proxy-command beside it"),
        (["--proxy", "ws://127.0.0.1:1/", "--mock-port", "99999"], "--mock-port 99999: a port is a number from 1 to 65535"),
    ],
)
def test_bad_options_get_one_clear_sentence(repository: Repository, args: list[str], sentence: str) -> None:
    found = repository.run("scenarios", *args)
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    found.stderr.fnmatch_lines([f"ERROR: {sentence}"])
    assert not (repository.path / "runs").exists()


def test_use_real_openai_without_a_key_never_skips(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USE_REAL_OPENAI", "1")
    assert repository.run("scenarios").ret == pytest.ExitCode.USAGE_ERROR


def test_a_word_for_the_real_api_that_means_neither_runs_nothing(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USE_REAL_OPENAI", "ja")
    found = repository.run("scenarios")
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    found.stderr.fnmatch_lines(["ERROR: USE_REAL_OPENAI=ja: say 1 for the real API, 0 for the mock, or unset it"])


def test_an_unwritable_run_folder_is_one_sentence(repository: Repository) -> None:
    (repository.path / "taken").write_text("a file")
    found = repository.run("scenarios", "--run-dir", "taken/run")
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    found.stderr.fnmatch_lines(["*the run folder cannot be written*name another with --run-dir*"])


def test_a_full_disk_is_one_sentence_per_attempt_and_no_traceback(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    from conformance.plugin.run import Run
    from conformance.run_folder import RunFolder

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Run, "_record", full)
    found = repository.run("scenarios", "-q", "-k", "turn and one")
    found.assert_outcomes(errors=1)
    found.stdout.fnmatch_lines(["the attempt cannot be recorded: * No space left on device; make room, or name another *"])
    monkeypatch.setattr(RunFolder, "add", full)
    found = repository.run("scenarios", "-q", "-k", "turn and one")
    found.stdout.fnmatch_lines(["*the run cannot be written: * No space left on device; make room, or name another *"])
    monkeypatch.setattr(RunFolder, "write", full)
    again = repository.run("scenarios", "-q", "-k", "turn and one")
    assert (found.ret, again.ret) == (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.USAGE_ERROR)
    for output in (found, again):
        output.stdout.no_fnmatch_line("*Traceback*")
        output.stdout.no_fnmatch_line("INTERNALERROR*")


def test_a_baseline_that_cannot_be_read_is_told_before_anything_runs(repository: Repository) -> None:
    (repository.path / "old").mkdir()
    (repository.path / "old" / "results.json").write_text('{"schema": 0}')
    found = repository.run("scenarios", "-q", "--compare", "old")
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    found.stderr.fnmatch_lines(["ERROR: --compare: *results.json cannot be read: not a results.json: schema 0; this *"])


def test_a_folder_after_a_space_that_pytest_takes_for_one_of_tests_is_refused(
    repository: Repository, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    found = repository.run("--run-dir", str(elsewhere), "-q")
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    found.stderr.fnmatch_lines([f"ERROR: --run-dir {elsewhere}: after a space *; write --run-dir={elsewhere}"])
    repository.run(f"--run-dir={elsewhere}", "-q", "-k", "turn and one", "scenarios").assert_outcomes(passed=1)


def test_a_dry_run_prints_the_plan_and_runs_nothing(repository: Repository) -> None:
    found = repository.run("scenarios", "--dry-run", "--clock", "real", "--count", "2")
    found.stdout.fnmatch_lines(["*plan: 6 attempts, about * minutes, on the order of * tokens; nothing was run"])
    assert not (repository.path / "runs").exists()


def test_a_plan_counts_what_will_be_made_and_what_will_be_paid_for(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-proj-abcdefghijklmnop")
    repository.scenario(TEXT_TURN.replace("flow: text", "flow: text\ntags: [scripted]").replace("text/turn", "text/own"))
    found = repository.run("scenarios", "--dry-run", "--real", "--flow", "text")
    found.stdout.fnmatch_lines(
        ["plan: 2 attempts, about *, on the order of 800 tokens; 2 more are nothing for the target; *"]
    )
    assert (
        found.outlines[0] == "REAL API wss://api.openai.com/v1/realtime model gpt-realtime, 2 attempts, at most 4 at once"
    )
    assert "test session starts" in found.outlines[1]
    found = repository.run("scenarios", "--dry-run", "--real", "--mock", "--flow", "text")
    found.stdout.fnmatch_lines(
        ["plan: 6 attempts, about *, on the order of 800 tokens; 2 more are nothing *; nothing was run"]
    )


def test_recordings_keep_audio_only_when_asked(repository: Repository) -> None:
    repository.run("scenarios", "-q", "-k", "turn and one")
    assert not (repository.latest / "audio").exists()
    repository.run("scenarios", "-q", "-k", "turn and one", "--keep-audio")
    assert list(Path(repository.latest / "audio").glob("*.raw"))


def test_a_token_budget_stops_the_run_and_says_so(repository: Repository) -> None:
    done = "  - wait: AgentAudioDone\n    within: 5s\n  - close"  # usage comes with response.done
    repository.scenario(TEXT_TURN.replace("  - close", done))
    found = repository.run("scenarios", "-q", "--flow", "text", "--count", "10", "--budget-tokens", "1")
    assert found.ret == pytest.ExitCode.INTERRUPTED
    assert len(repository.results["attempts"]) == 1
    assert "tokens were used" in repository.results["run"]["budget"]
    found.stdout.fnmatch_lines(["*--budget-tokens 1: * tokens were used*"])


def test_pytest_timeout_bounds_an_attempt_by_its_own_scenarios_length(repository: Repository) -> None:
    repository.scenario(IDLE.replace("idle/wait", "idle/longer").replace("6s", "100s"))
    bounds = {}
    for clock in ("virtual", "real"):
        items, _ = repository.pytester.inline_genitems("scenarios", "--clock", clock)
        bounds[clock] = {
            item.name: next(item.iter_markers("timeout")).args[0] for item in items if "mutants" not in item.name
        }
    assert bounds["virtual"]["idle/wait"] == bounds["virtual"]["idle/longer"] < 120
    assert bounds["real"]["idle/longer"] - bounds["real"]["idle/wait"] >= 94
