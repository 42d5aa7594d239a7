"""Hostile clients: what counts as a mistake of the client, and what a proxy may do about it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from conformance.rules.model import Case, Finding, RuleKind, rule
from conformance.rules.reading import audio_bytes, listed, mapping, name_of
from conformance.rules.view import Conn, Link, View, find, once_per_cause, view
from conformance.verdicts import Level
from conformance.wire.durations import SECOND
from conformance.wire.frames import BINARY, DOWN, TEXT, Frame
from conformance.wire.recording import Outcome
from conformance.wire.voice_agent import CLIENT_MESSAGES

_SOON: Final = SECOND
_KNOWN: Final = frozenset(CLIENT_MESSAGES)
_UNDERSTOOD: Final = frozenset({"Settings", "InjectUserMessage", "FunctionCallResponse", "KeepAlive"})
BEYOND_THE_FOUR: Final = tuple(name for name in CLIENT_MESSAGES if name not in _UNDERSTOOD)
"""Messages of the client's family that the contract leaves to the proxy."""
_LARGE: Final = 1024 * 1024


def is_unknown(frame: Frame) -> bool:
    """True for a JSON object in a text frame whose type no client of this family sends."""
    return frame.kind is TEXT and bool(frame.type) and frame.type not in _KNOWN


def is_malformed(frame: Frame) -> bool:
    """True for text that is no JSON object with a type, and for known messages with values of wrong types."""
    if frame.kind is not TEXT:
        return False
    if not frame.type:
        return True
    data = frame.data
    match frame.type:
        case "InjectUserMessage":
            return not isinstance(data.get("content"), str)
        case "FunctionCallResponse":
            return not isinstance(data.get("id"), str)
        case "Settings":
            return _has_bad_settings(data)
        case _:
            return False


def _has_bad_settings(data: Mapping[str, Any]) -> bool:
    agent, audio = data.get("agent", {}), data.get("audio", {})
    if not isinstance(agent, Mapping) or not isinstance(audio, Mapping):
        return True
    think, context = agent.get("think", {}), agent.get("context", {})
    wrong = [
        not isinstance(think, Mapping),
        not isinstance(context, Mapping),
        not isinstance(agent.get("greeting", ""), str | None),
        not isinstance(mapping(think).get("prompt", ""), str | None),
        not isinstance(mapping(think).get("functions", []), list | None),
        not isinstance(mapping(context).get("messages", []), list | None),
        any(not isinstance(audio.get(side, {}), Mapping) for side in ("input", "output")),
    ]
    if any(wrong):
        return True
    functions = listed(mapping(think).get("functions"))
    messages = listed(mapping(context).get("messages"))
    contents = [mapping(message).get("content") for message in messages]
    rates = [mapping(audio.get(side)).get("sample_rate", 1) for side in ("input", "output")]
    return (
        any(not isinstance(function, Mapping) or not isinstance(function.get("name"), str) for function in functions)
        or any(not isinstance(content, str) for content in contents)
        or any(not isinstance(rate, int) or isinstance(rate, bool) or rate <= 0 for rate in rates)
        or _is_off(agent.get("idleTimeoutMs"))
        or _is_off(mapping(mapping(think).get("provider")).get("temperature"))
    )


def _is_off(value: Any) -> bool:
    return value is not None and (not isinstance(value, int | float) or isinstance(value, bool))


def is_hostile(frame: Frame) -> bool:
    """True for anything a careful client would not send."""
    if frame.kind is BINARY:
        size = audio_bytes(frame)
        return size % 2 == 1 or size >= _LARGE or "json" in frame.data or "text" in frame.data
    return is_malformed(frame) or is_unknown(frame)


def is_client_mistake(link: Link, frame: Frame) -> bool:
    """True for what a proxy may answer with an `Error`.

    Besides hostile frames: messages before any Settings, answers to calls nobody made, and family messages beyond the four
    that the contract asks a proxy to understand.
    """
    if is_hostile(frame):
        return True
    if frame.kind is TEXT and frame.type not in _UNDERSTOOD:
        return True
    settings = link.settings_frames
    if frame.type != "Settings" and frame.type != "KeepAlive" and (not settings or frame.seq < settings[0].seq):
        return True
    if frame.type == "InjectUserMessage" and not str(frame.data.get("content")).strip():
        return True
    if frame.type == "FunctionCallResponse":
        asked = {call for response in link.exchange.responses for call in response.calls}
        again = [f for f in link.client_texts("FunctionCallResponse") if f.data.get("id") == frame.data.get("id")]
        return name_of(frame.data.get("id")) not in asked or again[0] is not frame
    return False


