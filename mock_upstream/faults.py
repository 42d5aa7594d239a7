"""Named faults: what each does to an event's bytes, and those that watch a whole session and strike in their own time.

The table with every fault and its parameters is `conformance.wire.script.FAULTS`; faults of the connection are carried out
by `mock_upstream.outbox` and those of the handshake by the server. The session faults are what the seeds' teams reported
(DESIGN §6); no public recording of the API supports the idle ones, so none is ever a default.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from conformance.wire.durations import SECOND, Micros, parse_duration
from conformance.wire.script import Fault
from mock_upstream.actions import Send
from mock_upstream.errors import server_error
from mock_upstream.scripting import param

if TYPE_CHECKING:
    from mock_upstream.state import State


def as_micros(value: Any) -> Micros:
    """Read a fault's duration: text with a unit, or a number of seconds; nothing is 0."""
    if value is None:
        return 0
    return parse_duration(value) if isinstance(value, str) else round(value * SECOND)


def spoil(fault: Fault, event: Mapping[str, Any], scripted: str | None) -> Send:
    """Return the frame in which an event goes out broken."""
    text = orjson.dumps(event)
    match fault.name:
        case "corrupt":
            return Send(text[:1] + b"," + text[1:], None, scripted)
        case "truncate":
            return Send(text[: len(text) // 2].decode("utf-8", "ignore").encode(), None, scripted)
        case "binary":
            return Send(text, event, scripted, binary=True)
        case _:
            big = {**event, "padding": "x" * int(param(fault, "size"))}
            return Send(orjson.dumps(big), big, scripted)


class SessionFault:
    """A fault that watches the session: each hook is called for what its name says."""

    def __init__(self, state: "State", fault: Fault, scripted: str | None) -> None:
        self.state = state
        self.fault = fault
        self.scripted = scripted

    @property
    def after(self) -> Micros:
        """The fault's own waiting time."""
        return as_micros(param(self.fault, "after"))

    def on_client(self, event: Mapping[str, Any]) -> None:
        """A client event arrived."""

    def on_sent(self, event: Mapping[str, Any]) -> None:
        """A server event went out."""

    def strike(self, *, then_close: bool = False) -> None:
        """Send the server error, and close 1000 after it if asked."""
        state = self.state
        state.outbox.mark({"mark": "fault", "name": self.fault.name}, self.scripted)
        state.tell_scripted(state.error_event(server_error(state.config["id"])), self.scripted)
        if then_close:
            state.outbox.close(1000, "", self.scripted)


class IdleError(SessionFault):
    """``idle-error`` and ``-close``: once, unless somebody committed, asked for a response or set an idle timeout."""

    active = False
    armed = False

    def on_client(self, event: Mapping[str, Any]) -> None:
        """Watch for what the client sends."""
        if event.get("type") in ("input_audio_buffer.commit", "response.create"):
            self.active = True

    def on_sent(self, event: Mapping[str, Any]) -> None:
        """Watch for what goes out."""
        if event.get("type") == "session.created" and not self.armed:
            self.armed = True
            self.state.agenda.plan(self.after, self.look)

    def look(self) -> None:
        """Strike, if the session is what the seeds saw break."""
        if not self.active and self.state.idle_timeout_ms is None:
            self.strike(then_close=self.fault.name == "idle-error-close")


class RollingIdleError(SessionFault):
    """``idle-error-rolling``: whenever nothing was said for that long, by either side."""

    turn = 0

    def on_client(self, event: Mapping[str, Any]) -> None:
        """Watch for what the client sends."""
        self.on_sent(event)

    def on_sent(self, event: Mapping[str, Any]) -> None:
        """Watch for what goes out."""
        self.turn += 1
        turn = self.turn
        if event.get("type") != "error":
            self.state.agenda.plan(self.after, lambda: self.look(turn))

    def look(self, turn: int) -> None:
        """Strike, unless something happened since."""
        if turn == self.turn and self.state.idle_timeout_ms is None:
            self.strike()


class ErrorAfter(SessionFault):
    """``error-after-created``, ``-append``, ``-turn``: a server error some time after the named event."""

    struck = False

    def on_client(self, event: Mapping[str, Any]) -> None:
        """Watch for what the client sends."""
        if self.fault.name == "error-after-append" and event.get("type") == "input_audio_buffer.append":
            self._once(then_close=True)

    def on_sent(self, event: Mapping[str, Any]) -> None:
        """Watch for what goes out."""
        if self.fault.name == "error-after-created" and event.get("type") == "session.created":
            self._once()
        elif self.fault.name == "error-after-turn" and event.get("type") == "response.done":
            self.state.agenda.plan(self.after, self.strike)

    def _once(self, *, then_close: bool = False) -> None:
        if not self.struck:
            self.struck = True
            self.state.agenda.plan(self.after, lambda: self.strike(then_close=then_close))


class CloseAfterFirstText(SessionFault):
    """``close-after-first-text``: the first text item is confirmed, no response comes, then close 1000."""

    struck = False

    def on_client(self, event: Mapping[str, Any]) -> None:
        """Watch for what the client sends."""
        match event:
            case {"type": "conversation.item.create", "item": {"type": "message", "role": "user"}} if not self.struck:
                self.struck = True
                self.state.silent = True
                self.state.agenda.plan(self.after, self._close)
            case _:
                pass

    def _close(self) -> None:
        self.state.outbox.mark({"mark": "fault", "name": self.fault.name}, self.scripted)
        self.state.outbox.close(1000, "", self.scripted)


_WATCHING = {
    "idle-error": IdleError,
    "idle-error-close": IdleError,
    "idle-error-rolling": RollingIdleError,
    "error-after-created": ErrorAfter,
    "error-after-append": ErrorAfter,
    "error-after-turn": ErrorAfter,
    "close-after-first-text": CloseAfterFirstText,
}


def arm(state: "State", fault: Fault, scripted: str | None) -> None:
    """Begin a session fault: at the opening, or when a rule says so."""
    if fault.name in _WATCHING:
        watcher = _WATCHING[fault.name](state, fault, scripted)
        state.watchers.append(watcher)
        state.outbox.on_sent.append(watcher.on_sent)
        if state.created:
            watcher.on_sent({"type": "session.created"})
        return
    state.outbox.mark({"mark": "fault", "name": fault.name}, scripted)
    match fault.name:
        case "silent-model":
            state.silent = True
        case "string-deltas":
            state.set_knobs(deltas="string")
        case "object-deltas":
            state.set_knobs(deltas="object")
        case _:
            state.set_knobs(reject_session_audio=True)
