"""The subject in this process: the reference proxy in front of the mock, over Unix sockets.

A scenario that speaks Realtime has no use for the proxy; its client talks to the mock directly.
"""

import atexit
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import cache
from typing import Final
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, unix_connect

from conformance.client import Dial
from conformance.reference_proxy.server import ReferenceProxy
from conformance.reference_proxy.translator import Translator
from conformance.runner.attempt import Attempt
from conformance.scenario.model import Connect, Speaks
from mock_upstream.server import PATH, MockUpstream

MODEL: Final = "gpt-realtime"
AUTHORIZATION: Final = {"Authorization": "Bearer any-key-will-do"}
_SOCKETS: Final = itertools.count()


class InProcess:
    """The reference proxy (or a broken one, made by ``translator``) and the mock, fresh for each attempt."""

    secrets: tuple[str, ...] = ()

    def __init__(self, translator: Callable[[], Translator] = Translator) -> None:
        """Choose what translates."""
        self._translator = translator

    @asynccontextmanager
    async def join(self, attempt: Attempt) -> AsyncIterator[Dial]:
        """Start both servers and give the driver its dial."""
        with socket_path() as upstream, socket_path() as agent:

            async def to_mock(connect: Connect = Connect()) -> ClientConnection:  # noqa: B008  # frozen
                query = urlencode({"model": MODEL, **connect.query})
                return await open_unix(upstream, f"{PATH}?{query}", with_headers(AUTHORIZATION, connect.headers))

            async def to_proxy(connect: Connect) -> ClientConnection:
                return await open_unix(agent, f"/?{urlencode(connect.query)}".rstrip("?"), connect.headers)

            async with MockUpstream(attempt.assign, unix_path=upstream):
                if attempt.plan.cell.speaks is Speaks.REALTIME:
                    yield to_mock
                    return
                async with ReferenceProxy(to_mock, translator=self._translator, unix_path=agent):
                    yield to_proxy


def with_headers(own: Mapping[str, str], scenarios: Mapping[str, str]) -> dict[str, str]:
    """Return the request headers: a scenario's replace ours of the same name, in whatever case they are written."""
    named = {name.lower() for name in scenarios}
    return {**{name: value for name, value in own.items() if name.lower() not in named}, **scenarios}


@contextmanager
def socket_path() -> Iterator[str]:
    """Choose a path for a Unix socket, short enough for one, and remove the socket afterwards."""
    path = f"{_socket_folder()}/{next(_SOCKETS)}"
    try:
        yield path
    finally:
        with suppress(OSError):  # it was never made
            os.unlink(path)


@cache
def _socket_folder() -> str:
    """Make the folder of this process's sockets; it is removed when the process ends."""
    folder = tempfile.mkdtemp(prefix="conformance-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


async def open_unix(path: str, target: str, headers: Mapping[str, str]) -> ClientConnection:
    """Connect to a server of ours on a Unix socket."""
    return await unix_connect(
        path,
        f"ws://localhost{target}",
        additional_headers=headers,
        user_agent_header=None,
        compression=None,
        ping_interval=None,
        max_size=None,
        max_queue=None,
    )
