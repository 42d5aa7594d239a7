"""The real API as the upstream: tapped, so that its leg is recorded, behind the reference proxy or driven directly."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.connection import Connection
from websockets.exceptions import InvalidStatus, WebSocketException

from conformance.client import Dial
from conformance.real.api import RealApi
from conformance.reference_proxy.server import ReferenceProxy
from conformance.reference_proxy.translator import Translator
from conformance.runner.attempt import Attempt
from conformance.runner.failures import HarnessError, RefusedError, explain
from conformance.runner.in_process import open_unix, socket_path, with_headers
from conformance.runner.plan import SETTLE
from conformance.runner.refusals import Refusals
from conformance.scenario.model import Connect, Speaks
from conformance.wire.durations import SECOND
from conformance.wire.frames import Direction, Frame, Kind, Leg
from mock_upstream.tapped import Tapped


class Real:
    """A Realtime server that is not ours, at the address and with the key that the environment names."""

    def __init__(self, translator: Callable[[], Translator] = Translator) -> None:
        """Read the environment.

        Raises:
            HarnessError: it names no usable address or key.
        """
        self._translator = translator
        try:
            self._api = RealApi.from_environment()
        except ValueError as error:
            raise HarnessError(str(error)) from None

    @property
    def secrets(self) -> tuple[str, ...]:
        """The key, and what is secret in the address."""
        return self._api.secrets

    @asynccontextmanager
    async def join(self, attempt: Attempt) -> AsyncIterator[Dial]:
        """Listen for refusals, and give the driver its dial."""
        attempt.recorder.listeners.append(Refusals(attempt, self._api))
        if attempt.plan.cell.speaks is Speaks.REALTIME:
            attempt.recorder.listeners.append(lambda frame: _mirror(attempt, frame))
            yield lambda step: self._open(attempt, step)
            return

        async def to_api() -> Connection:
            conn = attempt.opened()
            attempt.upstream_sink(conn, Direction.UP, Kind.MARK, {"mark": "dialled"})
            try:
                connection = await self._open(attempt, Connect(), conn)
            except BaseException:
                attempt.closed()
                raise
            asyncio.create_task(connection.wait_closed()).add_done_callback(lambda _: attempt.closed())
            return cast("Connection", Tapped(connection, attempt.upstream_sink, conn))  # it passes everything on

        with socket_path() as agent:
            async with ReferenceProxy(to_api, translator=self._translator, unix_path=agent):
                yield lambda step: open_unix(agent, f"/?{urlencode(step.query)}".rstrip("?"), step.headers)

    async def _open(self, attempt: Attempt, step: Connect, conn: int = 0) -> ClientConnection:
        parts = urlsplit(self._api.address)
        query: Mapping[str, Any] = {**dict(parse_qsl(parts.query)), **step.query}
        try:
            return await connect(
                urlunsplit(parts._replace(query=urlencode(query))),
                additional_headers=with_headers(self._api.headers, step.headers),
                compression=None,
                max_size=None,
                close_timeout=SETTLE / SECOND,  # a peer that is gone without a word does not answer a close either
                ping_interval=None,  # a sign of life that the scenario did not ask for would spoil what it shows of silence
            )
        except (OSError, WebSocketException) as error:
            self._note(attempt, error, conn)
            raise

    def _note(self, attempt: Attempt, error: Exception, conn: int) -> None:
        sentence = explain(error, self._api.url)
        if not isinstance(error, InvalidStatus):
            attempt.fail(sentence)
            return
        response = error.response
        attempt.break_off(RefusedError(sentence, response.status_code, response.headers.get("Retry-After")))
        if attempt.plan.cell.speaks is Speaks.VOICE_AGENT:
            attempt.upstream_sink(conn, Direction.UP, Kind.OPEN, {"status": response.status_code})


def _mirror(attempt: Attempt, frame: Frame) -> None:
    """Record a frame of the client leg on the upstream leg, too: without a proxy between them they are one wire."""
    if frame.leg is Leg.CLIENT and frame.kind is not Kind.MARK:
        attempt.upstream_sink(frame.conn, frame.dir, frame.kind, frame.data)
