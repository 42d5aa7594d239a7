"""Before anything is spent, one sentence says why the API cannot be used and what to do about it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import pytest
from websockets.asyncio.server import ServerConnection, serve

from conformance.real import preflight as module
from conformance.real.api import DEFAULT_MODEL, DEFAULT_URL, RealApi
from conformance.real.preflight import PreflightError, preflight
from conformance.wire.fault_text import read_fault
from mock_upstream.server import MockUpstream
from mock_upstream.tls import self_made

KEY = "sk-proj-abcdefghijklmnop"


async def refused(url: str, *, model: str = DEFAULT_MODEL, key: str = KEY) -> str:
    with pytest.raises(PreflightError) as caught:
        await preflight(RealApi(url, model, key))
    return str(caught.value)


async def test_a_session_that_begins_is_what_a_run_needs() -> None:
    async with MockUpstream(key=KEY) as server:
        found = await preflight(RealApi(server.url, DEFAULT_MODEL, KEY))
    assert found.model == DEFAULT_MODEL
    assert (found.session_id or "").startswith("sess_")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"model": "gpt-nope"}, 'refused the session: Model "gpt-nope" is not supported'),
        ({"model": "gpt-nope"}, "; check OPENAI_REALTIME_MODEL"),
        ({"key": "sk-another-key-altogether"}, "; check OPENAI_API_KEY"),
    ],
)
async def test_a_refused_session_says_what_to_check(options: Mapping[str, str], says: str) -> None:
    async with MockUpstream(key=KEY) as server:
        assert says in await refused(server.url, **options)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("refuse-401", "HTTP 401: check the key"),
        ("refuse-403", "HTTP 403: the key or the address has no access"),
        ("refuse-429", "HTTP 429: it limits the rate; wait"),
        ("refuse-500", "HTTP 500: it is in trouble; try again later"),
    ],
)
async def test_a_refused_handshake_says_what_to_do(fault: str, says: str) -> None:
    async with MockUpstream(fault=read_fault(fault)) as server:
        assert says in await refused(server.url)


async def test_a_wrong_path_port_or_scheme_is_told_apart() -> None:
    async with MockUpstream(ssl=self_made("127.0.0.1")[0]) as server:
        assert "is not trusted" in await refused(server.url)
        assert "did not complete the WebSocket handshake" in await refused(gone := server.url.replace("wss:", "ws:"))
    assert "refuses connections: start the server, or check the port" in await refused(gone)
    async with MockUpstream() as server:
        assert "HTTP 404: check the path" in await refused(server.url.replace("/v1/realtime", "/nowhere"))


Handler = Callable[[ServerConnection], Awaitable[None]]


async def no_json(connection: ServerConnection) -> None:
    await connection.send("hello")


async def other_event(connection: ServerConnection) -> None:
    await connection.send('{"type": "welcome"}')


async def close(connection: ServerConnection) -> None:
    await connection.close(4000, f"your key {KEY} is odd")


async def silent(connection: ServerConnection) -> None:
    await asyncio.sleep(5)


@pytest.mark.parametrize(
    ("handler", "says"),
    [
        (no_json, "is no Realtime server: its first frame is not JSON"),
        (other_event, "began with welcome instead of session.created"),
        (close, "closed before session.created (received 4000 (private use) your key [secret] is odd"),
        (silent, "did not send session.created within 0.05 s; try again later"),
    ],
)
async def test_what_is_no_session_is_told_without_the_key(
    handler: Handler, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE_S", 0.05 if handler is silent else 5.0)
    async with serve(handler, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        assert says in await refused(f"ws://127.0.0.1:{port}/v1/realtime")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "the real API needs a key: export OPENAI_API_KEY=…"),
        ({"OPENAI_API_KEY": "Bearer sk-abc"}, "begins with Bearer; export the key alone"),
        ({"OPENAI_API_KEY": "$KEY"}, "does not look like a key"),
        ({"OPENAI_API_KEY": "sk-…"}, "does not look like a key"),
        ({"OPENAI_API_KEY": KEY, "OPENAI_REALTIME_MODEL": "${MODEL}"}, "is no model's name; export one"),
        ({"OPENAI_API_KEY": KEY, "OPENAI_REALTIME_MODEL": "<model>"}, "is no model's name; export one"),
        ({"OPENAI_API_KEY": "sk-..."}, "does not look like a key"),
        ({"OPENAI_API_KEY": "sk-proj-…"}, "does not look like a key"),
        ({"OPENAI_API_KEY": "your-key-here"}, "does not look like a key"),
        ({"OPENAI_API_KEY": "sk-your_api_key"}, "does not look like a key"),
        ({"OPENAI_API_KEY": "sk-xxxxxxxx"}, "does not look like a key"),
        ({"OPENAI_API_KEY": KEY, "OPENAI_REALTIME_URL": "wss://{host}/v1"}, "still holds {host}"),
        ({"OPENAI_API_KEY": KEY, "OPENAI_REALTIME_URL": "https://api.openai.com/v1/realtime"}, "ws:// or wss://"),
        ({"OPENAI_API_KEY": KEY, "OPENAI_REALTIME_URL": "wss:///v1/realtime"}, "names no host"),
        ({"OPENAI_API_KEY": KEY, "OPENAI_REALTIME_URL": f"wss://me:{KEY}@host/"}, "user name or password"),
    ],
)
def test_what_the_environment_lacks_is_told_before_anything_is_dialled(given: Mapping[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=r"OPENAI_|real API") as caught:
        RealApi.from_environment(given)
    assert says in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_key_alone_is_enough() -> None:
    api = RealApi.from_environment({"OPENAI_API_KEY": f" {KEY}\n"})
    assert (api.url, api.model, api.key) == (DEFAULT_URL, DEFAULT_MODEL, KEY)
    assert KEY not in repr(api)
