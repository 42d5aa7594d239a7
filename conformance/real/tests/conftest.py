"""Stand-ins for the real API in processes of their own, and a foreign repository to drive them from."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from conformance.plugin.tests.conftest import Repository, empty_repository

__all__ = ["Repository", "empty_repository"]

KEY = "sk-proj-abcdefghijklmnop"
_MAIN = "import sys; from conformance.cli import main; sys.exit(main())"
_STARTING_S = 300.0
PEER = Path(__file__).parent / "node"
_PEER_PROGRAM = PEER / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"


@dataclass(frozen=True)
class StandIn:
    """Where a server listens, and the environment that leads `--real` to it."""

    url: str
    environment: Mapping[str, str]


class Served:
    """A server in a process of its own: the lines it prints until it listens, and its end."""

    def __init__(self, *command: str, environment: Mapping[str, str] | None = None) -> None:
        whole = {**os.environ, **(environment or {})}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=whole)
        self.said: list[str] = []

    def until(self, pattern: str) -> str:
        """Return the first group of the first line that the pattern matches."""
        impatience = Timer(_STARTING_S, self.process.kill)
        impatience.start()
        try:
            assert self.process.stdout is not None
            for line in self.process.stdout:
                self.said.append(line)
                if found := re.search(pattern, line):
                    return found[1]
        finally:
            impatience.cancel()
        raise AssertionError(f"the server did not start: {''.join(self.said)}")

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=200)


def conformance(*args: str, environment: Mapping[str, str] | None = None) -> Served:
    """Start a command of ours in a process of its own."""
    return Served(sys.executable, "-c", _MAIN, *args, environment=environment)


@contextmanager
def mock(*options: str, key: str = KEY) -> Iterator[StandIn]:
    """Run `conformance mock` in another process."""
    served = conformance("mock", "--port", "0", "--key", key, *options)
    try:
        url = served.until(r"Realtime mock on (\S+)")
        environment = {"OPENAI_API_KEY": key, "OPENAI_REALTIME_URL": url}
        if url.startswith("wss:"):
            environment["SSL_CERT_FILE"] = served.until(r"SSL_CERT_FILE=(\S+)")
        yield StandIn(url, environment)
    finally:
        served.stop()


@contextmanager
def tap(behind: StandIn, folder: Path) -> Iterator[StandIn]:
    """Run `conformance tap` in front of a stand-in; its recordings go to the folder."""
    given = ("--upstream", behind.url, "--listen", "127.0.0.1:0", "--record", str(folder))
    served = conformance("tap", *given, environment=behind.environment)
    try:
        url = served.until(r"Tap on (\S+)")
        yield StandIn(url, {**behind.environment, "OPENAI_REALTIME_URL": url})
    finally:
        served.stop()


@contextmanager
def peer(folder: Path, *fixtures: Mapping[str, Any]) -> Iterator[StandIn]:
    """Run an independent Realtime mock that answers by these fixtures, the first that matches.

    ``npm ci`` in ``conformance/real/tests/node`` installs it. Without it a test is skipped with that advice, but in CI
    (``CI`` set) it fails: a skipped proof proves nothing.
    """
    missing = "Node is not installed" if shutil.which("node") is None else None
    if missing is None and not _PEER_PROGRAM.is_file():
        missing = f"run `npm ci` in {PEER}"
    if missing is not None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    path = folder / "fixtures.json"
    path.write_text(json.dumps({"fixtures": fixtures}))
    served = Served("node", str(_PEER_PROGRAM), "--port", "0", "--fixtures", str(path))
    try:
        url = f"ws://{served.until(r'listening on http://(.+)').strip()}/v1/realtime"
        yield StandIn(url, {"OPENAI_API_KEY": KEY, "OPENAI_REALTIME_URL": url})
    finally:
        served.stop()


Finding = tuple[str, str, str | None, str]
"""Of a check: its verdict, its id, its blame, its message."""


def findings(attempt: Mapping[str, Any]) -> Sequence[Finding]:
    """Return everything that was found in an attempt, warnings too."""
    return [
        (check["verdict"], check["id"], check["blame"], check["message"])
        for check in attempt["checks"]
        if check["verdict"] not in ("pass", "info")
    ]


StartMock = Callable[..., StandIn]


@pytest.fixture
def start_mock(monkeypatch: pytest.MonkeyPatch) -> Iterator[StartMock]:
    """Start `conformance mock` with options in another process and lead this process's `--real` to it."""
    with ExitStack() as running:

        def start(*options: str, key: str = KEY) -> StandIn:
            stand_in = running.enter_context(mock(*options, key=key))
            for name, value in stand_in.environment.items():
                monkeypatch.setenv(name, value)
            return stand_in

        yield start
