"""Where a failing attempt leaves the path of the passing ones: the first differing event per leg, the first off time.

Both attempts are told in lines (audio and deltas folded), their ids replaced by the order of their appearance, and aligned
leg by leg. The nearest passing attempt is one of the same cell, else of the same scenario.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Final

from conformance.results import AttemptResult
from conformance.verdicts import Verdict
from conformance.wire.durations import MILLISECOND, Micros
from conformance.wire.frames import Leg

from .evidence import first_failure
from .library import Library
from .story import Line, LineKind, of_leg, tell
from .text import clip, printable, value_of

AROUND: Final = 5
_CANDIDATES: Final = 8
_ENVELOPE: Final = 20
_SLACK: Final = 50 * MILLISECOND
_LONGEST: Final = 400
"""Lines per leg that are aligned; an attempt longer than that is compared up to there."""
_ID: Final = re.compile(r"\b([a-z]+)_[A-Za-z0-9]{8,}\b")
_OWN: Final = frozenset(
    {"event_id", "expires_at", "obfuscation", "sha256", "stream_sha256", "at", "rms", "previous_item_id"}
)
"""Fields that differ between any two attempts and mean nothing."""


@dataclass(frozen=True, slots=True)
class Step:
    """A line of the alignment: what each attempt has there, and whether they agree."""

    passing: Line | None
    failing: Line | None
    same: bool


@dataclass(frozen=True, slots=True)
class Change:
    """A difference in what an event carried before the paths part: event type, JSON path, both values."""

    event: str
    path: str
    passing: str
    failing: str


@dataclass(frozen=True, slots=True)
class OffTime:
    """The first event that came outside the times it had in passing attempts (µs)."""

    line: Line
    low: Micros
    high: Micros
    among: int


@dataclass(frozen=True, slots=True)
class Divergence:
    """How ``failing`` differs from ``passing``. ``steps`` surround the first difference on ``leg``; ``here`` is its index.

    ``leg`` is None when both went the same way and differ in content or time only; ``related`` says what they share.
    Without a ``passing`` attempt of the scenario the steps surround the event that decided the check.
    """

    failing: AttemptResult
    passing: AttemptResult | None
    related: str
    leg: Leg | None
    steps: tuple[Step, ...]
    here: int
    changes: tuple[Change, ...]
    off_time: OffTime | None

    @property
    def outline(self) -> tuple[object, ...]:
        """What two divergences share that tell the same story."""
        first = self.first
        names = (None, None) if first is None else tuple(line and line.name for line in (first.failing, first.passing))
        return (self.leg, *names, *(change.path for change in self.changes))

    @property
    def first(self) -> Step | None:
        """The first difference."""
        return self.steps[self.here] if self.leg is not None else None


def diverge(failing: AttemptResult, attempts: Sequence[AttemptResult], library: Library) -> Divergence | None:
    """Compare a failing attempt with its nearest passing one; without one, point at the event that broke the check.

    None when there is no recording to show.
    """
    recording = library.of(failing)
    if recording is None:
        return None
    story = tell(recording)
    related, peers = _peers(failing, attempts)
    stories = [(peer, tell(found)) for peer in peers[:_ENVELOPE] if (found := library.of(peer)) is not None]
    if not stories:
        return _alone(failing, story)
    passing, other = max(stories[:_CANDIDATES], key=lambda pair: _likeness(story, pair[1]))
    parts = [part for leg in Leg if (part := _part(leg, other, story)) is not None]
    leg, steps, here = min(parts, key=lambda part: (_when(part[1][part[2]]), part[0] is Leg.CLIENT), default=(None, (), 0))
    until = _when(steps[here]) if leg is not None else None
    return Divergence(
        failing=failing,
        passing=passing,
        related=related,
        leg=leg,
        steps=steps,
        here=here,
        changes=_changes(other, story, until),
        off_time=_off_time(story, [told for _, told in stories], until),
    )


def _alone(failing: AttemptResult, story: Sequence[Line]) -> Divergence | None:
    check = first_failure(failing)
    decisive = next((line for line in story if check is not None and line.seq <= (check.event or -1) <= line.last), None)
    if decisive is None:
        return None
    lines = of_leg(story, decisive.leg)
    index = lines.index(decisive) if decisive in lines else 0
    start = max(0, index - AROUND)
    steps = tuple(Step(None, line, line is not decisive) for line in lines[start : index + AROUND + 1])
    return Divergence(failing, None, "", decisive.leg, steps, index - start, (), None)


def _peers(failing: AttemptResult, attempts: Iterable[AttemptResult]) -> tuple[str, list[AttemptResult]]:
    passed = [attempt for attempt in attempts if attempt.verdict in {Verdict.PASS, Verdict.WARN} and attempt.recording]
    for related, same in (
        ("the same cell", lambda other: other.cell_key == failing.cell_key),
        ("the same scenario", lambda other: (other.scenario, other.target) == (failing.scenario, failing.target)),
        ("the same scenario on another target", lambda other: other.scenario == failing.scenario),
    ):
        found = [attempt for attempt in passed if same(attempt)]
        if found:
            return related, found
    return "", []


def _likeness(a: Sequence[Line], b: Sequence[Line]) -> float:
    total = 0.0
    for leg in Leg:
        total += SequenceMatcher(None, _keys(of_leg(a, leg)), _keys(of_leg(b, leg)), autojunk=False).ratio()
    return total


def _keys(lines: Iterable[Line]) -> list[tuple[str, str, str]]:
    """What must agree for two lines to be the same event: direction, type, and the close code of a close."""
    found = [
        (line.dir.value, line.name, str(line.data.get("code", "")) if line.kind is LineKind.CLOSE else "") for line in lines
    ]
    return found[:_LONGEST]


def _part(leg: Leg, passing: Sequence[Line], failing: Sequence[Line]) -> tuple[Leg, tuple[Step, ...], int] | None:
    a, b = of_leg(passing, leg), of_leg(failing, leg)
    steps: list[Step] = []
    for tag, a1, a2, b1, b2 in SequenceMatcher(None, _keys(a), _keys(b), autojunk=False).get_opcodes():
        for index in range(max(a2 - a1, b2 - b1)):
            left, right = a1 + index, b1 + index
            steps.append(Step(a[left] if left < a2 else None, b[right] if right < b2 else None, tag == "equal"))
    first = next((index for index, step in enumerate(steps) if not step.same), None)
    if first is None:
        return None
    start = max(0, first - AROUND)
    return leg, tuple(steps[start : first + AROUND + 1]), first - start


def _when(step: Step) -> Micros:
    line = step.failing or step.passing
    return line.t if line is not None else 0


def _changes(passing: Sequence[Line], failing: Sequence[Line], until: Micros | None) -> tuple[Change, ...]:
    """Compare what the events before the parting carried, in order of the failing attempt; at most six differences."""
    left, right = _canonical(passing), _canonical(failing)
    found: list[Change] = []
    for key, (line, data) in right.items():
        if key not in left or (until is not None and line.t > until):
            continue
        for path, a, b in _differences(left[key][1], data, ""):
            if any((change.path, change.failing) == (path, b) for change in found):
                continue
            found.append(Change(line.name, path, a, b))
            if len(found) == 6:
                return tuple(found)
    return tuple(found)


def _canonical(lines: Sequence[Line]) -> dict[tuple[str, str, str, int], tuple[Line, Any]]:
    """Return the events by (leg, direction, type, occurrence), their ids replaced by the order of appearance."""
    ids: dict[str, str] = {}
    seen: dict[tuple[str, str, str], int] = defaultdict(int)
    found: dict[tuple[str, str, str, int], tuple[Line, Any]] = {}
    for line in lines:
        if line.kind is not LineKind.EVENT:
            continue
        kind = (line.leg.value, line.dir.value, line.name)
        found[*kind, seen[kind]] = (line, _without_ids(line.data, ids))
        seen[kind] += 1
    return found


def _without_ids(value: Any, ids: dict[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _without_ids(item, ids) for key, item in value.items() if key not in _OWN}
    if isinstance(value, list):
        return [_without_ids(item, ids) for item in value]
    if isinstance(value, str):
        return _ID.sub(lambda match: ids.setdefault(match[0], f"{match[1]}#{len(ids) + 1}"), value)
    return value


def _differences(a: Any, b: Any, path: str) -> Iterable[tuple[str, str, str]]:
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in sorted({*a, *b}):
            yield from _differences(a.get(key), b.get(key), f"{path}.{key}" if path else key)
    elif a != b:
        yield path, printable(clip(value_of(a), 160)), printable(clip(value_of(b), 160))


def _off_time(story: Sequence[Line], others: Sequence[Sequence[Line]], until: Micros | None) -> OffTime | None:
    times: dict[tuple[str, str, str, int], list[Micros]] = defaultdict(list)
    for other in others:
        for key, line in _occurrences(other):
            times[key].append(line.t)
    for key, line in _occurrences(story):
        if until is not None and line.t > until:
            break
        if key in times:
            low, high = min(times[key]), max(times[key])
            slack = max(_SLACK, (high - low) // 4)
            if not low - slack <= line.t <= high + slack:
                return OffTime(line, low, high, len(times[key]))
    return None


def _occurrences(lines: Iterable[Line]) -> Iterable[tuple[tuple[str, str, str, int], Line]]:
    seen: dict[tuple[str, str, str], int] = defaultdict(int)
    for line in lines:
        if line.kind is not LineKind.MARK:
            kind = (line.leg.value, line.dir.value, line.name)
            yield (*kind, seen[kind]), line
            seen[kind] += 1
