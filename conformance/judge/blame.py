"""Blame: who broke a failing check, reasoned from what both legs show.

An error is blamed on its origin: a ``server_error`` on the upstream, an ``invalid_request_error`` on whoever sent the event
it answers (by ``event_id``, else by what the error is about, else by order). What the subject did is the subject's, unless
the upstream set it off itself. What never came is the fault of the one who owed it: of the upstream if a fault or mutant
withheld its part or it left a request unanswered, else of the subject. What the scenario's own script does belongs to the
scenario: a subject has to cope with it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from conformance.judge.owing import ANSWERS, listens, owes, owes_audio
from conformance.judge.words import error_parts
from conformance.rules.exchange import Exchange
from conformance.rules.reading import response_id
from conformance.scenario.model import Check
from conformance.verdicts import Blame
from conformance.wire.durations import SECOND, Micros
from conformance.wire.error_codes import ACCOUNT, EXPIRY, is_among
from conformance.wire.events import CLIENT_EVENTS
from conformance.wire.frames import Direction, Frame, Kind, Leg
from conformance.wire.index import Index
from conformance.wire.patterns import Pattern, matches, pattern_type
from conformance.wire.script import FAULTS

_FORWARDING: Final[Micros] = 2 * SECOND
"""An error at the client without the upstream's words belongs to an upstream end at most this long before."""

_PUNCTUAL: Final[Micros] = SECOND // 10
"""A delayed event goes out this close to the time its mark says, on a busy machine, too."""

_SOURCES: Final = {
    "SettingsApplied": ("session.updated",),
    "ConversationText": (
        "response.output_text.done",
        "response.output_audio_transcript.done",
        "response.text.done",
        "response.audio_transcript.done",
    ),
    "AgentStartedSpeaking": ("response.output_audio.delta", "response.output_text.delta", "response.audio.delta"),
    "AgentAudioDone": ("response.done",),
    "FunctionCallRequest": ("response.function_call_arguments.done",),
    "UserStartedSpeaking": ("input_audio_buffer.speech_started",),
    "UtteranceEnd": ("input_audio_buffer.speech_stopped",),
    "Transcript": (
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
    ),
    "binary": ("response.output_audio.delta", "response.audio.delta"),
}
"""The upstream events that a proxy makes each message of: one of them seen, the message is the proxy's to send."""

_SPOKEN: Final = frozenset({"binary", "response.output_audio.delta", "response.output_audio.done"})
"""What only an answer in audio brings."""

_ABOUT: Final = (
    ("conversation_already_has_active_response", "response.create"),
    ("input_audio_buffer_commit", "input_audio_buffer.commit"),
    ("response_cancel", "response.cancel"),
    ("item_create", "conversation.item.create"),
    ("item_delete", "conversation.item.delete"),
    ("item_retrieve", "conversation.item.retrieve"),
    ("item_truncate", "conversation.item.truncate"),
    ("session.", "session.update"),
    ("item.", "conversation.item.create"),
    ("response.", "response.create"),
)
"""Beginnings of an error's code or param, and the client event such an error answers (ground truth §3.2)."""

_UNASKED: Final = ("input_audio_buffer.", "conversation.item.input_audio_transcription.", "rate_limits.")
"""Beginnings of the events that the upstream sends of itself, once audio has gone up and it listens for turns."""

