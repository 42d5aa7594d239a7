"""The official Node SDKs against the mock, over TLS with a certificate of our own making.

``npm ci`` in ``mock_upstream/tests/node`` installs them. Without them these tests are skipped with that advice, but in CI
(``CI`` set) they fail: a skipped proof proves nothing.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from mock_upstream.fixture import RememberingMock
from mock_upstream.tests.clients import HELLO, PLAY, SUNNY
from mock_upstream.tests.conversations import converse_with_agents, converse_with_openai
from mock_upstream.tls import self_made

HERE = Path(__file__).parent / "node"


@pytest.fixture
async def mock(tmp_path: Path) -> AsyncIterator[RememberingMock]:
    missing = "Node is not installed" if shutil.which("node") is None else None
    if missing is None and not (HERE / "node_modules").is_dir():
        missing = f"run `npm ci` in {HERE}"
    if missing is not None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    context, certificate = self_made("127.0.0.1")
    (tmp_path / "authority.pem").write_bytes(certificate.authority)
    async with RememberingMock(script=PLAY, ssl=context) as mock:
        yield mock


async def play(program: str, argument: str, folder: Path) -> dict[str, Any]:
    """Run a client's program; it prints what it saw as one line of JSON."""
    environment = {**os.environ, "NODE_EXTRA_CA_CERTS": str(folder / "authority.pem")}
    process = await asyncio.create_subprocess_exec(
        "node", program, argument, cwd=HERE, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), 200)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, err.decode()
    seen: dict[str, Any] = orjson.loads(out.splitlines()[-1])
    return seen


def check_openai(seen: dict[str, Any]) -> None:
    assert seen["errors"] == []
    assert seen["text"] == HELLO
    assert seen["audio"]["status"] == "completed"
    assert seen["audio"]["bytes"] > 24_000
    assert seen["call"]["name"] == "weather"
    assert orjson.loads(seen["call"]["arguments"]) == {"city": "Paris"}
    assert seen["answer"] == SUNNY
    assert seen["cancel"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert seen["close"]["code"] == 1000


def check_agents(seen: dict[str, Any]) -> None:
    assert seen["errors"] == []
    assert seen["text"] == HELLO
    assert seen["audio"]["status"] == "completed"
    assert seen["audio"]["bytes"] > 24_000
    assert seen["asked"] == ["Paris"]
    assert seen["answer"] == SUNNY
    assert seen["interrupt"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert seen["truncated"]


async def test_openai_for_node_plays_a_whole_conversation_over_tls(mock: RememberingMock, tmp_path: Path) -> None:
    check_openai(await play("openai.mjs", mock.base_url, tmp_path))
    assert mock.sent("error") == []


async def test_agents_for_node_runs_a_tool_and_is_interrupted_over_tls(mock: RememberingMock, tmp_path: Path) -> None:
    check_agents(await play("agents.mjs", f"{mock.url}?model=gpt-realtime", tmp_path))
    assert mock.sent("error") == []


async def test_the_four_sdks_are_served_at_once(
    mock: RememberingMock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    openai, agents, _, _ = await asyncio.gather(
        play("openai.mjs", mock.base_url, tmp_path),
        play("agents.mjs", f"{mock.url}?model=gpt-realtime", tmp_path),
        converse_with_openai(mock.base_url),
        converse_with_agents(mock.url),
    )
    check_openai(openai)
    check_agents(agents)
    assert {frame.conn for frame in mock.recorder.frames} == {0, 1, 2, 3}
    assert mock.sent("error") == []
