"""What each flow did in its first second: "what the passing tests do, what the failing tests do", by machine.

The second starts at ``session.updated`` (without one, when the upstream leg opened): whether the server then sees an
append, a commit and a ``response.create`` is what told the passing flows from the failing ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from conformance.results import AttemptResult
from conformance.wire.durations import SECOND, Micros
from conformance.wire.frames import Frame, Kind, Leg
from conformance.wire.recording import Recording

from .evidence import failed_at
from .library import Library
from .tally import OUTSIDE, Group, Tally, describe, tally

ACTS: Final = ("input_audio_buffer.append", "input_audio_buffer.commit", "response.create")
_OWN: Final = frozenset({*ACTS, "session.update"})
_SAMPLE: Final = 5
"""Recordings looked at per cell."""


@dataclass(frozen=True, slots=True)
class Act:
    """An event of the first second: how many of the looked-at attempts sent it, and its median second, None if none."""

    seen: int
    at: float | None


@dataclass(frozen=True, slots=True)
class Opening:
    """Cells of a flow that began alike and ended alike. ``cells`` says which, ``acts`` follow `ACTS`.

    ``others`` are further events that went up in that second; ``error`` is the median second of the first failure.
    """

    flow: str
    target: str
    cells: str
    looked: int
    acts: tuple[Act, ...]
    others: tuple[str, ...]
    error: float | None
    tally: Tally


@dataclass(frozen=True, slots=True)
class _First:
    acts: tuple[float | None, ...]
    others: frozenset[str]


def openings(groups: Sequence[Group], library: Library) -> tuple[Opening, ...]:
    """Put cells side by side; those of a flow with the same acts and the same standing share a row."""
    rows: dict[tuple[object, ...], list[tuple[Group, list[_First]]]] = {}
    for group in groups:
        counted = [attempt for attempt in group.attempts if attempt.verdict not in OUTSIDE]
        firsts = [first for attempt in _sample(counted) if (first := _first(library.of(attempt))) is not None]
        if not firsts:
            continue
        acts = tuple(sum(first.acts[i] is not None for first in firsts) * 2 // len(firsts) for i in range(len(ACTS)))
        others = frozenset().union(*(first.others for first in firsts))
        key = (group.flow, group.target, acts, tuple(sorted(others)), group.tally.standing)
        rows.setdefault(key, []).append((group, firsts))
    told = [_row(found) for found in rows.values()]
    return tuple(sorted(told, key=lambda row: (row.error is None, row.flow)))


def _sample(attempts: Sequence[AttemptResult]) -> list[AttemptResult]:
    """Take some of each cell, failures first: they are what the row is about."""
    return sorted(attempts, key=lambda attempt: failed_at(attempt) is None)[:_SAMPLE]


def _row(found: Sequence[tuple[Group, Sequence[_First]]]) -> Opening:
    firsts = [first for _, some in found for first in some]
    attempts = [attempt for group, _ in found for attempt in group.attempts]
    failures = [second for attempt in attempts if (second := failed_at(attempt)) is not None]
    first_group = found[0][0]
    return Opening(
        flow=first_group.flow,
        target=first_group.target,
        cells=describe([group for group, _ in found]),
        looked=len(firsts),
        acts=tuple(_act([first.acts[index] for first in firsts]) for index in range(len(ACTS))),
        others=tuple(sorted(frozenset().union(*(first.others for first in firsts)))),
        error=median(failures) if failures else None,
        tally=tally(attempts),
    )


def _act(times: Sequence[float | None]) -> Act:
    seen = [time for time in times if time is not None]
    return Act(len(seen), median(seen) if seen else None)


def _first(recording: Recording | None) -> _First | None:
    if recording is None:
        return None
    frames = [frame for frame in recording.frames if frame.leg is Leg.UPSTREAM]
    start = _start(frames)
    if start is None:
        return None
    up = [frame for frame in frames if frame.dir == "up" and frame.kind is Kind.TEXT and start <= frame.t <= start + SECOND]
    acts = tuple(next(((f.t - start) / SECOND for f in up if f.type == act), None) for act in ACTS)
    return _First(acts, frozenset(frame.type for frame in up if frame.type and frame.type not in _OWN))


def _start(frames: Sequence[Frame]) -> Micros | None:
    updated = next((frame.t for frame in frames if frame.type == "session.updated"), None)
    return updated if updated is not None else next((frame.t for frame in frames if frame.kind is Kind.OPEN), None)
