"""The session: a Realtime server without I/O or clock. Frames and the time go in, actions and a deadline come out.

Theory of operation. A client frame is read, offered to the script's rules, and put in line; a few milliseconds later (the
API's own recorded latency) its handler (`handlers.HANDLERS`) acts on the state and says what the API says. What takes time
(a response, a transcription) is planned on the agenda and comes out when it is due, while further frames are read: full
duplex. Every event passes the outbox, where a script may hold, alter or withhold it; the state changes with the event that
says so, when that is really sent. Nothing here reads a clock or draws from an unseeded source: the same frames at the same
times with the same seed give the same bytes.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from conformance.wire.depth import read_json
from conformance.wire.durations import MILLISECOND, SECOND, Micros
from conformance.wire.script import Fault, ScriptRule
from mock_upstream import faults, replies
from mock_upstream.actions import Action, Setup
from mock_upstream.errors import (
    BETA_DISABLED,
    BINARY_FRAME,
    INVALID_INTENT,
    INVALID_JSON,
    MISSING_KEY,
    MISSING_MODEL,
    MODEL_FOR_TRANSCRIPTION,
    NOT_AN_OBJECT,
    ApiError,
    Refused,
    invalid_api_key,
    session_expired,
    transcription_model,
    unsupported_model,
)
from mock_upstream.handlers import HANDLERS, read_event
from mock_upstream.outbox import Outgoing
from mock_upstream.profiles import is_realtime_model, is_transcription_model
from mock_upstream.scripting import param, scope_of
from mock_upstream.state import State
from mock_upstream.validation import check_event

GREETING: Micros = 3 * MILLISECOND
"""``session.created`` comes 3 to 6 ms after the upgrade (C)."""
_MINUTE = 60 * SECOND


class Session:
    """One connection's session; each method returns what the shell is to do now, in order."""

    def __init__(self, setup: Setup) -> None:
        """Prepare a session.

        Raises:
            ValueError: the script names a profile, a setting or a fault that does not exist.
        """
        self._setup = setup
        self._state = State(setup)
        self._state.outbox.play = self._play
        self._state.outbox.arm = self._begin_fault

    def open(self, now: Micros) -> list[Action]:
        """The connection is open: greet, or refuse and close."""
        state = self._state
        state.begin(now)
        state.agenda.plan(state.latency(GREETING), self._greet)
        for rule in state.rules.timed:
            state.agenda.plan(rule.at or 0, partial(self._strike, rule))
        for rule in state.rules.standing:
            self._strike(rule)
        if self._setup.fault is not None:
            self._begin_standing_fault(self._setup.fault)
        return self._finish(now)

    def receive(self, frame: str | bytes, now: Micros) -> list[Action]:
        """The client sent a frame."""
        state = self._state
        state.agenda.run(now)
        if not state.outbox.closed:
            self._read(frame)
        return self._finish(now)

    def wake(self, now: Micros) -> list[Action]:
        """It is the deadline, or later."""
        return self._finish(now)

    def deadline(self) -> Micros | None:
        """When to wake the session next; None when it has nothing to do by itself."""
        return self._state.agenda.deadline

    def closed(self, now: Micros) -> None:
        """The client is gone."""
        self._state.agenda.run(min(now, self._state.now))
        self._state.outbox.let_go()
        self._state.agenda.clear()

    def _finish(self, now: Micros) -> list[Action]:
        state = self._state
        state.agenda.run(now)
        actions, state.outbox.actions = state.outbox.actions, []
        return actions

    def _greet(self) -> None:
        state = self._state
        refusal = self._refusal() or self._preset_refusal()
        if refusal is not None:
            state.refuse(refusal)
            return
        state.created = True
        state.say(state.event("session.created", session=state.config))
        state.agenda.plan(state.knobs.expiry, self._expire)

    def _refusal(self) -> ApiError | None:
        """Return why this connection is refused, None if it is not (ground truth §3.1)."""
        setup, state = self._setup, self._state
        if not setup.valid_key:
            return MISSING_KEY if setup.key is None else invalid_api_key(setup.key)
        if "realtime=v1" in setup.headers.get("openai-beta", "") and not state.beta:
            return BETA_DISABLED
        if setup.intent not in (None, "transcription"):
            return INVALID_INTENT
        if setup.intent == "transcription":
            if setup.model is None:
                return None
            known = is_transcription_model(setup.model) or is_realtime_model(setup.model)
            return MODEL_FOR_TRANSCRIPTION if known else unsupported_model(setup.model, transcription=True)
        if setup.model is None:
            return None if state.profile.transcription else MISSING_MODEL
        if is_transcription_model(setup.model):
            return transcription_model(setup.model)
        return None if is_realtime_model(setup.model) else unsupported_model(setup.model)

    def _preset_refusal(self) -> ApiError | None:
        """Put the session of an ephemeral key in force; return what is wrong with it, None if nothing is."""
        preset = self._setup.preset
        if preset is None:
            return None
        try:
            check_event({"type": "session.update", "session": preset})
            self._state.configure(preset)
        except Refused as refused:
            return replace(refused.error, close=4000)  # there is no session to go on with (G)
        return None

    def _expire(self) -> None:
        self._state.refuse(session_expired(self._state.knobs.expiry // _MINUTE))

    def _read(self, frame: str | bytes) -> None:
        """Read a frame, let the script's rules see it, and put it in line."""
        state = self._state
        if isinstance(frame, bytes):
            state.process(lambda: state.refuse(BINARY_FRAME))
            return
        try:
            event = read_json(frame)
        except ValueError:
            state.process(lambda: state.refuse(INVALID_JSON))
            return
        if not isinstance(event, dict):
            state.process(lambda: state.refuse(NOT_AN_OBJECT))
            return
        for watcher in state.watchers:
            watcher.on_client(event)
        rule = state.rules.match(event)
        if rule is not None:
            self._obey(rule, event)
        elif event.get("type") == "input_audio_buffer.append" and state.idle and state.created:
            self._carry_out(event)
        else:
            state.process(lambda: self._carry_out(event))

    def _carry_out(self, event: Mapping[str, Any]) -> None:
        state = self._state
        event_id = event.get("event_id")
        try:
            read = read_event(state, event)
            HANDLERS[read["type"]](state, read)
        except Refused as refused:
            refuse = partial(state.refuse, refused.error, event_id if isinstance(event_id, str) else None)
            state.agenda.after(state.latency(refused.after), refuse)

    def _obey(self, rule: ScriptRule, event: Mapping[str, Any]) -> None:
        """Let a rule replace or delay the answer to a client event, or strike."""
        state = self._state
        scripted = rule.id or None
        if rule.delay:
            state.outbox.mark({"mark": "delayed", "type": event.get("type"), "by": rule.delay}, scripted)
        if event.get("type") == "input_audio_buffer.append" and (rule.reply is not None or rule.fault is not None):
            state.process(lambda: self._carry_out(event), 0)  # audio has no answer to replace, and it did arrive
        elif rule.reply is None and (rule.fault is None or scope_of(rule.fault) == "session"):
            self._plan(rule, partial(self._scripted, scripted, partial(self._carry_out, event)))
        if rule.reply is not None:
            self._plan(rule, partial(replies.play, state, rule, event))
        if rule.fault is not None and scope_of(rule.fault) == "event":
            self._plan(rule, partial(self._spoil_answer, rule.fault, scripted, event))
        elif rule.fault is not None:
            self._plan(rule, partial(self._begin_fault, rule.fault, scripted))

    def _plan(self, rule: ScriptRule, work: partial[None]) -> None:
        """Do a rule's work after its delay; others may overtake. Without a delay it waits in line like any answer."""
        if rule.delay:
            self._state.agenda.plan(rule.delay, work)
        else:
            self._state.process(work, 0)

    def _scripted(self, scripted: str | None, work: partial[None]) -> None:
        """Do some work; what it says at once counts as the rule's."""
        before, self._state.outbox.scripted = self._state.outbox.scripted, scripted
        work()
        self._state.outbox.scripted = before

    def _spoil_answer(self, fault: Fault, scripted: str | None, event: Mapping[str, Any]) -> None:
        """Carry out an event's fault on a client event: on the answer to it, that is."""
        state = self._state
        match fault.name:
            case "drop":
                state.outbox.mark({"mark": "fault", "name": "drop"}, scripted)
                state.outbox.withhold(Outgoing(event, scripted=scripted))
            case "delay":
                by = faults.as_micros(param(fault, "by"))
                state.outbox.mark({"mark": "delayed", "type": event.get("type"), "by": by}, scripted)
                state.agenda.plan(by, partial(self._scripted, scripted, partial(self._carry_out, event)))
            case "stall":
                state.outbox.mark({"mark": "fault", "name": "stall"}, scripted)
                state.outbox.stall(scripted)
                self._carry_out(event)
            case _:
                before, state.outbox.spoiling = state.outbox.spoiling, fault
                self._scripted(scripted, partial(self._carry_out, event))
                state.outbox.spoiling = before

    def _strike(self, rule: ScriptRule) -> None:
        """A timed or standing rule's moment has come."""
        if not self._state.rules.happens(rule.probability):
            return
        agenda = self._state.agenda
        if rule.reply is not None:
            agenda.after(rule.delay, partial(replies.play, self._state, rule))
        if rule.fault is not None:
            agenda.after(rule.delay, partial(self._begin_fault, rule.fault, rule.id or None))

    def _play(self, rule: ScriptRule, replaced: Outgoing) -> None:
        replies.play(self._state, rule, replaced=replaced)

    def _begin_fault(self, fault: Fault, scripted: str | None) -> None:
        match scope_of(fault):
            case "session":
                faults.arm(self._state, fault, scripted)
            case "connection":
                self._state.outbox.act(fault, scripted)
            case "event":
                self._state.rules.add(_standing(fault, scripted))
            case _:
                pass  # the handshake's faults were the server's

    def _begin_standing_fault(self, fault: Fault) -> None:
        """Begin the fault named on the command line: never a script's, so what it does is not marked as scripted."""
        if scope_of(fault) == "connection":
            self._state.agenda.plan(self._state.latency(GREETING), partial(self._begin_fault, fault, None))
        else:
            self._begin_fault(fault, None)


def _standing(fault: Fault, scripted: str | None) -> ScriptRule:
    """Return the rule by which an event's fault acts without one: on the events of its parameter ``on``."""
    return ScriptRule(
        id=scripted or "",
        when=str(param(fault, "on")),
        times=int(param(fault, "times")),
        fault=fault,
        probability=int(param(fault, "percent")) / 100,
    )
