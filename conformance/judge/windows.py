"""Windows: the stretches of a recording that a check looks at, as its ``after``, ``before`` and ``within`` say.

``within`` without ``after`` counts from the first client frame. ``after: A`` begins at the first A. ``after: A`` with
``before: B`` is every interval [A, next B or end]. ``before`` alone ends at the first B. Order is that of the recording,
so that two events at the same instant still have one; times only bound ``within``, its end included.
"""

from dataclasses import dataclass
from typing import Final

from conformance.judge.instants import Instants
from conformance.judge.words import anchor_words
from conformance.scenario.model import Check
from conformance.wire.durations import MILLISECOND, Micros
from conformance.wire.frames import Direction, Frame, Kind, Leg
from conformance.wire.index import Index
from conformance.wire.recording import Outcome

FOREVER: Final[Micros] = 2**62
CROSSING: Final[Micros] = 50 * MILLISECOND
"""On the real clock an event up this soon after an event down may have crossed it on the wire."""


@dataclass(frozen=True, slots=True)
class Window:
    """From ``start`` (None: the beginning) to ``stop`` (None: the end), both exclusive, and not after ``until``.

    ``origin`` is the time that ``within`` counts from.
    """

    start: Frame | None
    stop: Frame | None
    until: Micros
    origin: Micros

    def end(self, last: Micros) -> Micros:
        """When it ends, at the latest with the recording's ``last`` instant."""
        return max(self.origin, min(self.until, last if self.stop is None else self.stop.t))

    def holds(self, frame: Frame, slack: Micros = 0) -> bool:
        """Tell whether a frame lies in it; ``slack`` moves the end that ``within`` gives it."""
        return (
            (self.start is None or frame.seq > self.start.seq)
            and (self.stop is None or frame.seq < self.stop.seq)
            and frame.t <= self.until + slack
        )


@dataclass(frozen=True, slots=True)
class Windows:
    """A check's windows. ``blocked`` names the anchor that never happened; windows may exist up to where it was missed."""

    parts: tuple[Window, ...]
    blocked: str | None = None


def windows(check: Check, instants: Instants) -> Windows:
    """Return the windows of a check."""
    if check.after is None:
        return _from_beginning(check, instants)
    starts = instants.all_of(check.after)
    if not starts:
        return Windows((), anchor_words(check.after))
    if check.before is None:
        return Windows((_window(starts[0], None, check.within),))
    return Windows(tuple(_intervals(starts, instants.all_of(check.before), check.within)))


def _from_beginning(check: Check, instants: Instants) -> Windows:
    start, blocked = None, None
    if check.within is not None:
        start = instants.first_client_frame()
        if start is None:
            return Windows((), "the first client frame")
    stop: Frame | None = None
    if check.before is not None:
        stop = next(iter(instants.all_of(check.before)), None)
        blocked = anchor_words(check.before) if stop is None else None
    # The first client frame lies in its own window, so that only its time counts.
    origin = 0 if start is None else start.t
    until = FOREVER if check.within is None else origin + check.within
    return Windows((Window(None, stop, until, origin),), blocked)


def _intervals(starts: list[Frame], stops: list[Frame], within: Micros | None) -> list[Window]:
    found: list[Window] = []
    closed = -1
    for start in starts:
        if start.seq < closed:
            continue
        stop = next((frame for frame in stops if frame.seq > start.seq), None)
        found.append(_window(start, stop, within))
        if stop is None:
            break
        closed = stop.seq
    return found


def _window(start: Frame, stop: Frame | None, within: Micros | None) -> Window:
    return Window(start, stop, FOREVER if within is None else start.t + within, start.t)


def watched_until(index: Index, leg: Leg) -> Micros:
    """Return until when a leg was watched.

    A connection that its other side ended can bring nothing more, so it counts as watched for ever; one that the client
    closed was watched up to then, one that stayed open up to the end.
    """
    footer = index.recording.footer
    closes = {frame.conn: frame for frame in index.others(leg, Kind.CLOSE)}
    opened = {frame.conn for frame in index.others(leg, Kind.OPEN) if not frame.is_refusal}
    if footer is None or footer.outcome is not Outcome.FINISHED or not closes or opened - set(closes):
        return index.end
    ours = [frame.t for frame in closes.values() if leg is Leg.CLIENT and frame.dir is Direction.UP]
    return max(ours, default=FOREVER)


def unwatched(check: Check, window: Window, watched: Micros) -> bool:
    """Tell whether a window with a bound in time was left before nine tenths of it had been watched.

    The rest is for scripts whose pauses count from a little before the anchor; answers of a real API take their time.
    """
    if check.within is None or window.stop is not None:
        return False
    return window.until > watched + check.within // 10