@rule(
    "VA-REJECTS-UNKNOWN",
    "an unknown client message gets `Error`",
    why="A client author who mistypes a message must be told.",
    source="Voice-agent contract, client messages: anything else",
    kind=RuleKind.CONTRACT,
)
def rejects_unknown(case: Case) -> Sequence[Finding] | None:
    """Look for the `Error` after each unknown message."""
    findings = []
    observed = False
    for link in view(case).links:
        for frame in [frame for frame in _texts(link) if is_unknown(frame)]:
            due = (max(frame.t, link.granted.t) if link.granted is not None else frame.t) + _SOON
            told = any(error.seq > frame.seq and error.t <= due for error in link.shown("Error"))
            if not told and (due > link.client_horizon or link.granted is None):
                continue
            observed = True
            if not told:
                findings.append(find(frame, f"the unknown message {frame.type} got no Error within 1s"))
    return once_per_cause(findings) if observed else None


def _texts(link: Link) -> list[Frame]:
    return [] if link.client is None else [frame for frame in link.client.up if frame.kind is TEXT]


@rule(
    "VA-REJECTS-MALFORMED",
    "malformed input gets an `Error`, is ignored, or ends that session",
    why="Malformed input that is passed on makes the upstream fail, for everybody to see.",
    source="Voice-agent contract, ordering point 10",
    kind=RuleKind.CONTRACT,
    level=Level.SHOULD,
)
def rejects_malformed(case: Case) -> Sequence[Finding] | None:
    """Look for malformed input that went up after all."""
    findings: list[Finding] = []
    observed = False
    for link in view(case).links:
        bad = [frame for frame in _texts(link) if is_malformed(frame)]
        observed = observed or bool(bad)
        for frame in bad:
            findings += _passed_on(link, frame)
    return once_per_cause(findings) if observed else None


def _passed_on(link: Link, bad: Frame) -> Iterator[Finding]:
    for up in link.up:
        if up.seq < bad.seq:
            continue
        same = up.kind is TEXT and not up.type and (up.data == bad.data or bool(bad.type))
        if same or (bad.type and up.data == bad.data) or _is_made_of(bad, up):
            yield find(up, "malformed input went up instead of being refused or ignored", cause=bad.type or "unreadable")
            return


def _is_made_of(bad: Frame, up: Frame) -> bool:
    """True for an item whose text or output is no text, made of a message with the wrong type in its place."""
    item = mapping(up.data.get("item"))
    if bad.type == "InjectUserMessage":
        texts = [mapping(part).get("text") for part in listed(item.get("content"))]
        return item.get("role") == "user" and any(text is not None and not isinstance(text, str) for text in texts)
    if bad.type == "FunctionCallResponse":
        return item.get("type") == "function_call_output" and not isinstance(item.get("call_id"), str)
    return False


@rule(
    "VA-SURVIVES-CLIENT",
    "whatever the client sends, the process and every other session live on and still answer",
    why="One bad client must not end everybody's calls.",
    source="Voice-agent contract, ordering point 10; production report: an odd-length frame ended the process",
    kind=RuleKind.CONTRACT,
)
def survives_client(case: Case) -> Sequence[Finding] | None:
    """Look at the process and at the neighbours after hostile input."""
    shared = view(case)
    footer = case.recording.footer
    attacks = [(conn, frame) for conn in shared.clients for frame in conn.up if is_hostile(frame)]
    last = attacks[-1][1] if attacks else None
    findings = []
    if footer is not None and footer.outcome is Outcome.DIED:
        log = f"; its last words: {footer.log[-1]}" if footer.log else ""
        message = f"the proxy's process died{' after hostile input' if attacks else ''}{log}"
        findings.append(Finding("died", message, footer.t, last.seq if last is not None else None))
    for conn, frame in attacks:
        findings += _harmed(shared, conn, frame)
    return once_per_cause(findings) if attacks or findings else None


def _harmed(shared: View, attacker: Conn, frame: Frame) -> Iterator[Finding]:
    """Yield findings for neighbours that lost their session, and for clients that could not connect any more."""
    for other in shared.clients:
        if other is attacker:
            continue
        closed = other.closed
        own = any(link.serves(other) and link.upstream.closed is not None for link in shared.links)
        if closed is not None and closed.dir is DOWN and closed.seq > frame.seq and not own:
            yield find(closed, "another session was closed after hostile input", cause="neighbour")
    for conn in shared.clients:
        failed = next((mark for mark in conn.marks if mark.type == "connect-failed" and mark.seq > frame.seq), None)
        if failed is not None:
            yield find(failed, "nobody could connect after hostile input", cause="connect")
    for link in shared.links:
        if link.serves(attacker) or link.client is None or link.granted is None:
            continue
        for inject in link.client_texts("InjectUserMessage"):
            answered = any(seen.seq > inject.seq for seen in link.client.down)
            if inject.seq > frame.seq and not answered and inject.t + 5 * SECOND <= link.client_horizon:
                yield find(inject, "another session no longer answered after hostile input", cause="silent")
