"""Survival curves as SVG paths: time to the first error, one line per outcome, with the timeouts marked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from conformance.results import AttemptResult

from ..evidence import times
from ..statistics.survival import Curve, Times, kaplan_meier
from ..tally import Group, describe
from ..text import few, printable, seconds

WIDTH: Final = 1000
HEIGHT: Final = 220
_MOST: Final = 8
_TOP: Final = 20


@dataclass(frozen=True, slots=True)
class Mark:
    """Something on the time axis: a tick, or a timeout of the matrix."""

    x: float
    name: str


@dataclass(frozen=True, slots=True)
class Line:
    """A curve: its path, its name, where its label goes; if it falls, where it does so first and at which second."""

    path: str
    name: str
    title: str
    y: float
    falls: bool
    fall: Mark | None


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything to draw, in user units of a WIDTH by HEIGHT box. ``left_out`` groups had no room."""

    lines: tuple[Line, ...]
    ticks: tuple[Mark, ...]
    timeouts: tuple[Mark, ...]
    end: float
    left_out: int

    @property
    def falls(self) -> bool:
        """True when any curve falls."""
        return any(line.falls for line in self.lines)


def survival_chart(groups: Sequence[Group]) -> Chart | None:
    """Draw the groups; those with the same curve share a line. None when nothing was watched."""
    curves: dict[tuple[tuple[float, ...], tuple[float, ...]], list[tuple[Group, Times, Curve]]] = {}
    for group in groups:
        watched = times(group.attempts)
        if watched.n:
            curve = kaplan_meier(watched)
            key = (tuple(round(t, 1) for t in curve.times), tuple(round(share, 3) for share in curve.alive))
            curves.setdefault(key, []).append((group, watched, curve))
    if not curves:
        return None
    end = max((found[2].end for some in curves.values() for found in some), default=0.0) or 1.0
    ranked = sorted(curves.values(), key=lambda some: (some[0][2].alive[-1], some[0][0].flow))
    lines = _spread([_line(some, end) for some in ranked[:_MOST]])
    attempts = [attempt for group in groups for attempt in group.attempts]
    return Chart(tuple(lines), _ticks(end), _timeouts(attempts, end), end, len(ranked) - len(lines))


def _line(some: Sequence[tuple[Group, Times, Curve]], end: float) -> Line:
    curve = some[0][2]
    path = [f"M{_x(0, end):g} {_y(1):g}"]
    for time, share in zip(curve.times[1:], curve.alive[1:], strict=True):
        path.append(f"H{_x(time, end):g}V{_y(share):g}")
    path.append(f"H{_x(max(found[2].end for found in some), end):g}")
    names = [_name(group) for group, _, _ in some]
    failed = sum(len(watched.failed) for _, watched, _ in some)
    n = sum(watched.n for _, watched, _ in some)
    flows = sorted({group.flow for group, _, _ in some})
    shared = describe([group for group, _, _ in some], most=1).partition(" · ")[0] if some[0][0].label else ""
    name = few(flows, 4, "flows") + (f", {shared}" if failed and " " in shared and not shared[0].isdigit() else "")
    title = f"{few(names, 6, 'cells')}: {failed} of {n} failed" + (
        f", first at {seconds(curve.times[1])}" if failed else ""
    )
    fall = Mark(_x(curve.times[1], end), seconds(curve.times[1])) if failed else None
    return Line(
        "".join(path),
        printable(f"{name} ({n - failed}/{n})"),
        printable(title),
        _y(curve.alive[-1]),
        failed > 0,
        fall,
    )


def _name(group: Group) -> str:
    label = "" if group.label in {"", "-"} else f" {group.label}"
    return f"{group.flow}{label}"


def _spread(lines: Sequence[Line]) -> list[Line]:
    """Put each label above its curve's end, the topmost below, and keep them 16 units apart from the bottom up."""
    placed: list[Line] = []
    low = float(HEIGHT) - 7
    for line in lines:
        y = min(line.y - 7, low) if line.y > _TOP else max(line.y + 16, 0.0)
        placed.append(replace(line, y=y))
        low = y - 16
    return placed


def _ticks(end: float) -> tuple[Mark, ...]:
    step = next(step for step in (0.1, 0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 300, 900, 3600, 1e9) if end / step <= 8)
    return tuple(Mark(_x(step * i, end), f"{step * i:g} s") for i in range(int(end / step) + 1))


def _timeouts(attempts: Sequence[AttemptResult], end: float) -> tuple[Mark, ...]:
    """Mark what the matrix calls a timeout: ``…_ms`` or ``…timeout…`` with a number, in ms, within the window."""
    found = {
        (float(value) / 1000, f"{key} {value}")
        for attempt in attempts
        for key, value in attempt.cell.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and (key.endswith("_ms") or "timeout" in key)
    }
    return tuple(Mark(_x(at, end), printable(name)) for at, name in sorted(found) if 0 < at <= end)


def _x(second: float, end: float) -> float:
    return round(WIDTH * second / end, 1)


def _y(share: float) -> float:
    return round(HEIGHT * (1 - share), 1)
