"""Steps written in Python: what `run: name` in a scenario calls."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

Message = Mapping[str, Any] | str | bytes


class Hands(Protocol):
    """What a Python step may do: send, and use what earlier waits saved."""

    saved: dict[str, Any]

    def send(self, message: Message) -> bool:
        """Send a mapping as JSON text, a string verbatim as text, bytes as a binary frame; False if the line is closed."""

    async def ping(self) -> bool:
        """Send a WebSocket ping and do not wait for its pong; False if the line is closed."""


class NoSuchStep(ValueError):  # noqa: N818 (what is missing)
    """A scenario runs a Python step that nobody registered."""


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


def find_step(name: str) -> PythonStep:
    """Return the step registered under a name.

    Raises:
        NoSuchStep: there is none.
    """
    try:
        return PYTHON_STEPS[name]
    except KeyError:
        known = ", ".join(sorted(PYTHON_STEPS))
        raise NoSuchStep(f"there is no Python step {name!r}; register it with @python_step (known: {known})") from None


@python_step("big-frame")
async def send_big_frame(hands: Hands, args: Mapping[str, Any]) -> None:
    """Send one frame of ``bytes`` bytes: silence as a binary frame, or with ``text: true`` a text frame that is no JSON."""
    size = int(args["bytes"])
    hands.send("x" * size if args.get("text") else bytes(size))


@python_step("ping")
async def send_ping(hands: Hands, args: Mapping[str, Any]) -> None:  # noqa: ARG001  # every step is given arguments
    """Send a WebSocket ping: a sign of life that no application sees."""
    await hands.ping()
