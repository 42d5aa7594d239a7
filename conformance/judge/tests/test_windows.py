"""Each sentence of "What the words mean, exactly" that a check rests on."""

from typing import Any

from conformance.judge import judge
from conformance.scenario.model import Audio, Check, Connect, Send, Wait
from conformance.tests.build import TARGET, cell, expect, forbid, parse_timeline
from conformance.verdicts import Verdict
from conformance.wire.frames import Leg


def verdict(check: Check, timeline: str, **options: Any) -> Verdict:
    judgement = judge(cell(check, **options), parse_timeline(timeline), TARGET, rules={})
    return next(result.verdict for result in judgement.checks if result.id == check.id)


TURNS = """
    0.100 client   up   Settings {}
    1.000 upstream down response.created {}
    1.100 upstream up   response.create {}
    1.500 upstream down response.done {}
    2.000 upstream up   response.create {}
    3.000 upstream down response.created {}
    3.500 upstream up   response.cancel {}
    9.000 end
"""


def test_within_without_after_counts_from_the_first_client_frame() -> None:
    check = expect("x", "upstream", "response.created", within="900ms")
    assert verdict(check, TURNS) is Verdict.PASS
    assert verdict(expect("x", "upstream", "response.created", within="899ms"), TURNS) is Verdict.FAIL


def test_within_counts_from_the_handshake_when_the_client_never_sends() -> None:
    timeline = """
        1.000 client   up   open {}
        3.000 upstream down session.created {}
        9.000 end
    """
    assert verdict(expect("x", "upstream", "session.created", within="2s"), timeline) is Verdict.PASS
    assert verdict(expect("x", "upstream", "session.created", within="1s"), timeline) is Verdict.FAIL


def test_after_is_the_first_such_event() -> None:
    early = expect("x", "upstream", "response.create", after="upstream:response.created", within="100ms")
    assert verdict(early, TURNS) is Verdict.PASS
    assert verdict(expect("x", "upstream", "response.cancel", after="upstream:response.created", within="1s"), TURNS) is (
        Verdict.FAIL
    )


def test_after_with_before_is_every_interval() -> None:
    overlap = forbid("x", "upstream", "response.create", after="upstream:response.created", before="upstream:response.done")
    assert verdict(overlap, TURNS) is Verdict.FAIL
    assert verdict(overlap, TURNS.replace("1.100 upstream up   response.create {}", "")) is Verdict.PASS


def test_an_interval_without_its_end_lasts_to_the_end() -> None:
    cancel = forbid("x", "upstream", "response.cancel", after="upstream:response.created", before="upstream:response.done")
    assert verdict(cancel, TURNS) is Verdict.FAIL


def test_an_expect_over_intervals_holds_in_each() -> None:
    once = expect(
        "x", "upstream", "response.*", after="upstream:response.created", before="upstream:response.done", count=1
    )
    assert verdict(once, TURNS) is Verdict.PASS
    assert verdict(once, TURNS.replace("3.500 upstream up   response.cancel {}", "")) is Verdict.FAIL


def test_before_alone_ends_at_the_first_such_event() -> None:
    check = forbid("x", "upstream", "response.create", before="upstream:response.done")
    assert verdict(check, TURNS) is Verdict.FAIL
    assert verdict(check, TURNS.replace("1.100 upstream up   response.create {}", "")) is Verdict.PASS


def test_two_events_at_one_instant_keep_the_order_of_the_recording() -> None:
    timeline = """
        0.100 client   down SettingsApplied {}
        0.100 client   down ConversationText {}
    """
    assert verdict(expect("x", "client", "SettingsApplied", before="client:ConversationText"), timeline) is Verdict.PASS
    assert verdict(expect("x", "client", "ConversationText", before="client:SettingsApplied"), timeline) is Verdict.FAIL


def test_an_anchor_that_never_happened_blocks_the_check() -> None:
    assert verdict(forbid("x", "client", "Error", after="upstream:response.nope"), TURNS) is Verdict.BLOCKED
    assert verdict(expect("x", "client", "Error", before="upstream:response.nope"), TURNS) is Verdict.BLOCKED
    assert verdict(expect("x", "client", "Error", after="a-step"), TURNS) is Verdict.BLOCKED


def test_what_is_forbidden_before_something_that_never_came_is_broken_all_the_same() -> None:
    check = forbid("x", "upstream", "response.create", before="upstream:session.updated")
    assert verdict(check, TURNS) is Verdict.FAIL


def test_a_step_names_the_instant_of_its_mark_and_audio_that_of_its_first_frame() -> None:
    timeline = """
        1.000 client   up   mark step {"index": 0, "id": "speech", "verb": "audio", "edge": "start"}
        2.000 upstream up   input_audio_buffer.commit {}
        3.000 client   up   mark step {"index": 0, "id": "speech", "verb": "audio", "edge": "end"}
        4.000 end
    """
    steps = (Audio(id="speech", source="silence"),)
    commit = "input_audio_buffer.commit"
    assert verdict(expect("x", "upstream", commit, after="speech", within="1s"), timeline, steps=steps) is Verdict.PASS
    assert verdict(expect("x", "upstream", commit, after="speech.end"), timeline, steps=steps) is Verdict.FAIL


