"""What a run becomes: statistics, comparisons, and the pages and files that people and machines read."""

from pathlib import Path
from typing import TYPE_CHECKING

from .progress import Progress
from .reading import Run, read_run

if TYPE_CHECKING:
    from rich.console import Console

    from conformance.results import Results

    from .runs import RunComparison

__all__ = ["Progress", "Run", "compare", "entry", "read_run", "summary", "write", "write_history"]


def write(run_dir: Path, results: "Results", *, compare: "Results | None" = None, problems: tuple[str, ...] = ()) -> None:
    """Write report.html, summary.md, junit.xml and ctrf.json into the run folder; ``compare`` is the baseline, if any.

    The summary also goes to the file that ``GITHUB_STEP_SUMMARY`` names. What a recording lacks is said in the report,
    beside ``problems``, sentences about what the caller found missing.

    Raises:
        OSError: the run folder cannot be written.
    """
    from .writers import write_all

    write_all(run_dir, results, compare, problems)


def summary(results: "Results", console: "Console", run_dir: Path, *, compare: "Results | None" = None) -> None:
    """Print what the run found: the verdict, the failing cells, what changed since ``compare``, and where the report is."""
    from .analysis import Analysis
    from .terminal import print_summary

    print_summary(Analysis(results, run_dir, compare), console, run_dir)


def compare(current: "Results", baseline: "Results") -> "RunComparison":
    """Say what changed from ``baseline`` to ``current``, cell by cell."""
    from .runs import compare_runs

    return compare_runs(current, baseline)


def entry(run_dir: Path, results: "Results") -> str | None:
    """Return a regression diary's entry for a failing run, as Markdown; None when nothing failed."""
    from .analysis import Analysis
    from .diary import to_entry

    return to_entry(Analysis(results, run_dir))


def write_history(folder: Path, page: Path) -> str:
    """Write the history of all runs below ``folder`` to ``page`` and return it in one sentence.

    Raises:
        OSError: the folder cannot be read, the page cannot be written, or there is no run.
    """
    from .writers import write_history_page

    return write_history_page(folder, page)


def fidelity(run: "Run", *, script: bool = False) -> tuple[str, ...]:
    """Return lines that compare the mock with the real upstream, cell by cell, in a run that drove both.

    With ``script`` they are a script of the mock instead, which brings it to the real upstream's pace.
    """
    from .fidelity import as_script, describe
    from .fidelity import fidelity as compare_sides
    from .library import Library

    write = as_script if script else describe
    return tuple(write(compare_sides(run.results.attempts, Library(run.path))))
