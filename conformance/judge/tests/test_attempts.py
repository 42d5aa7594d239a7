"""What an attempt comes to: messages, accidents, the harness's own errors."""

from dataclasses import replace

import pytest

from conformance.judge import judge
from conformance.judge.tests.attempts import IDLE, QUIET, result_of
from conformance.scenario.model import Connect, Send, Speaks, Wait
from conformance.targets.model import Target, Upstream
from conformance.tests.build import TARGET, cell, expect, forbid, parse_timeline
from conformance.verdicts import Blame, Verdict
from conformance.wire.frames import Leg


def test_the_message_says_what_was_expected_what_was_seen_and_when() -> None:
    result = result_of(QUIET, IDLE)
    assert result.message == (
        "no Error was allowed within 12s of ConversationText; "
        "Error 'server_error: The server had an error' came 4.997s after it"
    )
    assert (result.t, result.windows) == (5_012_000, ((15_000, 12_015_000),))
    assert result.cause == "server_error: The server had an error"


def test_what_is_missing_says_whether_it_came_too_late() -> None:
    late = expect("applied", "client", "SettingsApplied", within="10ms")
    assert result_of(late, IDLE).message == (
        "expected SettingsApplied within 10ms of the first client frame; the first came 3ms too late"
    )
    never = expect("x", "client", "FunctionCallRequest", within="2s")
    assert result_of(never, IDLE).message.endswith("; none came")


def test_a_wait_that_timed_out_fails_itself() -> None:
    waiting = """
        0.001 client   up   Settings {}
        0.010 upstream down session.created {}
        5.001 client   up   mark wait-timeout {"index": 1, "id": null, "pattern": "SettingsApplied"}
        6.000 end
    """
    steps = (Send(message={"type": "Settings"}), Wait(leg=Leg.CLIENT, pattern="SettingsApplied", within=5_000_000))
    result = result_of("wait:1", waiting, steps=steps)
    assert (result.verdict, result.blame) == (Verdict.FAIL, Blame.PROXY)
    assert result.message == "the client waited 5s for SettingsApplied; none came"


def test_a_wait_for_what_came_before_it_began_is_the_scripts_own_race() -> None:
    """Seen on the real clock: the upstream's response.done overtook the text that an earlier wait was for."""
    racing = """
        0.100 client   up   mark step {"index": 0, "id": null, "verb": "send", "edge": "start"}
        0.700 upstream down response.done {}
        0.800 client   down ConversationText {}
        0.800 client   up   mark step {"index": 1, "id": null, "verb": "wait", "edge": "start", "event": 2}
        5.800 client   up   mark wait-timeout {"index": 2, "id": null, "pattern": "response.done"}
        6.000 end
    """
    waits = tuple(
        Wait(leg=leg, pattern=pattern, within=5_000_000)
        for leg, pattern in ((Leg.CLIENT, "ConversationText"), (Leg.UPSTREAM, "response.done"))
    )
    steps = (Send(message={"type": "InjectUserMessage"}), *waits)
    result = result_of("wait:2", racing, steps=steps)
    assert (result.verdict, result.blame) == (Verdict.ERROR, Blame.HARNESS)
    earlier = racing.replace("0.700 upstream", "0.050 upstream").replace("0.100 client ", "0.060 client ")
    lines = earlier.splitlines()
    lines[1], lines[2] = lines[2], lines[1]
    assert result_of("wait:2", "\n".join(lines), steps=steps).verdict is Verdict.FAIL
    one_leg = racing.replace("upstream down response.done", "client   down AgentAudioDone")
    waits = (waits[0], Wait(leg=Leg.CLIENT, pattern="AgentAudioDone", within=5_000_000))
    result = result_of("wait:2", one_leg, steps=(steps[0], *waits))
    assert (result.verdict, result.blame) == (Verdict.FAIL, Blame.PROXY)
    assert result.message == (
        "the client waited 5s for AgentAudioDone; none came any more: one had come at 700ms, before this wait began"
    )


def test_a_connection_that_could_not_be_made_fails_by_the_subject() -> None:
    failed = """
        0.001 client up mark connect-failed {"index": 0, "id": "in", "status": 502, "message": "HTTP 502"}
    """
    result = result_of("connect:in", failed, steps=(Connect(id="in"),))
    assert (result.verdict, result.blame) == (Verdict.FAIL, Blame.PROXY)
    real = Target(name="real", upstream=Upstream.REAL, speaks=frozenset({Speaks.REALTIME}))
    result = result_of("connect:in", failed, target=real, speaks=Speaks.REALTIME)
    assert (result.verdict, result.blame) == (Verdict.ERROR, Blame.HARNESS)


def test_a_proxy_may_pass_on_the_refusal_that_the_scenario_scripted() -> None:
    refused = """
        0.001 upstream up open {"status": 401}
        0.002 client   up mark connect-failed {"index": 0, "id": null, "status": 502, "message": "HTTP 502"}
    """
    assert result_of("connect:0", refused).verdict is Verdict.INFO
    assert result_of("connect:0", 'header {"fault": "refuse-401"}\n' + refused).blame is Blame.UPSTREAM


