"""Every failure of the surroundings reads as one sentence that says what to do next."""

import asyncio
import socket
import ssl
from http import HTTPStatus

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import WebSocketException
from websockets.http11 import Request, Response

from conformance.clock import Clock, run
from conformance.runner import explain


async def failure(url: str, patience: float = 60) -> str:
    with pytest.raises((OSError, WebSocketException)) as raised:
        await connect(url, proxy=None, open_timeout=patience)
    return explain(raised.value, f"{url}?key=hush")


@pytest.mark.parametrize(
    ("status", "advice"),
    [(401, "check the key"), (403, "no access"), (404, "check the path"), (429, "--concurrency"), (503, "try again later")],
)
def test_a_refused_handshake_names_its_status_and_what_to_do(status: int, advice: str) -> None:
    def refuse(connection: ServerConnection, _: Request) -> Response:
        return connection.respond(HTTPStatus(status), "no")

    async def main() -> str:
        async with serve(lambda _: asyncio.sleep(0), "127.0.0.1", 0, process_request=refuse) as server:
            return await failure(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/x")

    sentence = run(main(), clock=Clock.REAL)
    assert f"HTTP {status}" in sentence
    assert advice in sentence


def test_a_refused_connection_names_the_place_without_its_query() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{taken.getsockname()[1]}/agent"
        sentence = run(failure(url), clock=Clock.REAL)
    assert sentence == f"{url} refuses connections: start the server, or check the port"


@pytest.mark.parametrize(
    ("greeting", "patience", "words"),
    [
        (b"220 mail ready\r\n\r\n", 60, "check that it is a WebSocket server"),
        (b"", 0.2, "did not answer the handshake in time"),
    ],
)
def test_a_server_that_is_no_websocket_server_is_named(greeting: bytes, patience: float, words: str) -> None:
    async def main() -> str:
        left = asyncio.Event()

        async def mumble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(greeting)
            await reader.read()
            writer.close()
            left.set()

        async with await asyncio.start_server(mumble, "127.0.0.1", 0) as server:
            sentence = await failure(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", patience)
            await left.wait()
            return sentence

    assert words in run(main(), clock=Clock.REAL)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(-2, "Name or service not known"), "cannot be resolved (Name or service not known)"),
        (ssl.SSLError(1, "WRONG_VERSION_NUMBER"), "check whether it speaks wss:// or ws://"),
        (ssl.SSLCertVerificationError(1, "self-signed"), "set SSL_CERT_FILE"),
        (OSError(113, "No route to host"), "No route to host"),
    ],
)
def test_other_failures_say_what_they_are(error: Exception, words: str) -> None:
    sentence = explain(error, "wss://api.example/v1/realtime?key=hush")
    assert words in sentence
    assert sentence.count("wss://api.example/v1/realtime") == 1
    assert "hush" not in sentence
