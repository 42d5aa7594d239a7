"""What an attempt is: a cell on a target, under a seed, on a clock."""

from dataclasses import dataclass, replace
from typing import Final

from conformance.clock import Clock
from conformance.scenario.model import Cell, Mutant
from conformance.targets.model import Target
from conformance.wire.durations import Micros
from conformance.wire.recording import Header
from conformance.wire.script import Fault, Script

VIRTUAL_EPOCH: Final = 1_790_000_000
"""The unix second of time 0 on the virtual clock: ids and ``expires_at`` derive from it, so it never changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptPlan:
    """One attempt to be made. ``seed`` is the attempt's own; ``fault`` the one named on the command line."""

    cell: Cell
    attempt: int = 1
    seed: int = 0
    target: Target = Target()  # noqa: RUF009  # frozen
    fault: Fault | None = None
    mutant: Mutant | None = None
    clock: Clock | str = Clock.VIRTUAL

    @property
    def script(self) -> Script:
        """How the mock deviates: the mutant's rules first, since the first live match wins, then the scenario's own.

        A replay follows no rules; a mutant deviates from the faithful mock instead.
        """
        script = self.cell.script
        if self.mutant is None:
            return script
        return replace(script, rules=(*self.mutant.rules, *script.rules), replay=None)

    def header(self, epoch: int) -> Header:
        """Return the recording's first line."""
        return Header(
            scenario=self.cell.scenario,
            flow=self.cell.flow,
            cell=self.cell.values,
            attempt=self.attempt,
            target=self.target.name,
            speaks=self.cell.speaks,
            seed=self.seed,
            clock=Clock(self.clock),
            epoch=epoch,
            fault=None if self.fault is None else self.fault.name,
            mutant=None if self.mutant is None else self.mutant.id,
        )


SETTLE: Final[Micros] = 2_000_000
"""How long after the client's last close the upstream leg may take to end: what a proxy does then is judged, too."""
