"""The two servers that are compared, each a process pinned to a core: the mock, recording, and a bare one.

Run ``python -m bench.servers mock SETTINGS`` or ``python -m bench.servers bare FILE``; it prints its port, and on
each line it reads from stdin the CPU seconds it has used.
"""

import asyncio
import gc
import resource
import sys
import tempfile
from pathlib import Path
from typing import Final

import orjson
from websockets.asyncio.server import ServerConnection, serve

from bench.load import pin
from conformance.cli.serving import Desk, collect_seldom
from conformance.wire.script import Script
from mock_upstream.assignment import Assignment, Handshake
from mock_upstream.server import BACKLOG, MockUpstream

_IN_MEMORY: Final = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
"""Where recordings go, if there is such a folder: no disk is to be measured."""


async def mock(settings: str) -> None:
    """Serve the mock with these settings; each session has a recording of its own, as on the command line."""
    script = Script(settings=orjson.loads(settings))
    with tempfile.TemporaryDirectory(dir=_IN_MEMORY) as folder:
        desk = Desk(record=Path(folder), log=False, held=True)

        def assign(_: Handshake) -> Assignment:
            visit = desk.admit()
            return Assignment(script, 0, visit.epoch, visit.now, visit.sink, done=visit.done)

        async with MockUpstream(assign) as server:
            collect_seldom()
            await obey(server.port)


async def bare(frames: list[str]) -> None:
    """Serve the same bytes with a bare ``websockets`` server that calls ``send()`` per frame and thinks nothing."""
    created, *turn = frames

    async def handle(connection: ServerConnection) -> None:
        await connection.send(created)
        async for _ in connection:
            await connection.recv()
            for frame in turn:
                await connection.send(frame)

    async with serve(handle, "127.0.0.1", 0, compression=None, backlog=BACKLOG, max_size=2**26) as server:
        await obey(next(iter(server.sockets)).getsockname()[1])


async def obey(port: int) -> None:
    """Print the port, then the CPU time for each line, until stdin ends."""
    gc.freeze()
    print(port, flush=True)  # noqa: T201
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.readline():
        used = resource.getrusage(resource.RUSAGE_SELF)
        print(used.ru_utime + used.ru_stime, flush=True)  # noqa: T201


if __name__ == "__main__":
    pin(0)
    kind, argument = sys.argv[1:]
    asyncio.run(mock(argument) if kind == "mock" else bare(Path(argument).read_text().splitlines()))
