"""The one sentence a reader takes away."""

from dataclasses import replace
from pathlib import Path

import pytest

from conformance.verdicts import Blame, CheckKind, Verdict
from reports.library import Library
from reports.sentence import Sentence, Tone
from reports.tally import given_up
from reports.tests import runs
from reports.tests.runs import Run, attempt, check
from reports.verdict import command_of, verdict_sentence


def said(run: Run, folder: Path) -> Sentence:
    return verdict_sentence(run.write(folder), Library(folder))


def test_the_seeds_finding_is_stated_unaided(tmp_path: Path) -> None:
    sentence = said(runs.seeds_run(), tmp_path)
    assert str(sentence) == (
        "greeting and idle fail in every one of 40 attempts where idle_timeout_ms is null, from second 5.0 on, and the "
        "upstream is to blame; with idle_timeout_ms 10000 or 30000 they pass 80 of 80 (p < 0.0001), while firm-audio "
        "passes 60 of 60."
    )
    assert sentence.tone is Tone.RED
    facts = dict(sentence.facts)
    assert facts["How sure"] == "40 of 40 fail (at least 91 %) against 0 of 80 (at most 4.5 %); Fisher p < 0.0001"
    assert facts["What breaks"].startswith("UP-NO-ERROR: ")
    assert sentence.next.startswith("Set idle_timeout_ms to 10000 where it is null, and report the error")
    assert "sess_" in sentence.next
    assert sentence.command == "pytest --fault idle-error --flow firm-audio,greeting,idle --count 20 --seed 0"


def test_five_attempts_per_cell_already_name_the_cure(tmp_path: Path) -> None:
    assert "with idle_timeout_ms 10000 or 30000 they pass 20 of 20 (p < 0.0001)" in str(said(runs.seeds_run(5), tmp_path))


def test_two_failures_of_two_are_no_proof_of_a_cure(tmp_path: Path) -> None:
    run = runs.seeds_run(1, ("greeting/idle",))
    sentence = said(run, tmp_path)
    assert "with idle_timeout_ms" not in str(sentence)
    assert dict(sentence.facts)["How sure"].startswith("no matrix value or target")


def test_a_flaky_flow_is_given_with_its_interval_and_its_spread_in_time(tmp_path: Path) -> None:
    assert str(said(runs.flaky_run(), tmp_path)) == (
        "greeting fails in 10 of 40 attempts (14 % to 40 % at 95 %), from second 5.3 on (half of them by 6.2 s), and the "
        "upstream is to blame."
    )


def test_green_says_what_it_does_not_show(tmp_path: Path) -> None:
    sentence = said(runs.green_run(), tmp_path)
    assert sentence.tone is Tone.GREEN
    assert str(sentence) == (
        "All 45 attempts pass in 9 cells of firm-audio, greeting and idle; 5 of 5 in a cell rules out failure rates above "
        "45 % and no smaller ones."
    )


def test_harness_errors_are_no_verdict_on_the_subject(tmp_path: Path) -> None:
    sentence = said(runs.harness_error_run(), tmp_path)
    assert sentence.tone is Tone.GREY
    assert "3 of 18 attempts could not be carried out (401 at the handshake: check OPENAI_API_KEY)" in str(sentence)


def test_a_stale_known_failure_is_red_and_says_what_to_remove(tmp_path: Path) -> None:
    sentence = said(runs.known_run(), tmp_path)
    assert sentence.tone is Tone.RED
    assert str(sentence).startswith("UP-NO-ERROR is known to fail in idle/connect, yet passes there")
    assert "known.yaml" in sentence.next


def test_known_failures_alone_are_green(tmp_path: Path) -> None:
    run = Run()
    for number in range(1, 6):
        made, recording = runs.seeds_attempt("greeting/idle", None, number)
        run.add(replace(made, known="issue 414"), recording)
    sentence = said(run, tmp_path)
    assert sentence.tone is Tone.GREEN
    assert "5 fail as announced in known.yaml" in str(sentence)


