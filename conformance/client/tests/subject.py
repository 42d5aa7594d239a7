"""A subject in a few lines, and a way to play steps against it."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.asyncio.server import ServerConnection, unix_serve

from conformance.client import drive
from conformance.clock import Clock, run
from conformance.scenario.model import Cell, Connect, Speaks, Step
from conformance.wire.frames import Frame, Kind
from conformance.wire.recording import Footer, Header, Recorder, Recording
from conformance.wire.script import Script

Handler = Callable[[ServerConnection], Awaitable[None]]


def cell_of(*steps: Step, speaks: Speaks = Speaks.VOICE_AGENT, path: Path = Path("scenarios/text/one.yaml")) -> Cell:
    return Cell("text/one", "text", "", path, {}, speaks, (), (), steps, Script(), (), ())


async def agent(connection: ServerConnection) -> None:
    """Apply Settings, answer a user message after 100 ms, ignore the rest."""
    async for message in connection:
        event = json.loads(message) if isinstance(message, str) else {}
        match event:
            case {"type": "Settings"}:
                await say(connection, {"type": "SettingsApplied"})
            case {"type": "InjectUserMessage", "content": content}:
                await asyncio.sleep(0.1)
                await say(connection, {"type": "ConversationText", "role": "assistant", "content": f"You said {content}"})
                await say(connection, {"type": "AgentAudioDone"})


async def say(connection: ServerConnection, event: Any) -> None:
    await connection.send(json.dumps(event))


def play(
    *steps: Step,
    handler: Handler = agent,
    cell: Cell | None = None,
    clock: Clock = Clock.VIRTUAL,
    serving: Mapping[str, Any] | None = None,
    recorders: list[Recorder] | None = None,
    **options: Any,
) -> Recording:
    """Play the steps against a subject and return the recording; ``recorders`` gets the recorder before they begin."""

    async def main(path: str) -> Recording:
        loop = asyncio.get_running_loop()
        start = loop.time()

        def now() -> int:
            return round((loop.time() - start) * 1e6)

        async def dial(connect: Connect) -> ClientConnection:
            query = "&".join(f"{name}={value}" for name, value in connect.query.items())
            return await unix_connect(path, f"ws://localhost/agent?{query}", compression=None, max_size=None)

        recorder = Recorder(Header(), now)
        if recorders is not None:
            recorders.append(recorder)
        async with await unix_serve(handler, path, compression=None, max_size=None, **(serving or {})):
            await drive(cell or cell_of(*steps), dial=dial, recorder=recorder, now=now, **options)
        return recorder.finish(Footer(now()))

    with TemporaryDirectory(dir="/tmp") as folder:
        return run(main(f"{folder}/s"), clock=clock)


def marks(recording: Recording, name: str = "step") -> list[Frame]:
    return [frame for frame in recording.frames if frame.kind is Kind.MARK and frame.type == name]


def instants(recording: Recording) -> dict[str, int]:
    """The step instants in ms, by verb or id, with ``.end`` for an audio's last frame."""
    return {
        f"{mark.data['id'] or mark.data['verb']}{'.end' if mark.data['edge'] == 'end' else ''}": mark.t // 1000
        for mark in marks(recording)
    }


def types(recording: Recording, kinds: Sequence[Kind] = (Kind.TEXT,)) -> list[str]:
    return [frame.type or str(frame.kind) for frame in recording.frames if frame.kind in kinds]
