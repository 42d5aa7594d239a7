"""Steps written in Python: what `run: name` in a scenario calls."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

Message = Mapping[str, Any] | str | bytes


class Hands(Protocol):
    """What a Python step may do: send, and use what earlier waits saved."""

    saved: dict[str, Any]

    def send(self, message: Message) -> bool:
        """Send a mapping as JSON text, a string verbatim as text, bytes as a binary frame; False if the line is closed."""


PythonStep = Callable[[Hands, Mapping[str, Any]], Awaitable[None]]

PYTHON_STEPS: Final[dict[str, PythonStep]] = {}
"""Every registered step by name."""


def python_step(name: str) -> Callable[[PythonStep], PythonStep]:
    """Register the decorated coroutine function as a step; it gets the client's hands and the step's ``args``.

    Example: a ``conftest.py`` beside the scenarios defines ``@python_step("flood") async def flood(hands, args): …``.
    """

    def register(step: PythonStep) -> PythonStep:
        if name in PYTHON_STEPS:
            raise ValueError(f"the Python step {name!r} is registered twice")
        PYTHON_STEPS[name] = step
        return step

    return register


@python_step("big-frame")
async def send_big_frame(hands: Hands, args: Mapping[str, Any]) -> None:
    """Send one frame of ``bytes`` bytes: silence as a binary frame, or with ``text: true`` a text frame that is no JSON."""
    size = int(args["bytes"])
    hands.send("x" * size if args.get("text") else bytes(size))
