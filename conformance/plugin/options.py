"""The command line's options, read once into a frozen `Options`; every mistake is a usage error of one sentence."""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from secrets import randbits
from typing import Any, Final

import pytest

from conformance.real.api import RealApi
from conformance.targets.model import PORTS, Target, Upstream
from conformance.targets.urls import check_websocket_url
from conformance.wire.fault_text import read_fault
from conformance.wire.script import Fault

_CONCURRENCY: Final = 16
_REAL_CONCURRENCY: Final = 4
"""Each attempt costs money there, and the account has a rate limit."""
_YES: Final = frozenset({"1", "true", "yes", "on"})
_NO: Final = frozenset({"", "0", "false", "no", "off"})
_OWN: Final = "--count"
_BESIDE: Final = {
    "mock_port": ("proxy", "proxy_command"),
    "proxy_url": ("proxy_command",),
    "proxy_env": ("proxy_command", "target"),
}
"""Options that mean nothing without one of others."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the run was asked to do."""

    targets: tuple[Target, ...]
    count: int
    flows: tuple[str, ...]
    fault: Fault | None
    library: bool
    concurrency: int
    clock: str
    seed: int
    run_dir: Path | None
    keep_audio: bool
    compare: Path | None
    api: RealApi | None
    dry_run: bool
    budget_tokens: int | None
    may_stop_early: bool

    @property
    def is_real(self) -> bool:
        """True when a target's upstream is the real API."""
        return self.api is not None

    @property
    def is_virtual(self) -> bool:
        """True when attempts run on the virtual clock."""
        return self.clock == "virtual"


def add_options(parser: pytest.Parser) -> None:
    """Register the options and the ini option."""
    parser.addini("conformance_scenarios", "folder whose scenarios are collected", default="scenarios")
    group = parser.getgroup("conformance", "realtime conformance")
    add = group.addoption
    add("--real", action="store_true", help="the upstream is the real API (also USE_REAL_OPENAI=1); needs OPENAI_API_KEY")
    add("--mock", action="store_true", help="with --real: run on the mock too, after the real API")
    add("--flow", metavar="NAME[,…]", help="select by flow, such as greeting,idle")
    add("--proxy", metavar="URL", help="drive a proxy that already runs; its upstream must be our mock on --mock-port")
    add("--mock-port", type=int, metavar="P", help="where the mock listens for an external proxy")
    add("--proxy-command", metavar="CMD", help="start this proxy; {port} and {upstream_url} are filled in")
    add("--proxy-url", metavar="URL", help="where --proxy-command's proxy listens; {port} is filled in")
    add("--proxy-env", action="append", default=[], metavar="K=V", help="a variable for --proxy-command or --target")
    add("--target", metavar="NAME", help="a target of [tool.conformance.targets] in pyproject.toml")
    add("--fault", metavar="NAME[,k=v]", help="run the selection under a named fault of the mock")
    add("--library", action="store_true", help="collect the scenarios that come with the package")
    add("--concurrency", type=int, metavar="N", help="attempts in flight in real time (default 4 on the real API, else 16)")
    add("--clock", choices=("virtual", "real"), help="virtual where the subject is in process (default), or real")
    add("--seed", type=int, metavar="S", help="seed of the run: 0 on the virtual clock, else random and printed")
    add("--run-dir", metavar="D", help="write the run here instead of runs/<utc>-<name>")
    add("--keep-audio", action="store_true", help="keep the audio bodies beside the recordings")
    add("--dry-run", action="store_true", help="print the plan: attempts, minutes, an estimate of tokens; run nothing")
    add("--budget-tokens", type=int, metavar="N", help="start no more attempts when the API has counted N tokens")
    add("--compare", metavar="RUN", help="compare with an earlier run folder")
    _add_count(parser)


