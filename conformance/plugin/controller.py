"""What the one process that owns the run folder does: gather results, write them, report."""

import signal
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import orjson
import pytest

from conformance.doors import load_reports
from conformance.plugin.items import AttemptItem
from conformance.plugin.run import Run
from conformance.results import AttemptResult, attempt_from_json
from conformance.verdicts import Verdict

if TYPE_CHECKING:
    from rich.console import Console

_ENDINGS: Final = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
"""What ends a run early, and who handles it when nobody else asked to."""


class Controller:
    """Gathers the attempts' results from pytest's reports, wherever they ran."""

    def __init__(self, run: Run, config: pytest.Config) -> None:
        """Make sure of the real API, if it is driven, and open the run folder.

        Raises:
            pytest.UsageError: the API cannot be used, or the folder cannot be written.
        """
        self._run = run
        try:
            found = run.preflight()
        except ValueError as error:
            raise pytest.UsageError(str(error)) from None
        self._config = config
        try:
            self._folder = run.open_folder(config.invocation_params.args)
        except OSError as error:
            raise pytest.UsageError(
                f"--run-dir: the run folder cannot be written: {error}; name another with --run-dir"
            ) from None
        run.note_preflight(found)
        self._handlers: dict[signal.Signals, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number, default in _ENDINGS.items():
                if signal.getsignal(number) is default:
                    self._handlers[number] = signal.signal(number, self._interrupt)
        self._progress: Any = None
        self._problems: list[str] = []

    def announce(self, items: Sequence[AttemptItem]) -> None:
        """Take note of what will run; what costs money is said before it does."""
        try:
            self._run.note_scenarios([item.path for item in items])
            self._folder.write()
        except OSError as error:
            raise pytest.UsageError(self._unwritable(error)) from None
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if self._run.options.is_real and reporter is not None:
            reporter.write_line(self._run.plan(items))
        self._progress = load_reports().Progress(self._terminal())
        self._progress.started(len(items))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take an attempt's result from the report that carries it."""
        proof = getattr(report, "conformance_proof", None)
        if proof is not None:
            self._run.note_proof(orjson.loads(proof))
        value = getattr(report, "conformance", None)
        if value is None:
            return
        result = attempt_from_json(orjson.loads(value))
        try:
            self._folder.add(result)
        except OSError as error:
            pytest.exit(self._unwritable(error), pytest.ExitCode.INTERRUPTED)
        if self._progress is not None:
            self._progress.attempt(result)

    def _unwritable(self, error: OSError) -> str:
        return f"the run cannot be written: {error}; make room, or name another folder with --run-dir"

    def _interrupt(self, *_: object) -> None:
        """End the run once: a second Ctrl-C would hit the stopping of the proxy or the writing of the report."""
        self._hear_nothing()
        raise KeyboardInterrupt

    def _hear_nothing(self) -> None:
        for number in self._handlers:
            signal.signal(number, signal.SIG_IGN)

    def pytest_unconfigure(self) -> None:
        """Hear the signals as before."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Iterator[None]:
        """Write everything there is once all is stopped, whatever ended the session; a Ctrl-C would come too late."""
        self._hear_nothing()
        yield
        try:
            self._write(session, exitstatus)
        except OSError as error:
            self._problems = [*self._problems, self._unwritable(error)]
            session.exitstatus = pytest.ExitCode.INTERRUPTED

    def _write(self, session: pytest.Session, exitstatus: int) -> None:
        """Write the results and the reports; with workers, there may have been nothing to try."""
        if self._progress is not None:
            self._progress.finished()
        self._folder.attempts += self._run.leftover
        if self._progress is None and not self._folder.attempts and not self._run.has_proofs:
            self._folder.discard()
            self._config.pluginmanager.unregister(self)
            self.pytest_unconfigure()
            return
        self._problems = self._run.finish(self._folder.attempts, interrupted=exitstatus == pytest.ExitCode.INTERRUPTED)
        reports = load_reports()
        results = self._folder.write()
        reports.write(self._folder.path, results, compare=self._run.baseline)
        if exitstatus == pytest.ExitCode.OK and self._problems:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        elif exitstatus == pytest.ExitCode.OK and _shows_nothing(self._folder.attempts):
            session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the summary."""
        terminalreporter.ensure_newline()
        load_reports().summary(self._folder.results(), self._terminal(), self._folder.path, compare=self._run.baseline)
        if self._run.options.is_real:
            terminalreporter.write_line(self._run.tokens_line)
        for problem in self._problems:
            terminalreporter.write_line(problem, red=True)

    def _terminal(self) -> "Console":
        from rich.console import Console

        reporter: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        stream = reporter._tw._file if reporter is not None else None  # noqa: SLF001  # pytest offers no public way
        return Console(file=stream, highlight=False, soft_wrap=False)


def _shows_nothing(attempts: Sequence[AttemptResult]) -> bool:
    """Tell whether the target supports nothing of what was run, which must not look like success to a build."""
    return bool(attempts) and all(attempt.verdict is Verdict.UNSUPPORTED for attempt in attempts)
