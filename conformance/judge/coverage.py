"""Requirements coverage: which scenarios let each rule look at something, and which mutants break it.

A rule that no scenario observes protects nobody. Coverage is counted over judged attempts, not promised by ``refs``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from conformance.rules.model import RULES, Rule


@dataclass(frozen=True, slots=True)
class Judged:
    """One attempt as coverage needs it: what a plain one `observed` (`Judgement`), what was `broken` under a mutant."""

    scenario: str
    observed: tuple[str, ...] = ()
    mutant: str | None = None
    broken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleCoverage:
    """A rule, the scenarios whose attempts it looked at, and the ``scenario#mutant`` under which it found something."""

    rule: str
    observed_by: tuple[str, ...]
    broken_by: tuple[str, ...]

    @property
    def is_observed(self) -> bool:
        """True when at least one scenario lets the rule look at something."""
        return bool(self.observed_by)


def coverage(judged: Iterable[Judged], rules: Mapping[str, Rule] = RULES) -> tuple[RuleCoverage, ...]:
    """Return every rule's coverage, in the order of the catalogue; scenarios and mutants in the order they were judged."""
    observed: dict[str, dict[str, None]] = {id_: {} for id_ in rules}
    broken: dict[str, dict[str, None]] = {id_: {} for id_ in rules}
    for attempt in judged:
        for id_ in attempt.observed:
            observed.setdefault(id_, {})[attempt.scenario] = None
        for id_ in attempt.broken:
            broken.setdefault(id_, {})[f"{attempt.scenario}#{attempt.mutant}"] = None
    return tuple(RuleCoverage(id_, tuple(observed[id_]), tuple(broken[id_])) for id_ in rules)