def _add_count(parser: pytest.Parser) -> None:
    """Add ``--count`` so that pytest-repeat, which has an option of that name and meaning, may come before or after."""
    try:
        parser.addoption(_OWN, type=int, default=1, metavar="N", help="attempts per cell, each its own item (default 1)")
    except (ValueError, argparse.ArgumentError):
        return
    add = parser.addoption

    def add_but_count(*names: str, **attributes: Any) -> None:
        if names != (_OWN,):
            add(*names, **attributes)

    parser.addoption = add_but_count  # type: ignore[method-assign]


def read_options(config: pytest.Config) -> Options:
    """Read and check the options.

    Raises:
        pytest.UsageError: one of them is wrong; the message says what to change.
    """
    option = config.option
    _check_root(config)
    if option.count < 1:
        raise pytest.UsageError(f"--count {option.count}: at least one attempt per cell is needed")
    real = option.real or _asks_for_real(os.environ)
    target = _target(config)
    targets = (target,)
    api = None
    if real:
        api = _real_api()
        real_name = "real" if target.name == "mock" else f"{target.name}-real"
        targets = (replace(target, name=real_name, upstream=Upstream.REAL), *((target,) if option.mock else ()))
    must_wait = real or target.is_external
    if must_wait and option.clock == "virtual":
        raise pytest.UsageError("--clock virtual needs everything in this process; leave it out with --real or a proxy")
    clock = "real" if must_wait else option.clock or "virtual"
    fault = _read_fault_option(option.fault)
    if fault is not None and real and not option.mock:
        raise pytest.UsageError(f"--fault {fault.name}: the real API takes no faults; leave out --real")
    return Options(
        targets=targets,
        count=option.count,
        flows=tuple(name for name in (option.flow or "").split(",") if name),
        fault=fault,
        library=option.library,
        concurrency=_concurrency(config, targets, clock),
        clock=clock,
        seed=option.seed if option.seed is not None else 0 if clock == "virtual" else randbits(32),
        run_dir=Path(option.run_dir) if option.run_dir else None,
        keep_audio=option.keep_audio,
        compare=_run_folder(option.compare),
        api=api,
        dry_run=option.dry_run,
        budget_tokens=_budget(option.budget_tokens),
        may_stop_early=bool(option.maxfail) or option.budget_tokens is not None,
    )


def _check_root(config: pytest.Config) -> None:
    """Refuse a folder by which pytest, that does not know our options yet, has mistaken where this repository is."""
    option, here = config.option, config.invocation_params.dir
    home = config.rootpath if config.inipath is None else config.inipath.parent
    is_found = here == home if config.inipath is None else here.is_relative_to(home)
    if is_found or option.rootdir or option.inifilename or hasattr(config, "workerinput"):
        return
    for name, value in (("--run-dir", option.run_dir), ("--compare", option.compare)):
        if value in config.invocation_params.args and (here / value).is_dir() and not (here / value).is_relative_to(here):
            raise pytest.UsageError(
                f"{name} {value}: after a space pytest takes the folder for one of tests, and reads its configuration from "
                f"there; write {name}={value}"
            )


def _asks_for_real(environment: Mapping[str, str]) -> bool:
    """Read ``USE_REAL_OPENAI``; a word that means neither must not quietly become a run on the mock."""
    said = environment.get("USE_REAL_OPENAI", "").strip()
    if said.lower() in _YES | _NO:
        return said.lower() in _YES
    raise pytest.UsageError(f"USE_REAL_OPENAI={said}: say 1 for the real API, 0 for the mock, or unset it")


def suggest_flow(name: str, flows: Sequence[str]) -> str:
    """Return the sentence for a flow that no scenario has."""
    close = get_close_matches(name, flows, n=1)
    advice = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(flows)}"
    return f"--flow {name}: no scenario has this flow; {advice}"


def _read_fault_option(text: str | None) -> Fault | None:
    if text is None:
        return None
    try:
        return read_fault(text)
    except ValueError as error:
        raise pytest.UsageError(f"--fault {text}: {error}") from None


