"""Instants: when the steps of a scenario took effect, and when its anchors' events were seen, read from the recording.

A step's id names the instant it takes effect. That is its mark, but for a ``wait``: there it is the event that matched,
which other frames may separate from the mark. The walk over the waits also yields what ``save`` put into variables.
"""

from typing import Any, Final

from conformance.scenario.model import Anchor, Cell, Wait
from conformance.scenario.variables import Unfillable, resolver, substitute
from conformance.wire.frames import Direction, Frame, Kind, Leg
from conformance.wire.index import Index
from conformance.wire.patterns import Pattern, look_up

_END: Final = ".end"


class Instants:
    """The instants of one attempt, each as the frame (or mark) at which it lies."""

    def __init__(self, cell: Cell, index: Index) -> None:
        """Walk over the step marks once."""
        self._index = index
        self._starts: dict[str, Frame] = {}
        self._ends: dict[str, Frame] = {}
        self.saved: dict[str, Any] = {}
        cursor = -1
        for mark in index.marks("step"):
            at = mark
            step = _step(cell, mark)
            if isinstance(step, Wait):
                at = self._matched(step, cursor, mark)
                cursor = at.seq
                self._save(step, at)
            elif mark.data.get("verb") == "connect":
                cursor = mark.seq
            self._note(mark, at)

    def first_client_frame(self) -> Frame | None:
        """Return the first frame the client sent; its handshake if it never sent one."""
        sent = [frame for frame in self._index.frames if frame.leg is Leg.CLIENT and frame.dir is Direction.UP]
        events = (frame for frame in sent if frame.is_event)
        return next(events, None) or next((frame for frame in sent if frame.kind is Kind.OPEN), None)

    def all_of(self, anchor: Anchor) -> list[Frame]:
        """Return every instant of an anchor, in order; empty if it never happened."""
        if anchor.step is not None:
            at = self._starts.get(anchor.step)
            if at is None and anchor.step.endswith(_END):
                at = self._ends.get(anchor.step.removesuffix(_END))
            return [] if at is None else [at]
        if anchor.leg is None or anchor.pattern is None:
            return []
        return self._index.matching(anchor.leg, self.fill(anchor.pattern))

    def fill(self, pattern: Pattern) -> Pattern:
        """Return the pattern with what was saved put in; a name that was never saved stays, and matches nothing."""
        if not self.saved:
            return pattern
        try:
            filled: Pattern = substitute(pattern, resolver(self.saved))
        except (KeyError, Unfillable):
            return pattern
        return filled

    def _note(self, mark: Frame, at: Frame) -> None:
        id_ = mark.data.get("id")
        if isinstance(id_, str):
            is_end = mark.data.get("edge") == "end"
            (self._ends if is_end else self._starts).setdefault(id_, at)
            if mark.data.get("verb") != "audio":
                self._ends.setdefault(id_, at)

    def _matched(self, step: Wait, cursor: int, mark: Frame) -> Frame:
        event = mark.data.get("event")
        if isinstance(event, int):
            return next((frame for frame in self._index.frames if frame.seq == event), mark)
        candidates = self._index.matching(step.leg, self.fill(step.pattern))
        return next((frame for frame in candidates if cursor < frame.seq < mark.seq), mark)

    def _save(self, step: Wait, at: Frame) -> None:
        for name, path in step.save.items():
            try:
                self.saved[name] = look_up(at.data, path)
            except KeyError:
                continue


def _step(cell: Cell, mark: Frame) -> Any:
    number = mark.data.get("index")
    return cell.steps[number] if isinstance(number, int) and 0 <= number < len(cell.steps) else None
