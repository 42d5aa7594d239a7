"""Without ``--real`` nothing touches the network: a run whose every socket and name look-up is watched."""

from pathlib import Path

import pytest

from conformance.plugin.tests.conftest import IDLE, TEXT_TURN
from conformance.real.tests.conftest import Repository

GUARD = '''
"""Put on the path of a process, watches where it connects and which names it looks up; anything but loopback ends it."""
import os, sys

EVENTS = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1, "socket.getaddrinfo": 0, "socket.gethostbyname": 0,
          "socket.gethostbyaddr": 0, "socket.getnameinfo": 0}
LOOPBACK = {"127.0.0.1", "::1", "localhost", "", None}


def watch(event, args):
    if event not in EVENTS:
        return
    address = args[EVENTS[event]]
    host = address[0] if isinstance(address, tuple) else address
    host = host.decode() if isinstance(host, bytes) else host
    if host in LOOPBACK or str(host).startswith(("/", "\\0")):  # a path: a Unix socket
        kept = "allowed"
    else:
        kept = "forbidden"
    with open(os.environ["WATCHED"], "a") as log:
        log.write(f"{kept} {event} {host}\\n")
    if kept == "forbidden":
        raise OSError(f"{event} {host} is forbidden here")


sys.addaudithook(watch)
'''


@pytest.fixture
def watched(empty_repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let every Python process below this one be watched; the file it is written down in."""
    folder = empty_repository.path / "guard"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(GUARD)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setenv("WATCHED", str(folder / "log"))
    return folder / "log"


def seen(log: Path, kept: str) -> list[str]:
    return [line for line in log.read_text().splitlines() if line.startswith(kept)]


def test_without_real_no_socket_leaves_this_machine_and_no_name_is_looked_up(
    empty_repository: Repository, watched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-proj-abcdefghijklmnop")
    monkeypatch.setenv("OPENAI_REALTIME_URL", "wss://api.openai.com/v1/realtime")
    empty_repository.scenario(TEXT_TURN)
    empty_repository.scenario(IDLE)
    empty_repository.run_outside("scenarios", "-q").assert_outcomes(passed=5)
    assert seen(watched, "allowed"), "it was watched"
    assert seen(watched, "forbidden") == []


@pytest.mark.parametrize("host", ["api.openai.com", "192.0.2.1"])
def test_the_watch_would_have_caught_a_run_that_does(
    host: str, empty_repository: Repository, watched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-proj-abcdefghijklmnop")
    monkeypatch.setenv("OPENAI_REALTIME_URL", f"wss://{host}/v1/realtime")
    empty_repository.scenario(IDLE)
    found = empty_repository.run_outside("scenarios", "--real", "-q")
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    assert any(host in line for line in seen(watched, "forbidden"))
