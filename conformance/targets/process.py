"""The process of a proxy under test: started in a group of its own, watched, heard, and always stopped."""

import asyncio
import atexit
import os
import signal
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from conformance.wire.recording import scrub

LAST_LINES: Final = 20
"""How many of its last lines are kept with a recording."""
_PATIENCE: Final = 3.0
"""Seconds between asking a process to end and ending it."""
_LONGEST_LINE: Final = 2_000
_LARGEST_LOG: Final = 20 * 1024 * 1024
_POLL: Final = 0.05
_GUARD: Final = 'read -r _; kill -9 "-$0"'
"""Ends the group of its argument when we are gone, however we went: then its standard input ends."""
_LOCAL: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_LISTENING: Final = "0A"


class ProxyProcess:
    """A command, run by the shell; everything it starts is in its process group and ends with it."""

    def __init__(self, command: str, env: Mapping[str, str], log: Path | None) -> None:
        """Describe the process; ``env`` is added to our environment, ``log`` gets what it writes."""
        self._command = command
        self._env = env
        self._log = log
        self._lines: deque[str] = deque(maxlen=LAST_LINES)
        self._process: asyncio.subprocess.Process | None = None
        self._guard: asyncio.subprocess.Process | None = None
        self._pump: asyncio.Task[None] | None = None
        self.exited: asyncio.Task[int] | None = None
        """Ends with the exit code (negative: the signal) when the process has ended."""

    async def start(self) -> None:
        """Start it.

        Raises:
            OSError: there is no shell to start it with.
        """
        self._process = await asyncio.create_subprocess_shell(
            self._command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **self._env},
            start_new_session=True,
        )
        atexit.register(self._kill_group)
        self._guard = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", _GUARD, str(self._process.pid), stdin=asyncio.subprocess.PIPE, start_new_session=True
        )
        self._pump = asyncio.create_task(self._hear(self._process))
        self.exited = asyncio.create_task(self._process.wait())

    @property
    def is_running(self) -> bool:
        """True from its start to its end."""
        return self.exited is not None and not self.exited.done()

    @property
    def last_lines(self) -> tuple[str, ...]:
        """The last lines it wrote."""
        return tuple(self._lines)

    def describe_exit(self) -> str:
        """Say how it ended."""
        code = self.exited.result() if self.exited is not None and self.exited.done() else None
        if code is None:
            return "still runs"
        if code < 0:
            return f"was ended by {signal.Signals(-code).name}"
        return f"exited with code {code}"

    async def listening(self, host: str, port: int, limit: float) -> bool:
        """Wait until something listens on its port; False if the process ends or the time (seconds) is up before."""
        loop = asyncio.get_running_loop()
        until = loop.time() + limit
        while self.is_running and loop.time() < until:
            if await _listens(host, port):
                return True
            await asyncio.sleep(_POLL)
        return False

    async def stop(self) -> None:
        """Ask it to end, end it if it does not, and end whatever it has started."""
        if self._process is None or self.exited is None:
            return
        if self.is_running:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGTERM)
            await asyncio.wait({self.exited}, timeout=_PATIENCE)
        self._kill_group()
        if self._guard is not None and self._guard.returncode is None:
            self._guard.kill()
            await self._guard.wait()
        await self.exited
        if self._pump is not None:  # its pipe may have been handed on to a process that escaped the group
            await asyncio.wait({self._pump}, timeout=_PATIENCE)
            self._pump.cancel()
        atexit.unregister(self._kill_group)

    async def settle(self) -> None:
        """Wait a moment for the last words of a process that has ended."""
        if self._pump is not None:
            await asyncio.wait({self._pump}, timeout=_PATIENCE)

    def _kill_group(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _hear(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 (a pipe was asked for)
        file = None if self._log is None else self._log.open("ab", buffering=0)
        written = 0
        rest = b""
        try:
            while chunk := await process.stdout.read(65_536):
                *lines, rest = (rest + chunk).split(b"\n")
                lines += [rest] if len(rest) > _LONGEST_LINE else []
                rest = b"" if len(rest) > _LONGEST_LINE else rest
                for line in lines:
                    written = self._keep(line, file, written)
            if rest:
                self._keep(rest, file, written)
        finally:
            if file is not None:
                file.close()

    def _keep(self, line: bytes, file: BinaryIO | None, written: int) -> int:
        line = scrub(line[:_LONGEST_LINE]).rstrip()
        if line:
            self._lines.append(line.decode("utf-8", "replace"))
        if file is not None and written < _LARGEST_LOG:
            file.write(line + b"\n")
        return written + len(line) + 1


async def _listens(host: str, port: int) -> bool:
    """Tell whether something listens; on this machine without connecting, which many servers would log as a failure."""
    tables = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]
    if host in _LOCAL and tables[0].exists():
        return any(_has_listener(table, port) for table in tables if table.exists())
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True


def _has_listener(table: Path, port: int) -> bool:
    """Read the kernel's table: the local address is the second column, the state the fourth."""
    rows = (line.split() for line in table.read_text().splitlines()[1:])
    return any(row[3] == _LISTENING and int(row[1].rpartition(":")[2], 16) == port for row in rows)
