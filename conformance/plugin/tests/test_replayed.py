"""A failure, once recorded, happens again offline: the same verdict and the same first divergence, every time."""

import shutil
from dataclasses import replace

from conformance.plugin.tests.conftest import IDLE, Repository
from conformance.results import AttemptResult, load
from conformance.verdicts import Blame, Verdict
from reports.divergence import diverge
from reports.library import Library

REPLAYED = IDLE.replace("scenario: idle/wait", "scenario: idle/replayed") + "upstream: {replay: recordings/failure.jsonl}\n"
ORIGINAL = "recordings/original.jsonl"


def verdicts(attempt: AttemptResult) -> dict[str, tuple[Verdict, Blame | None]]:
    return {check.id: (check.verdict, check.blame) for check in attempt.checks if check.verdict is not Verdict.PASS}


def test_a_recorded_failure_replays_to_the_same_verdict_and_first_divergence_twenty_times_of_twenty(
    empty_repository: Repository,
) -> None:
    repository = empty_repository
    path = repository.scenario(IDLE)
    repository.run("scenarios", "--fault", "idle-error", "-q").assert_outcomes(failed=1)
    [original] = load(repository.latest / "results.json").attempts
    assert original.recording is not None
    assert verdicts(original)["no-error"] == (Verdict.FAIL, Blame.UPSTREAM)
    recorded = repository.latest / original.recording

    kept = path.parent / "recordings" / "failure.jsonl"
    kept.parent.mkdir()
    shutil.copy(recorded, kept)
    repository.scenario(REPLAYED)
    repository.run("scenarios", "--count", "20", "-q", "-k", "not mutants").assert_outcomes(passed=20, failed=20)

    attempts = load(repository.latest / "results.json").attempts
    shutil.copy(recorded, repository.latest / ORIGINAL)
    library = Library(repository.latest)
    first = diverge(replace(original, recording=ORIGINAL), attempts, library)
    assert first is not None
    assert first.first is not None
    replayed = [attempt for attempt in attempts if attempt.scenario == "idle/replayed"]
    assert [verdicts(attempt) for attempt in replayed] == [verdicts(original)] * 20
    again = [diverge(attempt, attempts, library) for attempt in replayed]
    assert [found and found.outline for found in again] == [first.outline] * 20
