"""What failing attempts show: clusters, first divergence, the first second, lateness, coverage."""

from dataclasses import replace
from pathlib import Path

from conformance.verdicts import Blame, CheckKind, Verdict
from conformance.wire.frames import Leg
from reports.clusters import clusters
from reports.coverage import requirements
from reports.divergence import diverge
from reports.lateness import lateness
from reports.library import Library
from reports.opening import openings
from reports.story import LineKind, tell, title
from reports.tally import cells
from reports.tests import runs
from reports.tests.runs import Run, check


def test_failures_that_look_alike_share_a_cluster_across_flows(tmp_path: Path) -> None:
    results = runs.seeds_run(3).write(tmp_path)
    [cluster] = clusters(results.attempts, Library(tmp_path))
    assert len(cluster.attempts) == 6
    assert cluster.flows == ("greeting", "idle")
    signature = cluster.signature
    assert (signature.check, signature.blame, signature.code) == ("UP-NO-ERROR", Blame.UPSTREAM, "server_error")
    assert (signature.last_client, signature.last_upstream) == ("Error ↓", "error ↓")
    assert (cluster.first, cluster.last) == (5.004, 5.004)


def test_the_largest_cluster_comes_first_and_known_ones_last(tmp_path: Path) -> None:
    results = runs.known_run().write(tmp_path)
    found = clusters(results.attempts, Library(tmp_path))
    assert [cluster.known for cluster in found] == [False, True]


def test_the_failing_attempt_leaves_the_path_at_the_error(tmp_path: Path) -> None:
    results = runs.seeds_run(2).write(tmp_path)
    failing = next(attempt for attempt in results.attempts if attempt.verdict is Verdict.FAIL)
    found = diverge(failing, results.attempts, Library(tmp_path))
    assert found is not None
    assert found.related == "the same scenario"
    assert found.leg is Leg.UPSTREAM
    first = found.first
    assert first is not None
    assert first.failing is not None
    assert (first.failing.type, first.failing.t, first.passing) == ("error", 5_004_000, None)
    assert len(found.steps) <= 11
    assert [(change.event, change.path) for change in found.changes] == [
        ("Settings", "agent.idleTimeoutMs"),
        ("session.update", "session.audio.input.turn_detection"),
    ]
    assert found.off_time is None


def test_ids_never_count_as_a_difference(tmp_path: Path) -> None:
    run = Run()
    run.add(*runs.seeds_attempt("firm-audio/silence", None, 1))
    run.add(*runs.seeds_attempt("firm-audio/silence", None, 2))
    results = run.write(tmp_path)
    found = diverge(results.attempts[0], results.attempts[1:], Library(tmp_path))
    assert found is not None
    assert found.leg is None
    assert found.changes == ()


def test_an_event_off_its_time_is_named_with_the_times_it_has_elsewhere(tmp_path: Path) -> None:
    run = Run()
    for number in range(1, 4):
        run.add(*runs.seeds_attempt("greeting/idle", None, number, fails=False))
    made, recording = runs.seeds_attempt("greeting/idle", None, 4, at=9.0)
    late = tuple(
        replace(frame, t=frame.t + 700_000) if frame.type == "session.updated" else frame for frame in recording.frames
    )
    run.add(made, replace(recording, frames=late))
    results = run.write(tmp_path)
    found = diverge(results.attempts[-1], results.attempts, Library(tmp_path))
    assert found is not None
    assert found.off_time is not None
    assert (found.off_time.line.type, found.off_time.low, found.off_time.among) == ("session.updated", 65_000, 3)


def test_a_failure_without_any_passing_relative_is_shown_alone_around_the_event_that_decided(tmp_path: Path) -> None:
    run = Run()
    run.add(*runs.seeds_attempt("greeting/idle", None, 1))
    results = run.write(tmp_path)
    found = diverge(results.attempts[0], results.attempts, Library(tmp_path))
    assert found is not None
    assert found.passing is None
    assert found.first is not None
    assert found.first.failing is not None
    assert (found.leg, found.first.failing.type) == (Leg.UPSTREAM, "error")


