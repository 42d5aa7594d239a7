"""The verdict in one sentence: which flows fail, from when, whose fault, what cures it, how sure, and what to do next."""

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import Any, Final

from conformance.results import AttemptResult, Results
from conformance.verdicts import Blame, CheckResult, Verdict

from .evidence import decisive_error, failed_at, first_failure, session_id
from .factor import Factor, failing, find_factor
from .library import Library
from .statistics.rates import clopper_pearson, wilson, zero_bound
from .tally import Group, Standing, cells, flows, tally
from .text import clip, few, p_value, percent, plural, printable, words

_NAMED: Final = 3


class Tone(StrEnum):
    """How the page looks at first sight."""

    GREEN = "pass"
    RED = "fail"
    GREY = "error"


class Part(StrEnum):
    """How a part of the sentence is set."""

    PLAIN = "plain"
    FAIL = "fail"
    PASS = "pass"
    STRONG = "strong"


@dataclass(frozen=True, slots=True)
class Sentence:
    """The verdict, in parts to be set apart; ``next`` says what to do, ``command`` repeats the run.

    ``facts`` are (question, answer) pairs behind it: since when, whose fault, what cures it, how sure.
    """

    tone: Tone
    parts: tuple[tuple[str, Part], ...]
    facts: tuple[tuple[str, str], ...]
    next: str
    command: str

    def __str__(self) -> str:
        return "".join(text for text, _ in self.parts)


def verdict_sentence(results: Results, library: Library) -> Sentence:
    """Say what the run found."""
    command = command_of(results.run)
    bad = failing(results.attempts)
    if bad:
        stale = [attempt for attempt in bad if _is_stale(attempt)]
        real = [attempt for attempt in bad if not _is_stale(attempt)]
        return _red(results, real, library, command) if real else _stale(stale, command)
    if any(attempt.verdict is Verdict.ERROR for attempt in results.attempts):
        return _grey(results, command)
    return _green(results, command)


def command_of(run: Mapping[str, Any]) -> str:
    """Return the command that repeats a run with the same seed."""
    argv = [str(word) for word in run.get("argv", ())]
    seed = run.get("seed")
    if seed is not None and not any(word.split("=")[0] == "--seed" for word in argv):
        argv += ["--seed", str(seed)]
    return printable(shlex.join(["pytest", *argv]))


def _is_stale(attempt: AttemptResult) -> bool:
    check = first_failure(attempt)
    return check is not None and check.id.startswith("known:")


def _red(results: Results, bad: Sequence[AttemptResult], library: Library, command: str) -> Sentence:
    hit = {(attempt.flow, attempt.target) for attempt in bad}
    groups = flows(results.attempts)
    concerned = [attempt for attempt in results.attempts if (attempt.flow, attempt.target) in hit]
    factor = find_factor(attempt for attempt in concerned if attempt.known is None)
    if factor is not None and factor.clean:
        counted = factor.broken
    else:
        counted = tally(attempt for attempt in concerned if attempt.known is None).failures
    names = sorted({flow for flow, _ in hit})
    subject = few(names, _NAMED, "flows")
    rate = "every one" if counted.failed == counted.n and counted.n > 1 else f"{counted.failed}"
    parts: list[tuple[str, Part]] = [
        (subject, Part.FAIL),
        (f" {'fails' if len(names) == 1 else 'fail'} in ", Part.PLAIN),
        (f"{rate} of {plural(counted.n, 'attempt')}", Part.STRONG),
    ]
    if 0 < counted.failed < counted.n:
        found = wilson(counted.failed, counted.n)
        parts.append((f" ({percent(found.low)} to {percent(found.high)} at 95 %)", Part.PLAIN))
    if factor is not None and factor.clean:
        where = "on" if factor.is_target else f"where {factor.key} is"
        parts += [(f" {where} ", Part.PLAIN), (words(factor.failing, "or"), Part.STRONG)]
    since = _since(bad)
    if since:
        parts += [(", ", Part.PLAIN), (since, Part.STRONG)]
    blame = _blame(bad)
    parts += [
        (", and ", Part.PLAIN),
        (f"the {blame} is to blame" if blame else "nobody is known to be to blame", Part.STRONG),
    ]
    parts += _cure(factor)
    parts += _others(groups, hit)
    parts.append((".", Part.PLAIN))
    facts = (*_facts(bad, factor, library), *_beside(results))
    return Sentence(Tone.RED, tuple(parts), facts, _next_red(bad, factor, library), command)


