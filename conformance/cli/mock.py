"""``conformance mock``: the mock upstream alone, for a client's author to aim an SDK at."""

import asyncio
import logging
import signal
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import time
from typing import Annotated, NoReturn

import orjson
import typer

from conformance.scenario.load import load_script
from conformance.scenario.mistakes import ScenarioError
from conformance.wire.durations import SECOND, Micros
from conformance.wire.fault_text import read_fault
from conformance.wire.frames import Direction, Frame, Leg
from conformance.wire.recording import Footer, Header, Recorder
from conformance.wire.script import Fault, Script
from mock_upstream.assignment import Assignment, Handshake
from mock_upstream.profiles import PROFILES
from mock_upstream.server import MockUpstream
from mock_upstream.tls import self_made, server_context

_WIDEST_LINE = 160


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the command line asked for."""

    script: Script
    fault: Fault | None
    seed: int
    key: str | None
    record: Path | None
    log: bool


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
    wish = _Wish(
        script=_read_script(script, profile),
        fault=_read_fault(fault),
        seed=seed,
        key=key,
        record=_make_folder(record),
        log=log,
    )
    with _tls(host, cert, wanted=tls or cert is not None) as (context, authority):
        asyncio.run(_serve(wish, host, port, context, authority))


async def _serve(wish: _Wish, host: str, port: int, context: ssl.SSLContext | None, authority: Path | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    mock = MockUpstream(_Desk(wish).assign, host=host, port=port, ssl=context, key=wish.key)
    try:
        await mock.__aenter__()
    except OSError as error:
        _give_up(f"cannot listen on {host}, port {port}: {error.strerror or error}; choose another --host or --port")
    try:
        typer.echo(_welcome(mock, wish, authority))
        await stop.wait()
    finally:
        await mock.__aexit__(None, None, None)
    typer.echo("Stopped.")


class _Desk:
    """Gives each connection its number, its seed and its recording."""

    def __init__(self, wish: _Wish) -> None:
        self._wish = wish
        self._count = 0

    def assign(self, _: Handshake) -> Assignment:
        """Take a new connection: each is an attempt of its own."""
        self._count += 1
        wish, number = self._wish, self._count
        loop, epoch = asyncio.get_running_loop(), int(time())
        began = loop.time()

        def now() -> Micros:
            return round((loop.time() - began) * SECOND)

        assignment = Assignment(wish.script, wish.seed + number - 1, epoch, now, fault=wish.fault)
        if wish.record is None and not wish.log:
            return assignment
        fault = None if wish.fault is None else wish.fault.name
        header = Header(attempt=number, seed=assignment.seed, clock="real", epoch=epoch, fault=fault)
        # Unbuffered, so that whoever kills the mock still has every line.
        stream = None if wish.record is None else (wish.record / f"{epoch}-{number}.jsonl").open("wb", buffering=0)
        recorder = Recorder(header, now, secrets=(wish.key or "",), stream=stream, keep_frames=False)
        if wish.log:
            recorder.listeners.append(lambda frame: typer.echo(_line(number, frame)))

        def done() -> None:
            recorder.finish(Footer(now()))
            if stream is not None:
                stream.close()

        return replace(assignment, sink=recorder.leg(Leg.UPSTREAM), done=done)


def _line(number: int, frame: Frame) -> str:
    """Write a frame for people: ``#1  0.030121 <- response.created {…}``; the arrow points to the mock or away from it."""
    arrow = "->" if frame.dir is Direction.UP else "<-"
    content = {key: value for key, value in frame.data.items() if key != "type"}
    text = f"#{number} {frame.t / SECOND:10.6f} {arrow} {frame.type or frame.kind} {orjson.dumps(content).decode()}"
    return text if len(text) <= _WIDEST_LINE else f"{text[: _WIDEST_LINE - 1]}…"


def _welcome(mock: MockUpstream, wish: _Wish, authority: Path | None) -> str:
    """Say where the mock is and how each SDK is aimed at it."""
    key = wish.key or "any-key"
    sockets = mock.base_url.replace("http", "ws", 1)
    clients = {
        "openai, Python": f'AsyncOpenAI(api_key="{key}", base_url="{mock.base_url}", websocket_base_url="{sockets}")',
        "openai-agents, Python": f'model_config={{"url": "{mock.url}?model=gpt-realtime", "api_key": "{key}"}}',
        "openai, Node": f'new OpenAI({{ apiKey: "{key}", baseURL: "{mock.base_url}" }})',
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
    if wish.record is not None:
        lines += ["", f"Recordings go to {wish.record}/"]
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
            _give_up(f"--cert {pair}: {error.strerror or error}; give a PEM certificate and its key, CERT,KEY")
        yield context, None
    else:
        context, certificate = self_made("localhost", "127.0.0.1", "::1", *([] if host in ("127.0.0.1", "::1") else [host]))
        with tempfile.TemporaryDirectory(prefix="realtime-mock-") as folder:
            authority = Path(folder, "authority.pem")
            authority.write_bytes(certificate.authority)
            yield context, authority


def _read_script(path: Path | None, profile: str | None) -> Script:
    if profile is not None and profile not in PROFILES:
        _give_up(f"--profile {profile}: there is no such profile; there are {', '.join(sorted(PROFILES))}")
    try:
        script = Script() if path is None else load_script(path)
    except ScenarioError as mistakes:
        _give_up(str(mistakes))
    except OSError as error:
        _give_up(f"--script {path}: {error.strerror or error}; give a file that can be read")
    return script if profile is None else replace(script, profile=profile)


def _read_fault(text: str | None) -> Fault | None:
    try:
        return None if text is None else read_fault(text)
    except ValueError as error:
        _give_up(f"--fault {text}: {error}")


def _make_folder(folder: Path | None) -> Path | None:
    try:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _give_up(f"--record {folder}: {error.strerror or error}; give a folder that can be written")
    return folder


def _give_up(sentence: str) -> NoReturn:
    typer.echo(f"conformance mock: {sentence}", err=True)
    raise typer.Exit(2)
