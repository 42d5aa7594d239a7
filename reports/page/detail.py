"""The attempts' wire logs as data for the page's script: payloads that differ in nothing but ids are kept once.

An attempt is ``{name, verdict, …, ids, events}``; an event is ``[seq, t, way, kind, name, shape, ids, rest?]``: ``t`` in
ms, ``way`` = 2 × leg + direction (0 client, 0 up), ``kind`` an index into KINDS, ``name`` and ``shape`` indices into the
shared tables, ``ids`` indices into the attempt's ids, which fill the shape's gaps in order. ``rest`` = ``[last, end, count,
ms, scripted, conn]``, left out where nothing was folded, scripted or reconnected. 240 attempts fit into 240 KB so.
"""

import hashlib
import re
from collections.abc import Container, Iterable, Sequence
from typing import Any, Final
from urllib.parse import quote

import orjson

from conformance.results import AttemptResult
from conformance.verdicts import CheckResult, Verdict
from conformance.wire.durations import MILLISECOND

from ..evidence import broken, first_failure
from ..library import Library
from ..story import Line, LineKind, tell, title
from ..tally import BROKEN
from ..text import clip, label_of, node_value, printable

GAP: Final = "\ue000"
"""Stands for an id in a shape; a private character that `printable` text never needs."""
KINDS: Final = tuple(LineKind)
BUDGET: Final = 240_000
_ADDRESS: Final = 200
_ID: Final = re.compile(r"\b(?:event|sess|item|resp|call|conv|msg|part|req|rs|fc)_[A-Za-z0-9]{6,}")


def address(attempt: AttemptResult) -> str:
    """Return what follows ``#attempt/`` in the attempt's link: scenario, matrix values, number, target and rerun."""
    label = "-".join(map(node_value, attempt.cell.values()))
    rerun = f".r{attempt.rerun}" if attempt.rerun else ""
    whole = printable(f"{attempt.scenario}/{label or 'default'}/{attempt.attempt}{rerun}@{attempt.target}")
    if len(whole) <= _ADDRESS:
        return whole
    return f"{whole[:_ADDRESS]}~{hashlib.sha256(whole.encode()).hexdigest()[:12]}"


def place(attempt: AttemptResult, held: Container[str]) -> str:
    """Return where an attempt can be read: its wire log if the page holds it, else its recording, if it has one."""
    if address(attempt) in held or attempt.recording is None:
        return link(attempt)
    return quote(printable(attempt.recording))


def link(attempt: AttemptResult, event: int | None = None) -> str:
    """Return the link to an attempt on the page, or to one of its events."""
    return f"#attempt/{quote(address(attempt))}" + (f"/e{event}" if event is not None else "")


class Details:
    """Collects attempts until the budget of bytes is spent."""

    def __init__(self, budget: int = BUDGET) -> None:
        """Start without any."""
        self._left = budget
        self._names: dict[str, int] = {}
        self._shapes: dict[str, int] = {}
        self.attempts: dict[str, Any] = {}

    def add(self, attempt: AttemptResult, library: Library) -> bool:
        """Add an attempt with its wire log; False when there is no room left. An attempt without a recording has no log."""
        key = address(attempt)
        if key in self.attempts:
            return True
        if self._left <= 0:
            return False
        recording = library.of(attempt)
        lines = tell(recording) if recording is not None else ()
        ids: dict[str, int] = {}
        before = sum(map(len, self._shapes))
        made = {
            "name": printable(clip(attempt.scenario, _ADDRESS)),
            "cell": printable(clip(label_of(attempt.cell), 2 * _ADDRESS)),
            "n": attempt.attempt,
            "target": printable(clip(attempt.target, _ADDRESS)),
            "seed": str(attempt.seed),
            "verdict": attempt.verdict.value,
            "known": printable(clip(attempt.known or "", 2 * _ADDRESS)),
            "message": printable(clip(attempt.message, 500)),
            "recording": quote(printable(attempt.recording or "")),
            "ms": round(attempt.duration_s * 1000, 3),
            "checks": [_check(check) for check in broken(attempt)[:12]],
            "windows": _windows(attempt),
            "events": [self._event(line, ids) for line in lines],
        }
        made["ids"] = list(ids)
        self.attempts[key] = made
        self._left -= len(orjson.dumps(made)) + sum(map(len, self._shapes)) - before
        return True

    def data(self) -> dict[str, Any]:
        """Return everything collected."""
        return {"kinds": KINDS, "names": list(self._names), "shapes": list(self._shapes), "attempts": self.attempts}

    def _event(self, line: Line, ids: dict[str, int]) -> list[Any]:
        payload = line.payload.replace(GAP, "")
        used = [ids.setdefault(found, len(ids)) for found in _ID.findall(payload)]
        shape = _ID.sub(GAP, payload)
        event: list[Any] = [
            line.seq,
            _ms(line.t),
            2 * (line.leg == "upstream") + (line.dir == "down"),
            KINDS.index(line.kind),
            self._names.setdefault(printable(clip(title(line), 160)), len(self._names)),
            self._shapes.setdefault(shape, len(self._shapes)),
            used,
        ]
        if line.count > 1 or line.ms or line.scripted is not None or line.conn:
            script = printable(clip(line.scripted or "", _ADDRESS))
            event.append([line.last, _ms(line.end), line.count, line.ms, script, line.conn])
        return event


def _check(check: CheckResult) -> list[Any]:
    return [
        printable(clip(check.id, _ADDRESS)),
        check.verdict.value,
        check.blame.value if check.blame is not None else "",
        printable(clip(check.message, 400)),
        None if check.t is None else _ms(check.t),
        check.event,
    ]


def _windows(attempt: AttemptResult) -> list[list[Any]]:
    """Return the windows to shade: those of checks that did not pass, else those of all, at most six."""
    first = first_failure(attempt)
    told = [check for check in attempt.checks if check.windows]
    told.sort(key=lambda check: (check is not first, check.verdict is Verdict.PASS))
    return [
        [
            printable(clip(check.id, _ADDRESS)),
            check.verdict.value,
            [[_ms(start), _ms(end)] for start, end in check.windows[:8]],
        ]
        for check in told[:6]
    ]


def _ms(t: int) -> float:
    value = t / MILLISECOND
    return int(value) if value == int(value) else value


def choose(attempts: Sequence[AttemptResult], first: Iterable[AttemptResult]) -> list[AttemptResult]:
    """Return the order in which attempts get a place: ``first``, then failures, then a pass of each cell, and so on."""
    passes: dict[tuple[str, ...], int] = {}
    ranked: list[tuple[int, int, AttemptResult]] = []
    for index, attempt in enumerate(attempts):
        if attempt.verdict in BROKEN or attempt.verdict is Verdict.ERROR:
            ranked.append((0, index, attempt))
        else:
            nth = passes[attempt.cell_key] = passes.get(attempt.cell_key, 0) + 1
            ranked.append((nth, index, attempt))
    ranked.sort(key=lambda row: row[:2])
    return [*first, *(attempt for _, _, attempt in ranked)]
