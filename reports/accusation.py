"""The sentence of a red run: which flows fail, from when, whose fault, what cures it, how sure, and what to do next."""

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Final

from conformance.results import AttemptResult, Results
from conformance.verdicts import Blame, CheckResult

from .evidence import decisive_error, failed_at, first_failure, session_id
from .factor import Factor, find_factors
from .library import Library
from .sentence import Part, Sentence, Tone
from .statistics.rates import clopper_pearson, wilson
from .tally import Standing, flows, tally
from .text import clip, few, p_value, percent, plural, printable, words

_NAMED: Final = 3
_RECOGNISED: Final = 40
"""So many characters of an error's words in a check's message are enough not to repeat them."""

_Parts = list[tuple[str, Part]]


def is_stale(attempt: AttemptResult) -> bool:
    """True when an attempt fails only because a failure announced in known.yaml did not come."""
    check = first_failure(attempt)
    return check is not None and check.id.startswith("known:")


def accuse(results: Results, bad: Sequence[AttemptResult], library: Library, command: str) -> Sentence:
    """Say what failed; ``bad`` are the failures nobody had announced, at least one."""
    hit = {attempt.scenario for attempt in bad}
    concerned = [attempt for attempt in results.attempts if attempt.scenario in hit and attempt.known is None]
    factors = find_factors(concerned)
    clean = [factor for factor in factors if factor.clean]
    names = _subjects(results, hit)
    one = len(names) == 1
    counted = clean[-1].broken if clean else tally(concerned).failures
    rate = "every one" if counted.failed == counted.n and counted.n > 1 else f"{counted.failed}"
    parts: _Parts = [
        (few(names, _NAMED, "flows"), Part.FAIL),
        (f" {'fails' if one else 'fail'} in {rate} of {plural(counted.n, 'attempt')}", Part.PLAIN),
    ]
    if 0 < counted.failed < counted.n:
        found = wilson(counted.failed, counted.n)
        parts.append((f" ({percent(found.low)} to {percent(found.high)} at 95 %)", Part.PLAIN))
    for index, factor in enumerate(clean):
        where = "on" if factor.is_target else f"{'and' if index else 'where'} {factor.key} is"
        parts += [(f" {where} ", Part.PLAIN), (words(factor.failing, "or"), Part.STRONG)]
    if since := _since(bad):
        parts += [(", ", Part.PLAIN), (since, Part.STRONG)]
    blame = _blame(bad)
    accused = f"the {blame} is to blame" if blame else "nobody is known to be to blame"
    parts += [
        (", and ", Part.PLAIN),
        (accused, Part.STRONG),
        *_cures(factors, one),
        *_others(results, hit),
        (".", Part.PLAIN),
    ]
    first = factors[0] if factors else None
    facts = (*_facts(bad, first, library), *beside(results))
    return Sentence(Tone.RED, tuple(parts), facts, _next(bad, clean[0] if clean else None, library), command)


def _subjects(results: Results, hit: set[str]) -> list[str]:
    """Name a flow all of whose scenarios fail, else the scenarios that do."""
    inside: dict[str, set[str]] = {}
    for attempt in results.attempts:
        inside.setdefault(attempt.flow, set()).add(attempt.scenario)
    names = [[flow] if scenarios <= hit else sorted(scenarios & hit) for flow, scenarios in sorted(inside.items())]
    return [name for some in names for name in some]


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


def _cures(factors: Sequence[Factor], one: bool) -> _Parts:
    """Say where it does not happen; a factor that only lessens it is named when there is no better."""
    it = ("it passes", "it fails") if one else ("they pass", "they fail")
    parts: _Parts = []
    for factor in factors:
        where = f"on {words(factor.curing)}" if factor.is_target else f"with {factor.key} {words(factor.curing, 'or')}"
        n, failed = factor.cured.n, factor.cured.failed
        if factor.clean:
            parts += [("; " if not parts else ", and ", Part.PLAIN), (f"{where} {it[0]} {n} of {n}", Part.PASS)]
            parts.append((f" (p {p_value(factor.p)})", Part.PLAIN))
        elif not parts:
            parts.append((f"; {where} {it[1]} less: {failed} of {n} (p {p_value(factor.p)})", Part.PLAIN))
    return parts


def _others(results: Results, hit: set[str]) -> _Parts:
    """Say which flows pass, and that the other scenarios of a flow named by its scenarios do."""
    others = [attempt for attempt in results.attempts if attempt.scenario not in hit]
    passing = [group for group in flows(others) if group.tally.standing is Standing.STABLE_PASS]
    if not passing:
        return []
    touched = {attempt.flow for attempt in results.attempts if attempt.scenario in hit}
    names = sorted({group.flow for group in passing} - touched)
    if any(group.flow in touched for group in passing):
        names.append("the other scenarios" if names else "everything else")
    counted = tally(attempt for group in passing for attempt in group.attempts)
    verb = "passes" if len(names) == 1 and names[0] != "the other scenarios" else "pass"
    return [(", and ", Part.PLAIN), (f"{few(names, _NAMED, 'flows')} {verb} {counted.passed} of {counted.n}", Part.PASS)]


def _facts(bad: Sequence[AttemptResult], factor: Factor | None, library: Library) -> tuple[tuple[str, str], ...]:
    check, attempt = _main(bad)
    facts = [("What breaks", f"{check.id}: {printable(clip(check.message, 160))}" if check else attempt.verdict.value)]
    recording = library.of(attempt)
    error = decisive_error(recording, check) if recording is not None else None
    if error is not None and error.message[:_RECOGNISED] not in (check.message if check is not None else ""):
        facts.append(("In its own words", f"{printable(clip(error.code, 60))}: {printable(clip(error.message, 160))}"))
    facts.append(("How sure", _confidence(factor)))
    return tuple(facts)


def beside(results: Results) -> list[tuple[str, str]]:
    """What else the run holds that the sentence has no room for."""
    counted = tally(results.attempts)
    stale = sum(is_stale(attempt) for attempt in results.attempts)
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


def _next(bad: Sequence[AttemptResult], factor: Factor | None, library: Library) -> str:
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
