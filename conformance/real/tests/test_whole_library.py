"""The whole library over `--real`: against our own mock behind TLS and against an independent one, each also through a tap.

The four runs wait at once; together they take about as long as the longest scenario, a conversation of two minutes.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from conformance.real.tests.conftest import KEY, StandIn, findings, mock, peer, tap

PATIENCE_S = 1_500.0
FIXTURES = (
    {"match": {"userMessage": "weather"}, "response": {"toolCalls": [{"name": "weather", "arguments": {"city": "Rome"}}]}},
    {"match": {}, "response": {"content": "Hello! How can I help you today?"}},
)
DEFECTS = {
    "fields of another dialect": ("text/turn", "UP-VALID-EVENTS", "session.created: session.modalities is not a field"),
    "wrong part types": ("text/turn", "UP-VALID-EVENTS", "response.content_part.added: part.type must be"),
    "an item that is done without having been added": ("text/turn", "UP-ITEM-LIFECYCLE", "had never been added"),
    "a commit whose item has no name": ("firm-audio/speech", "UP-VALID-EVENTS", "committed: item_id is required"),
    "an event that there is not": ("barge-in/realtime", "UP-RESPONSE-ORDER", "response.cancelled"),
    "a cancelled response that never ends": ("barge-in/realtime", "UP-RESPONSE-ENDS", "before this one ended"),
    "no voice detection": ("vad/realtime", "start-heard", "none came"),
    "no answer in audio": ("firm-audio/realtime", "answered-aloud", "none came"),
    "commits of next to nothing": ("experiment/commit-cadence", "refused-below", "none came"),
    "unknown parameters passed over": ("session-config/cycles", "refused-or-not", "none came"),
    "wrong events passed over": ("error/realtime", "named", "none came"),
    "nothing said of a cancel without a response": ("barge-in/realtime", "nothing-to-cancel", "none came"),
    "a call told twice": ("function-call/realtime", "called-once", "2 came"),
    "seeds put in the wrong place": ("context/realtime", "second-seed-follows", "none came"),
    "updates ignored": ("session-config/cycles", "turn-detection", "none came"),
}
"""What is wrong with the independent mock, by the scenario and the check that finds it, and what that says."""


MINUTE = """
scenario: idle/minute
flow: idle
title: A minute of silence is survived
client:
  - connect:
  - send: {type: Settings, agent: {idleTimeoutMs: null, think: {prompt: Hi}}}
  - wait: SettingsApplied
    within: 10s
    id: ready
  - hold: 60s
  - close: {code: 1000, late: 0s}
forbid:
  - id: no-error
    client: Error
    after: ready
    within: 60s
  - id: no-close
    client: close
    after: ready
    within: 60s
