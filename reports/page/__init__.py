"""report.html and history.html: self-contained pages from templates, the same bytes for the same run."""

from ..analysis import Analysis
from ..history import History


def to_html(analysis: Analysis) -> str:
    """Write a run's page."""
    from .build import build

    return build(analysis)


def to_history_html(history: History) -> str:
    """Write the page of many runs."""
    from .courses import build

    return build(history)


def headline(history: History) -> str:
    """Say in one sentence what the runs tell together."""
    from .courses import headline_of

    return headline_of(history)
