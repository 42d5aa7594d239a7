"""What crosses on the wire is nobody's failure."""

from dataclasses import replace

from conformance.judge import judge
from conformance.runner import AttemptPlan, record
from conformance.scenario.load import library, load
from conformance.targets.model import Target
from conformance.verdicts import Verdict
from conformance.wire.frames import Leg
from conformance.wire.script import Script


def test_a_cancel_that_comes_after_the_end_of_a_short_answer_is_nobodys_failure() -> None:
    [cell] = load(library() / "barge-in" / "realtime.yaml").cells()
    short = replace(cell, script=Script(settings={"transcript": "Hi."}))
    recording = record(AttemptPlan(cell=short))
    refused = [frame for frame in recording.frames if frame.leg is Leg.CLIENT and frame.type == "error"]
    assert [frame.data["error"]["code"] for frame in refused] == ["response_cancel_not_active"] * 2, "the first came late"
    judged = judge(short, recording, Target())
    assert judged.verdict is Verdict.PASS, [check.message for check in judged.checks if check.verdict is not Verdict.PASS]
