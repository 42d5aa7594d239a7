"""Mock against real: where the upstream legs of the same cells differ, in order, fields, timing and outcome.

The real upstream sets the measure. Orders are compared as the upstream's own lines (audio and deltas folded) up to the
first difference; a real order is met when any attempt on the mock shows it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from conformance.results import AttemptResult
from conformance.verdicts import Verdict
from conformance.wire.durations import MILLISECOND, SECOND, Micros
from conformance.wire.events import CLIENT_EVENTS
from conformance.wire.frames import Direction, Frame, Kind, Leg
from conformance.wire.recording import Recording

from .library import Library
from .story import Line, of_leg, tell

_SPANS: Final = (
    ("session.update", "session.updated"),
    ("conversation.item.create", "conversation.item.added"),
    ("input_audio_buffer.commit", "input_audio_buffer.committed"),
    ("response.create", "response.created"),
    ("response.created", "response.done"),
)
"""What a client waits for: from the first event of a kind to the next of the other."""
_NOTABLE_MS: Final = 5
"""A delay below this is nobody's pace."""
_GREEN: Final = (Verdict.PASS, Verdict.WARN)
_IGNORED: Final = frozenset({"rate_limits.updated"})
"""Events whose place is not theirs to promise: they come when the account's books are done."""


@dataclass(frozen=True, slots=True)
class OrderDifference:
    """The first event that differs, after ``after``; None stands for the end."""

    after: str
    real: str | None
    mock: str | None


@dataclass(frozen=True, slots=True)
class Span:
    """How long ``first`` to ``then`` takes: medians in µs."""

    first: str
    then: str
    real: Micros
    mock: Micros


@dataclass(frozen=True, slots=True)
class CellFidelity:
    """One cell: passed of counted attempts on each side, and what differs."""

    scenario: str
    cell: Mapping[str, Any]
    real: tuple[int, int]
    mock: tuple[int, int]
    order: OrderDifference | None
    only_real: tuple[str, ...]
    only_mock: tuple[str, ...]
    spans: tuple[Span, ...]

    @property
    def agrees(self) -> bool:
        """True when nothing but timing differs."""
        return (
            self.order is None
            and not self.only_real
            and not self.only_mock
            and self._rate(self.real) == self._rate(self.mock)
        )

    @staticmethod
    def _rate(counts: tuple[int, int]) -> float:
        passed, n = counts
        return passed / n if n else 0.0


def fidelity(attempts: Iterable[AttemptResult], library: Library) -> tuple[CellFidelity, ...]:
    """Compare every cell that counts on a real upstream and on the mock, the differing ones first; none did: empty."""
    groups: dict[tuple[str, str], dict[str, list[AttemptResult]]] = defaultdict(lambda: defaultdict(list))
    for attempt in attempts:
        side = "real" if attempt.target == "real" or attempt.target.endswith("-real") else "mock"
        groups[attempt.cell_key[:2]][side].append(attempt)
    both = [sides for sides in groups.values() if len(sides) == 2 and all(_counts(side)[1] for side in sides.values())]
    found = [_compare(sides["real"], sides["mock"], library) for sides in both]
    return tuple(sorted(found, key=lambda cell: cell.agrees))


def _compare(real: Sequence[AttemptResult], mock: Sequence[AttemptResult], library: Library) -> CellFidelity:
    theirs, ours = _recordings(real, library), _recordings(mock, library)
    their_fields, our_fields = _fields(theirs), _fields(ours)
    shared = {path.partition(" ")[0] for path in their_fields} & {path.partition(" ")[0] for path in our_fields}
    return CellFidelity(
        scenario=real[0].scenario,
        cell=real[0].cell,
        real=_counts(real),
        mock=_counts(mock),
        order=_order(theirs, ours),
        only_real=_of_shared(their_fields - our_fields, shared),
        only_mock=_of_shared(our_fields - their_fields, shared),
        spans=tuple(_spans(theirs, ours)),
    )


def _of_shared(paths: set[str], shared: set[str]) -> tuple[str, ...]:
    """Keep the fields of events that both sides sent: an event that one side lacks is a difference of order."""
    return tuple(sorted(path for path in paths if path.partition(" ")[0] in shared))


def _recordings(attempts: Iterable[AttemptResult], library: Library) -> list[Recording]:
    found = (library.of(attempt) for attempt in attempts if attempt.verdict not in (Verdict.ERROR, Verdict.UNSUPPORTED))
    return [recording for recording in found if recording is not None]


def _counts(attempts: Iterable[AttemptResult]) -> tuple[int, int]:
    verdicts = [a.verdict for a in attempts if a.verdict not in (Verdict.ERROR, Verdict.UNSUPPORTED)]
    return sum(verdict in _GREEN for verdict in verdicts), len(verdicts)


