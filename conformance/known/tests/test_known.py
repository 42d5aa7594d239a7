from dataclasses import replace
from pathlib import Path

import pytest

from conformance.known import Entry, Expect, Known, exceeded, first_known, load, unknown_names, weigh
from conformance.results import AttemptResult
from conformance.scenario.mistakes import ScenarioError
from conformance.tests.build import cell, forbid
from conformance.verdicts import CheckKind, CheckResult, Verdict, worst

QUIET_FAILED = CheckResult(
    "quiet",
    CheckKind.FORBID,
    Verdict.FAIL,
    message="no Error was allowed; Error 'server_error: oops' came",
    cause="server_error: oops",
)
QUIET_PASSED = CheckResult("quiet", CheckKind.FORBID, Verdict.PASS)
OTHER_FAILED = CheckResult("other", CheckKind.EXPECT, Verdict.FAIL, message="expected x; none came", cause="missing")


def attempt(
    *checks: CheckResult, cell: object = None, target: str = "real", observed: tuple[str, ...] = ()
) -> AttemptResult:
    return AttemptResult(
        scenario="greeting/idle",
        flow="greeting",
        cell={"idle_timeout_ms": cell},
        attempt=1,
        target=target,
        seed=0,
        verdict=worst([check.verdict for check in checks]),
        checks=checks,
        duration_s=1,
        wall_s=1,
        recording="recordings/1.jsonl",
        observed=observed,
    )


ENTRY = Entry(
    "quiet", "the API answers silence with an error", when={"idle_timeout_ms": None}, target="real", error="server_error"
)


def test_what_is_known_and_fails_is_green() -> None:
    weighed = weigh(Known((ENTRY,)), attempt(QUIET_FAILED))
    assert (weighed.known, weighed.verdict) == ("the API answers silence with an error", Verdict.FAIL)


def test_what_is_unknown_and_fails_stays_red() -> None:
    assert weigh(Known((ENTRY,)), attempt(QUIET_FAILED, OTHER_FAILED)).known is None
    assert weigh(Known(()), attempt(QUIET_FAILED)).known is None


@pytest.mark.parametrize("elsewhere", [attempt(QUIET_FAILED, cell=10000), attempt(QUIET_FAILED, target="mock")])
def test_a_failure_is_known_only_in_its_cells_and_on_its_target(elsewhere: AttemptResult) -> None:
    assert weigh(Known((ENTRY,)), elsewhere) == elsewhere


def test_what_is_known_and_passes_is_stale_and_red() -> None:
    weighed = weigh(Known((ENTRY,)), attempt(QUIET_PASSED))
    assert (weighed.verdict, weighed.known) == (Verdict.FAIL, None)
    assert weighed.checks[-1].message == (
        "known.yaml says that quiet fails here (the API answers silence with an error), but it passed; "
        "remove or narrow the entry"
    )


def test_another_error_than_the_known_one_is_red_and_says_so() -> None:
    other = replace(QUIET_FAILED, message="no Error was allowed; Error 'invalid_value' came", cause="invalid_value")
    weighed = weigh(Known((ENTRY,)), attempt(other))
    assert (weighed.verdict, weighed.known) == (Verdict.FAIL, None)
    assert weighed.checks[0].message.endswith("(not the known failure: known.yaml expects 'server_error')")
    assert len(weighed.checks) == 1


def test_one_cause_of_a_rule_may_be_known_and_another_news() -> None:
    first = CheckResult("UP-NO-ERROR", CheckKind.RULE, Verdict.FAIL, cause="error.idle")
    second = replace(first, cause="error.turn")
    known = Known((Entry("UP-NO-ERROR", "why", error="error.idle"),))
    assert weigh(known, attempt(first, observed=("UP-NO-ERROR",))).known == "why"
    assert weigh(known, attempt(first, second, observed=("UP-NO-ERROR",))).known is None


def test_a_rule_that_saw_nothing_is_not_stale() -> None:
    known = Known((Entry("UP-NO-ERROR", "why"),))
    assert weigh(known, attempt(QUIET_PASSED)).verdict is Verdict.PASS
    assert weigh(known, attempt(QUIET_PASSED, observed=("UP-NO-ERROR",))).verdict is Verdict.FAIL


def test_a_blocked_check_can_be_known() -> None:
    blocked = CheckResult("quiet", CheckKind.FORBID, Verdict.BLOCKED, message="cannot be judged: greeted never happened")
    assert weigh(Known((replace(ENTRY, error=None),)), attempt(blocked)).known is not None


def test_an_error_of_the_harness_is_never_known() -> None:
    broken = replace(attempt(QUIET_FAILED), verdict=Verdict.ERROR)
    assert weigh(Known((ENTRY,)), broken) == broken


FLAKY = replace(ENTRY, expect=Expect.FLAKY, max_rate=0.2)


def test_a_flaky_failure_may_pass_or_fail() -> None:
    known = Known((FLAKY,))
    assert weigh(known, attempt(QUIET_PASSED)).verdict is Verdict.PASS
    assert weigh(known, attempt(QUIET_FAILED)).known is not None


@pytest.mark.parametrize(("failed", "n", "is_red"), [(5, 20, False), (9, 20, True), (1, 1, False), (0, 20, False)])
def test_a_flaky_failure_is_red_once_it_surely_fails_too_often(failed: int, n: int, is_red: bool) -> None:
    attempts = [attempt(QUIET_FAILED)] * failed + [attempt(QUIET_PASSED)] * (n - failed)
    assert bool(exceeded(Known((FLAKY,)), attempts)) is is_red


