"""What pytest collects: a file per scenario, an item per attempt, and one item for a scenario's mutants."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from conformance.scenario.model import Cell
from conformance.targets.model import Target
from conformance.verdicts import Verdict

if TYPE_CHECKING:
    from conformance.plugin.proofs import ScenarioProof
    from conformance.plugin.run import Run
    from conformance.results import AttemptResult

_TIMEOUT_MARGIN_S = 30.0


class HarnessError(Exception):
    """The harness or the infrastructure failed, so that nothing can be said of the subject."""


class ConformanceError(AssertionError):
    """An attempt whose checks say fail; the message holds a line per failing check."""


class ConformanceWarning(UserWarning):
    """An attempt that passed with warnings, or a scenario that looks like a slip of the pen."""


class ScenarioFile(pytest.File):
    """One scenario file; its cells × attempts are its items."""

    run: "Run"

    def collect(self) -> Iterator[pytest.Item]:
        """Read the scenario and yield its items.

        Raises:
            pytest.Collector.CollectError: the scenario has a mistake; the message names file, line and column.
        """
        from conformance.scenario.load import ScenarioError, load

        try:
            scenario = load(self.path, self.run.scenarios)
        except ScenarioError as error:
            raise self.CollectError(str(error)) from None
        for doubt in scenario.doubts:
            self.warn(ConformanceWarning(doubt))
        options = self.run.options
        cells = scenario.cells()
        self.config.addinivalue_line("markers", f"{cells[0].flow}: scenarios of the flow {cells[0].flow}")
        for target in options.targets:
            for cell in cells:
                for attempt in range(1, options.count + 1):
                    yield AttemptItem.from_parent(self, cell=cell, target=target, attempt=attempt)
        if self.run.proves_checks:
            yield ProofItem.from_parent(self, cells=tuple(cells))


class ScenarioItem(pytest.Item):
    """What both kinds of items share: where they stand, and how their failures read."""

    def place(self, cell: Cell, run: "Run") -> None:
        """Take over the scenario's markers."""
        self.run = run
        self.cell = cell
        self.add_marker(cell.flow)
        self.keywords[cell.scenario] = True

    def reportinfo(self) -> tuple[Path, None, str]:
        """Say where this item stands."""
        return self.path, None, self.name

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show sentences for what the harness found, tracebacks only for what it did not expect."""
        if isinstance(excinfo.value, ConformanceError | HarnessError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)


class AttemptItem(ScenarioItem):
    """One attempt of one cell on one target."""

    def __init__(self, *, parent: ScenarioFile, cell: Cell, target: Target, attempt: int, **kwargs: Any) -> None:
        """Name the item by the matrix values: ``greeting/idle[null-1-5]``."""
        options = parent.run.options
        values = [value for value in (cell.label,) if value]
        if options.count > 1:
            values.append(f"{attempt}-{options.count}")
        if len(options.targets) > 1:
            values.append(target.name)
        suffix = f"[{'-'.join(values)}]" if values else ""
        super().__init__(name=f"{cell.scenario}{suffix}", parent=parent, **kwargs)
        self.place(cell, parent.run)
        self.target = target
        self.attempt = attempt
        self.tries = 0
        self.result: AttemptResult | None = None
        self.add_marker(pytest.mark.timeout(self.run.bound(cell) + _TIMEOUT_MARGIN_S))
        reruns = getattr(self.config.option, "reruns", None)
        if reruns:
            self.add_marker(pytest.mark.flaky(reruns=reruns, only_rerun=["HarnessError"]))

    def setup(self) -> None:
        """Obtain the recording and judge it.

        Raises:
            HarnessError: the attempt says nothing about the subject.
        """
        self.result = None
        try:
            self.result = self.run.attempt(self, rerun=self.tries)
        except OSError as error:  # the network's own are results; what is left is our disk
            raise HarnessError(f"the attempt cannot be recorded: {error}; make room, or name another --run-dir") from None
        self.tries += 1
        if (spent := self.run.spent_budget()) and not self.run.has_started_ahead:
            self.session.shouldstop = spent
        if self.result.verdict is Verdict.ERROR:
            raise HarnessError(self.result.message or describe(self.result, Verdict.ERROR))

    def runtest(self) -> None:
        """Turn the verdict into pytest's outcome."""
        result = self.result
        if result is None:
            raise HarnessError(f"{self.name} has no recording")
        if result.verdict is Verdict.UNSUPPORTED:
            pytest.skip(f"unsupported: {result.message}")
        if result.verdict is Verdict.WARN:
            # Not `self.warn`, which insists on a line number; a scenario is a whole file.
            warnings.warn_explicit(ConformanceWarning(describe(result, Verdict.WARN)), None, str(self.path), 1)
        elif result.verdict is not Verdict.PASS:
            if result.known is not None:
                pytest.xfail(f"known: {result.known}")
            raise ConformanceError(describe(result, Verdict.FAIL, Verdict.BLOCKED, Verdict.NOT_OBSERVED)) from None


class ProofItem(ScenarioItem):
    """Proves that each check of a scenario can fail: by its mutants, and by spoiling passing recordings."""

    def __init__(self, *, parent: ScenarioFile, cells: tuple[Cell, ...], **kwargs: Any) -> None:
        """Name the item ``greeting/idle[mutants]``."""
        super().__init__(name=f"{cells[0].scenario}[mutants]", parent=parent, **kwargs)
        self.place(cells[0], parent.run)
        self.cells = cells
        self.proof: ScenarioProof | None = None

    def runtest(self) -> None:
        """Run the mutants and the spoiling.

        Raises:
            ConformanceError: a check that nothing can break, or a mutant that broke other checks than it says.
        """
        self.proof = self.run.prove(self.cells)
        if self.proof.problems:
            raise ConformanceError("\n".join(self.proof.problems)) from None


def describe(result: "AttemptResult", *verdicts: Verdict) -> str:
    """Write a line per check that has one of the verdicts."""
    lines = []
    for check in result.checks:
        if check.verdict in verdicts:
            blame = f" (blame: {check.blame})" if check.blame else ""
            lines.append(f"{check.verdict} {check.id}{blame}: {check.message}")
    if result.message:
        lines.append(result.message)
    if result.recording:
        lines.append(f"recording: {result.recording}")
    return "\n".join(lines)