def test_a_subject_that_died_fails_the_attempt_with_its_last_words() -> None:
    died = """
        0.001 client up Settings {}
        0.500 end died {"message": "the proxy exited with code 139", "log": ["a", "Segmentation fault"]}
    """
    judgement = judge(cell(expect("x", "client", "SettingsApplied", within="2s")), parse_timeline(died), TARGET, rules={})
    subject, applied = judgement.checks
    assert (judgement.verdict, subject.blame) == (Verdict.FAIL, Blame.PROXY)
    assert subject.message == "the proxy exited with code 139\n  | a\n  | Segmentation fault"
    assert applied.verdict is Verdict.NOT_OBSERVED


@pytest.mark.parametrize(
    ("end", "verdict", "blame"),
    [
        ('1.0 end error {"message": "cannot pair"}', Verdict.ERROR, Blame.HARNESS),
        ('1.0 end cancelled {"message": "Ctrl-C"}', Verdict.NOT_OBSERVED, None),
    ],
)
def test_what_befell_the_harness_is_no_failure(end: str, verdict: Verdict, blame: Blame | None) -> None:
    judgement = judge(cell(QUIET), parse_timeline(f"0.0 client up Settings {{}}\n{end}"), TARGET, rules={})
    assert [(r.verdict, r.blame) for r in judgement.checks] == [(verdict, blame)]
    assert judgement.verdict is verdict


def test_a_recording_that_was_cut_off_is_an_error_of_the_harness() -> None:
    recording = replace(parse_timeline(IDLE), footer=None)
    assert judge(cell(QUIET), recording, TARGET, rules={}).verdict is Verdict.ERROR


def test_what_an_external_target_does_not_speak_is_unsupported() -> None:
    external = Target(url="ws://127.0.0.1:9", mock_port=9)
    realtime = cell(QUIET, speaks=Speaks.REALTIME)
    assert judge(realtime, parse_timeline(IDLE), external).verdict is Verdict.UNSUPPORTED
    assert judge(realtime, parse_timeline(IDLE), TARGET, rules={}).verdict is not Verdict.UNSUPPORTED


REAL_LATE = """
    header {"clock": "real"}
    0.000 client up   Settings {}
    2.040 client down SettingsApplied {}
    6.000 end finished {"lateness": 60000}
"""


def test_a_failed_check_that_the_harness_own_lateness_explains_is_an_error() -> None:
    applied = expect("x", "client", "SettingsApplied", within="2s")
    assert result_of(applied, REAL_LATE).verdict is Verdict.ERROR
    assert result_of(applied, REAL_LATE.replace("60000", "30000")).verdict is Verdict.FAIL
    assert result_of(applied, REAL_LATE.replace('"real"', '"virtual"')).verdict is Verdict.FAIL


def test_a_forbidden_event_that_lateness_may_have_moved_into_the_window_is_an_error() -> None:
    quiet = forbid("x", "client", "SettingsApplied", within="2050ms")
    assert result_of(quiet, REAL_LATE).verdict is Verdict.ERROR
    assert result_of(forbid("x", "client", "SettingsApplied", within="3s"), REAL_LATE).verdict is Verdict.FAIL


def test_a_client_frame_sent_later_than_the_checks_own_window_is_an_error_of_the_harness() -> None:
    late = """
        header {"clock": "real"}
        0.000 client   up   Settings {}
        1.000 client   up   mark lateness {"index": 1, "us": 700000}
        1.200 upstream up   input_audio_buffer.append 20ms
        6.000 end
    """
    check = expect("x", "upstream", "input_audio_buffer.append", within="450ms", count=3)
    result = result_of(check, late)
    assert (result.verdict, result.blame) == (Verdict.ERROR, Blame.HARNESS)


def test_a_mock_that_failed_is_the_harness_and_not_an_upstream_that_ended() -> None:
    ended = """
        0.000 client   up   Settings {}
        0.010 upstream up   open
        0.020 upstream down mark mock-failed {"error": "KeyError"}
        0.020 upstream down close 1011
        0.030 client   down Error {"code": "upstream_closed"}
        0.030 client   down close 1011
    """
    quiet = forbid("no-error", "client", "Error")
    judgement = judge(cell(quiet), parse_timeline(ended), TARGET)
    assert [(check.id, check.verdict, check.blame) for check in judgement.checks] == [
        ("attempt", Verdict.ERROR, Blame.HARNESS)
    ]
    assert "our own mock failed (KeyError)" in judgement.checks[0].message
    assert judge(cell(quiet), parse_timeline(ended.replace("mock-failed", "note")), TARGET).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("fault", "line", "acted"),
    [
        ("idle-error", '5.000 upstream down mark fault {"name": "idle-error"}', True),
        ("idle-error", "5.000 upstream down error {}", False),
        ("slow-accept", '0.000 upstream up   open {"path": "/"}', True),
    ],
)
def test_a_judgement_tells_whether_the_fault_did_anything(fault: str, line: str, acted: bool) -> None:
    made = parse_timeline(f"""
        header {{"fault": "{fault}"}}
        {line}
        6.000 end
    """)
    assert judge(cell(), made, TARGET).faulted is acted
