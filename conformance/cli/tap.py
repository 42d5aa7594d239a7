"""``conformance tap``: a recording pass-through between a proxy and a real upstream."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from conformance.cli.serving import Desk, give_up, make_folder, read_listen, serve_until_stopped
from conformance.real.api import DEFAULT_MODEL, DEFAULT_URL, RealApi
from conformance.targets.urls import check_websocket_url
from conformance.wire.script import Script
from mock_upstream.assignment import Assignment, Handshake
from mock_upstream.tap import Tap


def command(
    *,
    upstream: Annotated[str, typer.Option(metavar="URL", help="Where frames go.")] = DEFAULT_URL,
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where the proxy connects.")] = "127.0.0.1:8766",
    record: Annotated[Path, typer.Option(metavar="DIR", help="Write a recording of each connection.")] = Path("runs/tap"),
    log: Annotated[bool, typer.Option("--log", help="Print a line for every frame.")] = False,
) -> None:
    """Pass every frame between a proxy and its upstream, unchanged, and record it; the key never reaches a file.

    A proxy that sends no key of its own gets OPENAI_API_KEY.

    Example: conformance tap --upstream wss://api.openai.com/v1/realtime --listen 127.0.0.1:8766
    """
    try:
        address = check_websocket_url(upstream, "--upstream")
    except ValueError as error:
        give_up("tap", str(error))
    host, port = read_listen("tap", listen)
    key = os.environ.get("OPENAI_API_KEY", "")
    api = RealApi(address, DEFAULT_MODEL, key)
    desk = Desk(record=make_folder("tap", "--record", record), log=log, secrets=api.secrets)

    def assign(_: Handshake) -> Assignment:
        visit = desk.admit()
        return Assignment(Script(), 0, visit.epoch, visit.now, visit.sink, done=visit.done)

    tap = Tap(address, assign, host=host, port=port, headers={"Authorization": f"Bearer {key}"} if key else None)

    def welcome() -> str:
        return f"Tap on {tap.url} → {api.shown}; recordings go to {record}/ (Ctrl-C stops it)"

    asyncio.run(serve_until_stopped("tap", tap, listen, welcome))
