"""Gateways in the library's Realtime cells: an honest one breaks nothing, each that meddles is found out."""

from typing import Any

import pytest

from conformance.judge import Judgement, judge
from conformance.judge.tests.gateways import GATEWAY, Gateway, Meddle
from conformance.judge.tests.test_library import cells
from conformance.runner import AttemptPlan, record
from conformance.scenario.model import Cell, Speaks
from conformance.verdicts import Blame, Verdict

HEARD_AT_LENGTH = ("barge-in", "experiment", "vad")
"""Flows of long audio: it takes the virtual clock long over TCP and shows nothing of a gateway that firm-audio does not."""
FIRST = {
    cell.scenario: cell
    for cell in reversed(list(cells()))
    if cell.speaks is Speaks.REALTIME and cell.flow not in HEARD_AT_LENGTH
}
"""The first cell of each other scenario that speaks Realtime."""


def through(cell: Cell, meddle: Meddle | None = None) -> Judgement:
    return judge(cell, record(AttemptPlan(cell=cell, target=GATEWAY, seed=0), subject=Gateway(meddle)), GATEWAY)


@pytest.mark.parametrize("cell", FIRST.values(), ids=FIRST)
def test_what_passes_through_an_honest_gateway_is_whole(cell: Cell) -> None:
    judgement = through(cell)
    assert "GW-TRANSPARENT" in judgement.observed
    red = [check for check in judgement.checks if check.verdict not in (Verdict.PASS, Verdict.INFO)]
    assert red == []


def drops(event: dict[str, Any]) -> list[dict[str, Any]]:
    return [] if event["type"] == "response.created" else [event]


def doubles(event: dict[str, Any]) -> list[dict[str, Any]]:
    return [event, event] if event["type"] == "response.created" else [event]


def rewrites(event: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**event, "event_id": "event_of_the_gateway"}] if event["type"] == "response.created" else [event]


@pytest.mark.parametrize(
    ("meddle", "cause"),
    [
        (drops, "down response.created"),
        (doubles, "down extra response.created"),
        (rewrites, "down response.created event_id"),
    ],
)
def test_a_gateway_that_meddles_is_found_and_blamed(meddle: Meddle, cause: str) -> None:
    found = [check for check in through(FIRST["text/realtime"], meddle).checks if check.id == "GW-TRANSPARENT"]
    assert [(check.cause, check.verdict, check.blame) for check in found] == [(cause, Verdict.FAIL, Blame.PROXY)]
