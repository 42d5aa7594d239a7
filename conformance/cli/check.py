"""``conformance check``: are these scenarios, scripts and targets valid? Nothing runs."""

import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

import conformance.rules  # noqa: F401  registers every rule
from conformance.known import FILE_NAME as KNOWN
from conformance.known import load as load_known
from conformance.known import unknown_names
from conformance.rules.model import RULES
from conformance.scenario.load import ScenarioError, is_scenario, library, load, load_script
from conformance.scenario.mistakes import Mistake, Place


def command(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILES]", help="Scenarios, scripts, known.yaml, pyproject.toml, or folders."),
    ] = None,
) -> None:
    """Validate scenarios and targets without running them; every mistake is listed with its place.

    Example: conformance check scenarios/greeting pyproject.toml

    A warning is a message that nobody knows but that is spelt like one: a hostile client may mean it.

    Without FILES the scenarios of ./scenarios are checked, else those that come with the package. The exit status is 1 if
    there is a mistake, 2 if a file cannot be read.
    """
    mistakes: list[Mistake] = []
    doubts: list[str] = []
    scenarios = cells = others = 0
    try:
        for path in _expand(files or [_default()]):
            try:
                if path.suffix == ".toml":
                    mistakes += _check_targets(path)
                    others += 1
                elif path.name == KNOWN:
                    mistakes += _check_known(path)
                    others += 1
                elif is_scenario(path):
                    scenario = load(path)
                    doubts += scenario.doubts
                    cells += len(scenario.cells())
                    scenarios += 1
                else:
                    load_script(path)
                    others += 1
            except ScenarioError as error:
                mistakes += error.mistakes
    except OSError as error:
        typer.echo(f"conformance check: {error.filename or 'a file'} cannot be read: {error.strerror}", err=True)
        raise typer.Exit(2) from None
    for doubt in doubts:
        typer.echo(f"warning: {doubt}", err=True)
    for mistake in mistakes:
        typer.echo(str(mistake), err=True)
    if mistakes:
        typer.echo(f"{len(mistakes)} mistake{'s' * (len(mistakes) != 1)}; nothing was run", err=True)
        raise typer.Exit(1)
    if scenarios + others == 0:
        typer.echo("conformance check: nothing to check there; name scenario files, or a folder that holds some", err=True)
        raise typer.Exit(2)
    more = f", {others} other file{'s' * (others != 1)}" if others else ""
    typer.echo(f"valid: {scenarios} scenario{'s' * (scenarios != 1)}, {cells} cell{'s' * (cells != 1)}{more}")


def _default() -> Path:
    here = Path("scenarios")
    return here if here.is_dir() else library()


def _expand(paths: list[Path]) -> Iterator[Path]:
    """Yield the files themselves, and of folders the scenarios and lists of known failures below them."""
    for path in paths:
        if path.is_dir():
            files = (file for file in sorted(path.rglob("*")) if file.suffix in (".yaml", ".yml"))
            yield from (file for file in files if file.name == KNOWN or is_scenario(file))
        else:
            yield path


def _check_known(path: Path) -> Iterator[Mistake]:
    """Check a list of known failures, and its names against the scenarios below its own folder."""
    known = load_known(path)
    scenarios = []
    for file in _expand([path.parent]):
        with suppress(ScenarioError):
            scenarios += [load(file)] if file.name != KNOWN else []
    if scenarios:
        yield from unknown_names(known, (cell for scenario in scenarios for cell in scenario.cells()), RULES)


def _check_targets(path: Path) -> Iterator[Mistake]:
    from conformance.targets.load import load_target

    try:
        project = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        yield Mistake(str(path), Place(), f"not valid TOML: {error}")
        return
    for name in project.get("tool", {}).get("conformance", {}).get("targets", {}):
        try:
            load_target(path, name)
        except ValueError as error:
            yield Mistake(str(path), Place(), str(error).removeprefix(f"{path}: "))
