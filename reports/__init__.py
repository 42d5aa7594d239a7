"""What a run becomes: statistics, comparisons, and the pages and files that people and machines read."""

from pathlib import Path
from typing import TYPE_CHECKING

from .progress import Progress

if TYPE_CHECKING:
    from rich.console import Console

    from conformance.results import Results


__all__ = ["Progress", "summary", "write"]


def write(run_dir: Path, results: "Results", *, compare: "Results | None" = None) -> None:
    """Write report.html, summary.md, junit.xml and ctrf.json into the run folder; ``compare`` is the baseline, if any.

    The summary also goes to the file that ``GITHUB_STEP_SUMMARY`` names. What a recording lacks is said in the report.

    Raises:
        OSError: the run folder cannot be written.
    """
    from .writers import write_all

    write_all(run_dir, results, compare)


def summary(results: "Results", console: "Console", run_dir: Path) -> None:
    """Print what the run found: the verdict, the failing cells, and where the report is."""
    from .analysis import Analysis
    from .terminal import print_summary

    print_summary(Analysis(results, run_dir), console, run_dir)