_DEVIATIONS: Final = frozenset({"withheld", "fault", "delayed"})
"""Marks of the mock deviating; without a script rule's id they are those of a ``--fault``."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What blame is reasoned from. ``subject`` is False when the driver speaks to the upstream directly."""

    index: Index
    own_script: frozenset[str]
    subject: bool = True

    @property
    def _sender(self) -> Blame:
        """Who sends what goes up."""
        return Blame.PROXY if self.subject else Blame.CLIENT

    def of_seen(self, frame: Frame, check: Check | None = None) -> Blame:
        """Return who is to blame for a frame that should not have been there; ``check`` is what forbids it.

        Where a fault moved or withheld the events between which it was forbidden, nobody can say that it came too early.
        """
        if check is not None and self._has_distorted_bounds(check, frame):
            return Blame.UPSTREAM
        if frame.leg is Leg.CLIENT and frame.dir is Direction.UP:
            return Blame.CLIENT
        if frame.leg is Leg.UPSTREAM and frame.dir is Direction.UP:
            return Blame.UPSTREAM if self._was_provoked(frame) else self._sender
        if error_parts(frame.data) is not None:
            return self._of_error_at_client(frame) if frame.leg is Leg.CLIENT else self.of_upstream_error(frame)
        if frame.leg is Leg.UPSTREAM or not self.subject:
            natural = frame.scripted is None and not self._is_deviant(frame)
            # A scenario that speaks to the upstream itself asks on purpose, and says what may be answered.
            return self._sender if self.subject and natural and self._was_asked_for(frame) else Blame.UPSTREAM
        if frame.kind is Kind.CLOSE:
            return self._of_end_at_client(frame) or Blame.PROXY
        trigger = _last(self._downs(), frame)
        return Blame.UPSTREAM if trigger is not None and self._is_deviant(trigger) else Blame.PROXY

    def of_missing(self, leg: Leg, pattern: Pattern, origin: Micros, deadline: Micros) -> Blame:
        """Return who is to blame for what did not come between ``origin`` and ``deadline``."""
        type_ = pattern_type(pattern)
        if not self.subject:
            return Blame.CLIENT if type_ in CLIENT_EVENTS and not self._deviated(deadline) else Blame.UPSTREAM
        if leg is Leg.CLIENT and self._has_source(pattern, origin, deadline):
            return Blame.PROXY
        if self._deviated(deadline):
            return Blame.UPSTREAM
        failed = [frame for frame in self._failures() if frame.t <= deadline and frame.scripted not in self.own_script]
        if failed:
            return self._of_failure(failed[-1])
        if self._has_hung_up(deadline):
            return Blame.PROXY
        if owes(self.index, self.own_script, deadline):
            return Blame.UPSTREAM
        if type_ in _SPOKEN and owes_audio(self.index, self.own_script, deadline):
            return Blame.UPSTREAM
        unasked = leg is Leg.UPSTREAM and type_.startswith(_UNASKED) and listens(self.index, deadline)
        return Blame.UPSTREAM if unasked else Blame.PROXY

    def _has_hung_up(self, deadline: Micros) -> bool:
        """Tell whether the subject closed the client of itself: what is missing then nobody else owes."""
        ends = (f for f in self.index.others(Leg.CLIENT, Kind.CLOSE) if f.dir is Direction.DOWN and f.t <= deadline)
        return any(
            self._of_end_at_client(end) is None
            and not self._answers_client_mistake(end)
            and not owes(self.index, self.own_script, end.t)
            for end in ends
        )

    def of_no_connection(self) -> Blame:
        """Return who is to blame for a client that could not connect."""
        return Blame.UPSTREAM if not self.subject or self._refusals() else Blame.PROXY

    def is_refusal_asked_for(self) -> bool:
        """Tell whether the scenario's own script refused the handshake upstream, which a proxy may pass on."""
        header = self.index.recording.header
        return bool(self._refusals()) and header.fault is None and header.mutant is None

    def _refusals(self) -> list[Frame]:
        return [frame for frame in self.index.others(Leg.UPSTREAM, Kind.OPEN) if frame.is_refusal]

    def of_upstream_error(self, error: Frame) -> Blame:
        """Return who is to blame for an ``error`` event, or for a failed response."""
        name, _ = error_parts(error.data) or (None, None)
        if error.scripted is not None or self._is_deviant(error):
            return Blame.UPSTREAM
        if is_among(name, ACCOUNT):
            return Blame.HARNESS
        details = error.data.get("error")
        if not isinstance(details, dict):
            return Blame.UPSTREAM
        if details.get("type") != "invalid_request_error" or is_among(name, EXPIRY):
            return Blame.UPSTREAM
        if any(
            str(mark.data.get("name")).startswith("reject-") and mark.seq < error.seq for mark in self.index.marks("fault")
        ):
            return Blame.UPSTREAM
        if not self._ups(error):
            return self._sender  # nothing but its handshake can have offended: no model, an unknown one, a beta header
        offender = self._offender(error, details)
        if offender is None:
            return Blame.UPSTREAM
        if not self.subject or self._is_forwarded(offender) or self._answers_no_call(offender):
            return Blame.UPSTREAM if self._deviated(error.t) else Blame.CLIENT
        return Blame.PROXY

    def _ups(self, error: Frame) -> list[Frame]:
        """Return what had gone up on the error's connection."""
        return [
            frame
            for frame in self.index.frames
            if frame.seq < error.seq
            and (frame.leg, frame.conn, frame.dir) == (error.leg, error.conn, Direction.UP)
            and frame.is_event
        ]

    def _offender(self, error: Frame, details: dict[str, Any]) -> Frame | None:
        ups = self._ups(error)
        named = details.get("event_id")
        if named is not None:
            for frame in ups:
                if frame.data.get("event_id") == named:
                    return frame
        about = f"{details.get('code')} {details.get('param')}".split()
        for prefix, type_ in _ABOUT:
            if any(word.startswith(prefix) for word in about):
                return next((frame for frame in reversed(ups) if frame.type == type_), None)
        return ups[-1]

    def _was_provoked(self, frame: Frame) -> bool:
        """Tell whether what was sent up follows a frame in which a fault or mutant had a hand, or an error of a fault's."""
        trigger = _last((f for f in self._downs() if f.kind is Kind.TEXT and f.conn == frame.conn), frame)
        if trigger is None or trigger.scripted in self.own_script:
            return False
        if error_parts(trigger.data) is None:
            return self._is_deviant(trigger)
        return self.index.recording.header.fault is not None and self.of_upstream_error(trigger) is Blame.UPSTREAM

    def _was_asked_for(self, answer: Frame) -> bool:
        """Tell whether the upstream only answered: as many requests went up as such answers came down."""
        for asked, answers in ANSWERS.items():
            if answer.type in answers and asked in CLIENT_EVENTS:
                requests = [f for f in self.index.texts(answer.leg, asked) if f.seq < answer.seq]
                given = [f for f in self.index.texts(answer.leg, answer.type) if f.seq <= answer.seq]
                return len(requests) >= len(given)
        return False

    def _is_forwarded(self, offender: Frame) -> bool:
        """Tell whether a gateway passed on what its client had sent."""
        sent = self.index.texts(Leg.CLIENT, offender.type)
        return any(frame.data == offender.data and frame.seq < offender.seq for frame in sent)

    def _answers_no_call(self, offender: Frame) -> bool:
        """Tell whether a proxy carried up what its client says a function gave, of a call that the upstream never made."""
        match offender.data:
            case {"item": {"type": "function_call_output", "call_id": str(call)}}:
                answers = self.index.texts(Leg.CLIENT, "FunctionCallResponse")
                calls = self.index.texts(Leg.CLIENT, "FunctionCallRequest")
                return any(f.data.get("id") == call for f in answers) and not any(call in str(f.data) for f in calls)
            case _:
                return False

    def _of_error_at_client(self, frame: Frame) -> Blame:
        if not self.subject:
            return self.of_upstream_error(frame)
        said = _said(frame)
        before = [failure for failure in self._failures() if failure.seq < frame.seq]
        for failure in reversed(before):
            text = _text(failure)
            if text and text in said:
                told = sum(text in _said(error) for error in self._errors_at_client() if error.seq <= frame.seq)
                # Whoever tells one failure twice made up the second.
                return self._of_failure(failure) if told <= sum(_text(f) == text for f in before) else Blame.PROXY
        recent = [failure for failure in before if frame.t - failure.t <= _FORWARDING]
        if recent:
            return self._of_failure(recent[-1])
        if self._answers_client_mistake(frame):
            return Blame.CLIENT
        # A proxy that reports the upstream's silence is not to blame for it.
        return Blame.UPSTREAM if self._deviated(frame.t) or owes(self.index, self.own_script, frame.t) else Blame.PROXY

    def _errors_at_client(self) -> Iterator[Frame]:
        for frame in self.index.frames:
            if frame.leg is Leg.CLIENT and frame.dir is Direction.DOWN and frame.type == "Error":
                yield frame

    def _of_end_at_client(self, frame: Frame) -> Blame | None:
        before = [failure for failure in self._failures() if failure.seq < frame.seq]
        return self._of_failure(before[-1]) if before else None

    def _answers_client_mistake(self, frame: Frame) -> bool:
        known = {"Settings", "InjectUserMessage", "FunctionCallResponse", "KeepAlive"}
        sent = (f for f in self.index.frames if f.leg is Leg.CLIENT and f.dir is Direction.UP and f.is_event)
        last = _last(sent, frame)
        return last is not None and last.kind is Kind.TEXT and last.type not in known and frame.t - last.t <= _FORWARDING

    def _of_failure(self, failure: Frame) -> Blame:
        if failure.kind is Kind.TEXT:
            return self.of_upstream_error(failure)
        # A fatal refusal is an error and its close: whoever brought on the one brought on the other.
        before = _last((f for f in self._downs() if f.conn == failure.conn), failure)
        natural = failure.scripted is None and not self._is_deviant(failure)
        if natural and before is not None and before.kind is Kind.TEXT and before.type == "error":
            return self.of_upstream_error(before)
        return Blame.UPSTREAM

    def _failures(self) -> Iterator[Frame]:
        """Yield how the upstream failed: errors, failed responses, its closes and refused handshakes."""
        for frame in self.index.frames:
            if frame.leg is not Leg.UPSTREAM:
                continue
            closed = frame.kind is Kind.CLOSE and frame.dir is Direction.DOWN
            if closed or frame.is_refusal or (frame.kind is Kind.TEXT and error_parts(frame.data) is not None):
                yield frame

    def _is_over(self, frame: Frame) -> bool:
        """Tell whether an event comes after the end of its response, when a proxy has told the client all of it."""
        ends = (f for f in self.index.texts(Leg.UPSTREAM, "response.done") if f.seq < frame.seq)
        return bool(response_id(frame)) and any(response_id(end) == response_id(frame) for end in ends)

    def _grants(self, updated: Frame) -> bool:
        """Tell whether a `session.updated` answers an update that had gone up and was not refused."""
        events = [f for f in self.index.frames if f.is_event and (f.leg, f.conn) == (Leg.UPSTREAM, updated.conn)]
        return any(update.answer is updated for update in Exchange(events).updates)

    def _was_seen_as_close(self, failure: Frame) -> bool:
        """Tell whether an upstream's end reached the client as one: then it needs no ``Error`` beside it."""
        ends = (f for f in self.index.others(Leg.CLIENT, Kind.CLOSE) if f.dir is Direction.DOWN)
        return failure.kind is Kind.CLOSE and any(end.seq > failure.seq for end in ends)

    def _downs(self) -> Iterable[Frame]:
        return (f for f in self.index.frames if f.leg is Leg.UPSTREAM and f.dir is Direction.DOWN)

    def _is_deviant(self, frame: Frame) -> bool:
        """Tell whether a fault or a mutant had a hand in it, which the scenario itself did not ask for."""
        if frame.scripted is not None:
            return frame.scripted not in self.own_script
        if frame.kind is Kind.MARK:
            return frame.type in _DEVIATIONS
        # A fault of the command line is no script's, so its frames bear no id; its mark stands right before them.
        marks = (mark for name in _DEVIATIONS for mark in self.index.marks(name) if mark.scripted is None)
        return any(mark.seq < frame.seq and mark.conn == frame.conn and _concerns(mark, frame) for mark in marks)

    def _has_distorted_bounds(self, check: Check, frame: Frame) -> bool:
        if check.after is None or check.before is None:
            return False
        bounds = [pattern_type(each.pattern) for each in (check.after, check.before) if each.pattern is not None]
        return any(
            mark.seq < frame.seq and self._is_deviant(mark) and any(fnmatchcase(_about(mark), type_) for type_ in bounds)
            for name in ("withheld", "delayed")
            for mark in self.index.marks(name)
        )

    def _deviated(self, deadline: Micros) -> bool:
        fault = FAULTS.get(self.index.recording.header.fault or "")
        if fault is not None and fault.scope == "handshake":
            return True  # it acts before the connection is there to bear a mark
        return any(
            self._is_deviant(frame) for frame in self.index.frames if frame.leg is Leg.UPSTREAM and frame.t <= deadline
        )

    def _has_source(self, pattern: Pattern, origin: Micros, deadline: Micros) -> bool:
        """Tell whether the upstream gave more of what a message at the client is made of than the client was told."""
        type_ = pattern_type(pattern)
        begin = origin - SECOND
        if type_ == "Error":
            failures = (failure for failure in self._failures() if begin <= failure.t <= deadline)
            return any(_could_read(failure, pattern) for failure in failures if not self._was_seen_as_close(failure))
        given = [f for f in self.index.texts(Leg.UPSTREAM, *_SOURCES.get(type_, ())) if begin <= f.t <= deadline]
        if type_ == "SettingsApplied":
            given = [frame for frame in given if self._grants(frame)]
        given = [frame for frame in given if not self._is_over(frame)]
        role = {"role": pattern["role"]} if isinstance(pattern, Mapping) and "role" in pattern else {}
        told = [f for f in self.index.matching(Leg.CLIENT, {"type": type_, **role}) if begin <= f.t <= deadline]
        if type_ == "binary":
            return bool(given) and not told
        return max(Counter(frame.type for frame in given).values(), default=0) > len(told)


