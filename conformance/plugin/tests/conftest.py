"""A foreign repository with a few small scenarios, and pytest inside it."""

import json
from pathlib import Path
from typing import Any

# pytester forgets the modules that a run inside this process imported; these cannot be imported twice.
import numpy as np  # noqa: F401
import pytest
import scipy.stats  # noqa: F401
import soxr  # noqa: F401

import conformance.judge
import conformance.runner  # noqa: F401

TEXT_TURN = """
scenario: text/turn
flow: text
title: A typed turn is answered
matrix:
  words: [one, two]
client:
  - connect:
  - send: {type: Settings, agent: {think: {prompt: Hi}}}
  - wait: SettingsApplied
    within: 5s
  - send: {type: InjectUserMessage, content: "${words}"}
  - wait: {type: ConversationText, role: assistant}
    within: 5s
  - close: {code: 1000, late: 0s}
expect:
  - id: answered
    client: {type: ConversationText, role: assistant}
"""

IDLE = """
scenario: idle/wait
flow: idle
title: Waiting is survived
client:
  - connect:
  - send: {type: Settings, agent: {think: {prompt: Hi}}}
  - wait: SettingsApplied
    within: 5s
    id: ready
  - hold: 6s
  - close: {code: 1000, late: 0s}
forbid:
  - id: no-error
    client: Error
    after: ready
    within: 6s
"""

REALTIME_PACE = """
scenario: idle/two-seconds
flow: idle
title: Two seconds of real time
client:
  - connect:
  - send: {type: Settings, agent: {think: {prompt: Hi}}}
  - wait: SettingsApplied
    within: 2s
    id: ready
  - hold: 2s
  - close: {code: 1000, late: 0s}
forbid:
  - id: no-error
    client: Error
    after: ready
    within: 2s
"""


class Repository:
    """A folder with scenarios in it."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.path = pytester.path
        pytester.makeini("[pytest]\naddopts = -p no:cacheprovider\nasyncio_default_fixture_loop_scope = function\n")

    def scenario(self, text: str) -> Path:
        """Write a scenario where its name says."""
        name = next(line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("scenario:"))
        path = self.path / "scenarios" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run(self, *args: str) -> pytest.RunResult:
        """Run pytest in this process."""
        return self.pytester.runpytest_inprocess(*args)

    def run_outside(self, *args: str) -> pytest.RunResult:
        """Run pytest in a process of its own."""
        return self.pytester.runpytest_subprocess(*args, timeout=500)

    @property
    def latest(self) -> Path:
        """The latest run's folder."""
        return (self.path / "runs" / "latest").resolve()

    @property
    def results(self) -> dict[str, Any]:
        """The latest run's results.json."""
        value: dict[str, Any] = json.loads((self.latest / "results.json").read_text())
        return value

    def verdicts(self) -> dict[str, str]:
        """Node id without the path → verdict."""
        return {attempt["nodeid"].partition("::")[2]: attempt["verdict"] for attempt in self.results["attempts"]}


@pytest.fixture
def empty_repository(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Repository:
    for name in (
        "USE_REAL_OPENAI",
        "OPENAI_API_KEY",
        "OPENAI_REALTIME_URL",
        "OPENAI_REALTIME_MODEL",
        "GITHUB_STEP_SUMMARY",
    ):
        monkeypatch.delenv(name, raising=False)
    return Repository(pytester)


@pytest.fixture
def repository(empty_repository: Repository) -> Repository:
    empty_repository.scenario(TEXT_TURN)
    empty_repository.scenario(IDLE)
    return empty_repository
