"""``conformance mock``: the mock upstream alone, for a client's author to aim an SDK at."""

import asyncio
import logging
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from conformance.cli.serving import Desk, give_up, make_folder, serve_until_stopped
from conformance.scenario.load import load_script
from conformance.scenario.mistakes import ScenarioError
from conformance.wire.fault_text import read_fault
from conformance.wire.script import Fault, Script
from mock_upstream.assignment import Assignment, Handshake
from mock_upstream.profiles import PROFILES
from mock_upstream.server import MockUpstream
from mock_upstream.tls import self_made, server_context


def command(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on, in numbers.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes any free one.", min=0, max=65535)] = 8765,
    tls: Annotated[bool, typer.Option("--tls", help="Serve TLS with a certificate of our own making.")] = False,
    cert: Annotated[
        str | None, typer.Option(metavar="CERT,KEY", help="Serve TLS with this certificate and key (PEM).")
    ] = None,
    profile: Annotated[str | None, typer.Option(help=f"Whose defaults: {', '.join(sorted(PROFILES))}.")] = None,
    script: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Deviations, written as under a scenario's `upstream:`.")
    ] = None,
    record: Annotated[Path | None, typer.Option(metavar="DIR", help="Write a recording of each connection.")] = None,
    seed: Annotated[int, typer.Option(help="Where ids and every other random choice come from.")] = 0,
    key: Annotated[str | None, typer.Option(help="The only API key to accept; by default any.")] = None,
    log: Annotated[bool, typer.Option("--log", help="Print a line for every frame.")] = False,
    fault: Annotated[str | None, typer.Option(metavar="NAME[,k=v]", help="A named fault for every connection.")] = None,
) -> None:
    """Serve the mock of the Realtime API alone, for any client, until Ctrl-C.

    Example: conformance mock --port 8765 --record runs/mock --fault idle-error,after=3s
    """
    logging.basicConfig(format="%(levelname)s %(message)s")
    deviations, named = _read_script(script, profile), _read_fault(fault)
    desk = Desk(record=make_folder("mock", "--record", record), log=log, secrets=(key or "",), held=True)

    def assign(_: Handshake) -> Assignment:
        own_seed = seed + desk.count
        visit = desk.admit(own_seed, None if named is None else named.name)
        return Assignment(deviations, own_seed, visit.epoch, visit.now, visit.sink, fault=named, done=visit.done)

    async def serve(context: ssl.SSLContext | None, authority: Path | None) -> None:
        mock = MockUpstream(assign, host=host, port=port, ssl=context, key=key)
        where = f"{host}, port {port}"
        await serve_until_stopped("mock", mock, where, lambda: _welcome(mock, key, authority, record))

    with _tls(host, cert, wanted=tls or cert is not None) as (context, authority):
        asyncio.run(serve(context, authority))


def _welcome(mock: MockUpstream, key: str | None, authority: Path | None, record: Path | None) -> str:
    """Say where the mock is and how each SDK is aimed at it."""
    key = key or "any-key"
    sockets = mock.base_url.replace("http", "ws", 1)
    clients = {
        "openai, Python": f'AsyncOpenAI(api_key="{key}", base_url="{mock.base_url}", websocket_base_url="{sockets}")',
        "openai-agents, Python": f'model_config={{"url": "{mock.url}?model=gpt-realtime", "api_key": "{key}"}}',
        "openai, Node": f'new OpenAI({{ apiKey: "{key}", baseURL: "{mock.base_url}" }})'
        if mock.url.startswith("wss")
        else "speaks TLS only; start the mock with --tls",
        "@openai/agents-realtime": f'session.connect({{ apiKey: "{key}", url: "{mock.url}?model=gpt-realtime" }})',
        "this harness": f"OPENAI_API_KEY={key} OPENAI_REALTIME_URL={mock.url} pytest --real",
    }
    health = f"{mock.base_url.removesuffix('/v1')}/health"
    lines = [
        f"Realtime mock on {mock.url}   (health: {health}; Ctrl-C stops it)",
        "",
        *(f"{client + ':':<25}{line}" for client, line in clients.items()),
    ]
    if authority is not None:
        lines += ["", f"To trust its certificate: SSL_CERT_FILE={authority}  or, for Node, NODE_EXTRA_CA_CERTS={authority}"]
    if record is not None:
        lines += ["", f"Recordings go to {record}/"]
    return "\n".join(lines)


@contextmanager
def _tls(host: str, pair: str | None, *, wanted: bool) -> Iterator[tuple[ssl.SSLContext | None, Path | None]]:
    """Yield the TLS context, and the file of our own authority while it is needed."""
    if not wanted:
        yield None, None
    elif pair is not None:
        chain, _, key = pair.partition(",")
        try:
            context = server_context(Path(chain), Path(key) if key else None)
        except (OSError, ssl.SSLError) as error:
            give_up("mock", f"--cert {pair}: {error.strerror or error}; give a PEM certificate and its key, CERT,KEY")
        yield context, None
    else:
        context, certificate = self_made("localhost", "127.0.0.1", "::1", *([] if host in ("127.0.0.1", "::1") else [host]))
        with tempfile.TemporaryDirectory(prefix="realtime-mock-") as folder:
            authority = Path(folder, "authority.pem")
            authority.write_bytes(certificate.authority)
            yield context, authority


def _read_script(path: Path | None, profile: str | None) -> Script:
    if profile is not None and profile not in PROFILES:
        give_up("mock", f"--profile {profile}: there is no such profile; there are {', '.join(sorted(PROFILES))}")
    try:
        script = Script() if path is None else load_script(path)
    except ScenarioError as mistakes:
        give_up("mock", str(mistakes))
    except OSError as error:
        give_up("mock", f"--script {path}: {error.strerror or error}; give a file that can be read")
    return script if profile is None else replace(script, profile=profile)


def _read_fault(text: str | None) -> Fault | None:
    try:
        return None if text is None else read_fault(text)
    except ValueError as error:
        give_up("mock", f"--fault {text}: {error}")
