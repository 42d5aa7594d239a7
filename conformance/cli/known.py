"""``conformance known``: list what is announced to fail, or write a first list from a run."""

from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from conformance.cli.words import in_words, read_results
from conformance.known import FILE_NAME, Entry, first_known, load
from conformance.scenario.load import ScenarioError

_FILE: Final = Path("scenarios") / FILE_NAME


def command(
    *,
    file: Annotated[Path, typer.Option(metavar="FILE", help="The list.")] = _FILE,
    from_run: Annotated[
        Path | None, typer.Option("--from", metavar="RUN", help="Print a first list, under which this run is green.")
    ] = None,
    target: Annotated[str | None, typer.Option(help="Only what concerns this target.")] = None,
) -> None:
    """List known failures, or write a first known.yaml for a proxy that has many failures today.

    Example: conformance known --from runs/latest > scenarios/known.yaml
    """
    if from_run is not None:
        typer.echo(_first(from_run, target), nl=False)
        return
    if file != _FILE and not file.exists():
        _give_up(f"there is no {file}; correct --file")
    try:
        entries = load(file).entries
    except (OSError, ScenarioError) as error:
        _give_up(in_words(error))
    shown = [entry for entry in entries if target is None or entry.target in (None, target)]
    for entry in shown:
        typer.echo(_line(entry))
    if not shown:
        typer.echo(f"{file} announces no failure.")


def _first(run: Path, target: str | None) -> str:
    try:
        found = read_results(run)
    except ValueError as error:
        _give_up(str(error))
    attempts = [attempt for attempt in found.attempts if target is None or attempt.target == target]
    if not attempts:
        _give_up(f"{run} has no attempt{f' on target {target}' if target else ''}")
    return first_known(attempts, run.resolve().name)


def _line(entry: Entry) -> str:
    where = " ".join(
        [
            entry.scenario or "every scenario",
            *(f"{name}={value}" for name, value in entry.when.items()),
            f"on {entry.target or 'every target'}",
        ]
    )
    often = "fails" if entry.max_rate is None else f"fails in at most {entry.max_rate:.0%}"
    return f"{entry.check} {often} in {where}: {entry.reason}{f' ({entry.issue})' if entry.issue else ''}"


def _give_up(sentence: str) -> NoReturn:
    typer.echo(f"conformance known: {sentence}", err=True)
    raise typer.Exit(2)
