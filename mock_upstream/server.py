"""`MockUpstream`: a Realtime server on TCP, TLS or a Unix socket, serving any number of attempts at once.

Each handshake is assigned: a script, a seed, a clock and a sink of its own, so that one server can serve many attempts that
know nothing of each other. The HTTP answer is 101 whatever the key and the model (a live probe of 2026-09-18): the session
then complains and closes. Only a fault refuses the handshake itself.
"""

import asyncio
import inspect
import logging
import os
import ssl as tls
import time
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Final, Self

from conformance.wire.durations import SECOND, Micros
from conformance.wire.frames import Direction, Kind
from conformance.wire.recording import Sink
from conformance.wire.script import Fault, Script
from mock_upstream.actions import Setup
from mock_upstream.assignment import Assign, Assignment, Handshake
from mock_upstream.auth import public_query, shown_key, subprotocols_of, without_secrets
from mock_upstream.client_secrets import ClientSecrets, scope_of_preset
from mock_upstream.connection import OPENING, Connection
from mock_upstream.handshakes import handshake_fault, refusal
from mock_upstream.http import HttpRequest, error_response, json_response
from mock_upstream.live import Core, Live
from mock_upstream.replay import Replay
from mock_upstream.session import Session
from mock_upstream.validation import warm_up

__all__ = ["PATH", "Assign", "Assignment", "Handshake", "MockUpstream"]

LOG: Final = logging.getLogger("mock_upstream")
PATH: Final = "/v1/realtime"
BACKLOG: Final = 4096
"""Connects that may wait to be accepted; the default of 100 costs seconds at 200 connects at once."""


