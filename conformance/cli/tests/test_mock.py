"""``conformance mock`` as a process of its own."""

import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest
import typer
from typer.testing import CliRunner
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from conformance.cli.mock import command
from conformance.wire.recording import load

KEY = {"Authorization": "Bearer sk-T3st-key-of-ours"}
runner = CliRunner()
app = typer.Typer()
app.command()(command)


@contextmanager
def mock(*arguments: str) -> Iterator[tuple[str, list[str], "subprocess.Popen[str]"]]:
    """Start the command; yield the URL and the lines it printed."""
    program = "import typer; from conformance.cli.mock import command; typer.run(command)"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline()]
        assert lines[0].startswith("Realtime mock on ws"), lines[0] + process.stdout.read()
        lines += [process.stdout.readline() for _ in range(6)]
        yield lines[0].split()[3], lines, process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def turn(client: Connection) -> list[str]:
    client.send('{"type": "response.create", "response": {"output_modalities": ["text"]}}')
    types: list[str] = []
    while not types or types[-1] != "rate_limits.updated":
        types.append(orjson.loads(client.recv(200))["type"])
    return types


def test_it_serves_records_logs_and_stops_cleanly(tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    script.write_text(
        "rules:\n  - {id: quiet, when: rate_limits.updated, reply: [{type: rate_limits.updated, rate_limits: []}]}\n"
    )
    folder = tmp_path / "recordings"
    with mock("--script", str(script), "--record", str(folder), "--log", "--seed", "7") as (url, lines, process):
        assert f'websocket_base_url="{url.removesuffix("/realtime")}"' in "".join(lines)
        with connect(f"{url}?model=gpt-realtime", additional_headers=KEY) as client:
            assert turn(client)[-2:] == ["response.done", "rate_limits.updated"]
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=200)
    assert process.returncode == 0
    assert out.rstrip().endswith("Stopped.")
    assert "#1" in out
    assert "<- response.done" in out
    assert "sk-T3st" not in out
    (path,) = folder.iterdir()
    recording = load(path)
    assert recording.footer is not None
    assert recording.header.seed == 7
    assert [frame.scripted for frame in recording.frames if frame.type == "rate_limits.updated"] == ["quiet"]
    assert b"sk-T3st" not in path.read_bytes()


def test_a_killed_mock_leaves_every_line(tmp_path: Path) -> None:
    with (
        mock("--record", str(tmp_path)) as (url, _, process),
        connect(f"{url}?model=gpt-realtime", additional_headers=KEY) as client,
    ):
        assert orjson.loads(client.recv(200))["type"] == "session.created"
        process.kill()
        process.wait()
    (path,) = tmp_path.iterdir()
    assert [frame.type for frame in load(path).frames] == ["", "session.created"]


def test_tls_prints_the_authority_to_trust() -> None:
    with mock("--tls") as (url, lines, process):
        assert url.startswith("wss://")
        assert process.stdout is not None
        process.stdout.readline()
        advice = process.stdout.readline()
        context = ssl.create_default_context(cafile=advice.partition("SSL_CERT_FILE=")[2].split()[0])
        with connect(f"{url}?model=gpt-realtime", additional_headers=KEY, ssl=context) as client:
            assert orjson.loads(client.recv(200))["type"] == "session.created"
        assert lines[2].startswith("openai, Python:")


def test_a_fault_is_named_with_its_parameters() -> None:
    with mock("--fault", "refuse-429") as (url, _, _process), pytest.raises(InvalidStatus, match="429"):
        connect(url)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--fault", "idle-eror"], "--fault idle-eror: there is no fault 'idle-eror'; did you mean 'idle-error'?"),
        (["--profile", "gpt-9"], "--profile gpt-9: there is no such profile"),
        (["--script", "/nowhere.yaml"], "--script /nowhere.yaml: No such file or directory"),
        (["--cert", "/nowhere.pem"], "--cert /nowhere.pem: No such file or directory"),
        (["--record", "/dev/null/x"], "--record /dev/null/x: Not a directory"),
        (["--host", "203.0.113.9", "--port", "1"], "cannot listen on 203.0.113.9, port 1"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], sentence: str) -> None:
    result = runner.invoke(app, arguments)
    assert result.exit_code == 2
    assert sentence in result.output
    assert "Traceback" not in result.output


def test_a_mistake_in_the_script_has_its_line(tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    script.write_text("rules:\n  - {id: x, wen: session.update}\n")
    result = runner.invoke(app, ["--script", str(script)])
    assert result.exit_code == 2
    assert f"{script}:2:" in result.output


def test_the_help_shows_an_example() -> None:
    assert "Example: conformance mock" in runner.invoke(app, ["--help"]).output
