"""Proxies that only choose otherwise where the contract leaves a choice fail nothing."""

import pytest

from conformance.judge import judge
from conformance.reference_proxy.translator import Translator
from conformance.runner import AttemptPlan, record
from conformance.runner.in_memory import InMemory
from conformance.scenario.load import is_scenario, library, load
from conformance.scenario.model import Cell, Speaks
from conformance.targets.model import Target
from conformance.tests.zoo.cousins import COUSINS
from conformance.verdicts import Verdict
from conformance.wire.recording import Recording

TARGET = Target()
HEAVY = "hostile-client/large"
TELLING = ("null-code-idle", "odd-pcm-when-ready")
"""The cells more that cousins need to show their choices."""


def _cells() -> list[Cell]:
    """Return the last cell of each voice-agent scenario, and those that show more."""
    scenarios = [load(path).cells() for path in sorted(library().rglob("*.yaml")) if is_scenario(path)]
    chosen = [cell for cells in scenarios for cell in cells if cell is cells[-1] or cell.label in TELLING]
    return [cell for cell in chosen if cell.speaks is Speaks.VOICE_AGENT and cell.scenario != HEAVY]


CELLS = _cells()


def _record(cell: Cell, translator: type[Translator]) -> Recording:
    return record(AttemptPlan(cell=cell, target=TARGET, seed=0), subject=InMemory(translator))


def _seen(recording: Recording) -> list[tuple[object, ...]]:
    return [(frame.t, frame.leg, frame.dir, frame.type, frame.data) for frame in recording.frames]


@pytest.fixture(scope="module")
def plain() -> list[list[tuple[object, ...]]]:
    return [_seen(_record(cell, Translator)) for cell in CELLS]


@pytest.mark.parametrize("cousin", COUSINS, ids=lambda cousin: cousin.__name__)
def test_a_proxy_that_chooses_otherwise_fails_nothing(
    cousin: type[Translator], plain: list[list[tuple[object, ...]]]
) -> None:
    recordings = [_record(cell, cousin) for cell in CELLS]
    failed = [
        f"{cell.scenario}[{cell.label}]: {check.blame} {check.id}: {check.message}"
        for cell, recording in zip(CELLS, recordings, strict=True)
        for check in judge(cell, recording, TARGET).checks
        if check.verdict in (Verdict.FAIL, Verdict.ERROR, Verdict.BLOCKED)
    ]
    assert failed == []
    assert len(CELLS) > 40
    assert [_seen(recording) for recording in recordings] != plain, "it makes no other choice in any of these cells"
