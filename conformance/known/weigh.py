"""Weighing an attempt against what is known of it, and a run against the rates its flaky failures may have."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from conformance.known.model import Entry, Expect, Known
from conformance.results import AttemptResult
from conformance.verdicts import CheckKind, CheckResult, Verdict, worst

_RED: Final = (Verdict.FAIL, Verdict.BLOCKED, Verdict.NOT_OBSERVED)
_BROKEN: Final = (*_RED, Verdict.WARN)
_JUDGED: Final = (*_BROKEN, Verdict.PASS)


def weigh(known: Known, attempt: AttemptResult) -> AttemptResult:
    """Return the attempt with what is known said: ``known`` set if nothing about it is news, else its news as checks.

    An attempt that says nothing about the subject (error, unsupported) stays as it is.
    """
    if attempt.verdict in (Verdict.ERROR, Verdict.UNSUPPORTED):
        return attempt
    entries = known.covering(attempt)
    if not entries:
        return attempt
    checks = tuple(_advised(entries, check) for check in attempt.checks)
    stale = tuple(_stale(entry) for entry in entries if _is_stale(entry, entries, attempt))
    red = [check for check in attempt.checks if check.verdict in _RED]
    matching = [_matching(entries, check) for check in red]
    if red and not stale and all(matching):
        reasons = dict.fromkeys(_reason(found) for found in matching if found is not None)
        return replace(attempt, known="; ".join(reasons))
    verdict = worst([check.verdict for check in (*checks, *stale)])
    return replace(attempt, checks=(*checks, *stale), verdict=verdict)


def exceeded(known: Known, attempts: Iterable[AttemptResult]) -> list[str]:
    """Return a sentence for each flaky entry that failed more often than it may.

    The gate is the lower end of the exact (Clopper-Pearson) 95 % interval, so that bad luck in few attempts is not news.
    """
    attempts = tuple(attempts)
    sentences = []
    for entry in known.entries:
        if entry.max_rate is None:
            continue
        judged = [attempt for attempt in attempts if entry.covers(attempt) and _was_judged(entry, attempt)]
        failed = sum(any(entry.fits(check) and check.verdict in _BROKEN for check in attempt.checks) for attempt in judged)
        if failed and (low := _lower_bound(failed, len(judged))) > entry.max_rate:
            sentences.append(
                f"{entry.place}: {entry.check} failed {failed} of {len(judged)} times, so in truth more than {low:.0%}; "
                f"at most {entry.max_rate:.0%} is known"
            )
    return sentences


def _advised(entries: list[Entry], check: CheckResult) -> CheckResult:
    """Return the check, told which other error was known of it."""
    if check.verdict not in _RED or _matching(entries, check) is not None:
        return check
    other = next((entry for entry in entries if entry.check == check.id and entry.error is not None), None)
    if other is None:
        return check
    return replace(check, message=f"{check.message} (not the known failure: {other.place} expects {other.error!r})")


def _matching(entries: list[Entry], check: CheckResult) -> Entry | None:
    return next((entry for entry in entries if entry.fits(check)), None)


def _is_stale(entry: Entry, entries: list[Entry], attempt: AttemptResult) -> bool:
    """Tell whether what always fails did not: its check passed, or failed only in ways that other entries know."""
    if entry.expect is not Expect.FAILS or not _was_judged(entry, attempt):
        return False
    broken = [check for check in attempt.checks if check.id == entry.check and check.verdict in _BROKEN]
    return all(not entry.fits(check) and _matching(entries, check) is not None for check in broken)


def _was_judged(entry: Entry, attempt: AttemptResult) -> bool:
    """Tell whether the attempt says anything about the entry's check: a rule must have had something to look at."""
    if attempt.verdict in (Verdict.ERROR, Verdict.UNSUPPORTED):
        return False
    return (
        entry.check in attempt.observed
        or any(check.id == entry.check and check.verdict in _JUDGED for check in attempt.checks)
        or (entry.check.startswith(("wait:", "connect:")) and attempt.recording is not None)
    )


def _stale(entry: Entry) -> CheckResult:
    message = (
        f"{entry.place} says that {entry.check} fails here ({entry.reason}), but it passed; remove or narrow the entry"
    )
    return CheckResult(f"known:{entry.check}", CheckKind.EXPECT, Verdict.FAIL, None, message, cause="stale")


def _reason(entry: Entry) -> str:
    return f"{entry.reason} ({entry.issue})" if entry.issue else entry.reason


def _lower_bound(k: int, n: int) -> float:
    from scipy.stats import binomtest

    return float(binomtest(k, n).proportion_ci(confidence_level=0.95, method="exact").low)
