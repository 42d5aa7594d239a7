"""What the serving commands share: where to listen, when to stop, and a recording for each connection."""

import asyncio
import gc
import os
import re
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any, Final, NoReturn

import orjson
import typer

from conformance.wire.durations import SECOND, Micros
from conformance.wire.frames import Direction, Frame, Leg
from conformance.wire.recording import Footer, Header, Recorder, Sink

_LISTEN: Final = re.compile(r"(?:(?P<host>[\w.-]+|\[[0-9a-fA-F:]+\]):)?(?P<port>\d{1,5})")
_WIDEST_LINE: Final = 160
_SELDOM: Final = 20_000
"""Objects made between two looks for cycles; two hundred sessions at work are as many."""


def give_up(command: str, sentence: str) -> NoReturn:
    """End the command with one sentence and exit status 2."""
    typer.echo(f"conformance {command}: {sentence}", err=True)
    raise typer.Exit(2)


def read_listen(command: str, listen: str) -> tuple[str, int]:
    """Read ``HOST:PORT`` or ``PORT``."""
    match = _LISTEN.fullmatch(listen)
    if match is None or int(match["port"]) > 65_535:
        give_up(command, f"--listen {listen}: write it as HOST:PORT, such as 127.0.0.1:8080")
    return (match["host"] or "127.0.0.1").strip("[]"), int(match["port"])


def make_folder(command: str, option: str, folder: Path | None) -> Path | None:
    """Make the folder that an option names."""
    try:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        give_up(command, f"{option} {folder}: {error.strerror or error}; give a folder that can be written")
    return folder


async def serve_until_stopped(
    command: str, server: AbstractAsyncContextManager[Any], where: str, welcome: Callable[[], str]
) -> None:
    """Run a server until SIGINT or SIGTERM; print ``welcome()`` once it listens."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await server.__aenter__()
    except OSError as error:
        give_up(command, f"cannot listen on {where}: {error.strerror or error}; choose another address")
    collect_seldom()
    try:
        typer.echo(welcome())
        await stop.wait()
    finally:
        await server.__aexit__(None, None, None)
    typer.echo("Stopped.")


def collect_seldom() -> None:
    """Keep the garbage collector from a server's work: what is loaded stays, and sessions leave no cycles behind."""
    gc.freeze()  # each full collection would look at what is loaded again, for 40 ms
    gc.set_threshold(_SELDOM)


class Desk:
    """Gives each connection its number, its clock and, if wished, its recording and a printed line per frame."""

    def __init__(self, *, record: Path | None, log: bool, secrets: tuple[str, ...] = (), held: bool = False) -> None:
        """Nothing is recorded yet; ``secrets`` are blotted out of recordings, ``held`` lets a server flush them."""
        self._record = record
        self._held = held
        self._log = log
        self._secrets = secrets
        self.count = 0

    def admit(self, seed: int = 0, fault: str | None = None) -> "Visit":
        """Take a new connection."""
        self.count += 1
        loop, epoch = asyncio.get_running_loop(), int(time())
        began = loop.time()

        def now() -> Micros:
            return round((loop.time() - began) * SECOND)

        if self._record is None and not self._log:
            return Visit(now, epoch, None, None)
        header = Header(attempt=self.count, seed=seed, clock="real", epoch=epoch, fault=fault)
        stream = None if self._record is None else LineFile(f"{self._record}/{epoch}-{self.count}.jsonl", held=self._held)
        recorder = Recorder(header, now, secrets=self._secrets, stream=stream, keep_frames=False)
        if self._log:
            number = self.count
            recorder.listeners.append(lambda frame: typer.echo(_line(number, frame)))

        def done() -> None:
            recorder.finish(Footer(now()))
            if stream is not None:
                stream.close()

        return Visit(now, epoch, recorder.leg(Leg.UPSTREAM), done)


class LineFile:
    """A recording's file: whoever kills the server still has every line, or with ``held`` every line before a flush.

    One system call opens it and one writes what was held; Python's own files take three more of each.
    """

    def __init__(self, path: str, *, held: bool) -> None:
        """Create the file, or empty it.

        Raises:
            OSError: it cannot be written.
        """
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        self._held = held
        self._lines: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Take some lines."""
        self._lines.append(data)
        if not self._held:
            self.flush()

    def flush(self) -> None:
        """Write what was held."""
        data = b"".join(self._lines)
        self._lines.clear()
        while data:
            data = data[os.write(self._file, data) :]

    def close(self) -> None:
        """Write the rest and close the file."""
        self.flush()
        os.close(self._file)


@dataclass(frozen=True, slots=True)
class Visit:
    """One connection at the desk: its clock, the unix second of its time 0, its sink, and what to call at its end."""

    now: Callable[[], Micros]
    epoch: int
    sink: Sink | None
    done: Callable[[], None] | None


def _line(number: int, frame: Frame) -> str:
    """Write a frame for people: ``#1  0.030121 <- response.created {…}``; the arrow points to us or away from us."""
    arrow = "->" if frame.dir is Direction.UP else "<-"
    content = {key: value for key, value in frame.data.items() if key != "type"}
    text = f"#{number} {frame.t / SECOND:10.6f} {arrow} {frame.type or frame.kind} {orjson.dumps(content).decode()}"
    return text if len(text) <= _WIDEST_LINE else f"{text[: _WIDEST_LINE - 1]}…"