def _about(mark: Frame) -> str:
    """Return the type of the event that a mark says was withheld or delayed; empty for others."""
    event = mark.data.get("event")
    return str(event.get("type", "") if isinstance(event, Mapping) else mark.data.get("type", ""))


def _concerns(mark: Frame, frame: Frame) -> bool:
    """Tell whether a mark is about a frame: it stands right before it, or tells that it will be late."""
    if mark.t == frame.t:
        return True
    by = mark.data.get("by")
    return mark.data.get("type") == frame.type and isinstance(by, int) and abs(mark.t + by - frame.t) <= _PUNCTUAL


def _could_read(failure: Frame, pattern: Pattern) -> bool:
    """Tell whether a failure of the upstream, passed on as it is, would be the Error that a pattern means."""
    wanted = (
        {} if isinstance(pattern, str) else {k: pattern[k] for k in ("code", "description") if pattern.get(k) is not None}
    )
    if failure.kind is not Kind.TEXT:
        return not wanted
    name, text = error_parts(failure.data) or (None, None)
    return matches(wanted, {"code": name, "description": text})


def _last(frames: Iterable[Frame], before: Frame) -> Frame | None:
    found = None
    for frame in frames:
        if frame.seq >= before.seq:
            break
        found = frame
    return found


def _said(error: Frame) -> str:
    return " ".join(str(part) for part in error_parts(error.data) or ())


def _text(failure: Frame) -> str:
    if failure.kind is not Kind.TEXT:
        return str(failure.data.get("reason") or "")
    name, text = error_parts(failure.data) or (None, None)
    return str(text or name or "")
