"""``conformance fidelity``: where the mock and the real upstream of a run differ."""

from pathlib import Path
from typing import Annotated

import typer

from conformance.cli.serving import give_up
from conformance.doors import load_reports


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder of `pytest --real --mock`.")],
    *,
    script: Annotated[
        bool, typer.Option("--script", help="Print a script that brings the mock to the real upstream's pace.")
    ] = False,
) -> None:
    """Compare the mock with the real upstream, cell by cell: event order, fields, timing, outcome.

    Example: pytest --real --mock -k greeting && conformance fidelity runs/latest
    """
    reports = load_reports()
    try:
        read = reports.read_run(run)
    except OSError as error:
        give_up("fidelity", str(error))
    if read.problems and not read.results.attempts:
        give_up("fidelity", read.problems[-1])
    for line in reports.fidelity(read, script=script):
        typer.echo(line)
