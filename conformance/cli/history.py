"""``conformance history``: a folder of runs as one page."""

from pathlib import Path
from typing import Annotated

import typer

from conformance.doors import load_reports


def command(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="The folder that holds the runs.")] = Path("runs"),
    *,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write the page; FOLDER/history.html otherwise.")
    ] = None,
) -> None:
    """Write the pass rate per flow and check over time, and when each failure was first and last seen.

    Example: conformance history runs --out history.html
    """
    page = out if out is not None else folder / "history.html"
    try:
        sentence = load_reports().write_history(folder, page)
    except OSError as error:
        message = f"{error.filename}: {error.strerror}" if error.strerror else str(error)
        typer.echo(f"conformance history: {message}", err=True)
        raise typer.Exit(2) from None
    typer.echo(sentence)
    typer.echo(f"history {page}")
