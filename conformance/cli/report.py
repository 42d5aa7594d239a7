"""``conformance report``: write a run's report again, compare runs, or make a diary entry of a failing one."""

import sys
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from conformance.doors import load_reports


def command(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN…", help="Run folders; several: each against the one before.")],
    *,
    compare: Annotated[Path | None, typer.Option(metavar="RUN", help="The baseline to compare every RUN with.")] = None,
    entry: Annotated[bool, typer.Option("--entry", help="Print a regression diary's entry instead.")] = False,
    fail_on_regression: Annotated[
        bool, typer.Option("--fail-on-regression", help="Exit with 1 if a cell got worse, and not by chance.")
    ] = False,
) -> None:
    """Write report.html, summary.md, junit.xml and ctrf.json into a run's folder again, and print the summary.

    Example: conformance report runs/latest --compare runs/20261120T090000Z-mock --fail-on-regression

    With two runs, `conformance report OLD NEW` compares NEW with OLD. The exit status is 2 if a run cannot be read.
    """
    reports = load_reports()
    read = {path: _read(reports, path) for path in [*runs, *([compare] if compare is not None else [])]}
    if entry:
        _print_entries(reports, [read[path] for path in runs])
        return
    pairs = [(compare, path) for path in runs] if compare is not None or len(runs) == 1 else list(pairwise(runs))
    regressed = False
    for before, path in pairs:
        run, baseline = read[path], read[before] if before is not None else None
        problems = (*run.problems, *(f"Baseline: {problem}" for problem in (baseline.problems if baseline else ())))
        try:
            reports.write(path, run.results, compare=baseline.results if baseline else None, problems=problems)
        except OSError as error:
            _give_up(f"{path} cannot be written: {error.strerror or error}")
        _print_summary(reports, run)
        if baseline is not None:
            regressed |= _print_changes(reports.compare(run.results, baseline.results), before)
    if any(run.problems and not run.results.attempts for run in read.values()):
        raise typer.Exit(2)
    if regressed and fail_on_regression:
        raise typer.Exit(1)


def _read(reports: Any, path: Path) -> Any:
    try:
        return reports.read_run(path)
    except OSError as error:
        _give_up(str(error))


def _print_entries(reports: Any, runs: list[Any]) -> None:
    for run in runs:
        text = reports.entry(run.path, run.results)
        if text is None:
            typer.echo(f"{run.path}: nothing failed, so there is nothing to enter", err=True)
        else:
            typer.echo(text)


def _print_summary(reports: Any, run: Any) -> None:
    from rich.console import Console

    console = Console(file=sys.stdout, highlight=False)
    reports.summary(run.results, console, run.path)
    for problem in run.problems:
        console.print(problem, markup=False)


def _print_changes(changes: Any, baseline: Path | None) -> bool:
    typer.echo(f"\nSince {baseline}:")
    for change in changes.changes:
        counts = [f"{tally.passed}/{tally.n}" if tally is not None else "-" for tally in (change.before, change.after)]
        doubt = "" if change.certain else ", may be chance"
        typer.echo(f"  {change.direction}: {change.name} ({counts[0]} -> {counts[1]}{doubt})")
    typer.echo(f"  {changes.same} cell{'s' * (changes.same != 1)} unchanged")
    return bool(changes.regressed)


def _give_up(message: str) -> NoReturn:
    typer.echo(f"conformance report: {message}", err=True)
    raise typer.Exit(2)
