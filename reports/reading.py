"""Reads a run folder back, whatever state it is in: what is missing or too old becomes a sentence in the report."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from conformance.results import Results, load

from .text import plural, printable


@dataclass(frozen=True, slots=True)
class Run:
    """A run folder, read: its results, empty if they cannot be read, and a sentence for everything that is wrong."""

    path: Path
    results: Results
    problems: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The folder's name."""
        return printable(self.path.resolve().name)


def read_run(path: Path) -> Run:
    """Read a run folder.

    Raises:
        FileNotFoundError: there is no such folder, or it holds neither results nor a manifest, so that it is no run.
        NotADirectoryError: it is a file.
    """
    if path.is_file():
        raise NotADirectoryError(f"{path} is a file; name the run folder, such as runs/latest")
    manifest, problems = _manifest(path)
    try:
        results = load(path / "results.json")
        if results.run and "interrupted" not in results.run:
            judged = plural(len(results.attempts), "attempt")
            problems.append(f"The run was killed, or is still going on: this is what {judged} had shown by then.")
        return Run(path, results, tuple(problems))
    except FileNotFoundError:
        if not manifest:
            raise FileNotFoundError(f"{path} is no run folder: it holds neither results.json nor manifest.json") from None
        problems.append("results.json is missing: the run was killed before its first attempt was judged.")
        manifest["interrupted"] = True
    except (OSError, ValueError) as error:
        reason = (
            printable(str(error)).removeprefix(printable(f"{path / 'results.json'}: ")).removeprefix("not a results.json: ")
        )
        if not manifest:
            raise FileNotFoundError(
                f"{path} is no run folder: it holds no manifest.json, and results.json cannot be read ({reason})"
            ) from None
        problems.append(f"results.json cannot be read ({reason}); repeat the run, its recordings remain below recordings/.")
    return Run(path, Results(manifest), tuple(problems))


def _manifest(path: Path) -> tuple[dict[str, Any], list[str]]:
    try:
        value = orjson.loads((path / "manifest.json").read_bytes())
    except FileNotFoundError:
        return {}, []
    except (OSError, ValueError) as error:
        return {}, [f"manifest.json cannot be read ({printable(str(error))})."]
    return (value, []) if isinstance(value, dict) else ({}, ["manifest.json is no JSON object."])


def read_runs(folder: Path) -> list[Run]:
    """Read every run below a folder, oldest first by the time they started; links such as ``latest`` count once."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            with suppress(FileNotFoundError):  # not every folder there is a run
                found.append(read_run(path))
    return sorted(found, key=lambda run: (str(run.results.run.get("started", "")), run.name))
