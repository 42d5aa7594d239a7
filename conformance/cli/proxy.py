"""``conformance proxy``: the reference proxy for real use, from voice-agent clients to a Realtime server."""

import asyncio
import logging
import os
from typing import Annotated, Final

import typer
from websockets.asyncio.client import ClientConnection, connect

from conformance.cli.serving import give_up, read_listen, serve_until_stopped
from conformance.real.api import DEFAULT_MODEL, DEFAULT_URL, RealApi
from conformance.reference_proxy.server import ReferenceProxy
from conformance.targets.urls import check_websocket_url

_LARGEST_FRAME: Final = 64 * 1024 * 1024
_HANDSHAKE: Final = 10.0


def command(
    *,
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where clients connect; port 0 takes any free one.")] = (
        "127.0.0.1:8080"
    ),
    upstream: Annotated[
        str | None, typer.Option(metavar="URL", help=f"The Realtime server; OPENAI_REALTIME_URL, else {DEFAULT_URL}.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help=f"The model to ask for; OPENAI_REALTIME_MODEL, else {DEFAULT_MODEL}.")
    ] = None,
) -> None:
    """Serve the reference proxy until Ctrl-C; the key comes from OPENAI_API_KEY.

    Example: conformance proxy --listen 127.0.0.1:8080 --upstream ws://127.0.0.1:8765/v1/realtime
    """
    logging.basicConfig(format="%(levelname)s %(message)s")
    host, port = read_listen("proxy", listen)
    api = _read_api(upstream, model)

    async def dial() -> ClientConnection:
        return await connect(
            api.address,
            additional_headers=api.headers,
            compression=None,
            max_size=_LARGEST_FRAME,
            open_timeout=_HANDSHAKE,
        )

    proxy = ReferenceProxy(dial, host=host, port=port)

    def welcome() -> str:
        return f"Voice-agent clients connect to {proxy.url}; upstream is {api.url}, model {api.model} (Ctrl-C stops it)"

    asyncio.run(serve_until_stopped("proxy", proxy, listen, welcome))


def _read_api(upstream: str | None, model: str | None) -> RealApi:
    given = {"OPENAI_REALTIME_URL": upstream, "OPENAI_REALTIME_MODEL": model}
    try:
        if upstream is not None:
            check_websocket_url(upstream, "--upstream")
        return RealApi.from_environment({**os.environ, **{name: value for name, value in given.items() if value}})
    except ValueError as error:
        give_up("proxy", str(error))
