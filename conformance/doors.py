"""What both doors, pytest and the command line, need to reach the reports.

The wheel carries the package as ``conformance_reports``, because ``reports`` is a name that other repositories have too.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import reports


def load_reports() -> "type[reports]":
    """Import the reports package under the name it has here."""
    name = "conformance_reports" if find_spec("conformance_reports") else "reports"
    package: Any = import_module(name)
    return package
