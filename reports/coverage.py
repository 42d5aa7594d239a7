"""Requirements coverage: which rules had something to look at in this run, and which were broken in it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from conformance.results import AttemptResult
from conformance.verdicts import CheckKind, Verdict

from .text import printable


@dataclass(frozen=True, slots=True)
class Requirement:
    """A rule: in how many attempts of which scenarios it looked at something, in how many it found something.

    ``mutants`` are those it caught, where the run says so. Without ``attempts`` the rule protected nobody.
    """

    rule: str
    attempts: int
    scenarios: tuple[str, ...]
    broken: int
    mutants: tuple[str, ...]


def requirements(attempts: Iterable[AttemptResult], run: Mapping[str, Any]) -> tuple[Requirement, ...]:
    """Return the rules of the run: broken ones first, then those nobody looked at, then the rest by id.

    From the attempts, and from ``run["coverage"]`` if present: a list of ``{"rule", "observed_by", "broken_by"}``.
    """
    looked: dict[str, int] = defaultdict(int)
    scenarios: dict[str, set[str]] = defaultdict(set)
    broken: dict[str, int] = defaultdict(int)
    mutants: dict[str, tuple[str, ...]] = {}
    for attempt in attempts:
        found = {check.id for check in attempt.checks if check.kind is CheckKind.RULE and check.verdict is not Verdict.PASS}
        for rule in {*attempt.observed, *(check.id for check in attempt.checks if check.kind is CheckKind.RULE)}:
            looked[rule] += 1
            scenarios[rule].add(attempt.scenario)
            broken[rule] += rule in found
    for entry in run.get("coverage") or ():
        if isinstance(entry, Mapping) and isinstance(entry.get("rule"), str):
            rule = entry["rule"]
            scenarios[rule] |= {str(name) for name in entry.get("observed_by") or ()}
            mutants[rule] = tuple(str(name) for name in entry.get("broken_by") or ())
    rows = [
        Requirement(printable(rule), looked[rule], tuple(sorted(names)), broken[rule], mutants.get(rule, ()))
        for rule, names in scenarios.items()
    ]
    return tuple(sorted(rows, key=lambda row: (not row.broken, bool(row.attempts or row.scenarios), row.rule)))
