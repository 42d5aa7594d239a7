# ruff: noqa: E501  # a line of a timeline is one frame
"""Commits: how much, whose, and when."""

import pytest

from conformance.rules.model import RULES
from conformance.rules.tests.says import DONE, case, says
from conformance.verdicts import Level

SPEAK = """use ready
    0.100 client   up   binary 1250ms
    0.100 upstream up   input_audio_buffer.append 1250ms
"""


@pytest.mark.parametrize(("ms", "causes"), [(100, []), (99, ["input_audio_buffer.commit"])])
def test_a_commit_needs_100_ms(ms: int, causes: list[str]) -> None:
    timeline = f"use ready\n0.1 upstream up input_audio_buffer.append {ms}ms\n0.5 upstream up input_audio_buffer.commit"
    assert says("RT-COMMIT-MIN", timeline) == causes


def test_the_100_ms_count_since_the_last_commit_and_a_clear_forgets_them() -> None:
    start = "use ready\n0.1 upstream up input_audio_buffer.append 150ms\n"
    commit = "upstream up input_audio_buffer.commit"
    assert says("RT-COMMIT-MIN", f"{start}0.5 {commit}\n0.6 {commit}") == ["input_audio_buffer.commit"]
    assert says("RT-COMMIT-MIN", f"{start}0.2 upstream up input_audio_buffer.clear\n0.5 {commit}") == [
        "input_audio_buffer.commit"
    ]


def test_the_upstream_rate_decides() -> None:
    timeline = """
        0.010 upstream up   session.update {"session": {"audio": {"input": {"turn_detection": null, "format": {"type": "audio/pcmu"}}}}}
        0.020 upstream down session.updated {"session": {"audio": {"input": {"format": {"type": "audio/pcmu"}}}}}
        0.100 upstream up   input_audio_buffer.append 100ms
        0.500 upstream up   input_audio_buffer.commit"""
    assert says("RT-COMMIT-MIN", timeline) == []


def test_where_the_server_took_the_audio_first_only_the_owner_rule_reports() -> None:
    timeline = """use ready-vad
        0.100 upstream up   input_audio_buffer.append 300ms
        0.400 upstream down input_audio_buffer.committed {"item_id": "i1"}
        0.500 upstream up   input_audio_buffer.commit"""
    assert says("RT-COMMIT-MIN", timeline) is None
    assert says("RT-COMMIT-OWNER", timeline) == ["input_audio_buffer.commit"]
    too_little = "use ready-vad\n0.1 upstream up input_audio_buffer.append 50ms\n0.5 upstream up input_audio_buffer.commit"
    assert says("RT-COMMIT-MIN", too_little) == ["input_audio_buffer.commit"]


@pytest.mark.parametrize(
    ("session", "causes"),
    [
        ('{"audio": {"input": {"turn_detection": null}}}', None),
        ('{"turn_detection": null}', None),
        ('{"audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}}', ["input_audio_buffer.commit"]),
        ('{"audio": {"input": {}}}', ["input_audio_buffer.commit"]),
    ],
)
def test_who_owns_the_commits_is_what_the_update_says(session: str, causes: list[str] | None) -> None:
    timeline = f"""
        0.010 upstream up   session.update {{"session": {session}}}
        0.020 upstream down session.updated
        0.100 upstream up   input_audio_buffer.append 300ms
        0.500 upstream up   input_audio_buffer.commit"""
    assert says("RT-COMMIT-OWNER", timeline) == causes


def test_for_realtime_clients_the_owner_rule_is_a_should() -> None:
    timeline = """header {"speaks": "realtime"}
        0.010 upstream down session.created
        0.100 upstream up   input_audio_buffer.append 300ms
        0.500 upstream up   input_audio_buffer.commit"""
    findings = RULES["RT-COMMIT-OWNER"].judge(case(timeline, subject=False))
    assert findings
    assert findings[0].level is Level.SHOULD
    assert RULES["RT-COMMIT-OWNER"].realtime


def test_a_refused_update_leaves_the_servers_detection_on() -> None:
    timeline = """
        0.010 upstream up   session.update {"session": {"audio": {"input": {"turn_detection": null}}, "bogus": 1}}
        0.020 upstream down error {"error": {"type": "invalid_request_error", "code": "unknown_parameter", "param": "session.bogus"}}
        0.100 upstream up   input_audio_buffer.append 300ms
        0.500 upstream up   input_audio_buffer.commit"""
    assert says("RT-COMMIT-OWNER", timeline) == ["input_audio_buffer.commit"]


@pytest.mark.parametrize(("at", "causes"), [("3.0", []), ("3.2", ["input_audio_buffer.commit"])])
def test_a_pause_is_followed_by_a_commit_within_3_s(at: str, causes: list[str]) -> None:
    assert says("RT-COMMIT-COMES", f"{SPEAK}{at} upstream up input_audio_buffer.commit\n9 end") == causes