def _since(bad: Sequence[AttemptResult]) -> str:
    times = sorted(second for attempt in bad if (second := failed_at(attempt)) is not None)
    if not times:
        return ""
    first, last = times[0], times[-1]
    if last - first <= 0.1 * max(1.0, first):
        return f"from second {first:.1f} on"
    return f"from second {first:.1f} on (half of them by {median(times):.1f})"


def _blame(bad: Iterable[AttemptResult]) -> str:
    counts = Counter(
        check.blame.value for check in map(first_failure, bad) if check is not None and check.blame is not None
    )
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    if len(ranked) == 1:
        return ranked[0][0]
    return words(f"{name} ({count})" for name, count in ranked)


def _cure(factor: Factor | None) -> list[tuple[str, Part]]:
    if factor is None:
        return []
    where = f"on {words(factor.curing, 'and')}" if factor.is_target else f"with {factor.key} {words(factor.curing, 'or')}"
    n, passed = factor.cured.n, factor.cured.n - factor.cured.failed
    if factor.clean:
        return [
            ("; ", Part.PLAIN),
            (f"{where} they pass {passed} of {n}" if n > 1 else f"{where} it passes", Part.PASS),
            (f" (p {p_value(factor.p)})", Part.PLAIN),
        ]
    return [(f"; {where} it fails less: {factor.cured.failed} of {n} (p {p_value(factor.p)})", Part.PLAIN)]


def _others(groups: Sequence[Group], hit: set[tuple[str, str]]) -> list[tuple[str, Part]]:
    others = [group for group in groups if (group.flow, group.target) not in hit and group.tally.n]
    passing = [group for group in others if group.tally.standing is Standing.STABLE_PASS]
    if not passing:
        return []
    names = sorted({group.flow for group in passing})
    counted = tally(attempt for group in passing for attempt in group.attempts)
    verb = "passes" if len(names) == 1 else "pass"
    listed = few(names, _NAMED, "flows")
    return [
        (", and " if len(groups) > 1 else "; ", Part.PLAIN),
        (f"{listed} {verb} {counted.passed} of {counted.n}", Part.PASS),
    ]


def _facts(bad: Sequence[AttemptResult], factor: Factor | None, library: Library) -> tuple[tuple[str, str], ...]:
    check, attempt = _main(bad)
    facts = [("What breaks", f"{check.id}: {printable(clip(check.message, 160))}" if check else attempt.verdict.value)]
    recording = library.of(attempt)
    error = decisive_error(recording, check) if recording is not None else None
    if error is not None and error.message:
        facts.append(("In its own words", f"{printable(clip(error.code, 60))}: {printable(clip(error.message, 160))}"))
    facts.append(("How sure", _confidence(factor)))
    return tuple(facts)


def _beside(results: Results) -> list[tuple[str, str]]:
    """What else the run holds that the sentence has no room for."""
    counted = tally(results.attempts)
    stale = sum(_is_stale(attempt) for attempt in results.attempts)
    said = [
        f"{plural(counted.errors, 'attempt')} could not be carried out" if counted.errors else "",
        f"{plural(counted.known, 'attempt')} failed as announced in known.yaml" if counted.known else "",
        f"{plural(stale, 'attempt')} passed though known.yaml says they fail" if stale else "",
        f"{plural(counted.unsupported, 'attempt')} not supported by the target" if counted.unsupported else "",
    ]
    return [("Beside it", "; ".join(filter(None, said)))] if any(said) else []


def _confidence(factor: Factor | None) -> str:
    if factor is None:
        return "no matrix value or target tells failing from passing attempts significantly"
    broken, cured = factor.broken, factor.cured
    low, high = clopper_pearson(broken.failed, broken.n).low, clopper_pearson(cured.failed, cured.n).high
    return (
        f"{broken.failed} of {broken.n} fail (at least {percent(low)}) against {cured.failed} of {cured.n} "
        f"(at most {percent(high)}); Fisher p {p_value(factor.p)}"
    )


def _main(bad: Sequence[AttemptResult]) -> tuple[CheckResult | None, AttemptResult]:
    counts = Counter(check.id for attempt in bad if (check := first_failure(attempt)) is not None)
    if not counts:
        return None, bad[0]
    wanted = min(counts, key=lambda id_: (-counts[id_], id_))
    for attempt in bad:
        check = first_failure(attempt)
        if check is not None and check.id == wanted:
            return check, attempt
    return None, bad[0]


