"""The sentence of a red run: which flows fail, from when, whose fault, what cures it, how sure, and what to do next."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from conformance.results import AttemptResult, Results
from conformance.verdicts import Blame, CheckResult

from .evidence import decisive_error, failed_at, first_failure, session_id
from .factor import Factor, find_factors, value_at
from .library import Library
from .sentence import Part, Sentence, Tone
from .statistics.differences import Count
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
    """Say what failed; ``bad`` are the failures nobody had announced, at least one.

    The sentence is about those with the commonest blame; the others follow as a fact.
    """
    blame, main = _commonest(bad)
    subjects = _subjects(results, main)
    rest = {id(attempt) for attempt in bad} - {id(attempt) for attempt in main}
    about = [attempt for attempt in results.attempts if subjects.cover(attempt)]
    counted = [attempt for attempt in about if attempt.known is None and id(attempt) not in rest]
    otherwise = [attempt for attempt in about if id(attempt) in rest]
    total = tally(counted).failures
    factors = [factor for factor in find_factors(counted) if not factor.clean or factor.broken.failed == total.failed]
    clean = [factor for factor in factors if factor.clean]
    parts: _Parts = [*_extent(subjects, clean[-1].broken if clean else total)]
    for index, factor in enumerate(clean):
        where = "on" if factor.is_target else f"{'and' if index else 'where'} {factor.key} is"
        parts += [(f" {where} ", Part.PLAIN), (_values(factor.failing), Part.STRONG)]
    if since := _since(main):
        parts += [(", ", Part.PLAIN), (since, Part.STRONG)]
    accused = f"the {blame} is to blame" if blame else "nobody is known to be to blame"
    parts += [(", and ", Part.PLAIN), (accused, Part.STRONG), *_cures(factors, subjects.one, otherwise)]
    parts += [*_others(results, subjects), (".", Part.PLAIN)]
    facts = (*_facts(main, factors[0] if factors else None, library), *_besides(bad, rest), *beside(results))
    return Sentence(Tone.RED, tuple(parts), facts, _next(results, main, clean[0] if clean else None, library), command)


@dataclass(frozen=True, slots=True)
class _Subjects:
    """What a sentence is about: whole flows, and scenarios of flows that fail in a few only."""

    flows: tuple[str, ...]
    scenarios: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        return sorted([*self.flows, *self.scenarios])

    @property
    def one(self) -> bool:
        return len(self.names) == 1

    def cover(self, attempt: AttemptResult) -> bool:
        return attempt.flow in self.flows or attempt.scenario in self.scenarios


def _subjects(results: Results, bad: Sequence[AttemptResult]) -> _Subjects:
    """Name a flow whose scenarios all fail, or too many of them to be listed, else the scenarios that do."""
    inside: dict[str, set[str]] = {}
    for attempt in results.attempts:
        inside.setdefault(attempt.flow, set()).add(attempt.scenario)
    hit = {attempt.scenario for attempt in bad}
    whole = [
        flow for flow, scenarios in inside.items() if scenarios & hit and (scenarios <= hit or len(scenarios & hit) > 2)
    ]
    single = [name for flow, scenarios in inside.items() if flow not in whole for name in scenarios & hit]
    return _Subjects(tuple(sorted(whole)), tuple(sorted(single)))


def _extent(subjects: _Subjects, counted: Count) -> _Parts:
    """Say what fails how often, with an interval unless it is always."""
    rate = "every one" if counted.failed == counted.n and counted.n > 1 else f"{counted.failed}"
    parts: _Parts = [
        (few(subjects.names, _NAMED, "flows"), Part.FAIL),
        (f" {'fails' if subjects.one else 'fail'} in {rate} of {plural(counted.n, 'attempt')}", Part.PLAIN),
    ]
    if 0 < counted.failed < counted.n:
        found = wilson(counted.failed, counted.n)
        parts.append((f" ({percent(found.low)} to {percent(found.high)} at 95 %)", Part.PLAIN))
    return parts


def _since(bad: Sequence[AttemptResult]) -> str:
    times = sorted(second for attempt in bad if (second := failed_at(attempt)) is not None)
    if not times:
        return ""
    first, half = times[0], median(times)
    since = f"from second {first:.1f} on" if first >= 1 else f"from {1000 * first:.0f} ms on"
    if times[-1] - first <= 0.1 * max(1.0, first) or half - first < 0.1:
        return since
    return f"{since} (half of them by {half:.1f} s)"


def _commonest(bad: Sequence[AttemptResult]) -> tuple[str, list[AttemptResult]]:
    """Return the commonest blame, empty where nobody is to blame, and the failures that have it."""
    blames: dict[str, list[AttemptResult]] = {}
    for attempt in bad:
        check = first_failure(attempt)
        blames.setdefault(check.blame.value if check is not None and check.blame is not None else "", []).append(attempt)
    return min(blames.items(), key=lambda item: (-len(item[1]), item[0]))


def _besides(bad: Sequence[AttemptResult], rest: set[int]) -> list[tuple[str, str]]:
    """Say what else failed, with another blame."""
    others = [attempt for attempt in bad if id(attempt) in rest]
    if not others:
        return []
    blame, found = _commonest(others)
    flow_names = few(sorted({attempt.flow for attempt in others}), _NAMED, "flows")
    check, _ = _main(found)
    what = f", {check.id} for one" if check is not None else ""
    return [
        (
            "Besides",
            f"{plural(len(others), 'attempt')} of {flow_names} failed with another blame: {blame or 'nobody'}{what}",
        )
    ]


def _values(names: Sequence[str]) -> str:
    return few(names, _NAMED, "values", "or")


def _cures(factors: Sequence[Factor], one: bool, otherwise: Sequence[AttemptResult]) -> _Parts:
    """Say where it does not happen; a factor that only lessens it is named when there is no better.

    ``otherwise`` are attempts that failed with another blame: where some are, it does not happen, but it is no pass.
    """
    it = ("it passes", "it fails") if one else ("they pass", "they fail")
    parts: _Parts = []
    for factor in factors:
        where = f"on {words(factor.curing)}" if factor.is_target else f"with {factor.key} {_values(factor.curing)}"
        n, failed = factor.cured.n, factor.cured.failed
        more = sum(value_at(factor.key, attempt) in factor.curing for attempt in otherwise)
        if factor.clean:
            told = (
                (f"{where} none of {n + more} fails so", Part.STRONG)
                if more
                else (f"{where} {it[0]} {n} of {n}", Part.PASS)
            )
            parts += [("; " if not parts else ", and ", Part.PLAIN), told]
            parts.append((f" (p {p_value(factor.p)})", Part.PLAIN))
        elif not parts:
            parts.append((f"; {where} {it[1]} less: {failed} of {n} (p {p_value(factor.p)})", Part.PLAIN))
    return parts


def _others(results: Results, subjects: _Subjects) -> _Parts:
    """Say which flows pass, and that the other scenarios of a flow named by its scenarios do."""
    others = [attempt for attempt in results.attempts if not subjects.cover(attempt)]
    passing = [group for group in flows(others) if group.tally.standing is Standing.STABLE_PASS]
    if not passing:
        return []
    touched = {attempt.flow for attempt in results.attempts if attempt.scenario in subjects.scenarios}
    names = sorted({group.flow for group in passing} - touched)
    if any(group.flow in touched for group in passing):
        names.append("the other scenarios" if names else "everything else")
    counted = tally(attempt for group in passing for attempt in group.attempts)
    verb = "passes" if len(names) == 1 and names[0] != "the other scenarios" else "pass"
    return [(", while ", Part.PLAIN), (f"{few(names, _NAMED, 'flows')} {verb} {counted.passed} of {counted.n}", Part.PASS)]


def _facts(bad: Sequence[AttemptResult], factor: Factor | None, library: Library) -> tuple[tuple[str, str], ...]:
    check, attempt = _main(bad)
    facts = [("What breaks", _what(bad, check) if check is not None else attempt.verdict.value)]
    recording = library.of(attempt)
    error = decisive_error(recording, check) if recording is not None else None
    if error is not None and error.message[:_RECOGNISED] not in (check.message if check is not None else ""):
        facts.append(("In its own words", f"{printable(clip(error.code, 60))}: {printable(clip(error.message, 160))}"))
    facts.append(("How sure", _confidence(factor)))
    return tuple(facts)


def _what(bad: Sequence[AttemptResult], check: CheckResult) -> str:
    """Say which check fails first, in how many of the failures, and its words."""
    share = sum(first.id == check.id for first in map(first_failure, bad) if first is not None)
    extent = "" if share == len(bad) else f" (first in {share} of {plural(len(bad), 'failure')})"
    message = " ".join(check.message.split())
    return f"{check.id}{extent}: {printable(clip(message, 160))}"


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
        f"{broken.failed:,} of {broken.n:,} fail (at least {percent(low)}) against {cured.failed:,} of {cured.n:,} "
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


def _next(results: Results, bad: Sequence[AttemptResult], factor: Factor | None, library: Library) -> str:
    check, attempt = _main(bad)
    if check is not None and check.cause == "died":
        return "Read why in the run's proxy.log, mend the proxy's command, its environment or its crash, and run again."
    blame = check.blame if check is not None else None
    advice = ""
    if factor is not None and factor.clean and not factor.is_target:
        advice = f"Set {factor.key} to {factor.curing[0]} where it is {_values(factor.failing)}"
    if blame is Blame.UPSTREAM and attempt.faulted:
        asked = f"the fault {results.run.get('fault')} was asked for: --real tells whether the API does so, too"
        return f"{advice}; {asked}." if advice else f"{asked[0].upper()}{asked[1:]}."
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
