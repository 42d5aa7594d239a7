"""Failures that look alike: one cluster per (check, blame, error code, close code, last event per leg)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from conformance.results import AttemptResult
from conformance.verdicts import Blame, Verdict
from conformance.wire.frames import Leg

from .evidence import close_code, decisive_error, failed_at, first_failure, last_events
from .library import Library
from .tally import BROKEN


@dataclass(frozen=True, slots=True)
class Signature:
    """What the failures of a cluster have in common; empty where a recording is missing or shows none."""

    check: str
    verdict: Verdict
    blame: Blame | None
    code: str
    close: str
    last_client: str
    last_upstream: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """Failures that look alike, in run order. ``representative`` is the first with a recording, else the first.

    ``first`` and ``last`` are the seconds of the earliest and the latest failure, None when no check says when.
    """

    signature: Signature
    attempts: tuple[AttemptResult, ...]
    representative: AttemptResult
    message: str
    words: str
    first: float | None
    last: float | None
    known: bool

    @property
    def flows(self) -> tuple[str, ...]:
        """The flows it hit, by name."""
        return tuple(sorted({attempt.flow for attempt in self.attempts}))

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets it hit, by name."""
        return tuple(sorted({attempt.target for attempt in self.attempts}))


def clusters(attempts: Iterable[AttemptResult], library: Library) -> tuple[Cluster, ...]:
    """Group failing attempts and those the harness could not carry out, biggest first, known failures last."""
    groups: dict[tuple[bool, Signature], list[AttemptResult]] = {}
    for attempt in attempts:
        if attempt.verdict in BROKEN or attempt.verdict is Verdict.ERROR:
            groups.setdefault((attempt.known is not None, _signature(attempt, library)), []).append(attempt)
    found = [_cluster(signature, group, library, known) for (known, signature), group in groups.items()]
    return tuple(sorted(found, key=lambda c: (c.known, -len(c.attempts), c.signature.check, c.representative.scenario)))


def _signature(attempt: AttemptResult, library: Library) -> Signature:
    check = first_failure(attempt)
    recording = library.of(attempt)
    error = decisive_error(recording, check) if recording is not None else None
    last = last_events(recording) if recording is not None else {}
    close = close_code(recording) if recording is not None else None
    return Signature(
        check=check.id if check is not None else attempt.verdict.value,
        verdict=attempt.verdict,
        blame=check.blame if check is not None else None,
        code=error.code if error is not None else "",
        close=str(close) if close is not None else "",
        last_client=last.get(Leg.CLIENT, ""),
        last_upstream=last.get(Leg.UPSTREAM, ""),
    )


def _cluster(signature: Signature, group: Sequence[AttemptResult], library: Library, known: bool) -> Cluster:
    representative = next((attempt for attempt in group if library.of(attempt) is not None), group[0])
    check = first_failure(representative)
    recording = library.of(representative)
    error = decisive_error(recording, check) if recording is not None else None
    seconds = [second for attempt in group if (second := failed_at(attempt)) is not None]
    return Cluster(
        signature=signature,
        attempts=tuple(group),
        representative=representative,
        message=(check.message if check is not None else "") or representative.message,
        words=error.message if error is not None else "",
        first=min(seconds, default=None),
        last=max(seconds, default=None),
        known=known,
    )
