"""What all parts of a cell are read with: its ids, its vocabulary, and where mistakes go."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from conformance.scenario.grammar import verbs_of
from conformance.scenario.mistakes import did_you_mean
from conformance.scenario.model import Anchor, Speaks
from conformance.scenario.vocabulary import FRAME_WORDS, KNOWN, REALTIME, check_pattern, leg_of
from conformance.scenario.yaml_source import Path
from conformance.wire.frames import Leg
from conformance.wire.patterns import Pattern, pattern_type

_PREFIXES: Final = {"client:": Leg.CLIENT, "upstream:": Leg.UPSTREAM}
_LEG_WORDS: Final = ("client", "upstream")


class Report(Protocol):
    """Takes a mistake: the path in the filled document, a sentence, and whether the key is meant rather than its value."""

    def __call__(self, path: Path, sentence: str, *, key: bool = False) -> None:
        """Note it."""


@dataclass(slots=True)
class Context:
    """A cell in the making. ``steps`` maps each step's id to its number and verb."""

    data: Mapping[str, Any]
    report: Report
    speaks: Speaks
    saved: frozenset[str] = frozenset()
    steps: dict[str, tuple[int, str]] = field(default_factory=dict)

    def note_steps(self, steps: Any) -> None:
        """Take down the ids of all steps, and report those that stand twice."""
        for number, step in enumerate(steps if isinstance(steps, list) else []):
            if isinstance(step, Mapping) and isinstance(step.get("id"), str):
                if step["id"] in self.steps:
                    self.report(("client", number, "id"), f"the id {step['id']!r} stands twice")
                verbs = verbs_of(step)
                self.steps.setdefault(step["id"], (number, verbs[0] if verbs else ""))

    def pattern(self, value: Any, path: Path, leg: Leg) -> Pattern:
        """Check a pattern on a leg and return it."""
        known = KNOWN if self.speaks is Speaks.VOICE_AGENT else REALTIME | FRAME_WORDS
        for inner, sentence in check_pattern(value, known, f" on the {leg} leg"):
            self.report((*path, *inner), sentence)
        pattern: Pattern = value
        return pattern

    def wait_pattern(self, value: Any, path: Path) -> tuple[Leg, Pattern]:
        """Read what a `wait` waits for: by prefix, by the event's own leg, else on the client leg."""
        leg, pattern, path = self._split(value, path)
        if leg is None:
            type_ = pattern_type(pattern)
            leg = Leg.CLIENT
            if self.speaks is Speaks.VOICE_AGENT and type_ != "*" and leg_of(type_) is Leg.UPSTREAM:
                leg = Leg.UPSTREAM
        return leg, self.pattern(pattern, path, leg)

    def anchor(self, value: Any, path: Path, *, earlier_than: int | None = None) -> Anchor | None:
        """Read an anchor: a step's id, or an event with the prefix of its leg.

        ``earlier_than`` is the number of the step that counts from it: it must come after the anchor.
        """
        if isinstance(value, str) and (step := self._step_anchor(value, path, earlier_than)) is not None:
            return step
        leg, pattern, inner = self._split(value, path)
        type_ = pattern_type(pattern)
        if leg is None and self.speaks is Speaks.REALTIME:
            hint = did_you_mean(type_, self.steps)
            self.report(path, f"no step has the id {type_!r}{hint}; an event needs client: or upstream: before it here")
            return None
        if leg is None:
            leg = leg_of(type_)
        if leg is None:
            hint = did_you_mean(type_, {*self.steps, *KNOWN})
            either = f"{type_!r} happens on both legs; write client:{type_} or upstream:{type_}"
            self.report(path, either if type_ in FRAME_WORDS else f"{type_!r} is neither a step's id nor an event{hint}")
            return None
        return Anchor(leg=leg, pattern=self.pattern(pattern, inner, leg))

    def _step_anchor(self, value: str, path: Path, earlier_than: int | None) -> Anchor | None:
        name, dot, rest = value.rpartition(".")
        name = name if dot and rest == "end" and name in self.steps else value
        if name not in self.steps:
            return None
        number, verb = self.steps[name]
        if name != value and verb != "audio":
            self.report(path, f"{value!r}: only an audio step has an end")
        if earlier_than is not None and number >= earlier_than:
            self.report(path, f"the step {name!r} comes later; a step can count from an earlier one only")
        return Anchor(step=value)

    @staticmethod
    def _split(value: Any, path: Path) -> tuple[Leg | None, Pattern, Path]:
        """Split ``upstream:response.created`` and ``{upstream: {…}}`` into leg and pattern."""
        if isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in _LEG_WORDS:
            word, pattern = next(iter(value.items()))
            if isinstance(pattern, str | Mapping):
                return Leg(word), pattern, (*path, word)
        if isinstance(value, str):
            for prefix, leg in _PREFIXES.items():
                if value.startswith(prefix):
                    return leg, value.removeprefix(prefix).strip(), path
        return None, value, path
