"""`upstream: {replay: …}`: a recorded session in place of the mock, found beside the scenario."""

from pathlib import Path

import pytest

from conformance.runner.plan import AttemptPlan
from conformance.scenario.tests.build import BARE, cell, mistakes
from conformance.wire.frames import Direction, Kind, Leg
from conformance.wire.recording import Footer, Header, Recorder
from conformance.wire.script import ReplaySource, Script

CASSETTE = (
    "version: 1\ninteractions:\n- kind: message\n  direction: received\n  data: {type: session.created, session: {}}\n"
)


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    folder = tmp_path / "scenarios/text/recordings"
    folder.mkdir(parents=True)
    (folder / "c.yaml").write_text(CASSETTE)
    with (folder / "r.jsonl").open("wb") as stream:
        recorder = Recorder(Header(), lambda: 0, stream=stream)
        recorder.leg(Leg.UPSTREAM)(0, Direction.DOWN, Kind.TEXT, {"type": "session.created"})
        recorder.finish(Footer(0))
    with (folder / "client.jsonl").open("wb") as stream:
        Recorder(Header(), lambda: 0, stream=stream).finish(Footer(0))
    return folder


def source(script: Script) -> ReplaySource:
    assert script.replay is not None
    return script.replay


@pytest.mark.parametrize("name", ["r.jsonl", "c.yaml"])
def test_a_recording_or_a_cassette_is_read_from_beside_the_scenario(tmp_path: Path, recordings: Path, name: str) -> None:
    found = source(cell(tmp_path, BARE + f"upstream: {{replay: recordings/{name}}}\n").script)
    assert [frame.type for frame in found.recording.frames if frame.dir is Direction.DOWN] == ["session.created"]
    assert not found.strict
    text = "matrix: {file: [" + name + "]}\nupstream: {replay: 'recordings/${file}', strict: true}\n"
    assert source(cell(tmp_path, BARE + text).script).strict


@pytest.mark.parametrize(
    ("upstream", "sentence"),
    [
        ("{replay: recordings/x.jsonl}", "recordings/x.jsonl cannot be read (No such file or directory)"),
        ("{replay: recordings/client.jsonl}", "has no connection 0 on its upstream leg"),
        ("{replay: x.yaml}", "x.yaml cannot be replayed: "),
        ("{replay: recordings/r.jsonl, transcript: x}", "a replay follows its recording; leave `transcript` out"),
        ("{replay: recordings/r.jsonl, rules: [{fault: idle-error}]}", "a replay follows its recording; leave `rules` out"),
        ("{replay: recordings/r.jsonl, strict: 3}", "strict"),
        ("{replay: 3}", "expected text"),
    ],
)
def test_what_cannot_be_replayed_is_a_mistake(tmp_path: Path, recordings: Path, upstream: str, sentence: str) -> None:
    (recordings.parent / "x.yaml").write_text("scenario: text/x\n")
    found = mistakes(tmp_path, BARE + f"upstream: {upstream}\n")
    assert len(found) == 1
    assert sentence in found[0]


def test_a_mutant_deviates_from_the_faithful_mock_because_a_replay_follows_no_rules(
    tmp_path: Path, recordings: Path
) -> None:
    text = "upstream: {replay: recordings/r.jsonl}\nmutants: [{id: m, rules: [{fault: idle-error}], fails: [ready]}]\n"
    read = cell(tmp_path, BARE + text)
    assert AttemptPlan(cell=read).script.replay is not None
    script = AttemptPlan(cell=read, mutant=read.mutants[0]).script
    assert script.replay is None
    assert len(script.rules) == 1
