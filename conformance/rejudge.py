"""Judging an old run again: its recordings with today's rules and today's scenarios."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from conformance.judge import judge
from conformance.known import Known, weigh
from conformance.results import AttemptResult, Results, summarise
from conformance.scenario.load import ScenarioError, library, load
from conformance.scenario.model import Cell
from conformance.targets.manifest import read_target
from conformance.targets.model import Target
from conformance.verdicts import CheckResult, Verdict
from conformance.wire import recording as wire


@dataclass(frozen=True, slots=True)
class Rejudged:
    """One attempt before and after; ``skipped`` says why it could not be judged again and was left as it was."""

    before: AttemptResult
    after: AttemptResult
    skipped: str | None = None

    @property
    def differences(self) -> tuple[str, ...]:
        """What the new judgement says differently, a line each: the verdict, findings that are new, findings gone."""
        old, new = _findings(self.before.checks), _findings(self.after.checks)
        lines = []
        if self.before.verdict is not self.after.verdict:
            lines.append(f"{self.before.verdict} -> {self.after.verdict}")
        lines += [f"+ {_line(new[key])}" for key in new if key not in old]
        lines += [f"- {_line(old[key])}" for key in old if key not in new]
        return tuple(lines)


def rejudge(run: Path, results: Results, known: Known, roots: Sequence[Path] = ()) -> Iterator[Rejudged]:
    """Judge every attempt of a run folder again. ``roots`` are scenario folders to look in before the usual ones."""
    cells = _Cells(roots)
    targets = _targets(results.run)
    for attempt in results.attempts:
        if attempt.recording is None:
            yield Rejudged(attempt, attempt, "it has no recording")
            continue
        try:
            recording = wire.load(run / attempt.recording)
            cell = cells.find(attempt)
        except FileNotFoundError:
            yield Rejudged(attempt, attempt, f"{run / attempt.recording} is missing")
            continue
        except (OSError, ValueError) as error:
            yield Rejudged(attempt, attempt, str(error))
            continue
        target = targets.get(attempt.target, read_target({"name": attempt.target}))
        judgement = judge(cell, recording, target)
        after = replace(
            attempt,
            verdict=judgement.verdict,
            checks=judgement.checks,
            observed=judgement.observed,
            faulted=judgement.faulted,
            known=None,
        )
        yield Rejudged(attempt, after if recording.header.fault is not None else weigh(known, after))


def renewed(results: Results, rejudged: Iterable[Rejudged]) -> Results:
    """Return the run's results with the new judgements."""
    return replace(summarise(each.after for each in rejudged), run=results.run)


class _Cells:
    """Finds the cell an attempt was of, in today's scenario files."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = tuple(roots)
        self._cells: dict[Path, list[Cell]] = {}

    def find(self, attempt: AttemptResult) -> Cell:
        path = self._path(attempt)
        if path not in self._cells:
            try:
                self._cells[path] = load(path).cells()
            except ScenarioError as error:
                raise ValueError(f"its scenario has mistakes: {error}") from None
        for cell in self._cells[path]:
            if dict(cell.values) == dict(attempt.cell):
                return cell
        raise ValueError(f"{path} has no cell {dict(attempt.cell)} any more")

    def _path(self, attempt: AttemptResult) -> Path:
        name = f"{attempt.scenario}.yaml"
        candidates = [root / name for root in self._roots]
        if "::" in attempt.nodeid:
            candidates.append(Path(attempt.nodeid.partition("::")[0]))
        candidates += [Path("scenarios") / name, library() / name]
        found = next((path for path in candidates if path.is_file()), None)
        if found is None:
            raise ValueError(f"scenario {attempt.scenario} is not found; name its folder with --scenarios")
        return found


def _targets(manifest: Mapping[str, Any]) -> dict[str, Target]:
    described = manifest.get("targets", ())
    return {value["name"]: read_target(value) for value in described if isinstance(value, dict) and "name" in value}


def _findings(checks: Iterable[CheckResult]) -> dict[tuple[str, str | None, Verdict], CheckResult]:
    return {
        (check.id, check.cause, check.verdict): check
        for check in checks
        if check.verdict not in (Verdict.PASS, Verdict.INFO)
    }


def _line(check: CheckResult) -> str:
    blame = f" (blame: {check.blame})" if check.blame else ""
    return f"{check.verdict} {check.id}{blame}: {check.message}"
