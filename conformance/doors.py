"""What both doors, pytest and the command line, need to reach the reports.

The wheel carries the package as ``conformance_reports``, because ``reports`` is a name that other repositories have too.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Any


def load_reports() -> Any:
    """Import the reports package (`reports.write`, `reports.summary`, `reports.Progress`) under the name it has here."""
    return import_module("conformance_reports" if find_spec("conformance_reports") else "reports")
