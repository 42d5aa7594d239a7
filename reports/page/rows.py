"""What the templates lay out: tiles of the matrix, strips and rows of attempts, in their order and cut to size."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from conformance.results import AttemptResult
from conformance.verdicts import Verdict

from ..evidence import broken, failed_at, first_failure
from ..factor import failing
from ..tally import BROKEN, Group, Standing, Tally
from ..text import clip, printable, seconds
from .detail import place

FEW: Final = 8
BRIEF: Final = 24
TILES: Final = 60
FOLDED: Final = 200
SQUARES: Final = 240
PER_LINE: Final = 60
STRIPS: Final = 40
ROWS: Final = 1_200
_STEP: Final = 14


def tone(verdict: str) -> str:
    """Return the colour of a verdict."""
    if verdict in {"pass", "warn", "error"}:
        return verdict
    return "fail" if verdict in BROKEN else ""


def standing_tone(counted: Tally) -> str:
    """Return the colour of a group."""
    if counted.standing is Standing.NONE:
        return "error" if counted.errors else ""
    if not counted.failed:
        return "pass"
    return "warn" if counted.standing is Standing.FLAKY or not counted.unexpected else "fail"


def standing_word(counted: Tally) -> str:
    """Say how a group stands, with what lies beside its rate."""
    words = {
        Standing.STABLE_PASS: "passes",
        Standing.FLAKY: "flaky",
        Standing.STABLE_FAIL: "fails",
        Standing.NONE: "nothing counts",
    }
    beside = [
        f"{counted.known} known" if counted.known else "",
        f"{counted.errors} not carried out" if counted.errors else "",
        f"{counted.unsupported} unsupported" if counted.unsupported else "",
    ]
    return ", ".join([words[counted.standing], *filter(None, beside)])


@dataclass(frozen=True, slots=True)
class Tile:
    """A cell of the matrix; ``first`` is its first failing attempt, ``why`` what that one shows."""

    name: str
    tally: Tally
    why: str
    first: AttemptResult | None


@dataclass(frozen=True, slots=True)
class FlowRow:
    """A flow on a target: tiles by scenario shown at once, passing ones folded, and how many more there is no room for.

    A scenario's name is empty where the flow has only one.
    """

    group: Group
    shown: tuple[tuple[str, tuple[Tile, ...]], ...]
    folded: tuple[Tile, ...]
    uncounted: int
    verdicts: str
    blames: str


def flow_rows(flows: Sequence[Group], cells: Sequence[Group]) -> tuple[FlowRow, ...]:
    """Lay out the matrix, failing flows first."""
    inside: dict[tuple[str, str], list[Group]] = {}
    for cell in cells:
        inside.setdefault((cell.flow, cell.target), []).append(cell)
    brief = len(cells) > BRIEF
    rows = [_flow_row(flow, inside[flow.flow, flow.target], brief=brief) for flow in flows]
    return tuple(sorted(rows, key=lambda row: (not row.group.tally.unexpected, not row.group.tally.failed)))


def _flow_row(flow: Group, cells: Sequence[Group], *, brief: bool) -> FlowRow:
    """Lay out a flow; where the run is ``brief`` with what passes, scenarios that pass whole are folded."""
    several = len({cell.scenario for cell in cells}) > 1
    scenarios: dict[str, list[Group]] = {}
    for cell in cells:
        scenarios.setdefault(cell.scenario, []).append(cell)
    shown: list[Group] = []
    for some in sorted(scenarios.values(), key=lambda some: not any(map(_telling, some))):
        if any(map(_telling, some)) or (len(cells) <= FEW and not brief):
            shown += some if len(some) <= FEW else [cell for cell in some if _telling(cell)]
    shown = shown[:TILES]
    held = {id(cell) for cell in shown}
    folded = [cell for cell in cells if id(cell) not in held][:FOLDED]
    by_name: dict[str, list[Tile]] = {}
    for cell in shown:
        by_name.setdefault(cell.scenario if several else "", []).append(_tile(cell, named=several))
    return FlowRow(
        group=flow,
        shown=tuple((name, tuple(tiles)) for name, tiles in by_name.items()),
        folded=tuple(_tile(cell, named=False, several=several) for cell in folded),
        uncounted=len(cells) - len(shown) - len(folded),
        verdicts="\n".join(sorted({verdict_name(attempt) for attempt in flow.attempts})),
        blames="\n".join(sorted(set(filter(None, map(blame_of, flow.attempts))))),
    )


def _telling(cell: Group) -> bool:
    return bool(cell.tally.failed or cell.tally.errors)


def _tile(cell: Group, *, named: bool, several: bool = False) -> Tile:
    """Make a tile; its scenario is part of its name unless it is ``named`` above, or the only one and the matrix tells."""
    label = "" if cell.label == "-" else cell.label
    name = " · ".join(filter(None, [cell.scenario if several or not (label or named) else "", label]))
    bad = failing(cell.attempts) or [attempt for attempt in cell.attempts if attempt.verdict in BROKEN | {Verdict.ERROR}]
    if not bad:
        return Tile(name, cell.tally, "", None)
    check = first_failure(bad[0])
    at = failed_at(bad[0])
    why = check.id if check is not None else bad[0].message or bad[0].verdict.value
    if check is not None and check.verdict is Verdict.ERROR:
        why = check.message or why
    return Tile(name, cell.tally, clip(why, 80) + (f" at {seconds(at)}" if at is not None else ""), bad[0])


@dataclass(frozen=True, slots=True)
class Square:
    """An attempt in a strip."""

    x: int
    y: int
    link: str
    tone: str


@dataclass(frozen=True, slots=True)
class Strip:
    """The attempts of a cell in run order, as squares; ``summary`` says the same in words."""

    name: str
    squares: tuple[Square, ...]
    width: int
    height: int
    summary: str
    left_out: int


def strips(cells: Sequence[Group], flows: Sequence[Group], held: Container[str]) -> tuple[Strip, ...]:
    """Lay out a strip per cell, or per flow when there are too many cells."""
    groups = cells if len(cells) <= STRIPS else flows
    several = len({group.target for group in groups}) > 1
    return tuple(_strip(group, several, held) for group in groups[:STRIPS])


def _strip(group: Group, several: bool, held: Container[str]) -> Strip:
    shown = _thinned(group.attempts)
    squares = tuple(
        Square(
            x=index % PER_LINE * _STEP,
            y=index // PER_LINE * _STEP,
            link=place(attempt, held),
            tone=tone(attempt.verdict),
        )
        for index, attempt in enumerate(shown)
    )
    counted = group.tally
    name = " ".join(filter(None, [group.scenario or group.flow, group.label if group.label != "-" else ""]))
    return Strip(
        name=name + (f" on {group.target}" if several else ""),
        squares=squares,
        width=max(_STEP, min(len(squares), PER_LINE) * _STEP),
        height=max(1, -(-len(squares) // PER_LINE)) * _STEP,
        summary=f"{counted.passed} of {counted.n} passed",
        left_out=len(group.attempts) - len(shown),
    )


def _thinned(attempts: Sequence[AttemptResult]) -> list[AttemptResult]:
    """Keep what failed and the first passes, in run order, up to the room there is."""
    if len(attempts) <= SQUARES:
        return list(attempts)
    order = sorted(range(len(attempts)), key=lambda index: (attempts[index].verdict not in BROKEN, index))
    return [attempts[index] for index in sorted(order[:SQUARES])]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table of attempts; ``number`` is its place in the run."""

    number: int
    link: str
    attempt: AttemptResult
    tone: str
    verdict: str
    word: str
    what: str
    blame: str
    at: str


