"""A recorder that only writes takes encoded events as they are, and the file says the same."""

from base64 import b64encode
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pytest

from conformance.wire.frames import Direction, Kind, Leg
from conformance.wire.recording import Footer, Header, Recorder, Recording, load

EVENTS: list[dict[str, Any]] = [
    {"type": "session.created", "session": {"audio": {"output": {"format": {"type": "audio/pcmu"}}}}},
    {"type": "response.output_text.delta", "delta": 'a "quoted"\nline', "event_id": "e"},
    {"type": "response.output_audio.delta", "delta": b64encode(bytes(800)).decode()},
    {"event_id": "e", "type": "type.is.not.first"},
    {"type": 'strange "type"'},
    {"type": "x", "secret": "sk-Ab3dEfGh1jk"},
    {"type": "response.output_audio.delta", "within": {"delta": "AAAA"}},
    {"type": "response.output_audio.delta", "within": {"delta": "AAAA"}, "delta": "AAAA"},
    {"type": "response.output_audio.delta", "delta": "no base64"},
    {"type": "response.output_audio.delta", "delta": "AAAA", "event_id": "e"},
    {"type": "response.output_audio.delta", "delta": 1},
    {"type": "input_audio_buffer.append", "audio": ""},
    {"type": "session.updated", "session": {"audio": {"input": {"format": {"type": "audio/pcma"}}}}},
    {"type": "input_audio_buffer.append", "audio": "AAAA"},
]


def record(path: Path, *, keep_frames: bool, as_bytes: bool) -> Recording:
    stream = BytesIO()
    times = iter(range(0, 10**9, 1_234_567))
    recorder = Recorder(Header(), lambda: next(times), stream=stream, keep_frames=keep_frames)
    sink = recorder.leg(Leg.UPSTREAM)
    for number, event in enumerate(EVENTS):
        sink(1, Direction.DOWN, Kind.TEXT, orjson.dumps(event) if as_bytes else event, "rule" if number % 2 else None)
    recorder.finish(Footer(9))
    path.write_bytes(stream.getvalue())
    return load(path)


def test_bytes_are_recorded_like_the_event(tmp_path: Path) -> None:
    read = record(tmp_path / "read", keep_frames=True, as_bytes=False)
    unread = record(tmp_path / "unread", keep_frames=False, as_bytes=True)
    assert unread == read
    assert len(unread.frames) == len(EVENTS)
    assert unread.frames[2].data["delta"]["ms"] == 100.0
    assert b"sk-" not in (tmp_path / "unread").read_bytes()


def test_events_recorded_unread_are_written_byte_for_byte_as_if_they_had_been_read() -> None:
    written = []
    for keep_frames in (True, False):
        stream = BytesIO()
        recorder = Recorder(Header(), lambda: 1_250_000, stream=stream, keep_frames=keep_frames)
        for leg in Leg:
            for conn in (0, 7):
                for direction in Direction:
                    for body in map(orjson.dumps, EVENTS):
                        recorder.leg(leg)(conn, direction, Kind.TEXT, body)
                        recorder.leg(leg)(conn, direction, Kind.TEXT, body, "rule")
                        recorder.leg(leg)(conn, direction, Kind.TEXT, body.decode())
        written.append(stream.getvalue())
    assert written[0] == written[1]
    assert written[0].count(b"\n") == 1 + 2 * 2 * 2 * 3 * len(EVENTS)


@pytest.mark.parametrize("keep_frames", [True, False])
def test_listeners_get_events_whatever_they_came_as(keep_frames: bool) -> None:
    heard: list[str] = []
    recorder = Recorder(Header(), lambda: 0, stream=BytesIO(), keep_frames=keep_frames)
    recorder.listeners.append(lambda frame: heard.append(frame.data["delta"]))
    recorder.leg(Leg.UPSTREAM)(0, Direction.DOWN, Kind.TEXT, b'{"type":"response.output_text.delta","delta":"x"}')
    assert heard == ["x"]
    assert len(recorder.frames) == keep_frames
