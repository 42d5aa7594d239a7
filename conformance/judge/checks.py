"""One check against one recording: was it kept, and if not, which frame decided it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from conformance.judge.instants import Instants
from conformance.judge.windows import CROSSING, Window, unwatched, watched_until, windows
from conformance.judge.words import count_words, frame_words, offset_words, pattern_words, window_words
from conformance.scenario.model import Check
from conformance.wire.durations import Micros, format_duration
from conformance.wire.frames import Direction, Frame, Kind, Leg
from conformance.wire.index import Index
from conformance.wire.patterns import Pattern, matches


class Held(Enum):
    """Whether a check held, before its level is weighed."""

    YES = "yes"
    NO = "no"
    BLOCKED = "blocked"
    UNWATCHED = "unwatched"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found. ``frame`` is what should not have been there; None when something was missing or all is well.

    ``deadline`` is when the check was decided at the latest; ``seen`` counts the matching frames of the deciding window.
    """

    held: Held
    message: str = ""
    frame: Frame | None = None
    deadline: Micros = 0
    origin: Micros = 0
    windows: tuple[tuple[Micros, Micros], ...] = ()
    seen: int = 0

    @property
    def missing(self) -> bool:
        """True when what failed is an absence."""
        return self.held is Held.NO and self.frame is None


def evaluate(check: Check, index: Index, instants: Instants, lateness: Micros = 0) -> Outcome:
    """Evaluate a check; its windows are widened in its favour by ``lateness``."""
    found = windows(check, instants)
    pattern = instants.fill(check.pattern)
    frames = index.matching(check.leg, pattern)
    times = tuple((window.origin, window.end(index.end)) for window in found.parts)
    watched = watched_until(index, check.leg)
    outcome = Outcome(Held.YES, windows=times)
    for window in found.parts:
        view = _View(check, pattern, index, window, frames, watched, lateness)
        judged = view.forbid() if check.forbid else view.expect()
        if judged.missing and found.blocked is not None:
            continue  # while its `before` has not come, nothing is missing yet; what must not come is wrong all the same
        if judged.held is Held.NO or (judged.held is Held.UNWATCHED and outcome.held is Held.YES):
            outcome = judged
        if outcome.held is Held.NO:
            break
    if outcome.held is not Held.NO and found.blocked is not None:
        outcome = Outcome(Held.BLOCKED, f"cannot be judged: {found.blocked} never happened")
    return Outcome(outcome.held, outcome.message, outcome.frame, outcome.deadline, outcome.origin, times, outcome.seen)


@dataclass(frozen=True, slots=True)
class _View:
    """A check at one of its windows, with every frame its pattern means."""

    check: Check
    pattern: Pattern
    index: Index
    window: Window
    frames: list[Frame]
    watched: Micros
    lateness: Micros

    def expect(self) -> Outcome:
        check, window = self.check, self.window
        inside = [frame for frame in self.frames if window.holds(frame, self.lateness)]
        if _counts(check.count, len(inside)):
            return Outcome(Held.YES)
        wanted = f"expected {count_words(check)}{pattern_words(self.pattern)}{window_words(check)}"
        limit = _most(check.count)
        if limit is not None and len(inside) > limit:
            extra = inside[limit]
            return self._broken(f"{wanted}; {len(inside)} came, the first too many {self._when(extra)}", extra, len(inside))
        if unwatched(check, window, self.watched) and not _is_finished(self.index):
            return self._unwatched()
        return self._broken(f"{wanted}; {self._shortfall(inside)}", None, len(inside))

    def forbid(self) -> Outcome:
        check, window = self.check, self.window
        inside = [
            frame
            for frame in self.frames
            if window.holds(frame, -self.lateness) and not _crossed(self.index, window, frame)
        ]
        if not (inside if check.count is None else _counts(check.count, len(inside))):
            return self._unwatched() if unwatched(check, window, self.watched) else Outcome(Held.YES)
        wanted = f"{count_words(check) or 'no '}{pattern_words(self.pattern)} "
        wanted += f"{'was allowed' if check.count is None else 'was forbidden'}{window_words(check)}"
        if not inside:
            return self._broken(f"{wanted}; none came", None, 0)
        more = f", and {len(inside) - 1} more" if len(inside) > 1 else ""
        return self._broken(
            f"{wanted}; {frame_words(inside[0])} came {self._when(inside[0])}{more}", inside[0], len(inside)
        )

    def _broken(self, message: str, frame: Frame | None, seen: int) -> Outcome:
        deadline = self.window.end(self.index.end) if frame is None else frame.t
        return Outcome(Held.NO, message, frame, deadline, self.window.origin, seen=seen)

    def _unwatched(self) -> Outcome:
        kind = "no " if self.check.forbid else count_words(self.check)
        span = format_duration(max(0, self.watched - self.window.origin))
        question = f"{kind}{pattern_words(self.pattern)} came{window_words(self.check)}"
        return Outcome(Held.UNWATCHED, f"cannot say whether {question}: only {span} of it was watched")

    def _when(self, frame: Frame) -> str:
        return offset_words(frame, self.window.origin, anchored=self.check.after is not None)

    def _shortfall(self, inside: list[Frame]) -> str:
        if inside:
            return f"{len(inside)} came"
        if not self.frames:
            return "none came"
        window = self.window
        opened = -1 if window.start is None else window.start.seq
        later = next((frame for frame in self.frames if frame.seq > opened), None)
        if later is None:
            return f"the last came {format_duration(window.origin - self.frames[-1].t)} before that"
        if window.stop is not None and later.seq >= window.stop.seq:
            return f"the first came {format_duration(later.t - window.stop.t)} after that"
        return f"the first came {format_duration(later.t - window.until)} too late"


def _is_finished(index: Index) -> bool:
    footer = index.recording.footer
    return footer is not None and footer.outcome == "finished"


def _crossed(index: Index, window: Window, frame: Frame) -> bool:
    """Tell whether the subject may have sent this frame before it could see the event that opened the window."""
    start = window.start
    return (
        index.recording.header.clock == "real"
        and start is not None
        and start.kind is not Kind.MARK
        and (start.leg, start.dir) == (Leg.UPSTREAM, Direction.DOWN)
        and (frame.leg, frame.dir) == (Leg.UPSTREAM, Direction.UP)
        and frame.t - start.t <= CROSSING
    )


def _counts(count: int | Mapping[str, int] | None, number: int) -> bool:
    if count is None:
        return number >= 1
    return number == count if isinstance(count, int) else matches({"n": count}, {"n": number})


def _most(count: int | Mapping[str, int] | None) -> int | None:
    """Return the most that a count allows; None without a limit."""
    if isinstance(count, int):
        return count
    below = count.get("$lt") if count is not None else None
    return None if below is None else max(0, below - 1)
