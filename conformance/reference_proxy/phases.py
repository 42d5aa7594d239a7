"""The phases of a session: connected, created, updated once, ready.

Nothing that depends on the session goes up before ``session.updated``; what came early waits in line and loses nothing.
"""

from collections import deque
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any, Final

from conformance.reference_proxy.actions import CloseClient, CloseUpstream
from conformance.reference_proxy.core import Timer, Timing
from conformance.reference_proxy.output import Output
from conformance.reference_proxy.settings import Agent, SettingsError, read_settings, session_of

_LINE_LIMIT: Final = 64 * 1024 * 1024
"""Bytes that may wait for the session to be ready."""
_LONGEST_REASON: Final = 120


class Phase(IntEnum):
    """How far the upstream session is."""

    CONNECTING = 0
    OPEN = 1
    CREATED = 2
    UPDATING = 3
    READY = 4
    CLOSED = 5


CONNECTING, OPEN, CREATED, UPDATING, READY, CLOSED = Phase


class SessionPhases(Output):
    """Brings a session from its opening to its readiness, and holds back what must wait for that."""

    def __init__(self, timing: Timing) -> None:
        """Start before the upstream is connected."""
        super().__init__(timing)
        self.phase = CONNECTING
        self.agent: Agent | None = None
        """The Settings in force, or asked for."""
        self._doubtful: Agent | None = None
        """Settings whose update an error seemed to refuse that names no event."""
        self._update_id: str | None = None
        self._settings_at = 0
        self._line: deque[Callable[[], None]] = deque()
        self._line_size = 0
        self._greeted = False

    def timers(self) -> list[Timer]:
        """Add: the session must become ready in time. A closed session has no timers, whatever its layers hold."""
        if self.phase is CLOSED:
            return []
        timers = super().timers()
        if self.agent is not None and self.phase < READY:
            timers.append((self._settings_at + self.timing.ready, self.give_up_on_session))
        return timers

    # The line: what came before the session was ready

    def when_ready(self, act: Callable[[], None], size: int) -> None:
        """Act at once if the session is ready, else in turn when it is."""
        if self.may_go_up():
            act()
            return
        self._line.append(act)
        self._line_size += size
        if self._line_size > _LINE_LIMIT:
            self.send_error("too_much_before_ready", "The session is not ready and no more input can wait for it.")
            self.close_client(1009, "too much input before the session was ready")

    def may_go_up(self) -> bool:
        """Tell whether the session is ready for what depends on it."""
        return self.phase is READY

    def may_respond(self) -> bool:
        """Add: a response depends on the session, too."""
        return self.may_go_up() and super().may_respond()

    def flush_line(self) -> None:
        """Let in what has waited, in its order."""
        while self._line and self.phase is READY:
            self._line.popleft()()
        self._line_size = 0

    # Settings and the one update

    def on_settings(self, message: Mapping[str, Any]) -> None:
        """Take Settings: the first usable ones become the one update, later ones only get their answer."""
        if self.agent is not None:
            self.when_ready(self.send_applied, 0)
            return
        try:
            agent = read_settings(message)
        except SettingsError as error:
            self.send_error("invalid_settings", f"These Settings cannot be used: {error}.")
            return
        self.agent = agent
        self._settings_at = self.now
        self.update_session()

    def may_update(self) -> bool:
        """Tell whether ``session.update`` may go up: the session is there, nothing was sent, and no response is active."""
        return self.agent is not None and self.phase is CREATED and not self.is_responding

    def update_session(self) -> None:
        """Send the one ``session.update`` if it may go up."""
        if self.agent is not None and self.may_update():
            self.phase = UPDATING
            self._update_id = self.send_up({"type": "session.update", "session": self.session_for(self.agent)})

    def session_for(self, agent: Agent) -> dict[str, Any]:
        """Return the session to ask for."""
        return session_of(agent, self.turn_detection_for(agent))

    def turn_detection_for(self, agent: Agent) -> dict[str, Any] | None:
        """Return who finds the end of turns: None for this proxy; with an idle timeout the server, which needs to hear."""
        if agent.idle_timeout_ms is None:
            return None
        return {"type": "server_vad", "idle_timeout_ms": agent.idle_timeout_ms, "create_response": False}

    def on_session_created(self, _event: Mapping[str, Any]) -> None:
        """Note that the session is there."""
        if self.phase is OPEN:
            self.phase = CREATED
            self.update_session()

    def on_session_updated(self, _event: Mapping[str, Any]) -> None:
        """Open the gate; an update that this proxy has not asked for changes nothing."""
        if self.phase is CREATED and self.agent is None and self._doubtful is not None:
            self.agent, self.phase = self._doubtful, UPDATING  # so that error was not about the update
        if self.phase is UPDATING and self.agent is not None:
            self.phase = READY
            self.owns_commits = self.turn_detection_for(self.agent) is None
            self.use_microphone(self.agent.microphone)
            self.speaker_format = self.agent.speaker
            self.send_applied()
            self.greet(self.agent)
            self.flush_line()
            self.respond()

    def send_applied(self) -> None:
        """Send ``SettingsApplied``."""
        self.send_down({"type": "SettingsApplied"})

    def greet(self, agent: Agent) -> None:
        """Show the greeting to the client alone, once, and not when a conversation goes on."""
        if agent.greeting and not agent.context and not self._greeted:
            self._greeted = True
            self.send_down({"type": "ConversationText", "role": "assistant", "content": agent.greeting})
            self.send_done()

    def on_update_refused(self, *, is_certain: bool) -> None:
        """Wait for other Settings, or for a ``session.updated`` after all; what stands in line goes on waiting."""
        self._doubtful = None if is_certain else self.agent
        self.phase = CREATED
        self.agent = None

    def give_up_on_session(self) -> None:
        """Refuse a client whose session does not become ready."""
        missing = {CONNECTING: "a connection", OPEN: "session.created"}.get(self.phase, "session.updated")
        self.send_error("upstream_timeout", f"The upstream did not answer: there was no {missing} in time.")
        self.close_client(1011, "the upstream did not answer")
        self.act(CloseUpstream(1000, ""))

    def refuses_update(self, event_id: str | None, error: Mapping[str, Any]) -> bool:
        """Tell whether an error is the answer to our update: by its event, else because it refuses the only one sent."""
        if self.phase is not UPDATING:
            return False
        return event_id == self._update_id if event_id else error.get("type") == "invalid_request_error"

    def close_client(self, code: int, reason: str) -> None:
        """Close the client's connection."""
        self.phase = CLOSED
        self.act(CloseClient(code, reason.encode()[:_LONGEST_REASON].decode(errors="ignore")))
