"""Stand-ins for the real API in processes of their own, and a foreign repository to drive them from."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from threading import Timer

import pytest

from conformance.plugin.tests.conftest import Repository, empty_repository

__all__ = ["Repository", "empty_repository"]

KEY = "sk-proj-abcdefghijklmnop"
_MAIN = "import sys; from conformance.cli import main; sys.exit(main())"
_STARTING_S = 30.0


@dataclass(frozen=True)
class StandIn:
    """Where a server listens, and the environment that leads `--real` to it."""

    url: str
    environment: Mapping[str, str]


class Served:
    """A server in a process of its own: the lines it prints until it listens, and its end."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
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
        self.process.communicate(timeout=10)


StartMock = Callable[..., StandIn]


@pytest.fixture
def start_mock(monkeypatch: pytest.MonkeyPatch) -> Iterator[StartMock]:
    """Start `conformance mock` with options in another process and lead this process's `--real` to it."""
    running: list[Served] = []

    def start(*options: str, key: str = KEY) -> StandIn:
        served = Served(sys.executable, "-c", _MAIN, "mock", "--port", "0", "--key", key, *options)
        running.append(served)
        url = served.until(r"Realtime mock on (\S+)")
        environment = {"OPENAI_API_KEY": key, "OPENAI_REALTIME_URL": url}
        if url.startswith("wss:"):
            environment["SSL_CERT_FILE"] = served.until(r"SSL_CERT_FILE=(\S+)")
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return StandIn(url, environment)

    yield start
    for served in running:
        served.stop()
