"""``conformance check``: are these scenarios, scripts and targets valid? Nothing runs."""

import tomllib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
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
    found = _Found()
    for path in _expand(files or [_default()]):
        try:
            found.check(path)
        except ScenarioError as error:
            found.mistakes += error.mistakes
        except OSError as error:
            found.unread.append(f"conformance check: {error.filename or path} cannot be read: {error.strerror}")
    for doubt in found.doubts:
        typer.echo(f"warning: {doubt}", err=True)
    for line in (*found.mistakes, *found.unread):
        typer.echo(str(line), err=True)
    if found.unread:
        raise typer.Exit(2)
    if many := len(found.mistakes):
        typer.echo(f"{many} mistake{'s' * (many != 1)}; nothing was run", err=True)
        raise typer.Exit(1)
    scenarios, cells, others = found.scenarios, found.cells, found.others
    if scenarios + others == 0:
        typer.echo("conformance check: nothing to check there; name scenario files, or a folder that holds some", err=True)
        raise typer.Exit(2)
    more = f", {others} other file{'s' * (others != 1)}" if others else ""
    typer.echo(f"valid: {scenarios} scenario{'s' * (scenarios != 1)}, {cells} cell{'s' * (cells != 1)}{more}")


@dataclass(slots=True)
class _Found:
    """What the files hold, and what is wrong with them."""

    mistakes: list[Mistake] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    scenarios: int = 0
    cells: int = 0
    others: int = 0

    def check(self, path: Path) -> None:
        """Check one file.

        Raises:
            ScenarioError: it has mistakes.
            OSError: it cannot be read.
        """
        if path.suffix != ".toml" and path.name != KNOWN and is_scenario(path):
            scenario = load(path)
            self.doubts += scenario.doubts
            self.cells += len(scenario.cells())
            self.scenarios += 1
            return
        if path.suffix == ".toml":
            self.mistakes += _check_targets(path)
        elif path.name == KNOWN:
            self.mistakes += _check_known(path)
        elif not path.read_bytes().strip():
            self.mistakes.append(Mistake(str(path), Place(), "the file is empty; a scenario begins with `scenario: NAME`"))
        else:
            load_script(path)
        self.others += 1


def _default() -> Path:
    here = Path("scenarios")
    return here if here.is_dir() else library()


def _expand(paths: list[Path]) -> Iterator[Path]:
    """Yield the files themselves, and of folders the scenarios and lists of known failures below them."""
    for path in paths:
        if path.is_dir():
            files = (file for file in sorted(path.rglob("*")) if file.suffix in (".yaml", ".yml") and not file.is_dir())
            yield from (file for file in files if file.name == KNOWN or _is_meant(file))
        else:
            yield path


def _is_meant(path: Path) -> bool:
    """Tell whether a file of a folder is to be checked; one that cannot be read is, so that it is told."""
    try:
        return is_scenario(path)
    except OSError:
        return True


def _check_known(path: Path) -> Iterator[Mistake]:
    """Check a list of known failures, and its names against the scenarios below its own folder."""
    known = load_known(path)
    scenarios = []
    for file in _expand([path.parent]):
        with suppress(ScenarioError, OSError):
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
