"""A replayed session answers as the recorded one did, whatever ids and chunks the client uses this time."""

from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from conformance.wire.durations import Micros
from conformance.wire.frames import Direction, Frame, Kind, Leg
from conformance.wire.recording import Footer, Header, Recorder, Recording
from mock_upstream.actions import Abort, Action, Close, Mark, Send
from mock_upstream.replay import Replay

UP, DOWN = Direction.UP, Direction.DOWN
SECOND_OF_AUDIO = b64encode(b"\x10\x00" * 24_000).decode()
HALF_SECOND = b64encode(b"\x20\x00" * 12_000).decode()


def recorded(*lines: tuple[Micros, Direction, Mapping[str, Any]]) -> Recording:
    """A recording of one upstream connection; a line without a type is a close."""
    clock = [0]
    recorder = Recorder(Header(), lambda: clock[0])
    sink = recorder.leg(Leg.UPSTREAM)
    sink(0, UP, Kind.OPEN, {"path": "/v1/realtime"})
    for clock[0], direction, body in lines:
        sink(0, direction, Kind.TEXT if "type" in body else Kind.CLOSE, body)
    return recorder.finish(Footer(clock[0]))


TEXT_TURN = recorded(
    (5_000, DOWN, {"type": "session.created", "session": {"id": "sess_1"}}),
    (10_000, UP, {"type": "conversation.item.create", "item": {"id": "item_old", "type": "message"}}),
    (12_000, UP, {"type": "response.create", "event_id": "event_old"}),
    (52_000, DOWN, {"type": "conversation.item.added", "item": {"id": "item_old"}}),
    (90_000, DOWN, {"type": "response.done", "response": {"id": "resp_1"}}),
    (95_000, DOWN, {"type": "error", "error": {"event_id": "event_old"}}),
    (99_000, DOWN, {"code": 4000, "reason": "because"}),
)


def play(replay: Replay, until: Micros) -> list[tuple[Micros, Action]]:
    """Wake the replay at each deadline up to ``until``."""
    played = []
    while (due := replay.deadline()) is not None and due <= until:
        played += [(due, action) for action in replay.wake(due)]
    return played


def send(replay: Replay, event: Mapping[str, Any], now: Micros) -> list[Action]:
    """Let the client send an event."""
    return list(replay.receive(orjson.dumps(event), now))


def events(actions: list[tuple[Micros, Action]]) -> list[tuple[Micros, Any]]:
    """Return what was sent, and when."""
    return [(t, action.event) for t, action in actions if isinstance(action, Send)]


def test_answers_come_with_the_recorded_gaps_after_the_clients_last_event() -> None:
    replay = Replay(TEXT_TURN)
    assert list(replay.open(1_000_000)) == []
    assert events(play(replay, 2_000_000)) == [(1_005_000, {"type": "session.created", "session": {"id": "sess_1"}})]
    send(replay, {"type": "conversation.item.create", "item": {"id": "mine", "type": "message"}}, 3_000_000)
    assert replay.deadline() is None
    send(replay, {"type": "response.create", "event_id": "event_new"}, 3_500_000)
    assert [t for t, _ in play(replay, 4_000_000)] == [3_540_000, 3_578_000, 3_583_000, 3_587_000]


def test_ids_that_the_client_chose_are_bound_anew_in_every_answer() -> None:
    replay = Replay(TEXT_TURN)
    replay.open(0)
    send(replay, {"type": "conversation.item.create", "item": {"id": "mine", "type": "message"}}, 10_000)
    send(replay, {"type": "response.create", "event_id": "event_new"}, 10_000)
    answers = [event for _, event in events(play(replay, 1_000_000))]
    assert answers[0]["item"]["id"] == "mine"
    assert answers[2]["error"]["event_id"] == "event_new"
    assert answers[1]["response"]["id"] == "resp_1"


