"""A script's rules as they are used up: which one, if any, has a say in an event."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from conformance.wire.patterns import matches
from conformance.wire.script import FAULTS, Fault, ScriptRule


class Rules:
    """The rules of one connection. The first live match wins; a rule is spent after ``times`` matches."""

    def __init__(self, rules: Sequence[ScriptRule], seed: int, conn: int) -> None:
        mine = [rule for rule in rules if rule.conn is None or rule.conn == conn]
        self._live = [rule for rule in mine if rule.when is not None]
        self._standing: list[ScriptRule] = []
        self._left: dict[int, int] = {}
        for rule in self._live:
            self._note_times(rule)
        self._seed = f"{seed}/{conn}/script"
        self._random: Random | None = None
        self.timed = [rule for rule in mine if rule.when is None and rule.at is not None]
        self.standing = [rule for rule in mine if rule.when is None and rule.at is None]

    @property
    def any(self) -> bool:
        """Whether any rule that looks at events is left."""
        return bool(self._live or self._standing)

    def match(self, event: Mapping[str, Any], *, from_server: bool = False) -> ScriptRule | None:
        """Return the rule that has a say in this event, and use it up by one; None for nearly every event."""
        if not self.any:
            return None
        return self._first(self._live, event) or (self._first(self._standing, event) if from_server else None)

    def add(self, rule: ScriptRule) -> None:
        """Add a rule for server events, behind the others."""
        self._standing.append(rule)
        self._note_times(rule)

    def _first(self, rules: list[ScriptRule], event: Mapping[str, Any]) -> ScriptRule | None:
        for index, rule in enumerate(rules):
            if rule.when is None or not matches(rule.when, event) or not self.happens(rule.probability):
                continue
            left = self._left.get(id(rule))
            if left is not None:
                if left <= 1:
                    del rules[index]
                else:
                    self._left[id(rule)] = left - 1
            return rule
        return None

    def _note_times(self, rule: ScriptRule) -> None:
        if rule.times is not None:
            self._left[id(rule)] = rule.times

    def happens(self, probability: float) -> bool:
        """Tell whether something of this probability happens now; certainties draw nothing from the random source."""
        if probability >= 1:
            return True
        if self._random is None:
            self._random = Random(self._seed)
        return self._random.random() < probability


def scope_of(fault: Fault) -> str:
    """Return what a fault acts on: ``session``, ``event``, ``connection`` or ``handshake``.

    Raises:
        ValueError: there is no such fault.
    """
    if fault.name not in FAULTS:
        raise ValueError(f"there is no fault {fault.name!r}; use one of {', '.join(FAULTS)}")
    return FAULTS[fault.name].scope


def param(fault: Fault, name: str) -> Any:
    """Return a fault's parameter, or the default of the fault table."""
    return fault.params.get(name, FAULTS[fault.name].params.get(name))
