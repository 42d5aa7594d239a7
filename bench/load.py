"""A load client that costs little, so that the server is what is measured: raw bytes, prebuilt frames, counted markers."""

import asyncio
import os
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final, TypeVar

import orjson

PATH: Final = "/v1/realtime?model=gpt-realtime"
_MASK: Final = bytes(4)
"""A zero mask is as valid as any and needs no arithmetic."""


def text_frame(event: dict[str, object]) -> bytes:
    """Return a client's frame of this event."""
    body = orjson.dumps(event)
    size = len(body)
    if size < 126:
        return struct.pack("!BB", 0x81, 0x80 | size) + _MASK + body
    if size < 65_536:
        return struct.pack("!BBH", 0x81, 0x80 | 126, size) + _MASK + body
    return struct.pack("!BBQ", 0x81, 0x80 | 127, size) + _MASK + body


CLOSE: Final = struct.pack("!BBIH", 0x88, 0x82, 0, 1000)
UPGRADE: Final = (
    f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nAuthorization: Bearer sk-any\r\n\r\n"
).encode()
TURN_EVENTS: Final[tuple[dict[str, object], ...]] = (
    {
        "type": "conversation.item.create",
        "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello?"}]},
    },
    {"type": "response.create", "response": {"output_modalities": ["text"]}},
)
TURN: Final = b"".join(map(text_frame, TURN_EVENTS))
END: Final = b'"rate_limits.updated"'
"""The last event of a turn."""


AnyWire = TypeVar("AnyWire", bound="Wire")


class Wire(asyncio.Protocol):
    """One connection: everything received, and a wait for a marker in it."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.lost = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport
        self._waiting: tuple[bytes, int, asyncio.Future[None]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self.transport = transport
        transport.write(UPGRADE)

    def data_received(self, data: bytes) -> None:
        """Keep the bytes and look for the marker."""
        self.received += data
        if self._waiting is not None:
            marker, start, future = self._waiting
            if self.received.find(marker, max(0, start - len(marker))) >= 0:
                self._waiting = None
                future.set_result(None)
            else:
                self._waiting = (marker, len(self.received), future)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of who waits."""
        if not self.lost.done():
            self.lost.set_result(None)
        if self._waiting is not None:
            self._waiting[2].set_exception(exc or ConnectionResetError("the server hung up"))
            self._waiting = None

    async def until(self, marker: bytes, start: int = 0) -> None:
        """Wait until the marker has come, after ``start`` bytes."""
        if self.received.find(marker, start) < 0:
            future = asyncio.get_running_loop().create_future()
            self._waiting = (marker, len(self.received), future)
            await future


async def connect(port: int, kind: Callable[[], AnyWire]) -> AnyWire:
    """Connect and wait for session.created."""
    _, wire = await asyncio.get_running_loop().create_connection(kind, "127.0.0.1", port)
    await wire.until(b'"session.created"')
    return wire


async def close(wire: Wire) -> None:
    """Close with a handshake."""
    wire.transport.write(CLOSE)
    await wire.lost
    wire.transport.close()


@dataclass(slots=True)
class Sessions:
    """How many sessions were served in how many seconds, and how long each took."""

    seconds: float = 0.0
    durations: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Sessions a second."""
        return len(self.durations) / self.seconds

    @property
    def p99(self) -> float:
        """The 99th percentile of a session's duration, in milliseconds."""
        return percentile(self.durations, 99) * 1000


async def sessions(port: int, at_once: int, seconds: float, *, end: bytes = END) -> Sessions:
    """Play text turns, each on a connection of its own, ``at_once`` at a time."""
    result = Sessions()
    began = perf_counter()

    async def worker() -> None:
        while perf_counter() - began < seconds:
            start = perf_counter()
            wire = await connect(port, Wire)
            wire.transport.write(TURN)
            await wire.until(end)
            await close(wire)
            result.durations.append(perf_counter() - start)

    await asyncio.gather(*(worker() for _ in range(at_once)))
    result.seconds = perf_counter() - began
    return result


async def deltas(port: int, turns: int, *, end: bytes = END) -> tuple[float, int]:
    """Play turns with long replies on one connection; return the seconds they took and the deltas that came."""
    wire = await connect(port, Wire)
    count, began = 0, perf_counter()
    for _ in range(turns):
        wire.received.clear()
        wire.transport.write(TURN)
        await wire.until(end)
        count += wire.received.count(b'"response.output_text.delta"')
    seconds = perf_counter() - began
    await close(wire)
    return seconds, count


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the percentile (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def pin(core: int) -> None:
    """Keep this process on one core, where the system can: not the one its parent was kept on, which it inherits."""
    if hasattr(os, "sched_setaffinity"):
        with suppress(OSError):
            os.sched_setaffinity(0, range(os.cpu_count() or 1))
            cores = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(0, {cores[core % len(cores)]})
