"""The pytest door: scenarios are files, attempts are items, verdicts are outcomes."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
import pytest
import pytest_asyncio

from conformance.plugin.first_line import FirstLine
from conformance.plugin.items import AttemptItem, HarnessError, ProofItem, ScenarioFile, ScenarioItem
from conformance.plugin.options import add_options, read_options, suggest_flow

if TYPE_CHECKING:
    from conformance.plugin.controller import Controller
    from conformance.plugin.run import Run
    from mock_upstream.fixture import RememberingMock

_RUN: Final[pytest.StashKey["Run"]] = pytest.StashKey()
_CONTROLLER: Final[pytest.StashKey["Controller"]] = pytest.StashKey()
_FIRST: Final[pytest.StashKey[FirstLine]] = pytest.StashKey()
_LIBRARY: Final[pytest.StashKey[Path]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Read the options, so that a mistake stops the run before anything else happens."""
    config.addinivalue_line("filterwarnings", "default::conformance.plugin.items.ConformanceWarning")
    from conformance.plugin.run import Run

    options = read_options(config)
    worker = getattr(config, "workerinput", None)
    config.stash[_RUN] = run = Run(options, config.rootpath, config.rootpath / config.getini("conformance_scenarios"))
    if worker is not None:
        run.join(worker["conformance"])
    if options.library:
        from conformance.scenario.load import library

        config.stash[_LIBRARY] = library()
        from_arguments = config.args_source is pytest.Config.ArgsSource.ARGS
        config.args[:] = [*(config.args if from_arguments else ()), str(library())]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ScenarioFile | None:
    """Collect YAML files with a top-level ``scenario:`` key below the scenario folder."""
    if file_path.suffix not in {".yaml", ".yml"}:
        return None
    config = parent.config
    roots = [config.rootpath / config.getini("conformance_scenarios")]
    if _LIBRARY in config.stash:
        roots.append(config.stash[_LIBRARY])
    if not any(file_path.is_relative_to(root) for root in roots):
        return None
    from conformance.scenario.load import is_scenario

    if not is_scenario(file_path):
        return None
    file: ScenarioFile = ScenarioFile.from_parent(parent, path=file_path)
    file.run = config.stash[_RUN]
    return file


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Select by flow, then shuffle the attempts of different cells inside blocks by the seed."""
    run = config.stash[_RUN]
    if run.options.flows:
        flows = {item.cell.flow for item in items if isinstance(item, ScenarioItem)}
        for name in run.options.flows:
            if flows and name not in flows:
                raise pytest.UsageError(suggest_flow(name, sorted(flows)))
        keep: list[pytest.Item] = []
        drop: list[pytest.Item] = []
        for item in items:
            selected = isinstance(item, ScenarioItem) and item.cell.flow in run.options.flows
            (keep if selected else drop).append(item)
        config.hook.pytest_deselected(items=drop)
        items[:] = keep
    items.sort(key=lambda item: _place(item, run.options.seed))
    run.plan_order([item for item in items if isinstance(item, AttemptItem)])


def _place(item: pytest.Item, seed: int) -> tuple[Any, ...]:
    """Functions stay where they were; attempts go by target, block (attempt number), then by chance; proofs go last."""
    if not isinstance(item, ScenarioItem):
        return (0,)
    if not isinstance(item, AttemptItem):
        return (2,)
    targets = [target.name for target in item.run.options.targets]
    chance = sha256(f"{seed} {item.attempt} {item.cell.scenario} {item.cell.label}".encode()).digest()
    return (1, targets.index(item.target.name), item.attempt, chance)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Open the run folder once the selection is known; workers use the controller's."""
    config = session.config
    items = [item for item in session.items if isinstance(item, AttemptItem)]
    run = config.stash[_RUN]
    broken = session.testsfailed and not config.option.continue_on_collection_errors
    broken = broken or not run.is_planned  # pytest finishes a collection that a usage error ended, too
    _say_first(config, None if broken else items)
    runs_nothing = config.option.collectonly or run.options.dry_run
    if items and not runs_nothing and not broken and not hasattr(config, "workerinput"):
        _open(config).announce(items)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """With ``--dry-run``: print the plan and run nothing."""
    run = session.config.stash[_RUN]
    if not run.options.dry_run:
        return None
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        plan = run.plan([item for item in session.items if isinstance(item, AttemptItem)])
        reporter.write_line(f"{plan}; nothing was run")
    return True


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a pytest-xdist worker the seed and the run folder."""
    _open(node.config)
    node.workerinput["conformance"] = node.config.stash[_RUN].shared


def _open(config: pytest.Config) -> "Controller":
    if _CONTROLLER not in config.stash:
        from conformance.plugin.controller import Controller

        config.stash[_CONTROLLER] = Controller(config.stash[_RUN], config)
        config.pluginmanager.register(config.stash[_CONTROLLER], "conformance-controller")
    return config.stash[_CONTROLLER]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Send an attempt's result with the report that ends it; reports also travel from workers."""
    outcome: Any = yield
    if isinstance(item, AttemptItem) and (call.when == "call" or (call.when == "setup" and call.excinfo is not None)):
        from conformance.results import attempt_to_json

        if call.excinfo is not None and isinstance(call.excinfo.value, HarnessError):
            # pytest asks an item how its failure reads in the call phase only; this one is in setup.
            outcome.get_result().longrepr = str(call.excinfo.value)
        result = item.result or item.run.without_recording(item, str(call.excinfo.value) if call.excinfo else "not run")
        _attach(outcome, "conformance", attempt_to_json(result))
    elif isinstance(item, ProofItem) and item.proof is not None and call.when == "call":
        proof = {"scenario": item.cell.scenario, "broken": item.proof.broken, "problems": list(item.proof.problems)}
        _attach(outcome, "conformance_proof", proof)


def _attach(outcome: Any, name: str, value: Mapping[str, Any]) -> None:
    """Put a value on a report as JSON text, which every way between processes carries."""
    setattr(outcome.get_result(), name, orjson.dumps(value).decode())


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop what was started ahead and the subjects, whatever ended the session, if only its collection."""
    _say_first(session.config)
    session.config.stash[_RUN].close()


def pytest_report_header(config: pytest.Config) -> str:
    """Say what is driven, on which clock, with which seed."""
    options = config.stash[_RUN].options
    targets = ", ".join(target.name for target in options.targets)
    return f"conformance: target {targets}, {options.clock} clock, seed {options.seed}"


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Hold the first line of a run of the real API ready, however quiet the run."""
    config = session.config
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if config.stash[_RUN].options.is_real and reporter is not None and not hasattr(config, "workerinput"):
        config.stash[_FIRST] = FirstLine(reporter)
        if getattr(config.option, "numprocesses", None):  # the workers collect, and do not tell
            _say_first(config)


def _say_first(config: pytest.Config, items: Sequence[AttemptItem] | None = None) -> None:
    if _FIRST in config.stash:
        config.stash[_FIRST].say(config.stash[_RUN].real_api_line(items))


@pytest_asyncio.fixture
async def mock_upstream() -> AsyncIterator["RememberingMock"]:
    """A faithful Realtime server on a free port of 127.0.0.1; see `mock_upstream.fixture`."""
    from mock_upstream.fixture import RememberingMock

    async with RememberingMock() as mock:
        yield mock