def test_the_recorded_close_is_played_with_its_code_and_nothing_after_it() -> None:
    replay = Replay(TEXT_TURN)
    replay.open(0)
    send(replay, {"type": "conversation.item.create", "item": {"id": "a"}}, 0)
    send(replay, {"type": "response.create"}, 0)
    assert play(replay, 1_000_000)[-1][1] == Close(4000, "because")
    assert send(replay, {"type": "response.create"}, 2_000_000) == []


SPOKEN = recorded(
    (0, UP, {"type": "input_audio_buffer.append", "audio": SECOND_OF_AUDIO}),
    (10_000, DOWN, {"type": "input_audio_buffer.speech_started"}),
    (20_000, UP, {"type": "input_audio_buffer.append", "audio": HALF_SECOND}),
    (30_000, DOWN, {"type": "input_audio_buffer.speech_stopped"}),
    (40_000, UP, {"type": "input_audio_buffer.commit"}),
    (50_000, DOWN, {"type": "response.output_audio.delta", "delta": HALF_SECOND}),
)


@pytest.mark.parametrize("chunks", [[1.0, 0.5], [0.25] * 6, [1.5], [0.1] * 15])
def test_the_same_audio_in_other_chunks_gets_the_same_answers(chunks: list[float]) -> None:
    replay = Replay(SPOKEN, strict=True)
    replay.open(0)
    seen = []
    for number, seconds in enumerate(chunks):
        audio = b64encode(bytes(int(seconds * 48_000) & ~1)).decode()
        send(replay, {"type": "input_audio_buffer.append", "audio": audio}, number * 100_000)
        seen += events(play(replay, (number + 1) * 100_000))
    send(replay, {"type": "input_audio_buffer.commit"}, 5_000_000)
    seen += events(play(replay, 6_000_000))
    assert [event["type"].rpartition(".")[2] for _, event in seen] == ["speech_started", "speech_stopped", "delta"]


def test_audio_that_was_not_kept_is_as_long_and_as_loud() -> None:
    from base64 import b64decode

    from conformance.wire.audio import Encoding, decode, loudness

    replay = Replay(SPOKEN)
    replay.open(0)
    send(replay, {"type": "input_audio_buffer.append", "audio": SECOND_OF_AUDIO}, 0)
    send(replay, {"type": "input_audio_buffer.append", "audio": HALF_SECOND}, 0)
    send(replay, {"type": "input_audio_buffer.commit"}, 0)
    delta = events(play(replay, 1_000_000))[-1][1]["delta"]
    assert len(b64decode(delta)) == 24_000
    levels = loudness(decode(b64decode(delta), Encoding.PCM16), 24_000)
    assert all(20 < level < 45 for level in levels)


def test_lenient_passes_over_what_the_recording_has_not_and_says_so() -> None:
    replay = Replay(TEXT_TURN)
    replay.open(0)
    mark = {"mark": "unforeseen", "came": "response.cancel", "wanted": "conversation.item.create, response.create"}
    assert send(replay, {"type": "response.cancel"}, 0) == [Mark(mark)]
    assert replay.deadline() is not None


def test_strict_ends_with_a_close_that_names_both_events() -> None:
    replay = Replay(TEXT_TURN, strict=True)
    replay.open(0)
    close = send(replay, {"type": "response.cancel"}, 0)[-1]
    assert close == Close(4000, "replay: response.cancel came, the recording has conversation.item.create, response.create")


def test_a_recording_without_that_connection_is_refused_in_one_sentence() -> None:
    with pytest.raises(ValueError, match="no connection 1 on its upstream leg"):
        Replay(TEXT_TURN, 1)


CREATED = {"type": "session.created", "session": {"audio": {"input": {"format": {"type": "audio/pcmu"}}}}}


