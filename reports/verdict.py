"""The verdict of a run in one sentence: what is shown, what is not, and the command that repeats it."""

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from conformance.results import AttemptResult, Results

from .accusation import accuse, beside, is_stale
from .evidence import first_failure
from .factor import failing
from .library import Library
from .sentence import Part, Sentence, Tone
from .statistics.rates import zero_bound
from .tally import cells, given_up, tally
from .text import clip, few, percent, plural, printable, scrub, words

_NAMED: Final = 3
_LONGEST: Final = 400
_FOLDERS: Final = ("--run-dir", "--junitxml", "--junit-xml")


def verdict_sentence(results: Results, library: Library) -> Sentence:
    """Say what the run found, in texts that are harmless and not too long."""
    said = _say(results, library)
    parts = tuple((printable(clip(text, _LONGEST)), part) for text, part in said.parts)
    facts = tuple((question, printable(clip(answer, _LONGEST))) for question, answer in said.facts)
    return replace(
        said, parts=parts, facts=facts, next=printable(clip(said.next, _LONGEST)), command=clip(said.command, 5 * _LONGEST)
    )


def _say(results: Results, library: Library) -> Sentence:
    command = command_of(results.run)
    bad = failing(results.attempts)
    if bad:
        stale = [attempt for attempt in bad if is_stale(attempt)]
        real = [attempt for attempt in bad if not is_stale(attempt)]
        return accuse(results, real, library, command) if real else _stale(results, stale, command)
    if problems := [str(problem) for problem in results.run.get("problems") or ()]:
        return _unproven(results, problems, command)
    if given_up(results.attempts):
        return _grey(results, command)
    return _green(results, command)


def command_of(run: Mapping[str, Any]) -> str:
    """Return the command that repeats a run with the same seed."""
    argv = _without_folders([scrub(str(word)) for word in run.get("argv", ())])
    seed = run.get("seed")
    if seed is not None and not any(word.split("=")[0] == "--seed" for word in argv):
        argv += ["--seed", str(seed)]
    return printable(shlex.join(["pytest", *argv]))


def _without_folders(argv: Sequence[str]) -> list[str]:
    """Drop the options that name folders of this run: the folder is taken now."""
    kept = []
    skip = False
    for word in argv:
        if not skip and word.partition("=")[0] not in _FOLDERS:
            kept.append(word)
        skip = word in _FOLDERS
    return kept


def _unproven(results: Results, problems: Sequence[str], command: str) -> Sentence:
    """The attempts are in order, and the run is red all the same: a mutant survived, or a known failure came too often."""
    counted = tally(results.attempts)
    tried = (
        ((f"{counted.passed} of {plural(counted.n, 'attempt')} pass", Part.PASS), (", yet ", Part.PLAIN))
        if counted.n
        else (("No attempt was made, and ", Part.PLAIN),)
    )
    parts = (
        *tried,
        (f"{plural(len(problems), 'thing')} beside them {'does' if len(problems) == 1 else 'do'} not hold", Part.FAIL),
        (f": {problems[0]}.", Part.PLAIN),
    )
    facts = tuple(("And", problem) for problem in problems[1:6])
    return Sentence(Tone.RED, parts, facts, "Mend the scenario or the entry of known.yaml that is named.", command)


def _stale(results: Results, stale: Sequence[AttemptResult], command: str) -> Sentence:
    ids = sorted({check.id.removeprefix("known:") for check in map(first_failure, stale) if check is not None})
    where = few(sorted({attempt.scenario for attempt in stale}), _NAMED, "scenarios")
    facts = tuple(beside(results))
    parts = (
        (few(ids, _NAMED, "checks"), Part.FAIL),
        (" is known to fail in " if len(ids) == 1 else " are known to fail in ", Part.PLAIN),
        (where, Part.STRONG),
        (", yet ", Part.PLAIN),
        ("passes" if len(ids) == 1 else "pass", Part.PASS),
        (f" there ({plural(len(stale), 'attempt')}): the entry is stale.", Part.PLAIN),
    )
    return Sentence(
        Tone.RED, parts, facts, "Remove the stale entry from known.yaml; everything else is as announced.", command
    )