def _order(real: Sequence[Recording], mock: Sequence[Recording]) -> OrderDifference | None:
    """Compare the real side's usual order with the nearest one of the mock."""
    if not real or not mock:
        return None
    usual = Counter(_events(recording) for recording in real).most_common(1)[0][0]
    nearest = max(
        {_events(recording) for recording in mock}, key=lambda events: (_agreement(usual, events), events == usual)
    )
    place = _agreement(usual, nearest)
    if place == len(usual) == len(nearest):
        return None
    return OrderDifference(
        after=usual[place - 1] if place else "the connection",
        real=usual[place] if place < len(usual) else None,
        mock=nearest[place] if place < len(nearest) else None,
    )


def _events(recording: Recording) -> tuple[str, ...]:
    return tuple(line.name for line in of_leg(tell(recording), Leg.UPSTREAM) if _counts_in_order(line))


def _counts_in_order(line: Line) -> bool:
    return line.dir is Direction.DOWN and line.name not in _IGNORED


def _agreement(a: Sequence[str], b: Sequence[str]) -> int:
    """Return how many events agree from the start."""
    return next((place for place, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _fields(recordings: Iterable[Recording]) -> set[str]:
    """Return ``event path`` for every field the upstream sent; list items share a path."""
    return {
        f"{frame.type} {path}"
        for recording in recordings
        for frame in recording.frames
        if frame.leg is Leg.UPSTREAM and frame.dir is Direction.DOWN and frame.kind is Kind.TEXT
        for path in _paths(frame.data, "")
    }


def _paths(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        if {"sha256", "bytes"} <= value.keys():
            yield path  # folded audio
            return
        for key, item in value.items():
            yield from _paths(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for item in value:
            yield from _paths(item, f"{path}[]")
    else:
        yield path


def _spans(real: Sequence[Recording], mock: Sequence[Recording]) -> Iterator[Span]:
    for first, then in _SPANS:
        theirs, ours = ([span for recording in side for span in _gaps(recording, first, then)] for side in (real, mock))
        if theirs and ours:
            yield Span(first, then, round(median(theirs)), round(median(ours)))


def _gaps(recording: Recording, first: str, then: str) -> Iterator[Micros]:
    since: Frame | None = None
    for frame in recording.frames:
        if frame.leg is not Leg.UPSTREAM or frame.kind is not Kind.TEXT:
            continue
        if frame.type == first:
            since = since or frame
        elif frame.type == then and since is not None:
            yield frame.t - since.t
            since = None


def describe(cells: Sequence[CellFidelity]) -> Iterator[str]:
    """Write the comparison as lines of text, the differing cells first."""
    if not cells:
        yield "No cell ran on both a real upstream and the mock; run with --real --mock."
        return
    agreeing = sum(cell.agrees for cell in cells)
    yield f"{agreeing} of {len(cells)} cells agree in order, fields and outcome."
    for cell in cells:
        yield from _describe_cell(cell)


def _describe_cell(cell: CellFidelity) -> Iterator[str]:
    label = "-".join("null" if value is None else str(value) for value in cell.cell.values())
    name = f"{cell.scenario}[{label}]" if label else cell.scenario
    (real, n), (mock, m) = cell.real, cell.mock
    yield f"{'=' if cell.agrees else '≠'} {name}: real {real}/{n}, mock {mock}/{m}"
    if cell.order is not None:
        theirs, ours = cell.order.real or "nothing", cell.order.mock or "nothing"
        yield f"    order: after {cell.order.after} real has {theirs}, mock {ours}"
    yield from (f"    only real: {path}" for path in cell.only_real)
    yield from (f"    only mock: {path}" for path in cell.only_mock)
    for span in cell.spans:
        yield f"    {span.first} → {span.then}: real {_ms(span.real)}, mock {_ms(span.mock)}"


def _ms(duration: Micros) -> str:
    return f"{duration / SECOND * 1000:.0f} ms"


def as_script(cells: Sequence[CellFidelity]) -> Iterator[str]:
    """Write a script that brings the mock to the real upstream's pace; what a delay cannot say stands as comments."""
    yield "# For `conformance mock --script FILE`, or below `upstream:` in a scenario; by `conformance fidelity --script`."
    yield "rules:"
    slower: dict[str, list[Micros]] = defaultdict(list)
    for cell in cells:
        for span in cell.spans:
            if span.first in CLIENT_EVENTS:
                slower[span.first].append(span.real - span.mock)
    delays = {event: round(median(found) / MILLISECOND) for event, found in slower.items()}
    rules = [f"  - {{when: {event}, delay: {delay}ms}}" for event, delay in delays.items() if delay >= _NOTABLE_MS]
    yield from rules or ["  []  # the mock is no faster than the real upstream"]
    for cell in cells:
        if not cell.agrees:
            yield from (f"# {line.strip()}" for line in _describe_cell(cell) if "→" not in line)
