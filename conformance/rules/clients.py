"""Clients as subjects: they connect, wait until the session is ready, survive every event and stay.

A client is the subject when no proxy stands before the upstream. Where our own driver plays it (`View.driven`), it plays
one that speaks Realtime, in scenarios that name the rule; what a scenario tells it to do wrong is shown as info only.
"""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Final

from conformance.rules.model import Case, Finding, RuleKind, rule
from conformance.rules.view import Conn, Link, View, find, once_per_cause, view
from conformance.verdicts import Blame, Level
from conformance.wire.durations import MILLISECOND, SECOND, Micros
from conformance.wire.frames import BINARY, DOWN, UP, Frame

_CONNECTS: Final = 10 * SECOND
_REACTS: Final = 5 * SECOND
_STREAMING: Final = SECOND
_PROMPT: Final = 1500 * MILLISECOND
_SCRIPT_END: Final = SECOND
_COMMON: Final = frozenset(
    {
        *("session.created", "session.updated", "response.created", "response.done", "rate_limits.updated"),
        *("response.function_call_arguments.delta", "response.function_call_arguments.done"),
        *("response.output_item.added", "response.output_item.done", "conversation.item.added", "conversation.item.done"),
    }
)
"""Events that every tool call brings: a client that dies does so at something else before."""


@rule(
    "CL-READY",
    "no audio before `SettingsApplied` (voice-agent clients)",
    why="Audio that comes before the session is ready is lost, or makes the upstream fail.",
    source="Voice-agent contract, binary: only after the session is ready",
    kind=RuleKind.CONTRACT,
    blame=Blame.CLIENT,
)
def client_ready(case: Case) -> Sequence[Finding] | None:
    """Look at the binary frames of each client before its `SettingsApplied`."""
    shared = view(case)
    if shared.is_realtime:
        return None
    findings = []
    observed = False
    for conn in shared.clients:
        applied = next(iter(conn.of("SettingsApplied")), None)
        audio = [frame for frame in conn.up if frame.kind is BINARY]
        observed = observed or bool(audio)
        early = next((frame for frame in audio if applied is None or frame.seq < applied.seq), None)
        if early is not None:
            level = Level.INFO if shared.driven else None
            findings.append(find(early, "audio before SettingsApplied", cause="binary", level=level))
    return once_per_cause(findings) if observed else None


@rule(
    "CL-CONNECTS",
    "a handshake within 10 s of the start, else one sentence says what happened",
    why="A client that hangs before it connects cannot be judged at all.",
    source="What a test run needs of a client",
    kind=RuleKind.API,
    blame=Blame.CLIENT,
)
def connects(case: Case) -> Sequence[Finding] | None:
    """Look at when the first connection was opened."""
    shared = view(case)
    conns = shared.clients or shared.upstreams
    opened = min((conn.start for conn in conns if conn.opened is not None), default=None)
    said = any(mark.type == "connect-failed" for conn in conns for mark in conn.marks)
    footer = case.recording.footer
    said = said or (footer is not None and bool(footer.message))
    if opened is not None and opened <= _CONNECTS:
        return []
    if opened is None and (said or not case.recording.frames or case.recording.end < _CONNECTS):
        return None
    t = case.recording.end if opened is None else opened
    return [Finding("handshake", "no handshake within 10s, and nothing said why", t)]


def _subjects(case: Case) -> list[Link]:
    """Return the connections of a client that nothing stands before."""
    shared = view(case)
    if shared.driven and not shared.is_realtime:
        return []
    return [link for link in shared.links if link.client is None]


@rule(
    "CL-SURVIVES-EVENT",
    "after any valid server event (error, every delta form, unknown types) the client still reacts: answers a call, sends "
    "audio, or reports a mark",
    why="A receive loop that dies on one event leaves a caller in silence.",
    source="Production report: a client crashed on a transcript delta that was a string",
    kind=RuleKind.CONTRACT,
    blame=Blame.CLIENT,
)
def survives_event(case: Case) -> Sequence[Finding] | None:
    """Look at what the client did after calls, and whether its microphone went on."""
    findings: list[Finding] = []
    observed = False
    for link in _subjects(case):
        for response in link.exchange.responses:
            for call, frame in response.calls.items():
                if response.end is None or response.status not in ("completed", ""):
                    continue
                answered = any(item.body.get("call_id") == call for item in link.exchange.items)
                observed = observed or answered or response.end.t + _REACTS <= link.horizon
                if not answered and not _marked(link, frame) and response.end.t + _REACTS <= link.horizon:
                    cause = _suspect(link, frame)
                    findings.append(find(response.end, f"the client no longer answers a call after {cause}", cause=cause))
        stopped = _stopped(link)
        observed = observed or len(link.of("input_audio_buffer.append")) > 1
        if stopped is not None:
            findings.append(find(stopped, f"the client sent nothing more after {stopped.type}"))
    return once_per_cause(findings) if observed else None


