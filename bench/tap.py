"""What the tap adds on loopback: round trips to an echo server, directly and through the tap, one by one in turn.

Run ``python -m bench.tap``; the server and the tap are processes of their own. The goal: at most 1 ms added at the 99th
percentile, both ways together, with recording on. Each batch has its own percentiles and their median counts, because on a
busy machine a few batches measure the machine.
"""

import asyncio
import subprocess
import sys
from statistics import median
from time import perf_counter
from typing import Final

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve

from bench.telling import misses, tell
from conformance.wire.durations import SECOND
from conformance.wire.frames import Leg
from conformance.wire.recording import Footer, Header, Recorder
from conformance.wire.script import Script
from mock_upstream.assignment import Assignment, Handshake
from mock_upstream.tap import Tap

BATCHES: Final = 15
ROUNDS: Final = 400
"""In each batch."""
_PERCENTILES: Final = (50, 90, 99)
GOAL_MS: Final = 1.0
MESSAGE: Final = orjson.dumps({"type": "input_audio_buffer.append", "audio": "A" * 1280}).decode()
"""20 ms of PCM at 24 kHz, as a microphone sends it."""


async def _echo() -> None:
    async def handle(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async with serve(handle, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        print(f"ws://127.0.0.1:{port}/", flush=True)  # noqa: T201
        await asyncio.Event().wait()


async def _tap(upstream: str) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    sink = open("/dev/null", "wb", buffering=0)  # noqa: SIM115, ASYNC230 (open for the process's life)

    def assign(_: Handshake) -> Assignment:
        recorder = Recorder(Header(), now, stream=sink, keep_frames=False)

        def done() -> None:
            recorder.finish(Footer(now()))

        return Assignment(Script(), 0, 0, now, recorder.leg(Leg.UPSTREAM), done=done)

    def now() -> int:
        return round((loop.time() - began) * SECOND)

    async with Tap(upstream, assign) as tap:
        print(tap.url, flush=True)  # noqa: T201
        await asyncio.Event().wait()


async def _round_trips(*addresses: str) -> list[list[list[float]]]:
    """Return the milliseconds of each round trip, sorted, by batch and address; the addresses take turns."""
    connections: list[ClientConnection] = [await connect(url, compression=None, ping_interval=None) for url in addresses]
    batches: list[list[list[float]]] = []
    for _ in range(BATCHES + 1):
        times: list[list[float]] = [[] for _ in addresses]
        for _ in range(ROUNDS):
            for connection, taken in zip(connections, times, strict=True):
                began = perf_counter()
                await connection.send(MESSAGE)
                await connection.recv()
                taken.append((perf_counter() - began) * 1000)
        batches.append([sorted(taken) for taken in times])
    for connection in connections:
        await connection.close()
    return batches[1:]  # the first one warms up


def _start(*arguments: str) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen([sys.executable, "-m", "bench.tap", *arguments], stdout=subprocess.PIPE, text=True)  # noqa: S603
    assert process.stdout is not None  # noqa: S101
    return process, process.stdout.readline().strip()


def main() -> None:
    """Measure and print a line per percentile."""
    if sys.argv[1:2] == ["echo"]:
        asyncio.run(_echo())
    if sys.argv[1:2] == ["tap"]:
        asyncio.run(_tap(sys.argv[2]))
    server, direct = _start("echo")
    tap, tapped = _start("tap", direct)
    try:
        batches = asyncio.run(_round_trips(direct, tapped))
    finally:
        for process in (tap, server):
            process.kill()
            process.communicate()
    added = 0.0
    for percentile in _PERCENTILES:
        place = ROUNDS * percentile // 100
        without, through = (median(batch[side][place] for batch in batches) for side in (0, 1))
        added = median(through[place] - without[place] for without, through in batches)
        print(f"p{percentile}: {without:6.3f} ms directly, {through:6.3f} ms tapped, {added:6.3f} ms added")  # noqa: T201
    tell("added by the tap at p99", f"{added:.3f} ms (goal ≤ {GOAL_MS:g} ms)", reached=added <= GOAL_MS)
    sys.exit(bool(misses))


if __name__ == "__main__":
    main()
