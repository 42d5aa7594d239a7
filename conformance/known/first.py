"""A first known.yaml from a run: what failed always or sometimes, cell by cell, ready to be explained."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from typing import Any, Final

import orjson
from ruamel.yaml import YAML
from ruamel.yaml.representer import RoundTripRepresenter

from conformance.known.model import Expect
from conformance.results import AttemptResult
from conformance.verdicts import CheckResult, Verdict

_RED: Final = (Verdict.FAIL, Verdict.BLOCKED, Verdict.NOT_OBSERVED)
_STEP: Final = 0.05
_ENOUGH: Final = 60
"""How much of an error's text tells it from others."""

_HEADER: Final = """\
# What is known to fail, written from the run {run}. Say for each entry why it is accepted, and link its issue.
# Known and failing is green; known and passing is red, so that this list can only shrink by being corrected.
"""


@dataclass(slots=True)
class _Failures:
    """How often one failure was seen in each cell of its scenario, by the cell's identity."""

    counts: dict[str, int] = field(default_factory=dict)


def first_known(attempts: Iterable[AttemptResult], run: str) -> str:
    """Write the YAML text of a known.yaml under which these attempts would be green; ``run`` names their run.

    Errors of the harness are never known. Failures that differ in their error get entries of their own.
    """
    judged = [attempt for attempt in attempts if attempt.verdict not in (Verdict.ERROR, Verdict.UNSUPPORTED)]
    tried: dict[tuple[str, str], dict[str, int]] = {}
    values: dict[str, Mapping[str, Any]] = {}
    failures: dict[tuple[str, str, str, str], _Failures] = {}
    for attempt in judged:
        cell = orjson.dumps(attempt.cell).decode()
        values[cell] = attempt.cell
        cells = tried.setdefault((attempt.target, attempt.scenario), {})
        cells[cell] = cells.get(cell, 0) + 1
        for check, error in dict.fromkeys((check.id, _error(check)) for check in attempt.checks if check.verdict in _RED):
            counts = failures.setdefault((attempt.target, attempt.scenario, check, error), _Failures()).counts
            counts[cell] = counts.get(cell, 0) + 1
    entries: list[dict[str, Any]] = []
    for (target, scenario, check, error), failure in failures.items():
        cells = tried[target, scenario]
        always = [cell for cell, count in failure.counts.items() if count == cells[cell]]
        base = {"check": check, "scenario": scenario}
        entries += [_entry(base, when, target, None, error, run) for when in _whens(always, cells, values)]
        entries += [
            _entry(base, values[cell], target, count / cells[cell], error, run)
            for cell, count in failure.counts.items()
            if cell not in always
        ]
    return _HEADER.format(run=run) + _yaml(entries)


def _whens(
    failing: Sequence[str], tried: Collection[str], values: Mapping[str, Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Return the matrix values that mean the failing cells and no others, in as few entries as one name allows."""
    if not failing:
        return []
    names = list(values[failing[0]])
    for chosen in (
        [name for name in names if len({_key(values[cell][name]) for cell in failing}) == 1],
        *([n] for n in names),
    ):
        whens = {_key([values[cell][name] for name in chosen]): {n: values[cell][n] for n in chosen} for cell in failing}
        meant = {cell for cell in tried if _key([values[cell][name] for name in chosen]) in whens}
        if meant == set(failing):
            varied = [name for name in chosen if len({_key(values[cell][name]) for cell in tried}) > 1]
            return [{name: when[name] for name in varied} for when in whens.values()]
    return [values[cell] for cell in failing]


def _key(value: Any) -> bytes:
    return orjson.dumps(value)


class _Representer(RoundTripRepresenter):
    """Writes ``null`` out, which people overlook where it is nothing."""

    def represent_none(self, _: None) -> Any:
        return self.represent_scalar("tag:yaml.org,2002:null", "null")


_Representer.add_representer(type(None), _Representer.represent_none)


def _yaml(entries: Sequence[Mapping[str, Any]]) -> str:
    text = StringIO()
    yaml = YAML()
    yaml.width = 1_000
    yaml.Representer = _Representer
    yaml.dump(list(entries), text)
    return text.getvalue()


def _entry(
    base: Mapping[str, Any], when: Mapping[str, Any], target: str, rate: float | None, error: str, run: str
) -> dict[str, Any]:
    entry = {**base, **({"when": dict(when)} if when else {}), "target": target, "expect": str(Expect.FAILS)}
    if rate is not None:
        entry |= {"expect": str(Expect.FLAKY), "max_rate": min(1.0, round(math.ceil(rate / _STEP) * _STEP, 2))}
    return {**entry, "error": error, "reason": f"seen in {run}, not yet explained"}


def _error(check: CheckResult) -> str:
    """Return the part of a failure that stays the same from attempt to attempt."""
    if check.verdict is Verdict.BLOCKED:
        return check.message
    if check.verdict is Verdict.NOT_OBSERVED:
        return check.message.partition(": only ")[0]
    if check.cause and check.cause != "missing":
        return check.cause[:_ENOUGH].rstrip()
    return check.message.partition(";")[0]
