"""Subjects in a few lines, and cells to drive them with."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection, unix_serve

from conformance.client import Dial
from conformance.runner import Attempt
from conformance.runner.in_process import open_unix
from conformance.scenario.model import Cell, Close, Connect, Send, Speaks, Step, Wait
from conformance.wire.durations import SECOND
from conformance.wire.frames import Direction, Kind, Leg
from conformance.wire.script import Script

TURN: Sequence[Step] = (
    Connect(),
    Send(message={"type": "Settings"}),
    Wait(leg=Leg.CLIENT, pattern="SettingsApplied", within=5 * SECOND, id="applied"),
    Close(),
)


def cell_of(*steps: Step, speaks: Speaks = Speaks.VOICE_AGENT, script: Script = Script()) -> Cell:  # noqa: B008  # frozen
    path = Path("scenarios/text/one.yaml")
    return Cell("text/one", "text", "One", path, {"n": 1}, speaks, (), (), steps, script, (), ())


class EchoUpstream:
    """A subject without an upstream server: it records a pretended upstream leg and answers each message after 1 s."""

    secrets: tuple[str, ...] = ("hush-hush",)

    def __init__(self, lingering: float = 0, on_message: Callable[[Attempt], None] | None = None) -> None:
        self._lingering = lingering
        self._on_message = on_message

    @asynccontextmanager
    async def join(self, attempt: Attempt) -> AsyncIterator[Dial]:
        async def serve(connection: ServerConnection) -> None:
            conn = attempt.opened()
            attempt.upstream_sink(conn, Direction.UP, Kind.OPEN, {"path": "/"})
            async for message in connection:
                attempt.upstream_sink(conn, Direction.UP, Kind.TEXT, message)
                if self._on_message is not None:
                    self._on_message(attempt)
                await asyncio.sleep(1)
                await connection.send(json.dumps({"type": "SettingsApplied", "say": "hush-hush"}))
            await asyncio.sleep(self._lingering)
            attempt.upstream_sink(conn, Direction.UP, Kind.CLOSE, {"code": 1000, "reason": ""})
            attempt.closed()

        with TemporaryDirectory() as folder:

            async def dial(step: Connect) -> ClientConnection:
                return await open_unix(f"{folder}/s", "/agent", step.headers)

            async with await unix_serve(serve, f"{folder}/s"):
                yield dial
