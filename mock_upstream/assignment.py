"""What a server is told of each connection: whose it is, how to deviate, what time it is, where to record."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from conformance.wire.durations import Micros
from conformance.wire.recording import Sink
from conformance.wire.script import Fault, Script


@dataclass(frozen=True, slots=True)
class Handshake:
    """What a client showed when it connected; header names are lower-case."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    subprotocols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a connection is part of: see `mock_upstream.actions.Setup` for the meaning of each.

    ``now`` gives the attempt's microseconds, ``sink`` records the connection, ``done`` is called once when it is over.
    """

    script: Script
    seed: int
    epoch: int
    now: Callable[[], Micros]
    sink: Sink | None = None
    conn: int = 0
    fault: Fault | None = None
    done: Callable[[], None] | None = None


Assign = Callable[[Handshake], Assignment | Awaitable[Assignment]]
