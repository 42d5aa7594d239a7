"""A gateway that others wrote, as a subject that speaks Realtime."""

import asyncio

from conformance.clock import Clock
from conformance.judge import Judgement, judge
from conformance.runner import AttemptPlan, record_async
from conformance.scenario.load import library, load
from conformance.scenario.model import Cell, Speaks
from conformance.targets.external import ExternalSubject
from conformance.targets.model import Target
from conformance.verdicts import Verdict
from conformance.wire.durations import SECOND


def cells(*names: str) -> list[Cell]:
    return [cell for name in names for cell in load(library() / f"{name}.yaml").cells()]


async def test_a_pass_through_gateway_keeps_every_rule(gateway: str) -> None:
    target = Target(
        name="gateway",
        url="ws://127.0.0.1:{port}/v1/realtime",
        command=gateway,
        env={"PORT": "{port}", "UPSTREAM_URL": "{upstream_url}"},
        speaks=frozenset({Speaks.REALTIME}),
    )

    async def judged(subject: ExternalSubject, cell: Cell) -> Judgement:
        recording = await record_async(AttemptPlan(cell=cell, target=target, clock=Clock.REAL), subject=subject)
        return judge(cell, recording, target)

    async with ExternalSubject(target, ready=200 * SECOND) as subject:
        found = await asyncio.gather(*(judged(subject, cell) for cell in cells("text/realtime", "function-call/realtime")))
    assert len(found) >= 2
    for judgement in found:
        assert judgement.verdict is Verdict.PASS, judgement.checks
        assert "GW-TRANSPARENT" in judgement.observed
