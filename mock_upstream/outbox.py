"""The outbox: every event passes here on its way out, where a script may hold, alter, replace or withhold it.

What an event changes in the session (a response is over, a configuration is in force) happens in ``sent``: when it is
really sent, however late that is, and never if it is withheld.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import orjson

from conformance.wire.durations import SECOND, Micros
from conformance.wire.script import Fault, ScriptRule
from mock_upstream.actions import Abort, Action, Close, HalfOpen, Mark, NoPong, Send
from mock_upstream.agenda import Agenda
from mock_upstream.faults import as_micros, spoil
from mock_upstream.scripting import Rules, param, scope_of

Translate = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]
"""Gives an event its form in the session's dialect; None where that has no such event."""

_REORDER_AT_LATEST: Final[Micros] = SECOND
"""A reordered event goes out then at the latest, when no other comes to overtake it."""


class Outgoing(NamedTuple):
    """An event on its way out. ``exempt``: a script wrote it, in its final form; no rule looks at it again."""

    event: Mapping[str, Any]
    sent: Callable[[], None] | None = None
    scripted: str | None = None
    exempt: bool = False


class Outbox:
    """Turns events into actions. The session sets the hooks: ``play`` a rule's reply, ``arm`` a fault, ``on_sent``."""

    def __init__(self, agenda: Agenda, rules: Rules) -> None:
        self.actions: list[Action] = []
        self.closed = False
        self.scripted: str | None = None
        """The rule in whose name everything is said at the moment."""
        self.spoiling: Fault | None = None
        """The fault of everything that is said at the moment."""
        self.translate: Translate | None = None
        """Gives events their form in the session's dialect; None where they have it."""
        self.play: Callable[[ScriptRule, Outgoing], None] = _play_nothing
        self.arm: Callable[[Fault, str | None], None] = _arm_nothing
        self.on_sent: list[Callable[[Mapping[str, Any]], None]] = []
        self._agenda = agenda
        self._rules = rules
        self._stalled = False
        self._stalled_by: str | None = None
        self._overtaken: Outgoing | None = None

    @property
    def is_plain(self) -> bool:
        """Whether nobody has a say in events or wants to know of them: they may go straight into ``actions``."""
        return not (self.on_sent or self._rules.any or self.translate or self._stalled or self.closed)

    def say(self, event: Mapping[str, Any], sent: Callable[[], None] | None = None) -> None:
        """Let an event go out now, unless somebody has a say in it."""
        if not self.is_plain:
            self.emit(Outgoing(event, sent))
            return
        self.actions.append(Send(orjson.dumps(event), event))
        if sent is not None:
            sent()

    def emit(self, outgoing: Outgoing) -> None:
        """Let an event go out now, unless a rule has a say in it."""
        if outgoing.exempt:
            self.send(outgoing)
            return
        event = outgoing.event if self.translate is None else self.translate(outgoing.event)
        if event is None:
            if outgoing.sent is not None:
                outgoing.sent()
            return
        if event is not outgoing.event or self.scripted is not None:
            outgoing = outgoing._replace(event=event, scripted=self.scripted)
        rule = self._rules.match(event, from_server=True)
        if rule is not None:
            self._obey(rule, outgoing._replace(scripted=rule.id or None))
        elif self.spoiling is not None:
            self.spoil(self.spoiling, outgoing)
        else:
            self.send(outgoing)

    def send(self, outgoing: Outgoing) -> None:
        """Send an event as it is."""
        if self.closed:
            return
        if self._stalled:
            self.withhold(outgoing._replace(scripted=outgoing.scripted or self._stalled_by))
            return
        self._write(Send(orjson.dumps(outgoing.event), outgoing.event, outgoing.scripted), outgoing)

    def withhold(self, outgoing: Outgoing) -> None:
        """Keep an event back for good."""
        self.mark({"mark": "withheld", "event": outgoing.event}, outgoing.scripted)

    def mark(self, body: Mapping[str, Any], scripted: str | None) -> None:
        """Write a line for the recording."""
        self.actions.append(Mark(body, scripted))

    def close(self, code: int, reason: str = "", scripted: str | None = None) -> None:
        """Close the connection; nothing goes out after it."""
        self._end(Close(code, reason, scripted))

    def let_go(self) -> None:
        """The client is gone: nothing goes out any more, and nothing here holds on to the session."""
        self.closed = True
        self.on_sent.clear()
        self.translate = None
        self.play = _play_nothing
        self.arm = _arm_nothing

    def stall(self, scripted: str | None) -> None:
        """Withhold everything from now on; the connection stays open."""
        self._stalled = True
        self._stalled_by = scripted

    def act(self, fault: Fault, scripted: str | None) -> None:
        """Carry out a fault of the connection, ``after`` its time if it has one."""
        self._agenda.after(as_micros(param(fault, "after")), lambda: self._act_now(fault, scripted))

    def _act_now(self, fault: Fault, scripted: str | None) -> None:
        if self.closed:
            return
        self.mark({"mark": "fault", "name": fault.name}, scripted)
        match fault.name:
            case "close":
                self.close(int(param(fault, "code")), str(param(fault, "reason")), scripted)
            case "abort":
                self._end(Abort(scripted))
            case "half-open":
                self._end(HalfOpen(scripted))
            case _:
                self.actions.append(NoPong(scripted))

    def _end(self, action: Action) -> None:
        if not self.closed:
            self.actions.append(action)
            self.closed = True
            self._agenda.clear()

    def _obey(self, rule: ScriptRule, outgoing: Outgoing) -> None:
        if rule.reply is not None:
            self.withhold(outgoing)
            self._agenda.after(rule.delay, lambda: self.play(rule, outgoing))
        elif rule.fault is not None and scope_of(rule.fault) == "event":
            fault = rule.fault
            self._later(rule.delay, outgoing, lambda: self.spoil(fault, outgoing))
            return
        elif rule.fault is not None:
            self.send(outgoing)
        else:
            self._later(rule.delay, outgoing, lambda: self.send(outgoing))
        if rule.fault is not None:
            fault = rule.fault
            self._agenda.after(rule.delay, lambda: self.arm(fault, rule.id or None))

    def _later(self, delay: Micros, outgoing: Outgoing, work: Callable[[], None]) -> None:
        if delay:
            self.mark({"mark": "delayed", "type": outgoing.event.get("type"), "by": delay}, outgoing.scripted)
        self._agenda.after(delay, work)

    def spoil(self, fault: Fault, outgoing: Outgoing) -> None:
        """Carry out a fault of one event."""
        if self.closed:
            return
        self.mark({"mark": "fault", "name": fault.name}, outgoing.scripted)
        match fault.name:
            case "delay":
                self._later(as_micros(param(fault, "by")), outgoing, lambda: self.send(outgoing))
            case "drop":
                self.withhold(outgoing)
            case "stall":
                self.withhold(outgoing)
                self.stall(outgoing.scripted)
            case "duplicate":
                self.send(outgoing)
                self.send(outgoing._replace(sent=None))
            case "reorder":
                self._flush_overtaken()
                self._overtaken = outgoing
                self._agenda.plan(_REORDER_AT_LATEST, self._flush_overtaken)
            case _:
                self._write(spoil(fault, outgoing.event, outgoing.scripted), outgoing)

    def _flush_overtaken(self) -> None:
        overtaken, self._overtaken = self._overtaken, None
        if overtaken is not None:
            self.send(overtaken)

    def _write(self, send: Send, outgoing: Outgoing) -> None:
        self.actions.append(send)
        if outgoing.sent is not None:
            outgoing.sent()
        for listener in self.on_sent:
            listener(outgoing.event)
        if self._overtaken is not None:
            self._flush_overtaken()


def _play_nothing(_rule: ScriptRule, _replaced: Outgoing) -> None:
    """No session is there to play a reply."""


def _arm_nothing(_fault: Fault, _scripted: str | None) -> None:
    """No session is there to arm a fault."""
