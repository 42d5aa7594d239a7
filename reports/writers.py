"""Writes the files of a report into the run folder, and the page of a folder of runs."""

import os
from pathlib import Path

from conformance.results import Results

from .analysis import Analysis
from .ctrf import to_ctrf
from .history import history
from .junit import to_junit
from .markdown import append_step_summary, to_markdown
from .page import headline, to_history_html, to_html
from .reading import read_runs


def write_all(run_dir: Path, results: Results, baseline: Results | None, problems: tuple[str, ...]) -> None:
    """Write report.html, summary.md, junit.xml and ctrf.json."""
    analysis = Analysis(results, run_dir, baseline, problems)
    _replace(run_dir / "report.html", to_html(analysis).encode())
    text = to_markdown(analysis)
    _replace(run_dir / "summary.md", text.encode())
    _replace(run_dir / "junit.xml", to_junit(results))
    _replace(run_dir / "ctrf.json", to_ctrf(results))
    step_summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if step_summary:
        append_step_summary(Path(step_summary), text)


def write_history_page(folder: Path, page: Path) -> str:
    """Write the history and return it in one sentence.

    Raises:
        FileNotFoundError: there is no run below the folder.
    """
    runs = read_runs(folder)
    if not runs:
        raise FileNotFoundError(f"{folder} holds no run; name the folder that holds run folders, such as runs")
    told = history(runs)
    _replace(page, to_history_html(told).encode())
    return headline(told)


def _replace(path: Path, data: bytes) -> None:
    """Write a file so that a reader finds the old one or the new one, never half of it."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(data)
    temporary.replace(path)