def test_a_target_can_be_what_cures_it(tmp_path: Path) -> None:
    run = Run()
    for number in range(1, 11):
        run.add(*runs.seeds_attempt("greeting/idle", None, number, target="real"))
        run.add(*runs.seeds_attempt("greeting/idle", None, number, fails=False))
    told = str(said(run, tmp_path))
    assert "on real, from second 5.0 on, and the upstream is to blame; on mock it passes 10 of 10" in told


def test_a_broken_proxy_is_sent_to_the_divergence_and_the_rule(tmp_path: Path) -> None:
    run = Run()
    for number in range(1, 6):
        made, recording = runs.seeds_attempt("greeting/idle", None, number, fails=False)
        early = check(
            "RT-ITEM-CONFIRMED",
            Verdict.FAIL,
            kind=CheckKind.RULE,
            blame=Blame.PROXY,
            t=700_000,
            event=5,
            message="response.create came before the item was confirmed",
        )
        run.add(replace(made, checks=(early,), verdict=Verdict.FAIL), recording)
    sentence = said(run, tmp_path)
    assert "the proxy is to blame" in str(sentence)
    assert sentence.next == (
        "Fix the proxy where the failing attempt leaves the path of the passing ones (conformance rules RT-ITEM-CONFIRMED "
        "says why)."
    )


def test_a_surviving_mutant_makes_the_run_red_whatever_its_attempts_say(tmp_path: Path) -> None:
    run = runs.green_run()
    run.manifest["problems"] = ["greeting/idle: mutant greeting-twice: greeting-once did not fail", "known.yaml: too often"]
    sentence = said(run, tmp_path)
    assert sentence.tone is Tone.RED
    assert str(sentence).startswith("45 of 45 attempts pass, yet 2 things beside them do not hold: greeting/idle: mutant")
    assert sentence.facts == (("And", "known.yaml: too often"),)


def test_nothing_run_shows_nothing(tmp_path: Path) -> None:
    assert str(said(Run(), tmp_path)) == "Nothing was tried, so nothing is shown."


@pytest.mark.parametrize(
    ("argv", "command"),
    [
        (["--count", "5"], "pytest --count 5 --seed 7"),
        (["--count", "5", "--seed", "3"], "pytest --count 5 --seed 3"),
        (["--seed=3"], "pytest --seed=3"),
        (["--run-dir", "out", "-x", "--run-dir=out"], "pytest -x --seed 7"),
        (["-k", "greeting and not idle"], "pytest -k 'greeting and not idle' --seed 7"),
        (["--proxy-env", "X=sk-proj-abcdefghijklmnop"], "pytest --proxy-env 'X=[secret]' --seed 7"),
        (["--proxy-env", "MY_TOKEN=hunter2"], "pytest --proxy-env 'MY_TOKEN=[secret]' --seed 7"),
        (["--proxy-env=MY_KEY=hunter2"], "pytest '--proxy-env=MY_KEY=[secret]' --seed 7"),
        (["--proxy", "ws://u:pw@h/?api-key=hunter2"], "pytest --proxy 'ws://[secret]@h/?api-key=[secret]' --seed 7"),
    ],
)
def test_the_command_repeats_the_run_with_its_seed_and_without_its_secrets(argv: list[str], command: str) -> None:
    assert command_of({"argv": argv, "seed": 7}) == command


def test_a_scenario_is_named_when_only_some_of_its_flow_fail(tmp_path: Path) -> None:
    run = runs.seeds_run(5, ("greeting/idle",))
    for number in range(1, 6):
        run.add(*runs.seeds_attempt("greeting/delivered", None, number, fails=False))
    assert str(said(run, tmp_path)) == (
        "greeting/idle fails in every one of 5 attempts where idle_timeout_ms is null, from second 5.0 on, and the "
        "upstream is to blame; with idle_timeout_ms 10000 or 30000 it passes 10 of 10 (p = 0.00033), while everything else "
        "passes 5 of 5."
    )


