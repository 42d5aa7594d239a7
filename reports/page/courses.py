"""history.html: one small chart per flow and per check that ever failed, over the runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..history import Course, Failure, History
from ..reading import Run
from ..text import clip, percent, plural, printable
from .environment import render

WIDTH: Final = 640
HEIGHT: Final = 64
_EDGE: Final = 6


@dataclass(frozen=True, slots=True)
class Dot:
    """A run in a chart: where it stands, its interval's ends, and what it says in words."""

    x: float
    y: float
    low: float
    high: float
    tone: str
    words: str


def build(history: History) -> str:
    """Write the page."""
    runs = history.runs
    several = len({course.target for course in history.flows}) > 1
    view: dict[str, Any] = {
        "runs": [(run.name, _started(run), len(run.results.attempts)) for run in runs],
        "headline": headline_of(history),
        "flows": [_chart(course, runs, several) for course in history.flows],
        "checks": [_chart(course, runs, several) for course in history.checks],
        "failures": [(failure, runs[failure.first].name, runs[failure.last].name) for failure in history.failures],
        "several": several,
        "problems": history.problems,
        "width": WIDTH,
        "height": HEIGHT,
    }
    return render("history.html.j2", view)


def headline_of(history: History) -> str:
    """Say in one sentence what the runs tell together."""
    still = [failure for failure in history.failures if failure.still]
    said = f"{plural(len(history.runs), 'run')}"
    if not history.failures:
        return f"{said}, and nothing ever failed."
    gone = len(history.failures) - len(still)
    if not still:
        return f"{said}: {plural(gone, 'failure')} seen, none of them in the latest run that tried it."
    return f"{said}: {plural(len(still), 'failure')} still there, first of all {_name(still[0])}; {gone} no longer seen."


def _name(failure: Failure) -> str:
    return f"{printable(clip(failure.check, 60))} in {printable(clip(failure.flow, 60))}"


def _chart(course: Course, runs: Sequence[Run], several: bool) -> dict[str, Any]:
    last = course.points[-1]
    return {
        "name": printable(course.flow + (f" on {course.target}" if several else "")),
        "check": printable(course.check),
        "dots": [_dot(point.run, point.passed, point.n, course, runs) for point in course.points],
        "last": f"{last.passed}/{last.n}",
        "tone": _tone(last.passed, last.n),
        "spread": f"{percent(last.interval.low)} to {percent(last.interval.high)}",
    }


def _dot(index: int, passed: int, n: int, course: Course, runs: Sequence[Run]) -> Dot:
    point = next(point for point in course.points if point.run == index)
    step = (WIDTH - 2 * _EDGE) / max(1, len(runs) - 1)
    return Dot(
        x=round(_EDGE + step * index if len(runs) > 1 else WIDTH / 2, 1),
        y=_y(point.rate),
        low=_y(point.interval.low),
        high=_y(point.interval.high),
        tone=_tone(passed, n),
        words=f"{runs[index].name}: {passed} of {n} passed",
    )


def _tone(passed: int, n: int) -> str:
    return "pass" if passed == n else "warn" if passed else "fail"


def _y(share: float) -> float:
    return round(_EDGE + (HEIGHT - 2 * _EDGE) * (1 - share), 1)


def _started(run: Run) -> str:
    return printable(str(run.results.run.get("started", ""))[:16].replace("T", " "))
