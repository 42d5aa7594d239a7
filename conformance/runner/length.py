"""How long an attempt may take: the sum of what its steps may take, so that a stuck attempt is told from a slow one."""

from typing import Final

from conformance.client import ANCHOR_LIMIT, LATE_WINDOW, sound
from conformance.runner.plan import SETTLE
from conformance.scenario.model import Audio, Cell, Close, Connect, Hold, Step, Wait
from conformance.wire.durations import SECOND, Micros

HANDSHAKE: Final[Micros] = 10 * SECOND
"""What an opening or a closing handshake may take; the driver gives it up then."""

_SLACK: Final[Micros] = 10 * SECOND


def bound(cell: Cell) -> Micros:
    """Return the longest that the steps of a cell can take on their own clock, in microseconds.

    Raises:
        NoSuchSound: an audio file is missing or unusable.
    """
    return sum(_longest(step, cell) for step in cell.steps) + HANDSHAKE + SETTLE + _SLACK


def _longest(step: Step, cell: Cell) -> Micros:
    waiting = (step.at or 0) + (0 if step.after is None or step.after.step is not None else ANCHOR_LIMIT)
    match step:
        case Connect():
            return waiting + HANDSHAKE
        case Wait():
            return waiting + step.within
        case Hold():
            return waiting + step.duration
        case Audio():
            return waiting + sound.duration(step, cell)
        case Close():
            return waiting + HANDSHAKE + (LATE_WINDOW if step.late is None else step.late)
        case _:
            return waiting
