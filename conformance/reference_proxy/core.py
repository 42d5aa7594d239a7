"""What every layer of the translator stands on: the time of the call, the outbox, timers, ids.

The translator is a tower of layers, each a class that adds one concern and calls ``super()`` for the rest: `Core`, `Turns`
(whose turn it is), `Tools`, `Microphone` (audio up), `Output` (text and audio down), `SessionPhases` (from opening to
readiness), `Translator` (reads frames). No layer reads a clock or touches a socket. Decisions are small methods, so that a
test may break one by overriding it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from conformance.reference_proxy.actions import Action, ToClient, ToUpstream
from conformance.wire.durations import MILLISECOND, SECOND, Micros

Timer = tuple[Micros, Callable[[], None]]
"""When something falls due, and what to do then. What is done must make the timer go away."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The proxy's own delays, in microseconds. They keep the limits of the protocol page with room to spare."""

    debounce: Micros = 400 * MILLISECOND
    """Quiet after which the audio so far is a turn."""
    longest_wait: Micros = 2_500 * MILLISECOND
    """Audio of a stream without pauses is committed after this."""
    shortest_commit: Micros = 100 * MILLISECOND
    """The API refuses to commit less."""
    text_grace: Micros = 250 * MILLISECOND
    """How long a finished text waits for the rest of its message."""
    server_grace: Micros = 500 * MILLISECOND
    """How long a turn that the server may answer by itself waits for that."""
    commit_grace: Micros = 2 * SECOND
    """How long a committed turn waits for its item once ``committed`` has named it."""
    retry: Micros = SECOND
    """Pause before a refused ``response.create`` is sent again, when no response is known to be active."""
    retries: int = 5
    """How often; then the client hears of it."""
    lost_request: Micros = 10 * SECOND
    """A turn that waits behind a ``response.create`` without any answer waits no longer than this."""
    request_grace: Micros = 1_500 * MILLISECOND
    """How long a commit waits for the response that has been requested to begin."""
    error_grace: Micros = 5 * SECOND
    """How long an ``idle_timeout`` error waits for the text of the running response."""
    stuck: Micros = 25 * SECOND
    """A turn that hears nothing from the upstream for this long becomes a visible error."""
    ready: Micros = 20 * SECOND
    """The session must be ready this long after Settings."""


DEFAULT_TIMING: Final = Timing()


def mapping(value: Any) -> Mapping[str, Any]:
    """Return the value if it is an object, else an empty one: nothing that came in is trusted to have a shape."""
    return value if isinstance(value, dict) else {}


def text(value: Any) -> str:
    """Return the value if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


class Core:
    """The outbox and the clock of one session."""

    def __init__(self, timing: Timing = DEFAULT_TIMING) -> None:
        """Start at time 0 with nothing to do."""
        self.timing = timing
        self.now: Micros = 0
        self._outbox: list[Action] = []
        self._events_made = 0

    def deadline(self) -> Micros | None:
        """Return when `wake` wants to be called next, or None."""
        timers = self.timers()
        return min([at for at, _ in timers]) if timers else None

    def wake(self, now: Micros) -> list[Action]:
        """Do what has fallen due."""
        due = sorted((timer for timer in self.timers() if timer[0] <= now), key=lambda timer: timer[0])
        self.now = now
        for _, act in due:
            act()
        return self.take_actions()

    def timers(self) -> list[Timer]:
        """Return what is going to fall due; each layer derives it from its state."""
        return []

    def send_down(self, message: Mapping[str, Any] | bytes) -> None:
        """Put a message or audio for the client into the outbox."""
        self._outbox.append(ToClient(message))

    def send_up(self, event: Mapping[str, Any]) -> str:
        """Put an event for the upstream into the outbox under an id of our own, and return that id."""
        self._events_made += 1
        event_id = f"event_proxy_{self._events_made}"
        self._outbox.append(ToUpstream({**event, "event_id": event_id}))
        return event_id

    def send_error(self, code: str | None, description: str) -> None:
        """Tell the client of a failure; ``code`` is the upstream's own where the upstream has one."""
        self.send_down({"type": "Error", "code": code, "description": description})

    def act(self, action: Action) -> None:
        """Put any other action into the outbox."""
        self._outbox.append(action)

    def take_actions(self) -> list[Action]:
        """Empty the outbox."""
        actions, self._outbox = self._outbox, []
        return actions
