"""An animal of the zoo: the reference translator with one defect, the rule that names it, where the library shows it."""

from dataclasses import dataclass, field
from typing import Any, Final

from conformance.reference_proxy.core import DEFAULT_TIMING, Timing
from conformance.reference_proxy.translator import Translator
from conformance.targets.model import Target


@dataclass(frozen=True, slots=True)
class Animal:
    """A broken proxy. ``seen_in`` is the scenario in which its rule must fail; ``target`` fields switch a policy on."""

    name: str
    rule: str
    defect: str
    seen_in: str
    translator: type[Translator]
    target: dict[str, Any] = field(default_factory=dict)

    @property
    def on_target(self) -> Target:
        """The target: the reference proxy's own, with the animal's rule switched on."""
        return Target(rules_on={self.rule: "shown in the zoo"}, **self.target)


ZOO: Final[list[Animal]] = []
"""Every animal, in the order of definition."""


def animal(rule: str, seen_in: str, **target: Any) -> Any:
    """Register the decorated translator; the first line of its docstring says what is wrong with it."""

    def register(translator: type[Translator]) -> type[Translator]:
        defect = (translator.__doc__ or "").partition("\n")[0].rstrip(".")
        ZOO.append(Animal(translator.__name__, rule, defect, seen_in, translator, target))
        return translator

    return register


class Hasty(Translator):
    """A translator with other delays than its parent."""

    timing_of_it: Timing = DEFAULT_TIMING

    def __init__(self) -> None:
        super().__init__(self.timing_of_it)