class MockUpstream:
    """A mock of the Realtime API; use it as an async context manager.

    Args:
        assign: decides what each connection is part of; by default each is its own attempt of ``script`` under ``seed``.
        script: how to deviate from the faithful API.
        seed: where every random choice comes from; connection n of the server uses ``seed + n``.
        host: a numeric address.
        port: 0 for any free one; see `port` and `url`.
        unix_path: listen on this Unix socket instead of TCP.
        ssl: serve TLS (`mock_upstream.tls` makes a context).
        key: the only key that is valid, beside the ephemeral ones made with it; None accepts any.
        fault: a named fault for every connection.
        epoch: the unix second of time 0; None takes the wall clock.
        sink: records every connection (all share it; ``conn`` tells them apart).
        deflate: negotiate permessage-deflate with clients that offer it.
        new_session: makes the pure core of a connection; by default the faithful session, or a replay if the script is one.

    Raises:
        OSError: on entering, when the address cannot be listened on.
        ExceptionGroup: on leaving, the failures of our own code, if there were any.
    """

    def __init__(
        self,
        assign: Assign | None = None,
        *,
        script: Script | None = None,
        seed: int = 0,
        host: str = "127.0.0.1",
        port: int = 0,
        unix_path: str | os.PathLike[str] | None = None,
        ssl: tls.SSLContext | None = None,
        key: str | None = None,
        fault: Fault | None = None,
        epoch: int | None = None,
        sink: Sink | None = None,
        deflate: bool = False,
        new_session: Callable[[Setup], Core] | None = None,
    ) -> None:
        self._assign = assign or self._assign_by_default
        self.script = script or Script()
        """How the next connections deviate; may be replaced at any time."""
        self.fault = fault
        self._seed = seed
        self._host = host
        self._port = port
        self._unix_path = unix_path
        self._ssl = ssl
        self._key = key
        self._epoch = epoch
        self._sink = sink
        self._deflate = deflate
        self._new_session = new_session or core_of
        self._served = 0
        self._began = 0.0
        self._connections: set[Connection] = set()
        self._live: dict[Live, Callable[[], None] | None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: list[Exception] = []
        self._emptied: asyncio.Future[None] | None = None
        self._server: asyncio.Server | None = None
        self._secrets = ClientSecrets(self._make_session)

    # Where it is

    @property
    def port(self) -> int:
        """The TCP port it listens on."""
        if self._server is None or self._unix_path is not None:
            raise RuntimeError("there is no port: enter `async with MockUpstream(...)` first, without unix_path")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """The endpoint, without the model: ``ws://127.0.0.1:4321/v1/realtime``; on a Unix socket the host means nothing."""
        return f"{'ws' if self._ssl is None else 'wss'}://{self._authority}{PATH}"

    @property
    def base_url(self) -> str:
        """What OpenAI's SDKs take as ``base_url``: ``http://127.0.0.1:4321/v1``."""
        return f"{'http' if self._ssl is None else 'https'}://{self._authority}/v1"

    @property
    def _authority(self) -> str:
        if self._unix_path is not None:
            return "localhost"
        return f"[{self._host}]:{self.port}" if ":" in self._host else f"{self._host}:{self.port}"

    async def __aenter__(self) -> Self:
        """Listen."""
        warm_up()  # or the first client would wait most of a second for the SDK's types
        loop = asyncio.get_running_loop()
        self._began = loop.time()
        opening = None if self._ssl is None else OPENING  # or a TLS handshake that stays away could take a minute
        where: Mapping[str, Any] = {"ssl": self._ssl, "ssl_handshake_timeout": opening, "backlog": BACKLOG}
        if self._unix_path is not None:
            self._server = await loop.create_unix_server(self._connect, os.fspath(self._unix_path), **where)
        else:
            self._server = await loop.create_server(self._connect, self._host, self._port, **where)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection with 1001, and stop."""
        assert self._server is not None  # noqa: S101 (set by __aenter__)
        self._server.close()
        for live in tuple(self._live):
            live.stop(1001, "The mock is stopping.")
        for task in self._tasks:
            task.cancel()
        for connection in tuple(self._connections):
            connection.hang_up()
        if self._connections:
            self._emptied = asyncio.get_running_loop().create_future()
            await self._emptied
        await self._server.wait_closed()
        if self._failures and error is None:
            raise ExceptionGroup("the mock itself failed; please report it", self._failures)

    # What comes in

    def _connect(self) -> Connection:
        return Connection(self._connections.add, self._serve, self._forget, deflate=self._deflate)

    def _forget(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if self._emptied is not None and not self._connections:
            self._emptied.set_result(None)

    def _serve(self, connection: Connection, request: HttpRequest) -> None:
        if request.problem is not None:
            connection.respond(error_response(400, "invalid_request_error", request.problem))
        elif request.method in ("GET", "HEAD") and request.path == "/health":
            health = json_response(200, {"status": "ok", "served": self._served, "open": len(self._live)})
            connection.respond(health if request.method == "GET" else health[: health.index(b"\r\n\r\n") + 4])
        elif request.path == f"{PATH}/client_secrets":
            connection.respond(self._secrets.answer(request, self._is_valid(request), self._unix_time()))
        elif request.method == "GET" and request.path == PATH:
            self._shake_hands(connection, request)
        else:
            served = f"This mock serves {PATH}, {PATH}/client_secrets and /health."
            message = f"Invalid URL ({request.method} {request.path}). {served}"
            connection.respond(error_response(404, "invalid_request_error", message))

    def _shake_hands(self, connection: Connection, request: HttpRequest) -> None:
        handshake = Handshake(request.path, request.query, request.headers, subprotocols_of(request.headers))
        try:
            assigned = self._assign(handshake)
        except Exception as error:  # noqa: BLE001 (a caller's callback; kept, and raised on leaving)
            self._fail(connection, error)
            return
        if inspect.isawaitable(assigned):
            self._spawn(self._admit_later(connection, handshake, assigned))
        else:
            self._admit(connection, handshake, assigned)

    async def _admit_later(self, connection: Connection, handshake: Handshake, assigned: Awaitable[Assignment]) -> None:
        try:
            assignment = await assigned
        except Exception as error:  # noqa: BLE001 (a caller's callback; kept, and raised on leaving)
            self._fail(connection, error)
        else:
            self._admit(connection, handshake, assignment)

    def _admit(self, connection: Connection, handshake: Handshake, assignment: Assignment) -> None:
        """Refuse, delay or accept the upgrade, as the script and the fault have it."""
        self._served += 1
        fault, scripted = handshake_fault(assignment)
        if fault is not None and fault.refuses:
            if assignment.sink is not None:
                opening = {**_opening(handshake, None), "status": fault.status}
                assignment.sink(assignment.conn, Direction.UP, Kind.OPEN, opening, scripted)
            if fault.status is None:
                connection.abort()
            else:
                connection.respond(refusal(fault.status))
            if assignment.done is not None:
                assignment.done()
        elif fault is not None and fault.delay > 0:
            connection.wait(fault.delay / SECOND, lambda: self._accept(connection, handshake, assignment, scripted))
        else:
            self._accept(connection, handshake, assignment, None)

    def _accept(self, connection: Connection, handshake: Handshake, assignment: Assignment, scripted: str | None) -> None:
        def listen(subprotocol: str | None) -> Live:
            if assignment.sink is not None:
                opening = _opening(handshake, subprotocol)
                assignment.sink(assignment.conn, Direction.UP, Kind.OPEN, opening, scripted)
            live = Live(
                self._new_session(self._setup(handshake, assignment)),
                connection,
                conn=assignment.conn,
                now=assignment.now,
                sink=assignment.sink,
                on_end=self._end,
            )
            self._live[live] = assignment.done
            return live

        live = connection.accept(listen)
        if isinstance(live, Live):
            live.start()
        elif assignment.done is not None:
            assignment.done()

    def _setup(self, handshake: Handshake, assignment: Assignment) -> Setup:
        key = shown_key(handshake.headers, handshake.subprotocols)
        preset = self._secrets.preset(key, self._unix_time())
        model, intent = scope_of_preset(preset)
        return Setup(
            script=assignment.script,
            seed=assignment.seed,
            epoch=assignment.epoch,
            conn=assignment.conn,
            model=handshake.query.get("model") or model,
            intent=handshake.query.get("intent") or intent,
            query=handshake.query,
            headers={**without_secrets(handshake.headers), **_beta(handshake.subprotocols)},
            key=key,
            valid_key=self._is_valid_key(key),
            preset=preset,
            fault=assignment.fault,
        )

    def _end(self, live: Live, error: Exception | None) -> None:
        done = self._live.pop(live, None)
        if error is not None:
            self._failures.append(error)
        if done is not None:
            done()

    # Small things

    def _assign_by_default(self, _: Handshake) -> Assignment:
        number = self._served
        return Assignment(
            self.script, self._seed + number, self._unix_time(), self._clock(), self._sink, number, self.fault
        )

    def _clock(self) -> Callable[[], Micros]:
        """A clock that counts from now on; with a sink, from the start, since the connections share its time."""
        loop = asyncio.get_running_loop()
        began = loop.time() if self._sink is None else self._began
        return lambda: round((loop.time() - began) * SECOND)

    def _unix_time(self) -> int:
        if self._epoch is None:
            return int(time.time())
        return self._epoch + int(asyncio.get_running_loop().time() - self._began)

    def _is_valid(self, request: HttpRequest) -> bool | None:
        key = shown_key(request.headers, ())
        return None if key is None else self._is_valid_key(key)

    def _is_valid_key(self, key: str | None) -> bool:
        if key is None:
            return False
        return self._key is None or key == self._key or self._secrets.is_valid(key, self._unix_time())

    def _make_session(self, config: Mapping[str, Any]) -> Core:
        """Make the session that an ephemeral key would have, to see what it says of its configuration."""
        model, intent = scope_of_preset(config)
        return self._new_session(Setup(epoch=self._unix_time(), model=model, intent=intent, key="ek_", preset=config))

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _fail(self, connection: Connection, error: Exception) -> None:
        LOG.error("the connection could not be assigned", exc_info=error)
        self._failures.append(error)
        connection.respond(refusal(500))


def core_of(setup: Setup) -> Core:
    """Return what serves a connection: the faithful session, or a replay if the script is one."""
    replay = setup.script.replay
    if replay is None:
        return Session(setup)
    return Replay(replay.recording, setup.conn, strict=replay.strict, audio_dir=replay.audio_dir)


def _opening(handshake: Handshake, subprotocol: str | None) -> dict[str, Any]:
    return {"path": handshake.path, "query": public_query(handshake.query), "subprotocol": subprotocol}


def _beta(subprotocols: tuple[str, ...]) -> dict[str, str]:
    """Say in a header what a browser can only say in a subprotocol."""
    return {"openai-beta": "realtime=v1"} if "openai-beta.realtime-v1" in subprotocols else {}
