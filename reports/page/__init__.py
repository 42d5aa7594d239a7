"""report.html: one self-contained page, from templates, the same bytes for the same run."""

from ..analysis import Analysis


def to_html(analysis: Analysis) -> str:
    """Write the page."""
    from .build import build

    return build(analysis)
