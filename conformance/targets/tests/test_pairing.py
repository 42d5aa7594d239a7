"""Pairing: an upstream connection goes to the one session it can belong to, or to none."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, cast

from conformance.clock import run, stopwatch
from conformance.targets.pairing import CANNOT_PAIR, Pairing
from conformance.wire.frames import Direction, Kind
from conformance.wire.script import Fault, Script, ScriptRule
from mock_upstream.assignment import Assignment, Handshake

if TYPE_CHECKING:
    from conformance.runner.attempt import Attempt

HANDSHAKE = Handshake("/v1/realtime", {}, {}, ())


class Session:
    """Stands in for an attempt."""

    def __init__(self, script: Script | None = None) -> None:
        self.now = stopwatch()
        self.script = script or Script()
        self.notes: list[str] = []
        self.failures: list[str] = []
        self.conns = 0
        self.heard: list[str] = []

    def assign(self, _: Handshake) -> Assignment:
        self.conns += 1
        return Assignment(self.script, 0, 0, self.now, self.upstream_sink, self.conns - 1)

    def fail(self, message: str) -> None:
        self.failures.append(message)

    def upstream_sink(self, conn: int, direction: Direction, kind: Kind, body: Any, scripted: str | None = None) -> None:
        self.heard.append(str(kind))


def play(scene: Callable[[Pairing], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        await scene(Pairing())

    run(main(), clock="virtual")


async def connect(pairing: Pairing, session: Session) -> None:
    await pairing.take_turn(cast("Attempt", session))
    pairing.connected(cast("Attempt", session))


def leave(pairing: Pairing, session: Session) -> None:
    pairing.leave(cast("Attempt", session))


def test_a_connection_belongs_to_whoever_has_the_turn() -> None:
    async def scene(pairing: Pairing) -> None:
        first, second = Session(), Session()
        await connect(pairing, first)
        waiting = asyncio.create_task(connect(pairing, second))
        await asyncio.sleep(1)
        assert not waiting.done()
        pairing.assign(HANDSHAKE)
        await waiting
        pairing.assign(HANDSHAKE)
        assert (first.conns, second.conns) == (1, 1)

    play(scene)


def test_a_connection_may_come_before_the_clients_handshake_ends() -> None:
    async def scene(pairing: Pairing) -> None:
        first, second = Session(), Session()
        await pairing.take_turn(cast("Attempt", first))
        pairing.assign(HANDSHAKE)
        pairing.connected(cast("Attempt", first))
        await asyncio.wait_for(connect(pairing, second), 0.1)
        pairing.assign(HANDSHAKE)
        assert (first.conns, second.conns) == (1, 1)

    play(scene)


def test_a_turn_ends_after_two_seconds_and_a_late_connection_still_finds_its_session() -> None:
    async def scene(pairing: Pairing) -> None:
        late, next_ = Session(), Session()
        await connect(pairing, late)
        began = asyncio.get_running_loop().time()
        await connect(pairing, next_)
        assert asyncio.get_running_loop().time() - began == 2
        pairing.assign(HANDSHAKE)
        await asyncio.sleep(1)
        pairing.assign(HANDSHAKE)
        assert (late.conns, next_.conns) == (1, 1)
        assert late.notes == ["the proxy connected upstream only 3s after its client"]

    play(scene)


def test_a_connection_that_may_be_anyones_is_nobodys() -> None:
    async def scene(pairing: Pairing) -> None:
        sessions = [Session(), Session()]
        for session in sessions:
            await connect(pairing, session)
            await asyncio.sleep(2)
        pairing.assign(HANDSHAKE)
        assert [session.conns for session in sessions] == [0, 0]
        assert [session.failures for session in sessions] == [[CANNOT_PAIR]] * 2

    play(scene)


def test_a_second_connection_of_the_only_session_is_its_own_and_is_told() -> None:
    async def scene(pairing: Pairing) -> None:
        session = Session()
        await connect(pairing, session)
        pairing.assign(HANDSHAKE)
        assert pairing.assign(HANDSHAKE).conn == 1
        leave(pairing, session)
        assert session.notes == ["the proxy opened 2 upstream connections for 1 client(s)"]

    play(scene)


def test_a_reconnect_goes_to_the_session_whose_connection_has_ended() -> None:
    async def scene(pairing: Pairing) -> None:
        first, second = Session(), Session()
        for session in (first, second):
            await connect(pairing, session)
            assignment = pairing.assign(HANDSHAKE)
            if session is first and assignment.done is not None:
                assignment.done()
        pairing.assign(HANDSHAKE)
        assert (first.conns, second.conns) == (2, 1)

    play(scene)


def test_a_second_try_after_a_refused_handshake_belongs_to_the_session_that_was_refused() -> None:
    async def scene(pairing: Pairing) -> None:
        refused = Session(Script(rules=(ScriptRule("no", fault=Fault("refuse-tcp")),)))
        next_ = Session()
        await connect(pairing, refused)
        pairing.assign(HANDSHAKE)
        began = asyncio.get_running_loop().time()
        waiting = asyncio.create_task(connect(pairing, next_))
        await asyncio.sleep(0.1)
        pairing.assign(HANDSHAKE)
        await waiting
        assert 0.1 < asyncio.get_running_loop().time() - began < 1
        pairing.assign(HANDSHAKE)
        assert (refused.conns, next_.conns) == (2, 1)

    play(scene)


def test_a_proxy_that_never_connects_is_told() -> None:
    async def scene(pairing: Pairing) -> None:
        session = Session()
        await connect(pairing, session)
        await asyncio.sleep(5)
        leave(pairing, session)
        assert session.notes == ["the proxy never opened an upstream connection for this client"]

    play(scene)


def test_a_proxy_that_reuses_a_connection_is_told() -> None:
    async def scene(pairing: Pairing) -> None:
        first, second = Session(), Session()
        await connect(pairing, first)
        assignment = pairing.assign(HANDSHAKE)
        leave(pairing, first)
        await connect(pairing, second)
        assert assignment.sink is not None
        assignment.sink(0, Direction.UP, Kind.TEXT, {"type": "response.create"})
        await asyncio.sleep(3)
        leave(pairing, second)
        assert second.notes == ["the proxy sent this session over the upstream connection of an earlier one"]

    play(scene)


def test_whoever_leaves_gives_the_turn_up() -> None:
    async def scene(pairing: Pairing) -> None:
        first, second = Session(), Session()
        await pairing.take_turn(cast("Attempt", first))
        leave(pairing, first)
        await asyncio.wait_for(connect(pairing, second), 0.1)

    play(scene)


def test_a_connection_without_any_session_is_served_and_forgotten() -> None:
    async def scene(pairing: Pairing) -> None:
        assert pairing.assign(HANDSHAKE).sink is None

    play(scene)
