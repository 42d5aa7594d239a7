"""Pass-through gateways in this process: the tap in front of the mock, honest or meddling with what passes."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import orjson
from websockets.asyncio.client import ClientConnection, connect

from conformance.client import Dial
from conformance.runner.attempt import Attempt
from conformance.runner.in_process import AUTHORIZATION, MODEL, with_headers
from conformance.scenario.model import Connect, Speaks
from conformance.targets.model import Target
from conformance.wire.script import Script
from mock_upstream.assignment import Assignment, Handshake
from mock_upstream.server import MockUpstream
from mock_upstream.tap import Tap

GATEWAY = Target(name="gateway", url="ws://gateway/", mock_port=1, speaks=frozenset({Speaks.REALTIME}))
"""What the judge is told of it: something external that speaks Realtime on both legs."""

Meddle = Callable[[dict[str, Any]], list[dict[str, Any]]]
"""What a gateway makes of an event from the upstream: nothing, one or several."""


class Gateway:
    """A subject for Realtime cells: the driver dials the tap, the tap the mock; each end records its own leg."""

    secrets: tuple[str, ...] = ()

    def __init__(self, meddle: Meddle | None = None) -> None:
        """Choose what happens to events on their way down; nothing, unless said."""
        self._meddle = meddle

    @asynccontextmanager
    async def join(self, attempt: Attempt) -> AsyncIterator[Dial]:
        """Start both servers and give the driver its dial."""

        def unrecorded(_: Handshake) -> Assignment:
            return Assignment(Script(), seed=0, epoch=0, now=attempt.now)

        async with MockUpstream(attempt.assign) as mock, _Tap(mock.url, unrecorded, self._meddle) as tap:

            async def dial(step: Connect) -> ClientConnection:
                query = urlencode({"model": MODEL, **step.query})
                headers = with_headers(AUTHORIZATION, step.headers)
                return await connect(
                    f"{tap.url}?{query}", additional_headers=headers, compression=None, ping_interval=None, max_size=None
                )

            yield dial


class _Tap(Tap):
    def __init__(self, upstream: str, assign: Callable[[Handshake], Assignment], meddle: Meddle | None) -> None:
        super().__init__(upstream, assign)
        self._meddle = meddle

    async def _connect(self, handshake: Handshake) -> ClientConnection:
        connection = await super()._connect(handshake)
        if self._meddle is not None:
            connection.recv = _Meddling(connection.recv, self._meddle).recv  # type: ignore[method-assign]
        return connection


class _Meddling:
    def __init__(self, recv: Callable[..., Any], meddle: Meddle) -> None:
        self._recv = recv
        self._meddle = meddle
        self._ready: list[str] = []

    async def recv(self, decode: bool | None = None) -> Any:
        while not self._ready:
            message = await self._recv(decode)
            if not isinstance(message, str):
                return message
            self._ready = [orjson.dumps(event).decode() for event in self._meddle(orjson.loads(message))]
        return self._ready.pop(0)