@pytest.mark.parametrize("created", [{"type": "session.created"}, CREATED], ids=["pcm", "µ-law"])
@pytest.mark.parametrize("chunk", [160, 320, 480])
def test_the_very_same_audio_is_nothing_unforeseen_however_strict(created: Mapping[str, Any], chunk: int) -> None:
    rate = 8 if created is CREATED else 48  # bytes a millisecond
    pieces = [b64encode(bytes(chunk * rate // 8)).decode()] * 9
    appends = [{"type": "input_audio_buffer.append", "audio": piece} for piece in pieces]
    recording = recorded(
        (10, DOWN, created),
        *[(1_000 + number, UP, append) for number, append in enumerate(appends)],
        (2_000, DOWN, {"type": "input_audio_buffer.speech_started"}),
        (3_000, UP, {"type": "input_audio_buffer.commit"}),
        *[(4_000 + number, UP, append) for number, append in enumerate(appends)],
        (5_000, DOWN, {"type": "response.created"}),
    )
    replay = Replay(recording, strict=True)
    replay.open(0)
    seen = events(play(replay, 1_000))
    for now, event in enumerate([*appends, {"type": "input_audio_buffer.commit"}, *appends], start=1):
        assert not [action for action in send(replay, event, now * 10_000) if isinstance(action, Mark | Close)]
        seen += events(play(replay, now * 10_000 + 9_000))
    assert [event["type"] for _, event in seen] == [
        created["type"],
        "input_audio_buffer.speech_started",
        "response.created",
    ]
    assert isinstance(send(replay, appends[0] | {"audio": SECOND_OF_AUDIO}, 1_000_000)[-1], Close)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("frame", ["no JSON", "[]", '{"no": "type"}', '{"type": 5}'])
def test_a_frame_that_is_no_event_answers_for_one(frame: str, strict: bool) -> None:
    clock = [0]
    recorder = Recorder(Header(), lambda: clock[0])
    sink = recorder.leg(Leg.UPSTREAM)
    sink(0, UP, Kind.OPEN, {"path": "/v1/realtime"})
    sink(0, UP, Kind.TEXT, frame)
    sink(0, DOWN, Kind.TEXT, {"type": "error"})
    replay = Replay(recorder.finish(Footer(0)), strict=strict)
    replay.open(0)
    assert [action.event for action in replay.receive(frame, 10) if isinstance(action, Send)] == [{"type": "error"}]


@pytest.mark.parametrize(
    ("code", "action"),
    [
        (4000, Close(4000, "why")),
        (1005, Close(1005, "why")),
        (1006, Abort()),
        (99, Abort()),
        (None, Abort()),
        ("x", Abort()),
    ],
)
def test_a_close_that_nobody_can_send_is_an_abort(code: Any, action: Action) -> None:
    replay = Replay(recorded((0, DOWN, {"code": code, "reason": "why"})))
    assert list(replay.open(0)) == [action]


@pytest.mark.parametrize(
    "folded", [{}, {"bytes": "x"}, {"bytes": -5}, {"bytes": 10**12, "ms": "x"}, {"bytes": 7, "rms": 5}, {"sha256": "../x"}]
)
def test_a_folded_body_that_is_none_is_played_as_well_as_can_be(folded: Any, tmp_path: Path) -> None:
    frames = [
        Frame(0, 0, Leg.UPSTREAM, 0, UP, Kind.OPEN, "", {}),
        Frame(1, 0, Leg.UPSTREAM, 0, DOWN, Kind.BINARY, "", folded),
        Frame(2, 0, Leg.UPSTREAM, 0, UP, Kind.TEXT, "input_audio_buffer.append", {"audio": folded}),
        Frame(3, 0, Leg.UPSTREAM, 0, DOWN, Kind.TEXT, "response.output_audio.delta", {"delta": folded}),
    ]
    replay = Replay(Recording(Header(), tuple(frames)), audio_dir=tmp_path)
    (binary, _) = replay.open(0)
    assert isinstance(binary, Send)
    assert len(binary.text) <= 64 * 2**20