def test_two_causes_together_are_both_named(tmp_path: Path) -> None:
    run = Run()
    for number in range(1, 11):
        for idle in (None, 10_000):
            run.add(*runs.seeds_attempt("greeting/idle", idle, number, target="real"))
            run.add(*runs.seeds_attempt("greeting/idle", idle, number, fails=False))
    told = str(said(run, tmp_path))
    assert told.startswith("greeting fails in every one of 10 attempts where idle_timeout_ms is null on real, from")
    assert "with idle_timeout_ms 10000 it passes 20 of 20" in told
    assert "on mock it passes 10 of 10" in told


def test_a_failure_with_another_blame_is_told_beside(tmp_path: Path) -> None:
    run = runs.seeds_run(5)
    for number in range(1, 3):
        made, recording = runs.seeds_attempt("text/turn", None, number, fails=False)
        early = check("RT-ONE-CREATE", Verdict.FAIL, kind=CheckKind.RULE, blame=Blame.PROXY, t=700_000, message="twice")
        run.add(replace(made, checks=(early,), verdict=Verdict.FAIL), recording)
    sentence = said(run, tmp_path)
    assert str(sentence).startswith(
        "greeting and idle fail in every one of 10 attempts where idle_timeout_ms is null, from"
    )
    assert dict(sentence.facts)["Besides"] == "2 attempts of text failed with another blame: proxy, RT-ONE-CREATE for one"


def test_a_cure_that_leaves_failures_elsewhere_is_none(tmp_path: Path) -> None:
    run = runs.seeds_run(5, ("greeting/idle",))
    for number in range(1, 6):
        made, recording = runs.seeds_attempt("greeting/other", None, number)
        run.add(replace(made, cell={}), recording)
    told = str(said(run, tmp_path))
    assert told.startswith("greeting fails in 10 of 20 attempts (30 % to 70 % at 95 %), from second 5.0 on")
    assert "idle_timeout_ms" not in told


def test_a_defect_seen_at_once_is_timed_in_milliseconds(tmp_path: Path) -> None:
    run = Run()
    for number in range(1, 6):
        made, recording = runs.seeds_attempt("greeting/idle", None, number, fails=False)
        early = check(
            "RT-UPDATE-FIRST", Verdict.FAIL, kind=CheckKind.RULE, blame=Blame.PROXY, t=8_000 * number, message="x"
        )
        run.add(replace(made, checks=(early,), verdict=Verdict.FAIL), recording)
    assert ", from 8 ms on, and the proxy is to blame." in str(said(run, tmp_path))


def test_a_proxy_that_never_listened_is_told_in_its_last_words_and_sent_to_its_log(tmp_path: Path) -> None:
    run = Run()
    made, recording = runs.seeds_attempt("greeting/idle", None, 1, fails=False)
    end = {"blame": Blame.PROXY, "t": 700_000}
    closed = check("VA-CLOSE", Verdict.FAIL, kind=CheckKind.RULE, blame=Blame.PROXY, t=650_000, message="close 1006")
    missing = check("greeted", Verdict.FAIL, message="expected exactly 1 ConversationText; none came", **end)
    words = "the proxy exited with code 127 before it listened\n  | /bin/sh: 1: nodde: not found"
    death = check("subject", Verdict.FAIL, message=words, cause="died", **end)
    run.add(replace(made, checks=(closed, missing, death), verdict=Verdict.FAIL), recording)
    sentence = said(run, tmp_path)
    assert dict(sentence.facts)["What breaks"] == (
        "subject: the proxy exited with code 127 before it listened | /bin/sh: 1: nodde: not found"
    )
    assert sentence.next.startswith("Read why in the run's proxy.log")


def test_a_single_pass_is_no_plural(tmp_path: Path) -> None:
    run = Run()
    made, recording = runs.seeds_attempt("greeting/idle", None, 1, fails=False)
    run.add(made, recording)
    assert str(said(run, tmp_path)).startswith("The only attempt passes in 1 cell of greeting; ")


