"""Progress of a long run: attempts done, failing so far, time left. Silent in CI and wherever nobody is looking."""

import os
import time
from collections.abc import Callable
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from conformance.results import AttemptResult
from conformance.verdicts import Verdict

from .tally import BROKEN

_PATIENCE: Final = 3.0
"""Seconds after which a run counts as long."""


class Progress:
    """A line that keeps a person informed; call `started`, `attempt` for each result, and `finished` in any case."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        """Stay silent unless ``console`` is a terminal and no CI runs this."""
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[failing]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            get_time=clock,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._silent = not console.is_terminal or bool(os.environ.get("CI"))
        self._clock = clock
        self._begin = 0.0
        self._running = False
        self._task = self._bar.add_task("attempts", total=None, failing="")
        self.done = 0
        self.failing = 0
        self.errors = 0

    @property
    def line(self) -> str:
        """What is said beside the bar: ``3 failing, 1 not carried out``."""
        said = [f"{self.failing} failing" if self.failing else "", f"{self.errors} not carried out" if self.errors else ""]
        return ", ".join(filter(None, said))

    def started(self, total: int) -> None:
        """Note how many attempts will come."""
        self._begin = self._clock()
        self._bar.update(self._task, total=total)

    def attempt(self, result: AttemptResult) -> None:
        """Count an attempt; the line appears once the run has lasted three seconds."""
        self.done += 1
        self.failing += result.verdict in BROKEN and result.known is None
        self.errors += result.verdict is Verdict.ERROR
        if self._silent:
            return
        self._bar.update(self._task, completed=self.done, failing=self.line)
        if not self._running and self._clock() - self._begin >= _PATIENCE:
            self._running = True
            self._bar.start()

    def finished(self) -> None:
        """Remove the line."""
        if self._running:
            self._running = False
            self._bar.stop()
