"""What a run of the real API will take: minutes, and tokens to the order of magnitude.

Input audio counts one token per 100 ms and output audio one per 50 ms (recorded usage); everything said again with each
turn (instructions, tools, the conversation so far) is a guess of a few hundred.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from conformance.client import LATE_WINDOW, sound
from conformance.scenario.model import Audio, Cell, Close, Hold, Send, Step, Wait
from conformance.wire.durations import MILLISECOND, SECOND, Micros

_WAIT: Final[Micros] = SECOND
"""What a `wait` usually takes."""
_AUDIO_TOKEN: Final[Micros] = 100 * MILLISECOND
_TURN_TOKENS: Final = 400
"""A turn's instructions and history, its answer's text, and about five seconds of its audio."""
_TURNS: Final = frozenset({"InjectUserMessage", "FunctionCallResponse", "response.create"})


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run takes: attempts, wall time in µs, tokens."""

    attempts: int
    wall: Micros
    tokens: int

    def __str__(self) -> str:
        minutes = self.wall / SECOND / 60
        many = "s" * (self.attempts != 1)
        return f"{self.attempts} attempt{many}, about {minutes:.1f} minutes, on the order of {self.tokens:,} tokens"


def estimate(cells: Sequence[Cell], concurrency: int, paid: Sequence[Cell]) -> Estimate:
    """Estimate a run; each cell counts as one attempt (repeat it for more). ``paid``: those that cost tokens."""
    lengths = [sum(_usual(step, cell) for step in cell.steps) for cell in cells]
    wall = max([sum(lengths) // concurrency, *lengths], default=0)
    return Estimate(len(cells), wall, sum(_tokens(cell) for cell in paid))


def _usual(step: Step, cell: Cell) -> Micros:
    offset = step.at or 0
    match step:
        case Hold():
            return offset + step.duration
        case Wait():
            return offset + min(step.within, _WAIT)
        case Close():
            return offset + (LATE_WINDOW if step.late is None and _tokens(cell) else step.late or 0)
        case _:
            return offset


def _tokens(cell: Cell) -> int:
    spoken = [sound.duration(step, cell) for step in cell.steps if isinstance(step, Audio)]
    typed = [step for step in cell.steps if isinstance(step, Send) and _is_turn(step)]
    return sum(spoken) // _AUDIO_TOKEN + _TURN_TOKENS * (len(spoken) + len(typed))


def _is_turn(step: Send) -> bool:
    return not isinstance(step.message, str | bytes) and step.message.get("type") in _TURNS