def _target(config: pytest.Config) -> Target:
    option = config.option
    given = [name for name in ("proxy", "proxy_command", "target") if getattr(option, name)]
    if len(given) > 1:
        names = " and ".join(f"--{name.replace('_', '-')}" for name in given)
        raise pytest.UsageError(f"{names} name two subjects; give one of them")
    for name, companions in _BESIDE.items():
        if getattr(option, name) and not any(getattr(option, companion) for companion in companions):
            flags = " or ".join(f"--{companion.replace('_', '-')}" for companion in companions)
            raise pytest.UsageError(f"--{name.replace('_', '-')} needs {flags} beside it")
    if option.mock_port is not None and option.mock_port not in PORTS:
        raise pytest.UsageError(f"--mock-port {option.mock_port}: a port is a number from {PORTS[0]} to {PORTS[-1]}")
    try:
        if option.target:
            return _named_target(config)
        if option.proxy:
            return _running_proxy(option)
        if option.proxy_command:
            return _started_proxy(option)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    return Target()


def _named_target(config: pytest.Config) -> Target:
    from conformance.targets.load import load_target

    target = load_target(_pyproject(config), config.option.target)
    env = _environment(config.option.proxy_env)
    if env and target.command is None:
        raise ValueError(f"--proxy-env: the target {target.name} has no command that could be given an environment")
    return replace(target, env={**target.env, **env})


def _running_proxy(option: argparse.Namespace) -> Target:
    if option.mock_port is None:
        raise ValueError("--proxy needs --mock-port P, the port of our mock that this proxy uses as its upstream")
    return Target(name="proxy", url=check_websocket_url(option.proxy, "--proxy"), mock_port=option.mock_port)


def _started_proxy(option: argparse.Namespace) -> Target:
    if not option.proxy_url:
        raise ValueError("--proxy-command needs --proxy-url, such as ws://127.0.0.1:{port}/")
    url = check_websocket_url(option.proxy_url, "--proxy-url", placeholders=("port",))
    env = _environment(option.proxy_env)
    return Target(name="proxy", url=url, command=option.proxy_command, env=env, mock_port=option.mock_port)


def _environment(pairs: Sequence[str]) -> dict[str, str]:
    env = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise ValueError(f"--proxy-env {pair}: write it as NAME=VALUE")
        env[key] = value
    return env


def _pyproject(config: pytest.Config) -> Path:
    path = config.rootpath / "pyproject.toml"
    if not path.exists():
        raise ValueError(f"--target: there is no {path}; targets are read from its [tool.conformance.targets]")
    return path


def _real_api() -> RealApi:
    try:
        return RealApi.from_environment()
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


def _concurrency(config: pytest.Config, targets: tuple[Target, ...], clock: str) -> int:
    asked = config.option.concurrency
    workers = getattr(config.option, "numprocesses", None) or hasattr(config, "workerinput")
    if asked is not None and asked < 1:
        raise pytest.UsageError(f"--concurrency {asked}: at least one attempt must be in flight")
    if workers and asked is not None and asked > 1:
        raise pytest.UsageError(
            "--concurrency above 1 and -n exclude each other; drop -n, one process waits for many attempts"
        )
    if workers and any(target.is_external for target in targets):
        raise pytest.UsageError("one external proxy cannot serve several workers; drop -n and use --concurrency")
    if workers and config.option.budget_tokens is not None:
        raise pytest.UsageError("--budget-tokens needs one process that counts; drop -n and use --concurrency")
    if workers or clock == "virtual":
        return 1
    spends = any(target.upstream is Upstream.REAL for target in targets)
    return asked or (_REAL_CONCURRENCY if spends else _CONCURRENCY)


def _budget(tokens: int | None) -> int | None:
    if tokens is not None and tokens < 1:
        raise pytest.UsageError(f"--budget-tokens {tokens}: a budget is at least one token")
    return tokens


def _run_folder(text: str | None) -> Path | None:
    if text is None:
        return None
    path = Path(text)
    if not (path / "results.json").exists():
        raise pytest.UsageError(f"--compare {text}: there is no results.json; name a run folder such as runs/latest")
    return path.resolve()