def _grey(results: Results, command: str) -> Sentence:
    failed = given_up(results.attempts)
    counted = tally(results.attempts)
    reasons = Counter(_reason(attempt) for attempt in failed)
    reason = min(reasons, key=lambda text: (-reasons[text], text))
    parts = [
        (f"{len(failed):,} of {plural(len(results.attempts), 'attempt')} could not be carried out", Part.STRONG),
        (f" ({printable(clip(reason, 120))})", Part.PLAIN),
    ]
    if counted.n:
        others = "the other one passes" if counted.n == 1 else f"the other {counted.n:,} pass"
        parts += [("; ", Part.PLAIN), (others, Part.PASS)]
    parts.append((", so this run shows nothing against the subject, and not enough for it.", Part.PLAIN))
    return Sentence(Tone.GREY, tuple(parts), (), "Put right what the message names, then repeat the run.", command)


def _reason(attempt: AttemptResult) -> str:
    check = first_failure(attempt)
    return (check.message if check is not None else "") or attempt.message or "no reason was recorded"


def _green(results: Results, command: str) -> Sentence:
    counted = tally(results.attempts)
    if not results.attempts and results.run.get("interrupted"):
        parts: tuple[tuple[str, Part], ...] = (("The run was ended before an attempt was", Part.STRONG), (".", Part.PLAIN))
        return Sentence(Tone.GREY, parts, (), "Repeat the run.", command)
    if not results.attempts and (proofs := results.run.get("proofs")):
        return _proven(int(proofs), command)
    if not counted.n:
        what = "Nothing was tried" if not results.attempts else "Nothing here is supported by the target"
        parts = ((what, Part.STRONG), (", so nothing is shown.", Part.PLAIN))
        return Sentence(Tone.GREY, parts, (), "Select at least one scenario that the target speaks.", command)
    groups = [group for group in cells(results.attempts) if group.tally.n]
    fewest = min(group.tally.n for group in groups)
    flow_names = sorted({group.flow for group in groups})
    listed = words(flow_names) if len(flow_names) <= _NAMED else plural(len(flow_names), "flow")
    again = sum(attempt.rerun > 0 for attempt in results.attempts)
    whole = (
        ("The only attempt passes" if counted.n == 1 else f"All {counted.n:,} attempts pass")
        if not counted.known
        else f"{counted.passed} of {counted.n} attempts pass"
    )
    parts = (
        (whole, Part.PASS),
        (f" in {plural(len(groups), 'cell')} of {listed}", Part.PLAIN),
        *([(f", and {counted.known} fail as announced in known.yaml", Part.STRONG)] if counted.known else []),
        *([(f", {again} of them only when made again", Part.STRONG)] if again else []),
        (f"; {fewest} of {fewest} in a cell rules out failure rates above ", Part.PLAIN),
        (percent(zero_bound(fewest)), Part.STRONG),
        (" and no smaller ones.", Part.PLAIN),
    )
    return Sentence(Tone.GREEN, parts, tuple(_of_fault(results)), _next_green(results, fewest), command)


def _proven(proofs: int, command: str) -> Sentence:
    """Only the scenarios' own proofs ran: they are about the checks, not about the subject."""
    parts = (
        (f"The checks of {plural(proofs, 'scenario')} can all fail", Part.PASS),
        (": under a mutant, or on a spoiled recording. No attempt was made, so ", Part.PLAIN),
        ("nothing is shown of the subject", Part.STRONG),
        (".", Part.PLAIN),
    )
    return Sentence(Tone.GREEN, parts, (), "Select attempts as well, to try the subject.", command)


def _of_fault(results: Results) -> Iterator[tuple[str, str]]:
    if fault := results.run.get("fault"):
        acted = sum(attempt.faulted for attempt in results.attempts)
        yield "Under the fault", f"{fault} acted in {acted} of {plural(len(results.attempts), 'attempt')}"


def _next_green(results: Results, fewest: int) -> str:
    if results.run.get("clock") == "virtual":
        return (
            "Nothing to do. On the virtual clock attempts differ only in their seed: against the real API, run with --real."
        )
    more = next((n for n in (20, 40, 60) if n > fewest), 2 * fewest)
    return f"Nothing to do; --count {more} would rule out rates above {percent(zero_bound(more))}."
