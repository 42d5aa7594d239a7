"""``conformance proxy`` as a process of its own."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import typer
from typer.testing import CliRunner
from websockets.asyncio.client import connect

from conformance.cli.proxy import command
from mock_upstream.server import MockUpstream

runner = CliRunner()
app = typer.Typer()
app.command()(command)


@contextmanager
def proxy(upstream: str) -> Iterator["tuple[str, subprocess.Popen[str]]"]:
    """Start the command; yield the URL that it prints."""
    program = "import typer; from conformance.cli.proxy import command; typer.run(command)"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "--listen", "127.0.0.1:0", "--upstream", upstream],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OPENAI_API_KEY": "sk-of-a-test"},
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("Voice-agent clients connect to ws://"), line + process.stdout.read()
        yield line.split()[4].rstrip(";"), process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


async def test_it_serves_a_turn_and_stops_cleanly() -> None:
    async with MockUpstream(key="sk-of-a-test") as mock:
        with proxy(mock.url) as (url, process):
            async with asyncio.timeout(200), connect(url) as client:
                await client.send('{"type":"Settings","agent":{"think":{"prompt":"Hi"}}}')
                await client.send('{"type":"InjectUserMessage","content":"Hello"}')
                types: list[str] = []
                while "AgentAudioDone" not in types:
                    frame = await client.recv()
                    types += [json.loads(frame)["type"]] if isinstance(frame, str) else []
                assert types[:3] == ["SettingsApplied", "ConversationText", "AgentStartedSpeaking"]
            process.send_signal(signal.SIGINT)
            output, _ = await asyncio.to_thread(process.communicate, timeout=200)
    assert output == "Stopped.\n"
    assert process.returncode == 0


async def test_a_wrong_key_is_told_to_the_client() -> None:
    async with MockUpstream(key="sk-another-one") as mock:
        with proxy(mock.url) as (url, _):
            async with asyncio.timeout(200), connect(url) as client:
                message = json.loads(await client.recv())
                assert (message["type"], message["code"]) == ("Error", "invalid_api_key")
                await client.wait_closed()
                assert client.close_code == 3000


@pytest.mark.parametrize(
    ("arguments", "key", "sentence"),
    [
        ([], "", "export OPENAI_API_KEY"),
        (["--listen", "nonsense"], "sk-x", "write it as HOST:PORT"),
        (["--upstream", "http://x"], "sk-x", "it must begin with ws:// or wss://"),
        (["--upstream", "ws://${HOST}/"], "sk-x", "still holds ${HOST}"),
    ],
)
def test_bad_input_is_one_sentence(monkeypatch: pytest.MonkeyPatch, arguments: list[str], key: str, sentence: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    result = runner.invoke(app, arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_port_that_is_taken_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = runner.invoke(app, ["--listen", f"127.0.0.1:{taken.getsockname()[1]}"])
    assert result.exit_code == 2
    assert "cannot listen on" in result.stderr