def test_an_attempt_that_was_made_again_is_given_up_only_if_its_repeat_failed_too() -> None:
    late = [check("harness", Verdict.ERROR, blame=Blame.HARNESS, message="HTTP 429")]
    tries = [
        attempt("idle/x", {}, 1, late),
        attempt("idle/x", {}, 1, [check("a")], rerun=1),
        attempt("idle/x", {}, 2, late),
    ]
    assert [given.attempt for given in given_up(tries)] == [2]
    assert [given.rerun for given in given_up([*tries, replace(tries[2], rerun=1)])] == [1]


def test_green_says_whether_the_fault_did_anything(tmp_path: Path) -> None:
    run = runs.green_run()
    run.manifest["fault"] = "idle-error"
    run.attempts = [(replace(each, faulted=each.flow == "idle"), recording) for each, recording in run.attempts]
    assert ("Under the fault", "idle-error acted in 15 of 45 attempts") in said(run, tmp_path).facts


def test_green_says_what_had_to_be_made_again(tmp_path: Path) -> None:
    run = runs.green_run()
    run.attempts[0] = (replace(run.attempts[0][0], rerun=1), run.attempts[0][1])
    assert str(said(run, tmp_path)).startswith(
        "All 45 attempts pass in 9 cells of firm-audio, greeting and idle, 1 of them only when made again; "
    )


def test_a_run_that_was_ended_at_once_says_so(tmp_path: Path) -> None:
    run = runs.green_run()
    run.manifest["interrupted"] = True
    run.attempts.clear()
    assert str(said(run, tmp_path)) == "The run was ended before an attempt was."


def test_an_error_that_a_fault_was_asked_for_is_reported_to_nobody(tmp_path: Path) -> None:
    run = runs.seeds_run()
    run.manifest["fault"] = "idle-error"
    run.attempts = [(replace(made, faulted=True), recording) for made, recording in run.attempts]
    sentence = said(run, tmp_path)
    assert sentence.next == (
        "Set idle_timeout_ms to 10000 where it is null; the fault idle-error was asked for: --real tells whether the API "
        "does so, too."
    )


def test_a_run_of_proofs_alone_says_what_was_proven(tmp_path: Path) -> None:
    run = Run()
    run.manifest["proofs"] = 2
    sentence = said(run, tmp_path)
    assert sentence.tone is Tone.GREEN
    assert str(sentence).startswith("The checks of 2 scenarios can all fail: ")
    run.manifest["problems"] = ["text/turn: a mutant survived"]
    assert str(said(run, tmp_path)).startswith("No attempt was made, and 1 thing beside them does not hold: text/turn")


def test_attempts_that_failed_with_another_blame_are_not_said_to_pass(tmp_path: Path) -> None:
    run = Run()
    for number in range(1, 21):
        for target, failures, blame in (("proxy", 12, Blame.PROXY), ("real", 3, Blame.UPSTREAM)):
            verdict = Verdict.FAIL if number <= failures else Verdict.PASS
            answered = check("answered", verdict, blame=blame, message="none came", t=5_000_000)
            run.add(attempt("greeting/idle", {}, number, (answered,), target=target), None)
    told = str(said(run, tmp_path))
    assert "; on real none of 20 fails so (p < 0.0001)." in told
    assert "it passes" not in told


def test_of_many_values_a_few_are_named(tmp_path: Path) -> None:
    run = Run()
    for value in range(40):
        for number in range(1, 3):
            verdict = Verdict.PASS if value < 20 else Verdict.FAIL
            answered = check("answered", verdict, blame=Blame.PROXY, message="none came", t=5_000_000)
            run.add(attempt("greeting/idle", {"held": value}, number, (answered,)), None)
    sentence = said(run, tmp_path)
    assert "where held is 20, 21 or 18 more values, from" in str(sentence)
    assert "with held 0, 1 or 18 more values it passes 40 of 40" in str(sentence)
    assert sentence.next.startswith("Set held to 0 where it is 20, 21 or 18 more values")