def test_audio_under_the_targets_first_minimum_may_wait() -> None:
    assert says("RT-COMMIT-COMES", f"{SPEAK}9 end", first_commit_min=2_000_000) is None
    assert says("RT-COMMIT-COMES", f"{SPEAK}9 end", first_commit_min=1_000_000) == ["input_audio_buffer.commit"]
    assert says("RT-COMMIT-COMES", "use ready\n0.1 upstream up input_audio_buffer.append 80ms\n9 end") is None


def test_the_clients_close_ends_the_wait() -> None:
    assert says("RT-COMMIT-COMES", f"{SPEAK}2.0 client up close 1000\n9 end") == []


def test_a_commit_may_wait_for_the_end_of_a_response() -> None:
    timeline = f"""{SPEAK}
        0.300 upstream down response.created {{"response": {{"id": "r1"}}}}
        5.000 upstream down {DONE}
        7.000 upstream up   input_audio_buffer.commit
        20.00 end"""
    assert says("RT-COMMIT-COMES", timeline) == []
    assert says("RT-COMMIT-COMES", timeline.replace("7.000 upstream up   input_audio_buffer.commit", "")) == [
        "input_audio_buffer.commit"
    ]
    endless = timeline.replace(f"5.000 upstream down {DONE}", "").replace(
        "7.000 upstream up   input_audio_buffer.commit", ""
    )
    assert says("RT-COMMIT-COMES", endless) == []


def stream(start: float, end: float, step: float = 0.2) -> str:
    count = round((end - start) / step)
    return "\n".join(
        f"{start + n * step:.2f} upstream up input_audio_buffer.append {step * 1000:.0f}ms" for n in range(count)
    )


@pytest.mark.parametrize("step", [0.02, 0.2])
def test_a_stream_without_pauses_is_committed_every_3_s(step: float) -> None:
    silent = f"use ready\n{stream(0.1, 5.1, step)}\n5.1 end"
    assert says("RT-COMMIT-STREAM", silent) == ["input_audio_buffer.commit"]
    commit = "2.99 upstream up input_audio_buffer.commit"
    kept = f"use ready\n{stream(0.1, 2.9, step)}\n{commit}\n{stream(3.0, 5.0, step)}\n5.0 end"
    assert says("RT-COMMIT-STREAM", kept) == []


def test_a_stream_may_wait_for_the_end_of_a_response() -> None:
    timeline = f"""use ready
        {stream(0.1, 1.1)}
        1.100 upstream down response.created {{"response": {{"id": "r1"}}}}
        {stream(1.2, 5.0)}
        5.000 upstream down {DONE}
        {stream(5.1, 7.1)}
        7.200 upstream up   input_audio_buffer.commit
        9.000 end"""
    assert says("RT-COMMIT-STREAM", timeline) == []
    assert says("RT-COMMIT-AFTER-RESPONSE", timeline) == []


def test_a_rest_that_is_committed_with_what_follows_is_kept() -> None:
    timeline = f"""use responding
        0.200 upstream up   input_audio_buffer.append 50ms
        0.900 upstream down {DONE}
        5.000 upstream up   input_audio_buffer.append 500ms
        5.900 upstream up   input_audio_buffer.commit
        9.000 end"""
    assert says("RT-COMMIT-TAIL", timeline) == []


def test_with_the_servers_detection_on_nothing_waits_for_a_commit_of_ours() -> None:
    timeline = "use ready-vad\n0.1 upstream up input_audio_buffer.append 1250ms\n9 end"
    for rule in ("RT-COMMIT-COMES", "RT-COMMIT-STREAM", "RT-COMMIT-AFTER-RESPONSE", "RT-COMMIT-TAIL"):
        assert says(rule, timeline) is None


def test_after_the_clients_close_a_late_commit_is_a_matter_of_the_close_rules_only() -> None:
    timeline = f"{SPEAK}0.2 client up close 1000\n0.3 upstream up input_audio_buffer.append 10ms\n0.4 upstream up input_audio_buffer.commit\n0.5 upstream up close 1000"
    assert says("RT-COMMIT-MIN", timeline) is None
    assert says("RT-CLOSE-QUIET", timeline) == ["input_audio_buffer.append", "input_audio_buffer.commit"]
    assert says("RT-CLOSE-COMMITS", timeline) == []


def test_audio_that_is_cleared_away_was_not_committed() -> None:
    clear = "0.5 upstream up input_audio_buffer.clear"
    assert says("RT-COMMIT-COMES", f"{SPEAK}{clear}\n9 end") == ["input_audio_buffer.commit"]
    assert says("RT-COMMIT-COMES", f"{SPEAK}0.4 upstream up input_audio_buffer.commit\n{clear}\n9 end") == []
    answering = """0.090 upstream down response.created {"response": {"id": "r1"}}
        0.600 upstream down response.done {"response": {"id": "r1", "status": "completed"}}"""
    spoken = SPEAK.replace("use ready", f"use ready\n{answering.splitlines()[0]}") + answering.splitlines()[1]
    assert says("RT-COMMIT-AFTER-RESPONSE", f"{spoken}\n0.7 {clear[4:]}\n9 end") == ["input_audio_buffer.commit"]
