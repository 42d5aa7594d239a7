"""What a failing attempt shows first: the check that broke, when, and the error behind it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from conformance.results import AttemptResult
from conformance.verdicts import CheckKind, CheckResult, Verdict
from conformance.wire.durations import SECOND, Micros
from conformance.wire.frames import Frame, Kind, Leg
from conformance.wire.recording import Recording

from .statistics.survival import Times
from .tally import BROKEN, OUTSIDE

_NOTICED: Final = SECOND // 2
"""How long after its connections have broken a process may be found gone."""


@dataclass(frozen=True, slots=True)
class ErrorSeen:
    """An error on the wire: where, when, its code (else its type) and its words."""

    leg: Leg
    t: Micros
    code: str
    message: str
    seq: int


def first_failure(attempt: AttemptResult) -> CheckResult | None:
    """Return the check that gave the attempt its verdict, the earliest one.

    At the same instant a rule goes first, which names a law. The subject's death goes before what it brought about, such
    as a close 1006, which is seen before the process is found gone.
    None when the attempt has no such check.
    """
    found = [check for check in attempt.checks if check.verdict is attempt.verdict]
    return min(found, key=_precedence, default=None)


def _precedence(check: CheckResult) -> tuple[float, bool, bool, str]:
    died = check.cause == "died"
    at = float("inf") if check.t is None else check.t - _NOTICED * died
    return (at, not died, check.kind is not CheckKind.RULE, check.id)


def broken(attempt: AttemptResult) -> tuple[CheckResult, ...]:
    """Return every check of the attempt that does not pass, the decisive one first."""
    first = first_failure(attempt)
    others = [
        check
        for check in sorted(attempt.checks, key=_precedence)
        if check is not first and check.verdict not in {Verdict.PASS, Verdict.INFO, Verdict.UNSUPPORTED}
    ]
    return (*([first] if first is not None and attempt.verdict is not Verdict.PASS else []), *others)


def failed_at(attempt: AttemptResult) -> float | None:
    """Return the second of the first failure; None when the attempt did not fail, or nobody knows when."""
    check = first_failure(attempt) if attempt.verdict in BROKEN else None
    return None if check is None or check.t is None else check.t / SECOND


def times(attempts: Iterable[AttemptResult]) -> Times:
    """Return when attempts failed and how long the others were watched; a failure without a time counts at the end."""
    failed: list[float] = []
    censored: list[float] = []
    for attempt in attempts:
        if attempt.verdict in OUTSIDE:
            continue
        if attempt.verdict in BROKEN:
            at = failed_at(attempt)
            failed.append(attempt.duration_s if at is None else at)
        else:
            censored.append(attempt.duration_s)
    return Times(tuple(failed), tuple(censored))


def error_of(frame: Frame) -> ErrorSeen | None:
    """Read an error out of a frame: upstream ``error``, a failed ``response.done``, or the client's ``Error``."""
    data = frame.data
    match frame.type:
        case "error":
            found = data.get("error")
            return _error(frame, found if isinstance(found, Mapping) else data)
        case "Error":
            return _error(frame, data)
        case "response.done":
            return _failed_response(frame)
    return None


def _failed_response(frame: Frame) -> ErrorSeen | None:
    match frame.data.get("response"):
        case {"status": "failed", "status_details": {"error": Mapping() as details}}:
            return _error(frame, details)
        case {"status": "failed"}:
            return _error(frame, {"code": "failed"})
    return None


def _error(frame: Frame, body: Mapping[str, Any]) -> ErrorSeen:
    code = body.get("code") or body.get("type") or "error"
    message = body.get("message") or body.get("description") or ""
    return ErrorSeen(frame.leg, frame.t, str(code), str(message), frame.seq)


def errors(recording: Recording) -> tuple[ErrorSeen, ...]:
    """Return every error on the wire, in order."""
    frames = (frame for frame in recording.frames if frame.kind is Kind.TEXT)
    return tuple(error for frame in frames if (error := error_of(frame)) is not None)


def decisive_error(recording: Recording, check: CheckResult | None) -> ErrorSeen | None:
    """Return the error behind a failure: that of the deciding frame, else the nearest to it in time, upstream's first."""
    found = errors(recording)
    if not found:
        return None
    if check is None or check.t is None:
        return found[0]
    t = check.t
    return min(found, key=lambda error: (error.seq != check.event, abs(error.t - t), error.leg is not Leg.UPSTREAM))


def last_events(recording: Recording) -> dict[Leg, str]:
    """Return the last message of each leg that is no audio, with the direction it went."""
    last: dict[Leg, str] = {}
    for frame in recording.frames:
        if frame.kind is Kind.TEXT and frame.type and "audio" not in frame.type.rpartition(".")[0]:
            last[frame.leg] = f"{frame.type} {'↑' if frame.dir == 'up' else '↓'}"
    return last


def close_code(recording: Recording) -> int | None:
    """Return the code with which the upstream leg closed, if it was not the client's side that closed it; else None."""
    for frame in reversed(recording.frames):
        if frame.kind is Kind.CLOSE and frame.dir == "down":
            code = frame.data.get("code")
            return code if isinstance(code, int) else None
    return None


def session_id(recording: Recording) -> str | None:
    """Return the id the upstream gave the session: what its owner asks for first."""
    for frame in recording.frames:
        if frame.type == "session.created":
            session = frame.data.get("session")
            found = session.get("id") if isinstance(session, Mapping) else None
            return found if isinstance(found, str) else None
    return None
