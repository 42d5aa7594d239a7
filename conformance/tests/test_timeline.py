import pytest

from conformance.rules.timeline import parse_timeline
from conformance.wire.durations import SECOND
from conformance.wire.frames import Direction, Kind, Leg
from conformance.wire.recording import Outcome

EVERY_FORM = """
    header {"scenario": "text/turn", "clock": "real"}
    # a comment
    0.000 client   up   Settings {"audio": {"input": {"encoding": "linear16", "sample_rate": 16000}}}
    0.010 upstream down error @server-error {"error": {"type": "server_error"}}
    0.020 client   up   binary 100ms                      # audio
    0.130 upstream up   input_audio_buffer.append silence 100ms {"event_id": "a"}
    0.140 client   up   binary {"type": "KeepAlive"}
    0.145 client   up   binary 3B
    0.150 client   up   text "no JSON # here"
    0.160 upstream#1 down close 1001 "bye"
    0.170 client   up   mark wait-timeout {"index": 2}
    0.180 upstream down mark withheld @slow {"event": {"type": "session.updated"}}
    0.500 end died {"log": ["Segmentation fault"]}
"""


def test_a_timeline_holds_every_kind_of_frame() -> None:
    recording = parse_timeline(EVERY_FORM)
    settings, error, audio, append, json, odd, text, close, mark, withheld = recording.frames
    assert (recording.header.scenario, recording.header.clock) == ("text/turn", "real")
    assert (settings.leg, settings.dir, settings.kind, settings.type) == (Leg.CLIENT, Direction.UP, Kind.TEXT, "Settings")
    assert (error.t, error.scripted, error.data["error"]["type"]) == (10_000, "server-error", "server_error")
    assert (audio.data["ms"], audio.data["bytes"], max(audio.data["rms"]) > 1000) == (100, 3200, True)
    assert (append.data["audio"]["ms"], append.data["audio"]["bytes"], append.data["event_id"]) == (100, 4800, "a")
    assert set(append.data["audio"]["rms"]) == {0}
    assert json.data["json"] == {"type": "KeepAlive"}
    assert odd.data["bytes"] == 3
    assert text.data["raw"] == "no JSON # here"
    assert (close.conn, close.kind, dict(close.data)) == (1, Kind.CLOSE, {"code": 1001, "reason": "bye"})
    assert (mark.kind, mark.type, dict(mark.data)) == (Kind.MARK, "wait-timeout", {"index": 2})
    assert (withheld.type, withheld.scripted, withheld.data["event"]["type"]) == ("withheld", "slow", "session.updated")
    assert recording.footer is not None
    assert (recording.end, recording.footer.outcome, recording.footer.log) == (
        SECOND // 2,
        Outcome.DIED,
        ("Segmentation fault",),
    )


def test_the_same_audio_cut_differently_has_the_same_stream_hash() -> None:
    recording = parse_timeline("""
        0.00 client   up binary 20ms
        0.02 client   up binary 40ms
        0.06 upstream up input_audio_buffer.append 60ms
    """)
    assert recording.frames[1].data["stream_sha256"] == recording.frames[2].data["audio"]["stream_sha256"]


def test_a_wrong_line_is_quoted() -> None:
    with pytest.raises(ValueError, match=r"0\.1 client sideways Settings"):
        parse_timeline("0.1 client sideways Settings")
