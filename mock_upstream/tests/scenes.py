"""Scenes on the virtual clock: what tests of the shell share."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import orjson

from conformance.clock import run
from conformance.wire.durations import SECOND, Micros
from conformance.wire.recording import Header, Recorder


def play(scene: Callable[[], Coroutine[Any, Any, Any]], clock: str = "virtual") -> Any:
    return run(scene(), clock=clock)


def now() -> Micros:
    return round(asyncio.get_running_loop().time() * SECOND)


def tape() -> Recorder:
    return Recorder(Header(), now)


def lines(recorder: Recorder) -> list[tuple[str, str, str]]:
    return [(frame.dir.value, frame.kind.value, frame.type) for frame in recorder.frames]


async def http(port: int, request: bytes) -> tuple[int, dict[str, Any]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), orjson.loads(body)