def test_a_wait_names_the_instant_of_the_event_it_matched_not_of_its_mark() -> None:
    timeline = """
        0.000 client   up   mark step {"index": 0, "id": null, "verb": "connect", "edge": "start"}
        1.000 client   down SettingsApplied {}
        1.000 client   down ConversationText {}
        1.000 client   up   mark step {"index": 1, "id": "ready", "verb": "wait", "edge": "start"}
        2.000 end
    """
    steps = (Connect(), Wait(id="ready", leg=Leg.CLIENT, pattern="SettingsApplied", within=5_000_000))
    assert verdict(expect("x", "client", "ConversationText", after="ready"), timeline, steps=steps) is Verdict.PASS


def test_a_check_may_use_what_a_wait_saved() -> None:
    timeline = """
        1.000 client   down FunctionCallRequest {"functions": [{"id": "call_1"}]}
        1.000 client   up   mark step {"index": 0, "id": null, "verb": "wait", "edge": "start", "event": 0}
        1.100 upstream up   conversation.item.create {"item": {"call_id": "call_1"}}
    """
    steps = (
        Wait(leg=Leg.CLIENT, pattern="FunctionCallRequest", within=1, save={"call": "functions.0.id"}),
        Send(message="x"),
    )
    output = {"type": "conversation.item.create", "item": {"call_id": "${call}"}}
    assert verdict(expect("x", "upstream", output), timeline, steps=steps) is Verdict.PASS
    assert verdict(expect("x", "upstream", output), timeline) is Verdict.FAIL


def test_a_count_is_exact_or_a_range() -> None:
    assert verdict(expect("x", "upstream", "response.create", count=2), TURNS) is Verdict.PASS
    assert verdict(expect("x", "upstream", "response.create", count=1), TURNS) is Verdict.FAIL
    assert verdict(expect("x", "upstream", "response.create", count=3), TURNS) is Verdict.FAIL
    assert verdict(expect("x", "upstream", "response.create", count={"$gt": 1, "$lt": 3}), TURNS) is Verdict.PASS
    assert verdict(expect("x", "upstream", "response.create", count={"$gt": 2}), TURNS) is Verdict.FAIL
    assert verdict(forbid("x", "upstream", "response.create", count={"$gt": 1}), TURNS) is Verdict.FAIL
    assert verdict(forbid("x", "upstream", "response.create", count={"$gt": 2}), TURNS) is Verdict.PASS


def test_a_window_that_was_left_early_is_not_observed() -> None:
    quiet = forbid("x", "client", "Error", within="12s")
    left = """
        0.000 client up Settings {}
        5.000 client up close 1000
        5.010 end
    """
    assert verdict(quiet, left) is Verdict.NOT_OBSERVED
    assert verdict(quiet, left.replace("5.0", "12.0")) is Verdict.PASS


def test_nothing_more_can_come_once_the_other_side_has_closed() -> None:
    closed = """
        0.000 client up   Settings {}
        5.000 client down close 1000
        5.010 end
    """
    assert verdict(forbid("x", "client", "Error", within="12s"), closed) is Verdict.PASS


def test_a_neighbour_that_stays_open_is_watched_to_the_end() -> None:
    two = """
        0.000 client   up   open {}
        0.000 client#1 up   open {}
        0.001 client   up   Settings {}
        5.000 client#1 down close 1011
        8.000 end
    """
    assert verdict(forbid("x", "client", "Error", within="12s"), two) is Verdict.NOT_OBSERVED
    assert verdict(forbid("x", "client", "Error", within="7s"), two) is Verdict.PASS


def test_a_level_weighs_what_a_broken_check_comes_to() -> None:
    check = {"id_": "x", "leg": "upstream", "pattern": "response.create"}
    assert verdict(forbid(**check, level="must"), TURNS) is Verdict.FAIL
    assert verdict(forbid(**check, level="should"), TURNS) is Verdict.WARN
    assert verdict(forbid(**check, level="info"), TURNS) is Verdict.INFO
    assert verdict(forbid(**check, level="should", after="nothing"), TURNS) is Verdict.WARN


def test_on_the_real_clock_an_event_up_may_have_crossed_the_event_down_that_opens_the_window() -> None:
    check = forbid("x", "upstream", "response.create", after="upstream:response.created", before="upstream:response.done")
    near = TURNS.replace("1.100 upstream up", "1.040 upstream up")
    assert verdict(check, near) is Verdict.FAIL
    assert verdict(check, 'header {"clock": "real"}\n' + near) is Verdict.PASS
    assert verdict(check, 'header {"clock": "real"}\n' + TURNS) is Verdict.FAIL
