from conformance.rules.timeline import parse_timeline
from conformance.wire.frames import Kind, Leg
from conformance.wire.index import Index
from conformance.wire.patterns import Pattern

RECORDING = parse_timeline("""
    0.000 client   up   open {"path": "/"}
    0.010 client   up   Settings {}
    0.020 client   up   binary 20ms
    0.030 upstream up   session.update {}
    0.040 upstream down session.updated {}
    0.050 client   down binary 40ms
    0.060 client   down text "no JSON"
    0.070 client   up   mark step {"index": 0, "id": "a", "verb": "send", "edge": "start"}
    0.080 client   down Error {"code": "x"}
    0.090 client   up   close 1000
    0.100 upstream up   close 1001 "bye"
""")


def seen(leg: Leg, pattern: Pattern) -> list[int]:
    return [frame.t // 1000 for frame in Index(RECORDING).matching(leg, pattern)]


def test_a_type_names_the_messages_of_its_leg_only() -> None:
    assert (seen(Leg.CLIENT, "Settings"), seen(Leg.UPSTREAM, "Settings")) == ([10], [])


def test_a_glob_names_messages_but_neither_audio_nor_closes() -> None:
    assert seen(Leg.CLIENT, "*") == [10, 60, 80]
    assert seen(Leg.UPSTREAM, "session.update*") == [30, 40]


def test_a_partial_message_narrows_its_type() -> None:
    assert seen(Leg.CLIENT, {"type": "Error", "code": "x"}) == [80]
    assert seen(Leg.CLIENT, {"type": "Error", "code": "y"}) == []


def test_binary_is_the_audio_that_the_client_receives_unless_dir_says_up() -> None:
    assert (seen(Leg.CLIENT, "binary"), seen(Leg.CLIENT, {"type": "binary", "dir": "up"})) == ([50], [20])


def test_close_is_the_end_that_the_harness_receives_with_its_code() -> None:
    assert seen(Leg.CLIENT, "close") == []
    assert seen(Leg.CLIENT, {"type": "close", "dir": "up"}) == [90]
    assert seen(Leg.UPSTREAM, {"type": "close", "code": 1001}) == [100]


def test_marks_are_found_by_name_and_never_by_a_pattern() -> None:
    assert [mark.data["id"] for mark in Index(RECORDING).marks("step")] == ["a"]
    assert seen(Leg.CLIENT, "step") == []


def test_frames_of_a_kind_keep_their_order() -> None:
    assert [frame.t for frame in Index(RECORDING).others(Leg.CLIENT, Kind.BINARY)] == [20_000, 50_000]