def attempt_rows(attempts: Sequence[AttemptResult], held: Container[str]) -> tuple[Row, ...]:
    """Lay out the table in run order: everything up to ROWS, beyond that failures first."""
    kept: Iterable[int] = range(len(attempts))
    if len(attempts) > ROWS:
        rank = {Verdict.PASS: 1, Verdict.WARN: 1, Verdict.UNSUPPORTED: 1}
        kept = sorted(sorted(kept, key=lambda index: (rank.get(attempts[index].verdict, 0), index))[:ROWS])
    return tuple(_row(index + 1, attempts[index], held) for index in kept)


def _row(number: int, attempt: AttemptResult, held: Container[str]) -> Row:
    found = broken(attempt)
    check = found[0] if found else None
    what = f"{check.id}: {check.message}" if check is not None and check.message else check.id if check is not None else ""
    at = failed_at(attempt)
    return Row(
        number=number,
        link=place(attempt, held),
        attempt=attempt,
        tone="fail" if attempt.verdict in BROKEN and attempt.known is None else "warn" if attempt.verdict in BROKEN else "",
        verdict=verdict_name(attempt),
        word="known" if attempt.known is not None and attempt.verdict in BROKEN else attempt.verdict.value,
        what=printable(clip(what or attempt.message, 120)),
        blame=blame_of(attempt),
        at=seconds(at) if at is not None else "",
    )


def verdict_name(attempt: AttemptResult) -> str:
    """Return what the filter calls an attempt's verdict."""
    return "known" if attempt.known is not None and attempt.verdict in BROKEN else attempt.verdict.value


def blame_of(attempt: AttemptResult) -> str:
    """Return whom the attempt's first failure blames; empty when it passed, or nobody is."""
    if attempt.verdict is Verdict.PASS:
        return ""
    check = first_failure(attempt)
    return check.blame.value if check is not None and check.blame is not None else ""
