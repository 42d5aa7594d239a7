"""The tap: listens where the mock would and passes every connection through to a real upstream, recorded.

Messages, closes and aborts pass unchanged both ways; the upstream sees the headers, the query and the subprotocols that the
proxy sent, and the proxy the upstream's refusal, if it refuses.
"""

import asyncio
import inspect
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from conformance.wire.frames import Direction, Kind
from mock_upstream.assignment import Assign, Assignment, Handshake
from mock_upstream.tapped import ABNORMAL, Tapped, abort, describe_request

MAX_FRAME: Final = 64 * 1024 * 1024
_BACKLOG: Final = 1024
_BAD_GATEWAY: Final = 502
_UNSENDABLE: Final = frozenset({1005, 1015})
"""Close codes that stand for the absence of one and cannot be sent."""


class Tap:
    """Listens on TCP; each connection is dialled through to ``upstream`` and recorded as ``assign`` says.

    Args:
        upstream: the address of the real upstream; its query is the default for what the proxy leaves out.
        assign: decides what each connection is part of; only ``sink`` and ``conn`` of the assignment are used.
        host: a numeric address.
        port: 0 for any free one; see `url`.
        headers: sent up unless the proxy sends its own, such as ``Authorization``.

    Raises:
        OSError: on entering, when the address cannot be listened on.
    """

    def __init__(
        self,
        upstream: str,
        assign: Assign,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._upstream = upstream
        self._assign = assign
        self._host = host
        self._port = port
        self._headers = dict(headers or {})
        self._dialled: dict[ServerConnection, tuple[Tapped, Assignment]] = {}
        self._server: Server | None = None

    @property
    def url(self) -> str:
        """Where proxies connect: the tap's address with the upstream's path."""
        if self._server is None:
            raise RuntimeError("there is no address: enter `async with Tap(...)` first")
        port = next(iter(self._server.sockets)).getsockname()[1]
        return f"ws://{self._host}:{port}{urlsplit(self._upstream).path}"

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server = await serve(
            self._pass_through,
            self._host,
            self._port,
            process_request=self._dial,
            select_subprotocol=self._chosen_subprotocol,
            max_size=MAX_FRAME,
            compression=None,
            ping_interval=None,
            backlog=_BACKLOG,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection with 1001, and stop."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _dial(self, client: ServerConnection, request: Request) -> Response | None:
        """Dial the upstream before the proxy's upgrade is answered, so that a refusal can be passed on."""
        parts = urlsplit(request.path)
        headers = {name.lower(): value for name, value in request.headers.raw_items()}
        offered = tuple(name.strip() for name in headers.get("sec-websocket-protocol", "").split(",") if name.strip())
        handshake = Handshake(parts.path, dict(parse_qsl(parts.query)), headers, offered)
        assigned = self._assign(handshake)
        assignment = await assigned if inspect.isawaitable(assigned) else assigned
        try:
            upstream = await self._connect(handshake)
        except InvalidStatus as error:
            status = error.response.status_code
            asked = error.response.headers.get("Retry-After")
            self._note_refusal(assignment, request.path, status, {} if asked is None else {"retry_after": asked})
            return Response(status, error.response.reason_phrase, error.response.headers, error.response.body)
        except (OSError, WebSocketException) as error:
            message = f"the upstream cannot be reached: {error}"
            self._note_refusal(assignment, request.path, _BAD_GATEWAY, {"message": message})
            return client.respond(_BAD_GATEWAY, f"{message}\n")
        self._dialled[client] = Tapped(upstream, assignment.sink, assignment.conn), assignment
        return None

    async def _connect(self, handshake: Handshake) -> ClientConnection:
        own = urlsplit(self._upstream)
        query = {**dict(parse_qsl(own.query)), **handshake.query}
        passed = {name: value for name, value in handshake.headers.items() if _is_passed(name)}
        for name, value in self._headers.items():
            passed.setdefault(name.lower(), value)
        return await connect(
            urlunsplit(own._replace(query=urlencode(query))),
            additional_headers=passed,
            subprotocols=[Subprotocol(name) for name in handshake.subprotocols] or None,
            max_size=MAX_FRAME,
            ping_interval=None,
            compression=None,
            user_agent_header=None,
            proxy=None,
        )

    def _chosen_subprotocol(self, client: ServerConnection, _: Any) -> Subprotocol | None:
        tapped, _assignment = self._dialled[client]
        subprotocol: Subprotocol | None = tapped.subprotocol
        return subprotocol

    async def _pass_through(self, client: ServerConnection) -> None:
        tapped, assignment = self._dialled.pop(client)
        directions = [asyncio.create_task(_pump(client, tapped)), asyncio.create_task(_pump(tapped, client))]
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for direction in directions:
                direction.cancel()
            await asyncio.gather(*directions, return_exceptions=True)
            await tapped.close(1001, "the tap is stopping")
            if assignment.done is not None:
                assignment.done()

    def _note_refusal(self, assignment: Assignment, target: str, status: int, said: Mapping[str, str]) -> None:
        if assignment.sink is not None:
            opening = {**describe_request(target, None), "status": status, **said}
            assignment.sink(assignment.conn, Direction.UP, Kind.OPEN, opening)
        if assignment.done is not None:
            assignment.done()


async def _pump(source: Any, target: Any) -> None:
    """Pass messages on until the source ends, then end the target in the same way."""
    try:
        while True:
            await target.send(await source.recv())
    except ConnectionClosed:
        ended = source if source.close_code is not None else target
        other = target if ended is source else source
        code, reason = ended.close_code, ended.close_reason or ""
        if code == ABNORMAL:
            other.abort() if isinstance(other, Tapped) else abort(other)
        else:
            with suppress(ConnectionClosed):
                await other.close(1000 if code in _UNSENDABLE else code, reason)


def _is_passed(header: str) -> bool:
    """Tell whether a request header belongs to the application, not to the handshake or the hop."""
    return not header.startswith("sec-websocket-") and header not in {"host", "connection", "upgrade", "user-agent"}
