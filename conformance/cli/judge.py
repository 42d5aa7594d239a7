"""``conformance judge``: judge the recordings of an old run with today's rules."""

from pathlib import Path
from typing import Annotated

import typer

from conformance import results
from conformance.cli.words import in_words, read_results
from conformance.doors import load_reports
from conformance.known import FILE_NAME, Known, exceeded
from conformance.known import load as load_known
from conformance.rejudge import Rejudged, rejudge, renewed
from conformance.results import AttemptResult
from conformance.scenario.load import ScenarioError
from conformance.verdicts import Verdict

_RED = (Verdict.FAIL, Verdict.ERROR, Verdict.BLOCKED, Verdict.NOT_OBSERVED)


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, such as runs/latest.")],
    *,
    scenarios: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="A scenario folder to look in first; repeatable.")
    ] = None,
    known: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Known failures; scenarios/known.yaml unless said.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the differences, write nothing.")] = False,
) -> None:
    """Judge the recordings of a run again, print what differs, and renew its results and report.

    Exits with 1 if the run is red now, with 2 if it cannot be read.

    Example: conformance judge runs/latest --dry-run
    """
    try:
        before = read_results(run)
        if missing := next((path for path in (known, *(scenarios or ())) if path is not None and not path.exists()), None):
            raise ValueError(f"there is no {missing}; correct --known or --scenarios")
        announced = load_known(known or Path("scenarios") / FILE_NAME)
    except (OSError, ValueError, ScenarioError) as error:
        typer.echo(f"conformance judge: {in_words(error)}", err=True)
        raise typer.Exit(2) from None
    rejudged = list(rejudge(run, before, announced, scenarios or ()))
    after = renewed(before, rejudged)
    for each in rejudged:
        _print(each)
    changed = sum(bool(each.differences) for each in rejudged)
    typer.echo(f"{len(rejudged)} attempt{'s' * (len(rejudged) != 1)} judged again, {changed} differently.")
    if not dry_run:
        (run / "results.json").write_bytes(results.dump(after))
        load_reports().write(run, after)
    raise typer.Exit(1 if _is_red(after.attempts, announced) else 0)


def _print(each: Rejudged) -> None:
    name = each.before.nodeid or f"{each.before.scenario} {dict(each.before.cell)} #{each.before.attempt}"
    if each.skipped is not None:
        typer.echo(f"{name}: not judged again: {each.skipped}")
    elif each.differences:
        typer.echo(name)
        for line in each.differences:
            typer.echo(f"  {line}")


def _is_red(attempts: tuple[AttemptResult, ...], announced: Known) -> bool:
    news = any(attempt.verdict in _RED and attempt.known is None for attempt in attempts)
    return news or bool(exceeded(announced, attempts))
