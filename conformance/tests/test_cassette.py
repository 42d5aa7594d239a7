"""Cassettes of recorded sessions become recordings that can be replayed."""

from pathlib import Path
from random import Random

import pytest

from conformance.cassette import load_cassette
from conformance.scenario.mistakes import ScenarioError
from conformance.wire.frames import Direction, Kind, Leg
from conformance.wire.ids import make_id
from mock_upstream.replay import Replay

RANDOM = Random(1)
CASSETTE = f"""
version: 1
interactions:
- kind: message
  direction: received
  data:
    type: session.created
    event_id: {make_id("event", 1_790_000_000, RANDOM)}
    session: {{id: sess_1}}
- kind: message
  direction: sent
  data:
    type: response.create
- kind: message
  direction: received
  data:
    type: response.created
    event_id: {make_id("event", 1_790_000_002, RANDOM)}
    response: {{id: resp_1}}
- kind: message
  direction: received
  data:
    type: response.done
    event_id: {make_id("event", 1_790_000_002, RANDOM)}
    response: {{id: resp_1}}
"""


@pytest.fixture
def cassette(tmp_path: Path) -> Path:
    path = tmp_path / "cassette.yaml"
    path.write_text(CASSETTE)
    return path


def test_a_cassette_is_the_upstream_leg_in_its_order(cassette: Path) -> None:
    frames = load_cassette(cassette).frames
    assert {frame.leg for frame in frames} == {Leg.UPSTREAM}
    assert [(frame.kind, frame.dir, frame.type) for frame in frames] == [
        (Kind.OPEN, Direction.UP, ""),
        (Kind.TEXT, Direction.DOWN, "session.created"),
        (Kind.TEXT, Direction.UP, "response.create"),
        (Kind.TEXT, Direction.DOWN, "response.created"),
        (Kind.TEXT, Direction.DOWN, "response.done"),
    ]


def test_the_ids_of_received_events_give_the_seconds(cassette: Path) -> None:
    times = {frame.type: frame.t for frame in load_cassette(cassette).frames}
    assert times["session.created"] < times["response.create"] < 1_000_000
    assert times["response.created"] == 2_000_000
    assert times["response.done"] == 2_001_000


def test_a_cassette_can_be_replayed(cassette: Path) -> None:
    replay = Replay(load_cassette(cassette))
    replay.open(0)
    replay.receive('{"type": "response.create"}', 5_000_000)
    played = []
    while (due := replay.deadline()) is not None:
        played += [action.event["type"] for action in replay.wake(due)]  # type: ignore[union-attr, index]
    assert played == ["response.created", "response.done"]


@pytest.mark.parametrize(
    "text", ["a: 1\n", "interactions: 3\n", "interactions:\n- {kind: message, direction: up}\n", "- ["]
)
def test_what_is_no_cassette_is_refused_with_its_place(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(ScenarioError, match=r"x\.yaml:\d+:\d+: "):
        load_cassette(path)
