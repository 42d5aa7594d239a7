"""The seeds' finding, from attempts against the mock under its idle error: the report says by itself what took months."""

from dataclasses import replace
from pathlib import Path

from conformance.judge import judge
from conformance.results import AttemptResult, Results, summarise
from conformance.runner import AttemptPlan, record
from conformance.scenario.load import library, load
from conformance.targets.model import Target
from conformance.verdicts import Blame
from conformance.wire.frames import Leg
from conformance.wire.recording import dump
from conformance.wire.script import Fault
from reports.analysis import Analysis
from reports.opening import openings
from reports.page.curves import survival_chart

SCENARIOS = ("firm-audio/speech", "greeting/idle", "idle/connected")
COUNT = 5


def driven(folder: Path) -> Results:
    """Drive the seeds' three flows through the reference proxy, with the mock's idle error on."""
    attempts = []
    for scenario in SCENARIOS:
        for cell in load(library() / f"{scenario}.yaml").cells():
            for number in range(1, COUNT + 1):
                recording = record(AttemptPlan(cell=cell, attempt=number, seed=number, fault=Fault("idle-error")))
                judgement = judge(cell, recording, Target())
                path = f"recordings/{scenario}/{cell.label}/{number}.jsonl"
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(dump(recording))
                attempts.append(
                    AttemptResult(
                        scenario=scenario,
                        flow=cell.flow,
                        cell=cell.values,
                        attempt=number,
                        target="mock",
                        seed=number,
                        verdict=judgement.verdict,
                        checks=judgement.checks,
                        duration_s=recording.end / 1e6,
                        wall_s=0.0,
                        recording=path,
                    )
                )
    return replace(summarise(attempts), run={"argv": ["--fault", "idle-error"], "seed": 0, "clock": "virtual"})


def test_the_report_finds_what_the_seeds_found(tmp_path: Path) -> None:
    analysis = Analysis(driven(tmp_path), tmp_path)
    assert str(analysis.sentence) == (
        "greeting and idle fail in every one of 10 attempts where idle_timeout_ms is null, from second 5.0 on, and the "
        "upstream is to blame; with idle_timeout_ms 10000 or 30000 they pass 20 of 20 (p < 0.0001), while firm-audio "
        "passes 15 of 15."
    )
    [*clusters] = analysis.clusters
    assert {(cluster.signature.check, cluster.signature.blame) for cluster in clusters} == {("UP-NO-ERROR", Blame.UPSTREAM)}
    first = analysis.divergences[0]
    assert first.leg is Leg.UPSTREAM
    assert first.first is not None
    assert first.first.failing is not None
    assert first.first.failing.type == "error"
    assert "session.audio.input.turn_detection" in {change.path for change in first.changes}
    rows = {(row.flow, row.error is None): row for row in openings(analysis.cells, analysis.library)}
    assert rows["firm-audio", True].acts[0].at is not None, "firm-audio sends audio at once"
    assert [act.at for act in rows["greeting", False].acts] == [None, None, None], "greeting sends nothing"
    chart = survival_chart(analysis.cells)
    assert chart is not None
    assert [line.fall.name for line in chart.lines if line.fall is not None] == ["5.0 s"]
    assert [mark.name for mark in chart.timeouts] == ["idle_timeout_ms 10000"]
