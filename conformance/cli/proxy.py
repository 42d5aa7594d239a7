"""``conformance proxy``: the reference proxy for real use, from voice-agent clients to a Realtime server."""

import asyncio
import logging
import os
import re
import signal
from typing import Annotated, Final, NoReturn

import typer
from websockets.asyncio.client import ClientConnection, connect

from conformance.real.api import DEFAULT_MODEL, DEFAULT_URL, RealApi
from conformance.reference_proxy.server import ReferenceProxy
from conformance.targets.urls import check_websocket_url

_LISTEN: Final = re.compile(r"(?:(?P<host>[\w.-]+|\[[0-9a-fA-F:]+\]):)?(?P<port>\d{1,5})")
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
    host, port = _read_listen(listen)
    asyncio.run(_serve(_read_api(upstream, model), host, port))


async def _serve(api: RealApi, host: str, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    async def dial() -> ClientConnection:
        return await connect(
            api.address,
            additional_headers=api.headers,
            compression=None,
            max_size=_LARGEST_FRAME,
            open_timeout=_HANDSHAKE,
        )

    proxy = ReferenceProxy(dial, host=host, port=port)
    try:
        await proxy.__aenter__()
    except OSError as error:
        _give_up(f"cannot listen on {host}, port {port}: {error.strerror or error}; choose another --listen")
    try:
        typer.echo(f"Voice-agent clients connect to {proxy.url}; upstream is {api.url}, model {api.model} (Ctrl-C stops).")
        await stop.wait()
    finally:
        await proxy.__aexit__(None, None, None)
    typer.echo("Stopped.")


def _read_listen(listen: str) -> tuple[str, int]:
    match = _LISTEN.fullmatch(listen)
    if match is None or int(match["port"]) > 65_535:
        _give_up(f"--listen {listen}: write it as HOST:PORT, such as 127.0.0.1:8080")
    return (match["host"] or "127.0.0.1").strip("[]"), int(match["port"])


def _read_api(upstream: str | None, model: str | None) -> RealApi:
    try:
        given = {"OPENAI_REALTIME_URL": upstream, "OPENAI_REALTIME_MODEL": model}
        if upstream is not None:
            check_websocket_url(upstream, "--upstream")
        return RealApi.from_environment({**os.environ, **{name: value for name, value in given.items() if value}})
    except ValueError as error:
        _give_up(str(error))


def _give_up(sentence: str) -> NoReturn:
    typer.echo(f"conformance proxy: {sentence}", err=True)
    raise typer.Exit(2)
