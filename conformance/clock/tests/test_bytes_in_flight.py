"""The clock never jumps over bytes that are under way, and is not held by bytes that nobody wants to read yet."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.asyncio.server import ServerConnection, serve, unix_serve

from conformance.clock import Clock, run

Handler = Callable[[ServerConnection], Any]
BIG = 16 * 1024 * 1024


@pytest.fixture(params=list(Clock), ids=str)
def clock(request: pytest.FixtureRequest) -> Clock:
    return Clock(request.param)


@pytest.fixture(params=["unix", "tcp"])
def network(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Handler], Any]:
    @asynccontextmanager
    async def pair(handler: Handler) -> AsyncIterator[ClientConnection]:
        options: dict[str, Any] = {"compression": None, "max_size": None, "ping_interval": None}
        if request.param == "unix":
            path = str(tmp_path / "s")
            async with (
                await unix_serve(handler, path, **options),
                unix_connect(path, "ws://localhost/", **options) as client,
            ):
                yield client
            return
        async with serve(handler, "127.0.0.1", 0, **options) as server:
            port = server.sockets[0].getsockname()[1]
            async with connect(f"ws://127.0.0.1:{port}/", proxy=None, **options) as client:
                yield client

    return pair


async def echo(server: ServerConnection) -> None:
    async for message in server:
        await server.send(message)


def test_a_frame_is_answered_before_the_clock_moves(clock: Clock, network: Callable[[Handler], Any]) -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        async with network(echo) as client:
            start = loop.time()
            for number in range(20):
                await client.send(str(number))
                async with asyncio.timeout(60):
                    assert await client.recv() == str(number)
            return loop.time() - start

    elapsed = run(main(), clock=clock)
    if clock is Clock.VIRTUAL:
        assert elapsed == pytest.approx(0, abs=0.2)  # on TCP an honest millisecond may pass, on Unix sockets nothing
    assert elapsed < 60


def test_a_16_mib_frame_arrives_whole_before_the_clock_moves(clock: Clock, network: Callable[[Handler], Any]) -> None:
    async def main() -> tuple[int, float]:
        loop = asyncio.get_running_loop()
        async with network(echo) as client:
            start = loop.time()
            await client.send(bytes(BIG))
            async with asyncio.timeout(200):
                return len(await client.recv()), loop.time() - start

    size, elapsed = run(main(), clock=clock)
    assert size == BIG
    assert elapsed < 200


def test_a_16_mib_frame_takes_no_virtual_time_on_a_unix_socket(tmp_path: Path) -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        path = str(tmp_path / "s")
        async with (
            await unix_serve(echo, path, compression=None, max_size=None),
            unix_connect(path, "ws://localhost/", compression=None, max_size=None) as client,
        ):
            start = loop.time()
            await client.send(bytes(BIG))
            assert len(await client.recv()) == BIG
            return loop.time() - start

    assert run(main()) == 0


def test_a_paused_reader_does_not_hold_the_clock(clock: Clock, network: Callable[[Handler], Any]) -> None:
    """The reader's program sleeps with its queue full, so unread bytes stay in the kernel while time must pass."""
    nap = 3600 if clock is Clock.VIRTUAL else 0.05

    async def main() -> tuple[int, float]:
        loop = asyncio.get_running_loop()
        received: asyncio.Future[int] = loop.create_future()

        async def sleepy(server: ServerConnection) -> None:
            await asyncio.sleep(nap)
            count = 0
            async for _ in server:
                count += 1
                if count == 200:
                    received.set_result(count)

        async with network(sleepy) as client:
            start = loop.time()
            writer = asyncio.create_task(_send_many(client, 200))
            count = await received
            await writer
            return count, loop.time() - start

    count, elapsed = run(main(), clock=clock)
    assert count == 200
    assert nap - 0.01 <= elapsed < nap + 200


async def _send_many(client: ClientConnection, count: int) -> None:
    for _ in range(count):
        await client.send(bytes(50_000))


def test_a_close_is_seen_before_the_clock_moves(network: Callable[[Handler], Any]) -> None:
    async def leave(server: ServerConnection) -> None:
        await server.close(4000, "bye")

    async def main() -> tuple[int | None, float]:
        loop = asyncio.get_running_loop()
        async with network(leave) as client:
            async with asyncio.timeout(60):
                await client.wait_closed()
            return client.close_code, loop.time()

    code, elapsed = run(main())
    assert code == 4000
    assert elapsed < 1


def test_a_refused_connection_is_refused_at_once_on_the_virtual_clock() -> None:
    async def main() -> float:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
            with pytest.raises(ConnectionRefusedError):
                async with asyncio.timeout(60):
                    await asyncio.open_connection("127.0.0.1", taken.getsockname()[1])
        return asyncio.get_running_loop().time()

    assert run(main()) < 1


def test_a_socketpair_carries_bytes_in_no_virtual_time() -> None:
    async def main() -> tuple[bytes, float]:
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)
        _, peer_writer = await asyncio.open_connection(sock=theirs)
        peer_writer.write(bytes(1_000_000))
        peer_writer.write_eof()
        body = await reader.read()
        for each in (writer, peer_writer):
            each.close()
            await each.wait_closed()
        return body, asyncio.get_running_loop().time()

    body, elapsed = run(main())
    assert len(body) == 1_000_000
    assert elapsed == 0
