"""results.json: what a run found, as data. Writers and statistics read only this and the recordings it links."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from conformance.verdicts import Blame, CheckKind, CheckResult, Verdict
from conformance.wire.durations import SECOND

SCHEMA: Final = 1


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """One attempt, judged. ``recording`` is the path below the run folder; ``known`` the reason of a known failure.

    ``observed`` are the ids of the rules that had something to look at: requirements coverage rests on them. ``faulted``
    tells whether the fault that the run was under did anything here.
    """

    scenario: str
    flow: str
    cell: Mapping[str, Any]
    attempt: int
    target: str
    seed: int
    verdict: Verdict
    checks: tuple[CheckResult, ...]
    duration_s: float
    wall_s: float
    recording: str | None
    rerun: int = 0
    nodeid: str = ""
    title: str = ""
    known: str | None = None
    message: str = ""
    observed: tuple[str, ...] = ()
    faulted: bool = False

    @property
    def cell_key(self) -> tuple[str, str, str]:
        """What attempts of the same cell on the same target share."""
        return (self.scenario, orjson.dumps(self.cell).decode(), self.target)


@dataclass(frozen=True, slots=True)
class Results:
    """A run: its manifest facts and its attempts in run order. Cells and flows are derived from the attempts."""

    run: Mapping[str, Any]
    attempts: tuple[AttemptResult, ...] = ()
    cells: tuple[Mapping[str, Any], ...] = field(default=())
    flows: tuple[Mapping[str, Any], ...] = field(default=())


def summarise(attempts: Iterable[AttemptResult]) -> Results:
    """Group attempts into cells and flows with their counts, in the order they first ran."""
    ordered = tuple(attempts)
    cells: dict[tuple[str, ...], list[AttemptResult]] = {}
    flows: dict[tuple[str, ...], list[AttemptResult]] = {}
    for attempt in ordered:
        cells.setdefault(attempt.cell_key, []).append(attempt)
        flows.setdefault((attempt.flow, attempt.target), []).append(attempt)
    return Results(
        run={},
        attempts=ordered,
        cells=tuple(
            {"scenario": group[0].scenario, "flow": group[0].flow, "cell": group[0].cell, **_counts(group)}
            for group in cells.values()
        ),
        flows=tuple({"flow": group[0].flow, **_counts(group)} for group in flows.values()),
    )


def _counts(group: list[AttemptResult]) -> dict[str, Any]:
    """Count a group: ``n`` is the rate's denominator, so errors and unsupported attempts stand beside it."""
    verdicts = Counter(attempt.verdict for attempt in group)
    outside = verdicts[Verdict.ERROR] + verdicts[Verdict.UNSUPPORTED]
    passed = verdicts[Verdict.PASS] + verdicts[Verdict.WARN]
    n = len(group) - outside
    stability = "stable-pass" if passed == n else "stable-fail" if passed == 0 else "flaky"
    return {
        "target": group[0].target,
        "n": n,
        "passed": passed,
        "errors": verdicts[Verdict.ERROR],
        "unsupported": verdicts[Verdict.UNSUPPORTED],
        "known": sum(attempt.known is not None for attempt in group),
        "stability": stability if n else "none",
    }


def dump(results: Results) -> bytes:
    """Write results.json."""
    return orjson.dumps(
        {
            "schema": SCHEMA,
            "run": results.run,
            "attempts": [attempt_to_json(attempt) for attempt in results.attempts],
            "cells": results.cells,
            "flows": results.flows,
        },
        option=orjson.OPT_INDENT_2,
    )


def load(path: Path) -> Results:
    """Read results.json.

    Raises:
        ValueError: the file is no results.json or of another schema; the message names the file.
        OSError: the file cannot be read.
    """
    try:
        value = orjson.loads(path.read_bytes())
        if value["schema"] != SCHEMA:
            raise ValueError(f"schema {value['schema']!r}; this version reads {SCHEMA}")
        attempts = tuple(attempt_from_json(attempt) for attempt in value["attempts"])
        return Results(value["run"], attempts, tuple(value["cells"]), tuple(value["flows"]))
    except KeyError as error:
        raise ValueError(f"{path}: not a results.json: the key {error} is missing") from error
    except (orjson.JSONDecodeError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a results.json: {error}") from error


def attempt_to_json(attempt: AttemptResult) -> dict[str, Any]:
    """Write an attempt; times in seconds."""
    fields = {name: getattr(attempt, name) for name in AttemptResult.__slots__}
    return {**fields, "checks": [_check_to_json(check) for check in attempt.checks]}


def attempt_from_json(value: Mapping[str, Any]) -> AttemptResult:
    """Read an attempt; keys of newer versions are ignored."""
    fields = {name: value[name] for name in AttemptResult.__slots__ if name in value}
    fields["verdict"] = Verdict(value["verdict"])
    fields["checks"] = tuple(_check_from_json(check) for check in value["checks"])
    fields["observed"] = tuple(value.get("observed", ()))
    return AttemptResult(**fields)


def _check_to_json(check: CheckResult) -> dict[str, Any]:
    fields = {name: getattr(check, name) for name in CheckResult.__slots__}
    windows = [[start / SECOND, end / SECOND] for start, end in check.windows]
    return {**fields, "t": None if check.t is None else check.t / SECOND, "windows": windows}


def _check_from_json(value: Mapping[str, Any]) -> CheckResult:
    t = value.get("t")
    blame = value.get("blame")
    return CheckResult(
        id=value["id"],
        kind=CheckKind(value["kind"]),
        verdict=Verdict(value["verdict"]),
        blame=None if blame is None else Blame(blame),
        message=value.get("message", ""),
        t=None if t is None else round(t * SECOND),
        event=value.get("event"),
        cause=value.get("cause"),
        windows=tuple((round(start * SECOND), round(end * SECOND)) for start, end in value.get("windows", ())),
    )
