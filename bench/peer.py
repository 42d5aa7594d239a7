"""A peer mock's figures beside ours: ``@copilotkit/aimock``, pinned, if ``npx`` can run it here; no goal depends on it."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import orjson

from bench.load import Wire, connect, deltas, sessions
from bench.telling import tell

PACKAGE: Final = "@copilotkit/aimock@1.43.0"
_END: Final = b'"response.done"'
"""It sends no rate_limits.updated."""
_PINNED: Final = "import os, sys; from bench.load import pin; pin(0); os.execvp(sys.argv[1], sys.argv[1:])"
_STARTING_S: Final = 60.0


async def measure(at_once: int, seconds: float) -> None:
    """Print its sessions a second, its p99 and its small deltas a second."""
    try:
        async with _running("Hello! How can I help you today?", "20") as port:
            await sessions(port, at_once, seconds / 2, end=_END)
            result = await sessions(port, at_once, seconds, end=_END)
        async with _running("word " * 2_000, "5") as port:
            await deltas(port, 5, end=_END)
            spent, count = await deltas(port, 20, end=_END)
    except (OSError, TimeoutError) as error:
        tell(f"peer {PACKAGE}", f"not measured: {error}", reached=True)
        return
    figures = f"{result.rate:,.1f} sessions/s, p99 {result.p99:.1f} ms at {at_once}; {count / spent:,.1f} small deltas/s"
    tell(f"peer {PACKAGE} (no recording, fewer events)", figures, reached=True)


@asynccontextmanager
async def _running(reply: str, characters: str) -> AsyncIterator[int]:
    """Run it on the server's core; yield its port."""
    if shutil.which("npx") is None:
        raise OSError("npx is not installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    fixture: Mapping[str, Any] = {"fixtures": [{"match": {"userMessage": "Hello"}, "response": {"content": reply}}]}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "fixtures.json")
        path.write_bytes(orjson.dumps(fixture))  # noqa: ASYNC240 (nothing else runs)
        words = f"npx --yes --package={PACKAGE} llmock -p {port} -f {path} -c {characters} --log-level silent".split()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            _PINNED,
            *words,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            await _until_it_listens(port, process)
            yield port
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, 15)
            await process.wait()


async def _until_it_listens(port: int, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(_STARTING_S):
        while process.returncode is None:
            with suppress(OSError):
                wire = await connect(port, Wire)
                wire.transport.close()
                return
            await asyncio.sleep(0.2)
    raise OSError(f"npx could not run {PACKAGE}")
