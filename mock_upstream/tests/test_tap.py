"""The tap changes nothing and sees everything."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from conformance.wire.frames import Direction, Kind
from conformance.wire.script import Script
from mock_upstream.assignment import Assignment
from mock_upstream.tap import Tap
from mock_upstream.tapped import abort

Seen = list[tuple[str, str, Any]]


@asynccontextmanager
async def tapped(handler: Callable[[ServerConnection], Awaitable[None]], **options: Any) -> AsyncIterator[tuple[str, Seen]]:
    """A tap in front of a server; yields the tap's address and what it recorded."""
    seen: Seen = []

    def sink(
        conn: int, direction: Direction, kind: Kind, body: str | bytes | Mapping[str, Any], scripted: str | None = None
    ) -> None:
        seen.append((str(direction), str(kind), body))

    def assign(_: Any) -> Assignment:
        return Assignment(Script(), 0, 0, lambda: 0, sink)

    async with serve(handler, "127.0.0.1", 0, max_size=None, **options) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with Tap(
            f"ws://127.0.0.1:{port}/v1/realtime?model=m", assign, headers={"Authorization": "Bearer sk-x"}
        ) as tap:
            yield tap.url, seen


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def ended(connection: ClientConnection) -> tuple[int | None, str | None]:
    with pytest.raises(ConnectionClosed):
        await connection.recv()
    return connection.close_code, connection.close_reason


async def test_text_and_binary_pass_unchanged_both_ways_and_are_recorded_in_order() -> None:
    async with tapped(echo) as (url, seen), connect(url) as client:
        for message in ('{"type": "x",  "é": 1}', b"\x00\xff", "not json"):
            await client.send(message)
            assert await client.recv() == message
    assert [entry[:2] for entry in seen[1:7]] == [
        ("up", "text"), ("down", "text"), ("up", "binary"), ("down", "binary"), ("up", "text"), ("down", "text"),
    ]  # fmt: skip
    assert seen[0] == ("up", "open", {"path": "/v1/realtime", "query": {"model": "m"}, "subprotocol": None})


async def test_the_upstreams_close_reaches_the_proxy_with_code_and_reason() -> None:
    async def close(connection: ServerConnection) -> None:
        await connection.close(4000, "invalid_request_error.invalid_model")

    async with tapped(close) as (url, seen), connect(url) as client:
        assert await ended(client) == (4000, "invalid_request_error.invalid_model")
    assert seen[-1] == ("down", "close", {"code": 4000, "reason": "invalid_request_error.invalid_model"})


async def test_the_proxys_close_reaches_the_upstream() -> None:
    closed = asyncio.get_running_loop().create_future()

    async def wait(connection: ServerConnection) -> None:
        await connection.wait_closed()
        closed.set_result((connection.close_code, connection.close_reason))

    async with tapped(wait) as (url, seen):
        async with connect(url) as client:
            await client.close(3000, "bye")
        assert await closed == (3000, "bye")
        assert seen[-1] == ("up", "close", {"code": 3000, "reason": "bye"})


async def test_an_abort_passes_as_an_abort() -> None:
    async def vanish(connection: ServerConnection) -> None:
        await connection.recv()
        abort(connection)

    async with tapped(vanish) as (url, seen), connect(url) as client:
        await client.send("x")
        assert (await ended(client))[0] == 1006
    assert seen[-1] == ("down", "close", {"code": 1006, "reason": ""})


async def test_a_refused_handshake_is_passed_on_with_its_status() -> None:
    def refuse(connection: ServerConnection, request: Any) -> Any:
        return connection.respond(429, "slow down")

    async with tapped(echo, process_request=refuse) as (url, seen):
        with pytest.raises(InvalidStatus) as refused:
            await connect(url).__aenter__()
    assert refused.value.response.status_code == 429
    assert refused.value.response.body == b"slow down"
    assert seen[-1][2]["status"] == 429


async def test_the_key_and_the_subprotocol_reach_the_upstream_and_no_recording_holds_the_key() -> None:
    shown: dict[str, str] = {}

    def look(connection: ServerConnection, request: Any) -> None:
        shown.update({name.lower(): value for name, value in request.headers.raw_items()})

    async with tapped(echo, process_request=look, subprotocols=[Subprotocol("realtime")]) as (url, seen):
        offered = [Subprotocol("realtime"), Subprotocol("openai-insecure-api-key.sk-secret")]
        async with connect(url, subprotocols=offered, additional_headers={"OpenAI-Beta": "realtime=v1"}) as client:
            assert client.subprotocol == "realtime"
    assert shown["authorization"] == "Bearer sk-x"
    assert shown["openai-beta"] == "realtime=v1"
    assert "sk-" not in repr(seen)


async def test_a_16_mib_frame_passes() -> None:
    async with tapped(echo) as (url, _), connect(url, max_size=None) as client:
        await client.send("x" * 2**24)
        assert len(await client.recv()) == 2**24


async def test_an_upstream_that_cannot_be_reached_is_a_502_that_says_so() -> None:
    async with Tap("ws://127.0.0.1:9/", lambda _: Assignment(Script(), 0, 0, lambda: 0)) as tap:
        with pytest.raises(InvalidStatus) as refused:
            await connect(tap.url).__aenter__()
    assert refused.value.response.status_code == 502
    assert b"cannot be reached" in (refused.value.response.body or b"")


async def test_how_long_the_upstream_asks_to_wait_is_recorded_and_passed_on() -> None:
    def refuse(connection: ServerConnection, request: Any) -> Any:
        response = connection.respond(429, "slow down")
        response.headers["Retry-After"] = "7"
        return response

    async with tapped(echo, process_request=refuse) as (url, seen):
        with pytest.raises(InvalidStatus) as refused:
            await connect(url).__aenter__()
    assert refused.value.response.headers["Retry-After"] == "7"
    assert seen[-1][2]["retry_after"] == "7"
