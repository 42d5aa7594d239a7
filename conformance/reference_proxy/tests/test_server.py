"""The shell: real WebSockets on both sides; a session's end, failure or flood touches no other."""

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from conformance.reference_proxy.actions import Action, ToClient
from conformance.reference_proxy.core import Timing
from conformance.reference_proxy.server import ReferenceProxy, Session
from conformance.reference_proxy.translator import Translator

SETTINGS = json.dumps({"type": "Settings", "agent": {"think": {"prompt": "Hi"}}})
Upstream = Callable[[ServerConnection], Any]


async def obliging(socket: ServerConnection) -> None:
    """Create and update sessions, and confirm items."""
    await socket.send('{"type":"session.created"}')
    async for frame in socket:
        event = json.loads(frame)
        if event["type"] == "session.update":
            await socket.send('{"type":"session.updated"}')
        if event["type"] == "conversation.item.create":
            await socket.send(json.dumps({"type": "conversation.item.added", "item": event["item"]}))
        if event["type"] == "response.create":
            await socket.send('{"type":"response.created","response":{"id":"resp_1"}}')
            await socket.send('{"type":"response.done","response":{"id":"resp_1","status":"completed"}}')


@asynccontextmanager
async def proxy(
    upstream: Upstream, translator: Callable[[], Translator] = Translator, **options: Any
) -> AsyncIterator[str]:
    async with serve(upstream, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]

        async def dial() -> ClientConnection:
            return await connect(f"ws://127.0.0.1:{port}", compression=None, max_size=None)

        async with ReferenceProxy(dial, translator=translator, **options) as served:
            yield served.url


async def heard(client: ClientConnection, type_: str) -> dict[str, Any]:
    async with asyncio.timeout(200):
        while True:
            message = json.loads(await client.recv())
            if message["type"] == type_:
                return dict(message)


async def test_a_turn_crosses_both_legs() -> None:
    async with proxy(obliging) as url, connect(url) as client:
        await client.send(SETTINGS)
        await heard(client, "SettingsApplied")
        await client.send('{"type":"InjectUserMessage","content":"hi"}')
        await heard(client, "AgentAudioDone")


async def test_timers_ring() -> None:
    quick = Timing(ready=20_000)

    async def silent(socket: ServerConnection) -> None:
        await socket.wait_closed()

    async with proxy(silent, lambda: Translator(quick)) as url, connect(url) as client:
        await client.send(SETTINGS)
        assert (await heard(client, "Error"))["code"] == "upstream_timeout"
        await client.wait_closed()
        assert client.close_code == 1011


async def test_an_upstream_that_closes_closes_the_client() -> None:
    async def leaving(socket: ServerConnection) -> None:
        await socket.close(4000, "enough")

    async with proxy(leaving) as url, connect(url) as client:
        assert "enough" in (await heard(client, "Error"))["description"]
        await client.wait_closed()
        assert (client.close_code, client.close_reason) == (4000, "enough")


async def test_an_upstream_that_is_cut_off_is_seen() -> None:
    async def dying(socket: ServerConnection) -> None:
        socket.transport.abort()

    async with proxy(dying) as url, connect(url) as client:
        assert "1006" in (await heard(client, "Error"))["description"]


async def test_an_upstream_that_cannot_be_reached_is_seen() -> None:
    async def dial() -> ClientConnection:
        return await connect("ws://127.0.0.1:1")

    async with ReferenceProxy(dial) as served, connect(served.url) as client:
        assert (await heard(client, "Error"))["code"] == "upstream_refused"
        await client.wait_closed()


async def test_a_refused_handshake_names_its_status() -> None:
    async with serve(obliging, "127.0.0.1", 0, process_request=lambda c, _: c.respond(401, "no")) as server:
        port = next(iter(server.sockets)).getsockname()[1]

        async def dial() -> ClientConnection:
            return await connect(f"ws://127.0.0.1:{port}")

        async with ReferenceProxy(dial) as served, connect(served.url) as client:
            assert "401" in (await heard(client, "Error"))["description"]


async def test_a_client_that_leaves_takes_its_upstream_along() -> None:
    gone = asyncio.Event()

    async def watching(socket: ServerConnection) -> None:
        await obliging(socket)
        gone.set()

    async with proxy(watching) as url:
        async with connect(url) as client:
            await client.send(SETTINGS)
            await heard(client, "SettingsApplied")
        async with asyncio.timeout(200):
            await gone.wait()


