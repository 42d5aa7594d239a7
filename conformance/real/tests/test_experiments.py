"""Each experiment states what it asks and what each outcome would mean, and on the mock comes out both ways."""

import re
from pathlib import Path

import pytest

from conformance.judge import judge
from conformance.runner import AttemptPlan, record
from conformance.scenario.load import library, load
from conformance.targets.model import Target
from conformance.verdicts import Verdict
from conformance.wire.fault_text import read_fault

OUTCOMES = {
    "session-config/cycles": {
        "idle-error": {"1-top-level-null", "2-nested-null", "3-no-response-of-its-own", "4-no-audio"}
    },
    "experiment/idle-timeout": {
        "idle-error": {"hello-first-null", "nothing-first-null"},
        "error-after-created": {
            f"{opening}-first-{timeout}"
            for opening in ("hello", "nothing")
            for timeout in ("null", "5000", "10000", "30000")
        },
    },
    "experiment/firm-audio": {"idle-error": set(), "error-after-append": {"silence", "speech"}},
    "experiment/dual-control": {"drop,on=error": {""}, "drop,on=input_audio_buffer.committed": {""}},
    "experiment/commit-cadence": {"drop,on=error": {"80ms", "96ms"}},
    "experiment/early-create": {"close-after-first-text": {"early", "confirmed"}},
    "experiment/keep-alive": {
        "idle-error": {"nothing", "tiny-append", "session-update", "ping"},
        "idle-error-rolling": {"nothing", "ping"},
    },
}
"""Scenario → fault → the labels of the cells that must fail under it."""


def path_of(scenario: str) -> Path:
    return library() / f"{scenario}.yaml"


def failing(scenario: str, fault: str | None) -> set[str]:
    named = None if fault is None else read_fault(fault)
    found = set()
    for cell in load(path_of(scenario)).cells():
        judged = judge(cell, record(AttemptPlan(cell=cell, fault=named)), Target())
        if judged.verdict is not Verdict.PASS:
            found.add(cell.label)
    return found


@pytest.mark.parametrize("scenario", OUTCOMES)
def test_an_experiment_passes_on_a_faithful_server(scenario: str) -> None:
    assert failing(scenario, None) == set()


@pytest.mark.parametrize(("scenario", "fault"), [(name, fault) for name, faults in OUTCOMES.items() for fault in faults])
def test_a_named_fault_shows_the_other_outcome(scenario: str, fault: str) -> None:
    assert failing(scenario, fault) == OUTCOMES[scenario][fault]


@pytest.mark.parametrize("scenario", OUTCOMES)
def test_an_experiment_states_its_hypothesis_its_outcomes_and_the_faults_that_show_them(scenario: str) -> None:
    comments = [line for line in path_of(scenario).read_text().splitlines() if line.startswith("#")]
    assert any(line.startswith("# Hypothesis: ") for line in comments)
    assert sum("→" in line for line in comments) >= 2
    named = re.findall(r"--fault (\S+?)[,.:;]?(?=\s|$)", "\n".join(comments))
    assert set(named) == set(OUTCOMES[scenario])


def test_the_page_gives_a_command_for_each() -> None:
    page = (Path(__file__).parents[3] / "docs" / "real-api.md").read_text()
    assert {name for name in OUTCOMES if f"-k {name} " not in page} == set()