def _next_red(bad: Sequence[AttemptResult], factor: Factor | None, library: Library) -> str:
    check, attempt = _main(bad)
    blame = check.blame if check is not None else None
    advice = ""
    if factor is not None and factor.clean and not factor.is_target:
        advice = f"Set {factor.key} to {factor.curing[0]} where it is {words(factor.failing, 'or')}"
    recording = library.of(attempt)
    session = session_id(recording) if recording is not None else None
    if blame is Blame.UPSTREAM:
        report = "report the error to the upstream's owner" + (
            f" with its session id {printable(session)}" if session else ""
        )
        return f"{advice}, and {report}." if advice else f"{report[0].upper()}{report[1:]}; the proxy need not change."
    rule = f" (conformance rules {check.id} says why)" if check is not None and check.kind == "rule" else ""
    fix = f"fix the {blame or 'subject'} where the failing attempt leaves the path of the passing ones{rule}"
    return f"{advice} until you can {fix}." if advice else f"{fix[0].upper()}{fix[1:]}."


def _stale(stale: Sequence[AttemptResult], command: str) -> Sentence:
    ids = sorted({check.id.removeprefix("known:") for check in map(first_failure, stale) if check is not None})
    where = few(sorted({attempt.scenario for attempt in stale}), _NAMED, "scenarios")
    parts = (
        (few(ids, _NAMED, "checks"), Part.FAIL),
        (" is known to fail in " if len(ids) == 1 else " are known to fail in ", Part.PLAIN),
        (where, Part.STRONG),
        (", yet ", Part.PLAIN),
        ("passes" if len(ids) == 1 else "pass", Part.PASS),
        (f" there ({plural(len(stale), 'attempt')}): the entry is stale.", Part.PLAIN),
    )
    return Sentence(
        Tone.RED, parts, (), "Remove the stale entry from known.yaml; everything else is as announced.", command
    )


def _grey(results: Results, command: str) -> Sentence:
    failed = [attempt for attempt in results.attempts if attempt.verdict is Verdict.ERROR]
    counted = tally(results.attempts)
    reasons = Counter(_reason(attempt) for attempt in failed)
    reason = min(reasons, key=lambda text: (-reasons[text], text))
    parts = [
        (f"{len(failed):,} of {plural(len(results.attempts), 'attempt')} could not be carried out", Part.STRONG),
        (f" ({printable(clip(reason, 120))})", Part.PLAIN),
    ]
    if counted.n:
        parts += [("; ", Part.PLAIN), (f"the other {counted.n:,} pass", Part.PASS)]
    parts.append((", so this run shows nothing against the subject, and not enough for it.", Part.PLAIN))
    return Sentence(Tone.GREY, tuple(parts), (), "Put right what the message names, then repeat the run.", command)


def _reason(attempt: AttemptResult) -> str:
    check = first_failure(attempt)
    return (check.message if check is not None else "") or attempt.message or "no reason was recorded"


def _green(results: Results, command: str) -> Sentence:
    counted = tally(results.attempts)
    if not counted.n:
        what = "Nothing was tried" if not results.attempts else "Nothing here is supported by the target"
        parts: tuple[tuple[str, Part], ...] = ((what, Part.STRONG), (", so nothing is shown.", Part.PLAIN))
        return Sentence(Tone.GREY, parts, (), "Select at least one scenario that the target speaks.", command)
    groups = [group for group in cells(results.attempts) if group.tally.n]
    fewest = min(group.tally.n for group in groups)
    flow_names = sorted({group.flow for group in groups})
    whole = (
        f"All {plural(counted.n, 'attempt')} pass"
        if not counted.known
        else f"{counted.passed} of {counted.n} attempts pass"
    )
    parts = (
        (whole, Part.PASS),
        (f" in {plural(len(groups), 'cell')} of {few(flow_names, _NAMED, 'flows')}", Part.PLAIN),
        *([(f", and {counted.known} fail as announced in known.yaml", Part.STRONG)] if counted.known else []),
        (f"; {fewest} of {fewest} in a cell rules out failure rates above ", Part.PLAIN),
        (percent(zero_bound(fewest)), Part.STRONG),
        (" and no smaller ones.", Part.PLAIN),
    )
    return Sentence(Tone.GREEN, parts, (), _next_green(results, fewest), command)


def _next_green(results: Results, fewest: int) -> str:
    if results.run.get("clock") == "virtual":
        return (
            "Nothing to do. On the virtual clock attempts differ only in their seed: against the real API, run with --real."
        )
    more = next((n for n in (20, 40, 60) if n > fewest), 2 * fewest)
    return f"Nothing to do; --count {more} would rule out rates above {percent(zero_bound(more))}."