async def test_a_client_that_breaks_websocket_itself_hurts_no_neighbour() -> None:
    async with proxy(obliging) as url, connect(url) as neighbour:
        await neighbour.send(SETTINGS)
        await heard(neighbour, "SettingsApplied")
        async with connect(url) as hostile:
            hostile.transport.write(b"\xff\xff\xff\xff nonsense")
            with pytest.raises(ConnectionClosed):
                await hostile.recv()
        await neighbour.send('{"type":"InjectUserMessage","content":"hi"}')
        await heard(neighbour, "AgentAudioDone")


async def test_frames_of_16_mib_are_taken() -> None:
    received = 0

    async def counting(socket: ServerConnection) -> None:
        nonlocal received
        await socket.send('{"type":"session.created"}')
        async for frame in socket:
            event = json.loads(frame)
            if event["type"] == "session.update":
                await socket.send('{"type":"session.updated"}')
            received += len(b64decode(event.get("audio", "")))
            if received == 16 * 1024 * 1024:
                await socket.send('{"type":"error","error":{"code":"all_here"}}')

    async with serve(counting, "127.0.0.1", 0, max_size=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]

        async def dial() -> ClientConnection:
            return await connect(f"ws://127.0.0.1:{port}", compression=None)

        async with ReferenceProxy(dial) as served, connect(served.url, compression=None) as client:
            await client.send(SETTINGS)
            await client.send(bytes(16 * 1024 * 1024))
            while (await heard(client, "Error"))["code"] != "all_here":
                pass


async def test_a_defect_of_the_translator_ends_that_session_alone(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Translator):
        def on_session_created(self, _event: object) -> None:
            raise RuntimeError("a defect")

    made = iter([Broken, Translator])
    async with proxy(obliging, lambda: next(made)()) as url, connect(url) as broken, connect(url) as healthy:
        await broken.wait_closed()
        assert broken.close_code == 1011
        await healthy.send(SETTINGS)
        await heard(healthy, "SettingsApplied")
    assert "A session failed" in caplog.text


async def test_a_browsers_token_in_the_subprotocol_is_accepted() -> None:
    offered = [Subprotocol("token"), Subprotocol("abc")]
    async with proxy(obliging) as url, connect(url, subprotocols=offered) as client:
        assert client.subprotocol == "token"


async def test_it_serves_on_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "agent"
    async with proxy(obliging, unix_path=path) as url, unix_connect(str(path), url) as client:
        await client.send(SETTINGS)
        await heard(client, "SettingsApplied")


async def test_leaving_closes_every_session() -> None:
    async with serve(obliging, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]

        async def dial() -> ClientConnection:
            return await connect(f"ws://127.0.0.1:{port}")

        async with ReferenceProxy(dial) as served:
            client = await connect(served.url)
            await client.send(SETTINGS)
            await heard(client, "SettingsApplied")
        assert client.close_code == 1001


async def test_what_a_timer_brings_goes_out_in_the_order_in_which_the_translator_said_it() -> None:
    class Counting(Translator):
        """Numbers what it says: a frame and an alarm that fall together must not swap their answers."""

        said = 0

        def client_frame(self, frame: str | bytes, now: int) -> list[Action]:
            return self.say("frame")

        def wake(self, now: int) -> list[Action]:
            return self.say("timer")

        def say(self, why: str) -> list[Action]:
            self.said += 1
            return [ToClient({"number": self.said, "why": why})]

    class Client:
        """Takes what is sent; at the same instant as the alarm, it speaks."""

        def __init__(self) -> None:
            self.heard: list[dict[str, Any]] = []

        async def send(self, message: str) -> None:
            self.heard.append(json.loads(message))

    client = Client()
    session = Session(cast("Any", client), cast("Any", None), Counting())
    session._on_alarm()  # its task has not begun when the frame is there
    await session._perform(session._translator.client_frame("{}", 0))
    await asyncio.gather(*session._tasks)
    assert {each["why"] for each in client.heard} == {"frame", "timer"}
    assert [each["number"] for each in client.heard] == [1, 2]
