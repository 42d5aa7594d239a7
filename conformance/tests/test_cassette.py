"""Cassettes of recorded sessions become recordings that can be replayed."""

import gzip
from pathlib import Path
from random import Random

import pytest

from conformance.cassette import load_cassette
from conformance.recordings import read_any
from conformance.scenario.mistakes import ScenarioError
from conformance.wire.frames import Direction, Kind, Leg
from conformance.wire.ids import make_id
from conformance.wire.recording import dump
from mock_upstream.replay import Replay, connections

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


def write(path: Path, *interactions: str) -> Path:
    path.write_text("version: 1\ninteractions:\n" + "".join(f"- {{{interaction}}}\n" for interaction in interactions))
    return path


def rows(path: Path) -> list[tuple[int, int, str, object]]:
    return [(frame.t, frame.conn, frame.kind, frame.type or dict(frame.data)) for frame in load_cassette(path).frames]


OPENING: dict[str, object] = {"path": "/v1/realtime", "query": {}, "subprotocol": None}
CREATED = "direction: received, data: {type: session.created}"


def test_a_message_need_not_say_that_it_is_one(tmp_path: Path) -> None:
    assert rows(write(tmp_path / "x.yaml", CREATED))[1][2:] == ("text", "session.created")


def test_a_cassette_that_says_when_is_good_to_the_millisecond(tmp_path: Path) -> None:
    path = write(
        tmp_path / "x.yaml",
        f"kind: message, at: 0.0, {CREATED}",
        "kind: message, at: 0.072, direction: sent, data: {type: response.create}",
        "kind: close, code: 1001, reason: Bye., ok: true, at: 3600",
    )
    assert rows(path) == [
        (0, 0, "open", OPENING),
        (0, 0, "text", "session.created"),
        (72_000, 0, "text", "response.create"),
        (3_600_000_000, 0, "close", {"code": 1001, "reason": "Bye."}),
    ]


def test_what_follows_a_close_is_the_next_connection(tmp_path: Path) -> None:
    recording = load_cassette(
        write(tmp_path / "x.yaml", CREATED, "kind: close, code: 1000, ok: false", CREATED, "kind: close, code: 1011")
    )
    assert connections(recording) == [0, 1]
    closes = [(frame.conn, frame.dir, frame.data["code"]) for frame in recording.frames if frame.kind is Kind.CLOSE]
    assert closes == [(0, Direction.DOWN, 1006), (1, Direction.DOWN, 1011)]


def test_an_id_of_another_maker_is_no_clock(tmp_path: Path) -> None:
    late = f"direction: received, data: {{type: x, event_id: event_zzzzz{'0' * 16}}}"
    first = f"direction: received, data: {{type: x, event_id: {make_id('event', 1_790_000_000, RANDOM)}}}"
    assert load_cassette(write(tmp_path / "x.yaml", first, late)).frames[-1].t < 1_000_000


def test_a_long_cassette_is_read(tmp_path: Path) -> None:
    audio = "A" * 40_000
    path = write(tmp_path / "x.yaml", *[f"direction: sent, data: {{type: input_audio_buffer.append, audio: {audio}}}"] * 20)
    assert len(load_cassette(path).frames) == 21


def test_json_is_yaml_too(tmp_path: Path, cassette: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"interactions": [{"direction": "received", "data": {"type": "session.created"}}]}')
    assert [frame.type for frame in read_any(path).frames] == ["", "session.created"]
    assert read_any(cassette) == load_cassette(cassette)
    recording = read_any(path)
    path.write_bytes(dump(recording))
    assert read_any(path) == recording


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (gzip.compress(CASSETTE.encode()), "is compressed; unpack it first"),
        (b"\xff\xfe", "no text in UTF-8"),
        (b"interactions: []\n", r":1:1: this cassette is empty"),
        (b"interactions:\n- request: {body: x}\n  response: {}\n", r":2:3: this is a cassette of HTTP requests"),
        (b"interactions:\n- {direction: sent, data: text}\n", r":2:3: an interaction is "),
        (b"interactions:\n- {kind: ping, direction: sent, data: {}}\n", r":2:3: an interaction is "),
        (b"interactions:\n- {kind: close, code: gone}\n", r":2:3: an interaction is "),
    ],
)
def test_what_cannot_be_read_is_told_in_a_sentence_with_the_file(tmp_path: Path, text: bytes, sentence: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(text)
    with pytest.raises(ValueError, match=rf"x\.yaml.*{sentence}") as refused:
        read_any(path)
    assert "\n" not in str(refused.value)
