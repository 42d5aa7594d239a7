"""The first line of a run of the real API: what costs money, and how many attempts of it.

Only the collection knows how many; so what pytest writes before it ends is held back until the line is said.
"""

from io import StringIO
from typing import Any

import pytest


class FirstLine:
    """Holds the terminal back from its making until `say`."""

    def __init__(self, reporter: pytest.TerminalReporter) -> None:
        """Hold back what is written from now on."""
        self._reporter = reporter
        self._writer: Any = reporter._tw  # noqa: SLF001  # pytest offers no public way
        self._terminal = self._writer._file  # noqa: SLF001
        self._held = StringIO()
        self._writer._file = self._held  # noqa: SLF001

    def say(self, line: str) -> None:
        """Write the line, then what was held back; only the first call does anything."""
        if self._writer._file is not self._held:  # noqa: SLF001
            return
        self._writer._file = self._terminal  # noqa: SLF001
        self._terminal.write(f"{line}\n{self._held.getvalue()}")
        self._writer.flush()
