"""Pairing: which upstream connection belongs to which attempt.

An external proxy says nothing of that. So attempts connect one after the other: whoever holds the turn has connected and
plays its steps until one new upstream connection arrives, or 2 s have passed. Without one it goes on unpaired; a connection
that arrives while exactly one attempt is unpaired is its own. If several are, none of them can be judged.

An attempt whose script refuses the handshake keeps its turn a moment longer: HTTP clients try a request again at once when
they are reset (aiohttp does), and that second connection must not be taken for the next attempt's.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from conformance.clock import stopwatch
from conformance.runner.attempt import Attempt
from conformance.wire.durations import SECOND, Micros, format_duration
from conformance.wire.frames import Direction, Kind
from conformance.wire.script import Script
from mock_upstream.assignment import Assignment, Handshake
from mock_upstream.handshakes import handshake_fault

PATIENCE: Final[Micros] = 2 * SECOND
"""How long a turn lasts without an upstream connection."""
REDIAL: Final[Micros] = SECOND // 2
"""How long a turn goes on after a handshake that was refused."""
CANNOT_PAIR: Final = "an upstream connection cannot be told to belong to one of several sessions; use --concurrency 1"


@dataclass(slots=True)
class Paired:
    """What is known of a running attempt: its connections on either leg, and when the last client connected."""

    clients: int = 0
    upstreams: int = 0
    open: int = 0
    connected_at: Micros = 0
    is_over: bool = False
    was_refused: bool = False
    """The handshake that came last was refused, as the script wants."""
    was_sent_elsewhere: bool = False
    """While it waited, something went up on the connection of an attempt that is over."""

    @property
    def waits(self) -> bool:
        """True while a client has connected and its upstream connection has not come."""
        return self.clients > self.upstreams


class Pairing:
    """Hands out turns to connect and takes upstream connections into attempts."""

    def __init__(self, patience: Micros = PATIENCE) -> None:
        """Start with nobody running."""
        self._patience = patience
        self._turn = asyncio.Lock()
        self._holder: Attempt | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._running: dict[Attempt, Paired] = {}

    @property
    def running(self) -> tuple[Attempt, ...]:
        """The attempts that are under way."""
        return tuple(self._running)

    async def take_turn(self, attempt: Attempt) -> None:
        """Wait for the turn to connect; the attempt has it until its upstream connection comes or time is up."""
        self._running.setdefault(attempt, Paired())
        if self._holder is not attempt:
            await self._turn.acquire()
            self._holder = attempt

    def connected(self, attempt: Attempt) -> None:
        """Note that the attempt's client has connected: from now on the turn is timed."""
        state = self._running[attempt]
        state.clients += 1
        state.connected_at = attempt.now()
        if self._holder is attempt:
            if state.waits:
                self._end_turn_after(self._patience, attempt)
            else:
                self._paired(attempt, state)  # the proxy was faster than the client's handshake

    def end_turn(self, attempt: Attempt) -> None:
        """Let the next attempt connect."""
        if self._holder is not attempt:
            return
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._holder = None
        self._turn.release()

    def _paired(self, attempt: Attempt, state: Paired) -> None:
        if not state.was_refused:
            self.end_turn(attempt)
        elif self._holder is attempt:
            self._end_turn_after(REDIAL, attempt)

    def _end_turn_after(self, time: Micros, attempt: Attempt) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_later(time / SECOND, self.end_turn, attempt)

    def leave(self, attempt: Attempt) -> None:
        """Note that an attempt is over, and say in its footer what was wrong with its connections."""
        self.end_turn(attempt)
        state = self._running.pop(attempt, None)
        if state is None:
            return
        state.is_over = True
        if state.clients and not state.upstreams and state.was_sent_elsewhere:
            attempt.notes.append("the proxy sent this session over the upstream connection of an earlier one")
        elif state.clients and not state.upstreams:
            attempt.notes.append("the proxy never opened an upstream connection for this client")
        elif state.upstreams > state.clients > 0:
            attempt.notes.append(f"the proxy opened {state.upstreams} upstream connections for {state.clients} client(s)")

    def assign(self, handshake: Handshake) -> Assignment:
        """Take a new upstream connection into the attempt it belongs to."""
        owner = self._owner()
        if owner is None:
            return _nobodys()
        state = self._running[owner]
        state.upstreams += 1
        state.open += 1
        late = owner.now() - state.connected_at
        if state.clients and late > self._patience:
            owner.notes.append(f"the proxy connected upstream only {format_duration(late)} after its client")
        assignment = owner.assign(handshake)
        fault, _ = handshake_fault(assignment)
        state.was_refused = fault is not None and fault.refuses
        if state.clients:  # else the client's handshake is still under way; `connected` ends the turn
            self._paired(owner, state)

        def done() -> None:
            state.open -= 1
            if assignment.done is not None:
                assignment.done()

        def sink(
            conn: int,
            direction: Direction,
            kind: Kind,
            body: str | bytes | Mapping[str, Any],
            scripted: str | None = None,
        ) -> None:
            if state.is_over and direction is Direction.UP and kind in (Kind.TEXT, Kind.BINARY):
                self._note_reuse()
            owner.upstream_sink(conn, direction, kind, body, scripted)

        return replace(assignment, done=done, sink=sink)

    def _note_reuse(self) -> None:
        waiting = [state for state in self._running.values() if state.waits]
        if len(waiting) == 1:
            waiting[0].was_sent_elsewhere = True

    def _owner(self) -> Attempt | None:
        if self._holder is not None:
            return self._holder
        for group in (
            [attempt for attempt, state in self._running.items() if state.waits],
            [attempt for attempt, state in self._running.items() if state.clients and not state.open],
            list(self._running),
        ):
            if len(group) == 1:
                return group[0]
            if group:
                for attempt in group:
                    attempt.fail(CANNOT_PAIR)
                return None
        return None


def _nobodys() -> Assignment:
    """A connection that belongs to no attempt is served and not recorded."""
    return Assignment(Script(), 0, 0, stopwatch())