def test_a_failure_without_a_recording_is_not_shown(tmp_path: Path) -> None:
    made, _ = runs.seeds_attempt("greeting/idle", None, 1)
    assert diverge(made, [made], Library(tmp_path)) is None


def test_the_first_second_shows_what_the_passing_flow_did_and_the_failing_did_not(tmp_path: Path) -> None:
    results = runs.seeds_run(2).write(tmp_path)
    rows = openings(cells(results.attempts), Library(tmp_path))
    told = {(row.flow, row.cells): ([act.at is not None for act in row.acts], row.error) for row in rows}
    assert told["firm-audio", "idle_timeout_ms null"] == ([True, True, True], None)
    assert told["firm-audio", "idle_timeout_ms 10000 or 30000 · 2 cells"] == ([True, False, False], None)
    assert told["greeting", "idle_timeout_ms null"] == ([False, False, False], 5.004)
    assert told["idle", "idle_timeout_ms 10000 or 30000 · 2 cells"] == ([False, False, False], None)


def test_audio_is_folded_into_one_line_with_its_duration_and_deltas_into_one_text() -> None:
    _, recording = runs.seeds_attempt("firm-audio/silence", None, 1)
    lines = tell(recording)
    up = next(line for line in lines if line.type == "input_audio_buffer.append")
    assert (up.kind, up.count, up.ms, title(up)) == (LineKind.AUDIO, 10, 200.0, "input_audio_buffer.append ×10, 200 ms")
    words = next(line for line in lines if line.type == "response.output_audio_transcript.delta")
    assert (words.count, words.data["delta"]) == (6, "word 0 word 1 word 2 word 3 word 4 word 5 ")
    assert [line.ms for line in lines if line.kind is LineKind.AUDIO and line.dir == "down"] == [600.0, 600.0]


def test_a_requirement_nobody_looked_at_is_shown_as_such() -> None:
    made, _ = runs.seeds_attempt("greeting/idle", None, 1)
    entry = {"rule": "RT-TOOL-ORDER", "observed_by": [], "broken_by": ["tools/order#early"]}
    rows = requirements([replace(made, observed=("VA-READY",))], {"coverage": [entry, "nonsense"]})
    assert [(row.rule, row.attempts, row.broken) for row in rows] == [
        ("UP-NO-ERROR", 1, 1),
        ("RT-TOOL-ORDER", 0, 0),
        ("VA-READY", 1, 0),
    ]
    assert rows[1].mutants == ("tools/order#early",)


def test_lateness_comes_from_the_footers(tmp_path: Path) -> None:
    run = Run()
    for number, late in enumerate((0, 2_000, 25_000), start=1):
        made, recording = runs.seeds_attempt("greeting/idle", None, number, fails=False)
        assert recording.footer is not None
        run.add(made, replace(recording, footer=replace(recording.footer, lateness=late)))
    results = run.write(tmp_path)
    found = lateness(results.attempts, Library(tmp_path))
    assert found is not None
    assert (found.n, found.median, found.maximum, found.late) == (3, 2.0, 25.0, 1)
    assert [attempt.attempt for attempt, _ in found.worst] == [3]


def test_the_earliest_check_decides_and_a_rule_goes_before_a_scenarios_own_check() -> None:
    from reports.evidence import first_failure

    made, _ = runs.seeds_attempt("greeting/idle", None, 1)
    rule = check("VA-READY", Verdict.FAIL, kind=CheckKind.RULE, t=1_000)
    own = check("own", Verdict.FAIL, t=1_000)
    later = check("later", Verdict.FAIL, t=2_000)
    first = first_failure(replace(made, verdict=Verdict.FAIL, checks=(later, own, rule)))
    assert first is rule