def test_the_sentence_about_a_flaky_failure_gives_the_numbers() -> None:
    (sentence,) = exceeded(Known((FLAKY,)), [attempt(QUIET_FAILED)] * 9 + [attempt(QUIET_PASSED)] * 11)
    assert sentence == "known.yaml: quiet failed 9 of 20 times, so in truth more than 23%; at most 20% is known"


def test_a_file_is_read_with_every_key(tmp_path: Path) -> None:
    file = tmp_path / "known.yaml"
    file.write_text("""
- check: quiet
  scenario: greeting/*
  when: {idle_timeout_ms: null}
  target: real
  expect: flaky
  max_rate: 0.2
  error: server_error
  reason: the API answers silence with an error
  issue: https://example.com/1
""")
    (entry,) = load(file).entries
    assert entry == replace(FLAKY, scenario="greeting/*", issue="https://example.com/1", place=f"{file}:2:3")


def test_no_file_knows_nothing(tmp_path: Path) -> None:
    assert load(tmp_path / "known.yaml") == Known()


@pytest.mark.parametrize(
    ("text", "mistakes"),
    [
        ("- {check: x, reason: y, raeson: z}", ["1:25: unknown key 'raeson'; did you mean 'reason'?"]),
        ("- check: x", ["1:3: missing key 'reason'"]),
        ("- {check: x, reason: y, expect: flaky}", ["1:25: a flaky failure needs max_rate, such as 0.2"]),
        ("- {check: x, reason: y, max_rate: 0.2}", ["1:25: max_rate goes with expect: flaky only"]),
        (
            "- {check: x, reason: y, expect: failing}",
            ["1:33: expected fails or flaky, not 'failing'; did you mean 'fails'?"],
        ),
        ("check: x", ["1:1: known.yaml is a list of entries, each with `check` and `reason`"]),
        ("- {check: x, reason: y, check: z}\n- 7", ["1:25: duplicate key 'check'", "2:3: an entry is a mapping"]),
    ],
)
def test_mistakes_have_lines_and_columns(tmp_path: Path, text: str, mistakes: list[str]) -> None:
    file = tmp_path / "known.yaml"
    file.write_text(text)
    with pytest.raises(ScenarioError) as caught:
        load(file)
    lines = str(caught.value).splitlines()
    assert len(lines) == len(mistakes)
    for line, mistake in zip(lines, mistakes, strict=True):
        assert line.startswith(f"{file}:{mistake}")


def test_a_first_file_makes_its_own_run_green(tmp_path: Path) -> None:
    blocked = CheckResult("late", CheckKind.FORBID, Verdict.BLOCKED, message="cannot be judged: greeted never happened")
    attempts = [
        attempt(QUIET_FAILED, OTHER_FAILED),
        attempt(QUIET_PASSED, OTHER_FAILED),
        attempt(QUIET_PASSED, OTHER_FAILED, blocked, cell=10000),
    ]
    file = tmp_path / "known.yaml"
    file.write_text(first_known(attempts, "runs/x"))
    known = load(file)
    assert [(entry.check, entry.expect, dict(entry.when)) for entry in known.entries] == [
        ("quiet", Expect.FLAKY, {"idle_timeout_ms": None}),
        ("other", Expect.FAILS, {}),
        ("late", Expect.FAILS, {"idle_timeout_ms": 10000}),
    ]
    assert all(weigh(known, each).known is not None for each in attempts)
    assert exceeded(known, attempts) == []


def test_a_first_file_names_what_the_failing_cells_share() -> None:
    def at(cell: dict[str, object], check: CheckResult) -> AttemptResult:
        return replace(attempt(check), cell=cell)

    attempts = [
        at({"held": "100ms", "idle": None}, QUIET_FAILED),
        at({"held": "600ms", "idle": None}, QUIET_FAILED),
        at({"held": "100ms", "idle": 10000}, QUIET_PASSED),
        at({"held": "600ms", "idle": 10000}, QUIET_PASSED),
    ]
    text = first_known(attempts, "x")
    assert text.count("- check:") == 1
    assert "  when:\n    idle: null\n" in text
    assert "held" not in text
    uneven = [*attempts[:3], at({"held": "600ms", "idle": 10000}, QUIET_FAILED)]
    assert first_known(uneven, "x").count("- check:") == 3
    two_of_three = [
        *attempts,
        at({"held": "100ms", "idle": 5000}, QUIET_FAILED),
        at({"held": "600ms", "idle": 5000}, QUIET_FAILED),
    ]
    assert first_known(two_of_three, "x").count("- check:") == 2


def test_entries_must_name_what_exists(tmp_path: Path) -> None:
    file = tmp_path / "known.yaml"
    file.write_text("""\
- {check: quiet, reason: fine, scenario: greeting/*, when: {idle: null}}
- {check: RT-ONE-RESPONSE, reason: fine}
- {check: "wait:greeted", reason: fine}
- {check: quite, reason: misspelt}
- {check: quiet, reason: misspelt, scenario: greting/idle}
- {check: quiet, reason: misspelt, when: {idle_ms: null}}
""")
    cells = [cell(forbid("quiet", "client", "Error"), values={"idle": None})]
    assert [str(mistake) for mistake in unknown_names(load(file), cells, ["RT-ONE-RESPONSE"])] == [
        f"{file}:4:3: no check or rule there is called 'quite'; did you mean 'quiet'?",
        f"{file}:5:3: no scenario is called 'greting/idle'; did you mean 'greeting/idle'?",
        f"{file}:6:3: no cell there has all of idle_ms",
    ]
