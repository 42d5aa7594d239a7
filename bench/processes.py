"""Starting the servers of `bench.servers`, each on a core of its own."""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import orjson
from websockets.asyncio.client import connect

from bench.load import END, PATH, TURN_EVENTS

AT_ONCE: Final[Mapping[str, Any]] = {"latency": 0, "pace": "burst"}
"""No recorded latencies: all of a turn is due at the same instant, as it is for the bare server."""


class Server:
    """A server process; `cpu` asks it how many CPU seconds it has used."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.port = port
        self._process = process

    async def cpu(self) -> float:
        """Return the CPU seconds used so far."""
        assert self._process.stdin is not None  # noqa: S101
        assert self._process.stdout is not None  # noqa: S101
        self._process.stdin.write(b"\n")
        return float(await self._process.stdout.readline())


@asynccontextmanager
async def server(kind: str, argument: str) -> AsyncIterator[Server]:
    """Start a server."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.servers", kind, argument, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None  # noqa: S101
    assert process.stdout is not None  # noqa: S101
    try:
        yield Server(process, int(await process.stdout.readline()))
    finally:
        process.stdin.close()
        await process.wait()


@asynccontextmanager
async def pair(settings: Mapping[str, Any]) -> AsyncIterator[tuple[Server, Server]]:
    """Start the mock with these settings, and a bare server that sends the very bytes of the mock's turn."""
    with tempfile.NamedTemporaryFile("w", suffix=".frames") as frames:
        async with server("mock", orjson.dumps(dict(settings)).decode()) as mock:
            frames.write("\n".join(await _bytes_of_a_turn(mock.port)))
            frames.flush()
            async with server("bare", frames.name) as bare:
                yield mock, bare


async def _bytes_of_a_turn(port: int) -> list[str]:
    """Return session.created and every frame of one text turn."""
    lines = []
    async with connect(f"ws://127.0.0.1:{port}{PATH}", additional_headers={"Authorization": "Bearer sk-any"}) as client:
        lines.append(str(await client.recv()))
        for event in TURN_EVENTS:
            await client.send(orjson.dumps(event).decode())
        while END.decode() not in lines[-1]:
            lines.append(str(await client.recv()))
    return lines
