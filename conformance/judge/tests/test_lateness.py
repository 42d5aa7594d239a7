"""Our own lateness is never the subject's: a rule's deadline that only we could have missed is an error of the harness."""

import pytest

from conformance.judge import judge
from conformance.judge.lateness import without_absence, without_lateness
from conformance.targets.model import Target
from conformance.tests.build import cell, parse_timeline
from conformance.verdicts import Blame, Verdict

TURN = """
header {{"clock": "real"}}
0.000 client   up   open
0.001 client   up   Settings {{}}
0.002 upstream up   open
0.003 upstream down session.created
0.004 upstream up   session.update {{"session": {{"type": "realtime"}}}}
0.005 upstream down session.updated
3.505 client   down SettingsApplied
6.000 client   up   close 1000
6.100 end finished {{"lateness": {lateness}}}
"""


@pytest.mark.parametrize(
    ("late_ms", "verdict", "blame"),
    [(0, Verdict.FAIL, Blame.PROXY), (800, Verdict.FAIL, Blame.PROXY), (1_600, Verdict.ERROR, Blame.HARNESS)],
)
def test_a_deadline_missed_by_less_than_our_lateness_is_our_error(late_ms: int, verdict: Verdict, blame: Blame) -> None:
    made = parse_timeline(TURN.format(lateness=late_ms * 1000))
    found = next(check for check in judge(cell(), made, Target()).checks if check.id == "VA-READY")
    assert (found.verdict, found.blame) == (verdict, blame)


def test_moving_frames_earlier_keeps_their_order_and_leaves_our_own_where_they_were() -> None:
    made = parse_timeline(TURN.format(lateness=0))
    moved = without_lateness(made, 2_000_000)
    assert [frame.seq for frame in moved.frames] == [frame.seq for frame in made.frames]
    times = [frame.t for frame in moved.frames]
    assert times == sorted(times)
    assert moved.frames[-2].t == 1_505_000
    assert moved.frames[-1].t == 6_000_000


def test_what_the_upstream_sent_while_we_were_away_does_not_hold_the_subjects_frame_back() -> None:
    """Seen on a busy machine: two events and the proxy's answer to the first all stand where the loop came back."""
    made = parse_timeline("""
        header {"clock": "real"}
        0.100 client   up   Settings {}
        0.200 upstream down response.done {}
        1.700 upstream down rate_limits.updated {}
        1.700 client   up   mark step {}
        1.701 client   down AgentAudioDone {}
    """)
    moved = without_lateness(made, 1_000_000)
    assert [frame.t for frame in moved.frames] == [100_000, 200_000, 701_000, 701_000, 701_000]


def test_a_pause_that_our_own_client_made_while_we_were_away_is_no_pause() -> None:
    """Seen on a busy machine: neither the client's next frame nor the proxy's commit could come while we were away."""
    made = parse_timeline("""
        header {"clock": "real"}
        0.500 client   up   binary 20ms
        3.500 upstream up   input_audio_buffer.append 20ms
        3.600 client   up   mark away {"us": 3000000}
        3.601 client   up   binary 20ms
        3.700 upstream up   input_audio_buffer.commit
    """)
    assert [frame.t for frame in without_absence(made).frames] == [500_000, 600_000, 600_000, 601_000, 700_000]


def test_what_could_not_be_seen_before_the_end_because_we_were_away_is_not_missing() -> None:
    made = parse_timeline("""
        header {"clock": "real"}
        0.100 client   up   Settings {}
        5.000 client   up   mark away {"us": 4000000}
        5.100 end finished {"lateness": 4000000}
    """)
    assert without_absence(made).end == 1_100_000


def test_an_absence_that_began_before_the_attempt_moves_nothing_before_its_start() -> None:
    made = parse_timeline("""
        header {"clock": "real"}
        0.000 client   up   open
        0.050 client   up   mark away {"us": 900000}
        0.070 client   up   Settings {}
    """)
    assert [frame.t for frame in without_absence(made).frames] == [0, 0, 20_000]