"""


class LibraryRun:
    """`pytest --library --real` in a folder and a process of its own."""

    def __init__(self, folder: Path, upstream: StandIn) -> None:
        folder.mkdir()
        self.folder = folder
        self.upstream = upstream
        (folder / "pytest.ini").write_text(
            "[pytest]\naddopts = -p no:cacheprovider\nasyncio_default_fixture_loop_scope = function\n"
        )
        (folder / "scenarios" / "idle").mkdir(parents=True)
        (folder / "scenarios" / "idle" / "minute.yaml").write_text(MINUTE)
        # What a starved machine kept the harness itself from doing in time is `error`, and may be done again.
        options = ("scenarios", "--library", "--noconftest", "--real", "--concurrency", "16", "--reruns", "2", "-q")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "GITHUB_"))}
        self._log = (folder / "log").open("w")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *options],
            cwd=folder,
            env={**environment, **upstream.environment},
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def finish(self) -> "LibraryRun":
        self._process.wait(PATIENCE_S)
        return self

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()

    @property
    def said(self) -> str:
        return (self.folder / "log").read_text()

    @property
    def attempts(self) -> list[dict[str, Any]]:
        """The attempts that were made, each as it ended."""
        results = json.loads((self.folder / "runs" / "latest" / "results.json").read_text())
        last = {attempt["nodeid"]: attempt for attempt in results["attempts"] if attempt["verdict"] != "unsupported"}
        return list(last.values())

    def recordings(self) -> Iterator[list[dict[str, Any]]]:
        return (read(path) for path in (self.folder / "runs" / "latest" / "recordings").rglob("*.jsonl"))


def read(path: Path) -> list[dict[str, Any]]:
    return [frame for line in path.read_text().splitlines() if "seq" in (frame := json.loads(line))]


def heard(frames: list[dict[str, Any]], leg: str = "upstream") -> dict[str, list[str]]:
    """Session id → the types of what the upstream said there, in order."""
    by_conn: dict[int, list[dict[str, Any]]] = {}
    for frame in frames:
        if frame["leg"] == leg and frame["dir"] == "down" and frame["kind"] == "text":
            by_conn.setdefault(frame["conn"], []).append(frame)
    return {
        events[0]["data"]["session"]["id"]: [event["type"] for event in events]
        for events in by_conn.values()
        if events[0]["type"] == "session.created"
    }


def check_faithful(run: LibraryRun) -> None:
    """On a faithful server everything passes."""
    assert run.said.startswith(f"REAL API {run.upstream.url} model gpt-realtime, "), run.said
    assert " attempts, at most 16 at once" in run.said.splitlines()[0]
    assert "idle/minute" in {attempt["scenario"] for attempt in run.attempts}
    failed = {attempt["nodeid"]: findings(attempt) for attempt in run.attempts if attempt["verdict"] != "pass"}
    assert failed == {}
    assert len(run.attempts) >= 180
    observed = {rule for attempt in run.attempts for rule in attempt["observed"]}
    assert {"UP-VALID-EVENTS", "UP-NO-ERROR", "UP-RESPONSE-ORDER", "UP-VAD-PAIRS", "RT-AUDIO-WHOLE"} <= observed


def check_peer(run: LibraryRun) -> None:
    """On an unfaithful one its defects are found, and nobody else is blamed."""
    assert len(run.attempts) >= 180
    found = {attempt["nodeid"]: findings(attempt) for attempt in run.attempts}
    charged = {
        (node, verdict, id_, blame, message)
        for node, all_found in found.items()
        for verdict, id_, blame, message in all_found
        if blame in ("proxy", "client") or (verdict == "fail" and blame != "upstream")
    }
    assert charged == set()
    assert all("upstream" in {blame for _, _, blame, _ in all_found} for all_found in found.values()), "none is faultless"
    missed = [
        defect
        for defect, (scenario, check, says) in DEFECTS.items()
        if not any(
            node.partition("::")[2].partition("[")[0] == scenario and id_ == check and says in message
            for node, all_found in found.items()
            for _, id_, _, message in all_found
        )
    ]
    assert missed == []


def check_tap(run: LibraryRun, folder: Path) -> None:
    """The tap saw what the run saw, and no key."""
    tapped: dict[str, list[str]] = {}
    for path in folder.glob("*.jsonl"):
        assert KEY not in path.read_text()
        tapped |= heard(read(path))
    for recording in run.recordings():
        for session, types in heard(recording).items():
            assert tapped[session][: len(types)] == types


Check = Callable[[LibraryRun], None]
CHECKS: Mapping[str, Check] = {"mock": check_faithful, "peer": check_peer}


@pytest.mark.timeout(2 * PATIENCE_S)
def test_the_whole_library_tells_the_truth_of_a_faithful_server_and_of_another(
    tmp_path: Path, subtests: pytest.Subtests
) -> None:
    with ExitStack() as stack:
        stand_ins = {
            "mock": stack.enter_context(mock("--tls")),
            "peer": stack.enter_context(peer(tmp_path, *FIXTURES)),
        }
        for name in tuple(stand_ins):
            stand_ins[f"{name}-tapped"] = stack.enter_context(tap(stand_ins[name], tmp_path / f"{name}-recordings"))
        runs = {}
        for name, stand_in in stand_ins.items():
            runs[name] = LibraryRun(tmp_path / name, stand_in)
            stack.callback(runs[name].stop)
        for run in runs.values():
            run.finish()
    for name, run in runs.items():
        server, _, tapped = name.partition("-")
        with subtests.test(server=server, through="a tap" if tapped else "nothing"):
            CHECKS[server](run)
            if tapped:
                check_tap(run, tmp_path / f"{server}-recordings")