def _marked(link: Link, after: Frame) -> bool:
    shared = view(link.case)
    return any(mark.seq > after.seq and mark.dir is UP for conn in _all(shared) for mark in conn.marks)


def _all(shared: View) -> Iterator[Conn]:
    yield from shared.clients
    yield from shared.upstreams


def _suspect(link: Link, before: Frame) -> str:
    """Return the type of the last event before a call that not every call brings."""
    odd = [f for f in link.down if f.seq < before.seq and f.type not in _COMMON]
    return odd[-1].type if odd else before.type


def _stopped(link: Link) -> Frame | None:
    """Return the server event right after which a streaming microphone fell silent for good."""
    appends = link.of("input_audio_buffer.append")
    if len(appends) < 3 or appends[-1].t - appends[-3].t > _STREAMING:
        return None
    last = link.up[-1]
    events = [f for f in link.down if last.t - _STREAMING <= f.t and f.type not in _COMMON and f.seq < last.seq + 50]
    if last is not appends[-1] or last.t + _REACTS > link.horizon or _marked(link, last):
        return None
    return next((frame for frame in events if frame.seq > last.seq), None)


@rule(
    "CL-STAYS-CONNECTED",
    "no client close or reconnect without an upstream close or the script's end",
    why="A client that hangs up at a harmless event loses the call.",
    source="Production report: reconnects at every error event",
    kind=RuleKind.CONTRACT,
    blame=Blame.CLIENT,
)
def stays_connected(case: Case) -> Sequence[Finding] | None:
    """Look at closes by the client before the end, and at further handshakes."""
    links = _subjects(case)
    if not links:
        return None
    findings = []
    for link, following in zip_longest(links, links[1:]):
        closed = link.upstream.closed
        by_server = closed is not None and closed.dir is DOWN
        again = following.upstream.opened if following is not None else None
        if again is not None and not by_server:
            findings.append(
                find(again, "the client connected again although the upstream had not closed", cause="reconnect")
            )
        elif closed is not None and not by_server and closed.t + _SCRIPT_END < case.recording.end:
            code = closed.data.get("code")
            findings.append(find(closed, f"the client closed with {code} before the script's end", cause="close"))
    return once_per_cause(findings)


@rule(
    "CL-READY-PROMPT",
    "what a client held for `session.updated` goes up within 1.5 s of it",
    why="A caller who spoke while the session was being configured waits for an answer.",
    source="Voice-agent contract, ordering point 2, for clients",
    kind=RuleKind.CONTRACT,
    blame=Blame.CLIENT,
    level=Level.SHOULD,
)
def ready_prompt(case: Case) -> Sequence[Finding] | None:
    """Look at the first event after `session.updated` that needed it."""
    findings = []
    observed = False
    for link in _subjects(case):
        first = next((frame for frame in link.up if _needs_session(frame)), None)
        if link.ready is None or first is None or first.seq < link.ready.seq:
            continue
        observed = True
        waited: Micros = first.t - link.ready.t
        if waited > _PROMPT and not _was_asked(link, first):
            findings.append(find(first, f"{first.type} came {waited / SECOND:.1f}s after session.updated"))
    return once_per_cause(findings) if observed else None


def _needs_session(frame: Frame) -> bool:
    return frame.type in ("input_audio_buffer.append", "conversation.item.create", "response.create")


def _was_asked(link: Link, first: Frame) -> bool:
    """True when something the server said meanwhile explains the event better than the readiness."""
    ready = link.ready
    return ready is not None and any(ready.seq < r.start.seq < first.seq for r in link.exchange.responses)
