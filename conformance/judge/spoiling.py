"""Spoiling: a passing recording is damaged until a check fails, which proves that the check can fail at all.

For each check four damages are tried where they could hurt it: drop, delay, duplicate and insert of the frames its pattern
means. A check that stands all of them says nothing; only a mutant can still show that it does.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from conformance.judge.checks import Held, evaluate
from conformance.judge.examples import example
from conformance.judge.instants import Instants
from conformance.judge.windows import FOREVER, Window, windows
from conformance.scenario.model import Cell, Check
from conformance.targets.model import Target
from conformance.wire.durations import SECOND, Micros
from conformance.wire.events import CLIENT_EVENTS
from conformance.wire.frames import Direction, Frame, Kind, Leg
from conformance.wire.index import Index
from conformance.wire.patterns import pattern_type
from conformance.wire.recording import Footer, Recording
from conformance.wire.voice_agent import CLIENT_MESSAGES

_WORDS: Final = {"binary": Kind.BINARY, "close": Kind.CLOSE, "open": Kind.OPEN}
_TRIES: Final = 3
"""How many frames a damage is tried on; a stream's thousandth frame proves no more than its first."""

_MOST: Final = 1_000
"""A count that takes more than this to exceed is no bound."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Which damage made a check fail; None if none did."""

    check_id: str
    spoiled_by: str | None


def prove(cell: Cell, recording: Recording, target: Target) -> tuple[Proof, ...]:
    """Spoil a recording for each check that passes in it; a check that does not pass proves nothing and is left out."""
    del target  # a spoiled recording is about the check alone, whatever was driven
    index = Index(recording)
    instants = Instants(cell, index)
    return tuple(
        Proof(check.id, _prove(check, cell, index, instants))
        for check in cell.checks
        if evaluate(check, index, instants).held is Held.YES
    )


def _prove(check: Check, cell: Cell, index: Index, instants: Instants) -> str | None:
    for name, damage in _DAMAGES.items():
        for frames in damage(check, index, instants):
            spoiled = _renumbered(index.recording, frames)
            if evaluate(check, spoiled, Instants(cell, spoiled)).held is Held.NO:
                return name
    return None


def _drop(check: Check, index: Index, instants: Instants) -> Iterator[list[Frame]]:
    if not check.forbid:
        hit = {frame.seq for frame in _inside(check, index, instants)}
        yield [frame for frame in index.frames if frame.seq not in hit]


def _delay(check: Check, index: Index, instants: Instants) -> Iterator[list[Frame]]:
    """Let what the check means come after all its windows; or, if it is forbidden, move what came into one."""
    found = _matching(check, index, instants)
    if check.forbid:
        for window in windows(check, instants).parts:
            for frame in found[:_TRIES]:
                rest = [other for other in index.frames if other.seq != frame.seq]
                yield _placed(rest, frame, window)
        return
    inside = {frame.seq for frame in _inside(check, index, instants)}
    late = [replace(frame, t=index.end + SECOND) for frame in index.frames if frame.seq in inside]
    if late:
        yield [*(frame for frame in index.frames if frame.seq not in inside), *late]


def _duplicate(check: Check, index: Index, instants: Instants) -> Iterator[list[Frame]]:
    for frame in _inside(check, index, instants)[:_TRIES]:
        yield [copy for other in index.frames for copy in ((other, other) if other.seq == frame.seq else (other,))]


def _insert(check: Check, index: Index, instants: Instants) -> Iterator[list[Frame]]:
    made = _made(check, index, instants)
    if made is None:
        return
    parts = windows(check, instants).parts
    for window in parts:
        yield _placed(list(index.frames), made, window, _enough(check))


_Damage = Callable[[Check, Index, Instants], Iterable[list[Frame]]]
_DAMAGES: Final[dict[str, _Damage]] = {"drop": _drop, "delay": _delay, "duplicate": _duplicate, "insert": _insert}


def _matching(check: Check, index: Index, instants: Instants) -> list[Frame]:
    return index.matching(check.leg, instants.fill(check.pattern))


def _inside(check: Check, index: Index, instants: Instants) -> list[Frame]:
    parts = windows(check, instants).parts
    return [frame for frame in _matching(check, index, instants) if any(window.holds(frame) for window in parts)]


def _enough(check: Check) -> int:
    """Return how many frames to insert, so that a count is exceeded whatever is there already, if it is one to exceed."""
    match check.count:
        case None:
            return 1
        case int(number):
            enough = number if check.forbid else number + 1
        case bounds:
            enough = max(int(bound) for bound in bounds.values()) + 1
    return min(enough, _MOST)


def _made(check: Check, index: Index, instants: Instants) -> Frame | None:
    pattern = instants.fill(check.pattern)
    type_ = pattern_type(pattern)
    known = (frame.data for frame in index.frames if frame.leg is check.leg and frame.kind is Kind.TEXT)
    data = example(pattern, known)
    if data is None:
        return None
    up = type_ in CLIENT_EVENTS or type_ in CLIENT_MESSAGES or (check.leg is Leg.UPSTREAM and type_ in _WORDS)
    direction = Direction(str(data.get("dir", Direction.UP if up else Direction.DOWN)))
    kind = _WORDS.get(type_, Kind.TEXT)
    return Frame(0, 0, check.leg, 0, direction, kind, str(data.get("type", "")) if kind is Kind.TEXT else "", data)


def _placed(frames: list[Frame], frame: Frame, window: Window, times: int = 1) -> list[Frame]:
    """Put a frame (``times`` over) near the window's beginning, past the crossing tolerance if the window allows it."""
    opened = -1 if window.start is None else window.start.seq
    closed = FOREVER if window.stop is None else window.stop.seq
    t = _inside_time(window)
    place = next(
        (n for n, other in enumerate(frames) if other.seq > opened and (other.t > t or other.seq >= closed)), len(frames)
    )
    stop = FOREVER if window.stop is None else window.stop.t
    return [*frames[:place], *[replace(frame, t=min(t, stop), seq=-1)] * times, *frames[place:]]


def _inside_time(window: Window) -> Micros:
    return window.origin + min(SECOND // 10, (window.until - window.origin) // 2)


def _renumbered(recording: Recording, frames: list[Frame]) -> Index:
    numbers = {frame.seq: number for number, frame in enumerate(frames) if frame.seq >= 0}
    renumbered = tuple(_renumber(frame, number, numbers) for number, frame in enumerate(frames))
    end = max(recording.end, frames[-1].t if frames else 0)
    footer = Footer(end) if recording.footer is None else replace(recording.footer, t=end)
    return Index(replace(recording, frames=renumbered, footer=footer))


def _renumber(frame: Frame, number: int, numbers: dict[int, int]) -> Frame:
    """Return the frame at its new place; a step's mark keeps pointing at the event it matched, if that is still there."""
    event = frame.data.get("event") if frame.kind is Kind.MARK else None
    if isinstance(event, int):
        return replace(frame, seq=number, data={**frame.data, "event": numbers.get(event, -1)})
    return replace(frame, seq=number)
