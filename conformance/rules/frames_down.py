"""What reaches the client: binary is audio, text is protocol, and audio arrives whole."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from conformance.rules.model import Case, Finding, RuleKind, rule
from conformance.rules.reading import listed, mapping, name_of
from conformance.rules.requests import Response
from conformance.rules.sound import client_format, folded, upstream_format
from conformance.rules.streams import Chunk, chunks, is_prefix, sounds_alike, total
from conformance.rules.view import Link, find, once_per_cause, view
from conformance.wire.durations import MILLISECOND, SECOND, format_duration
from conformance.wire.events import CLIENT_EVENTS, SERVER_EVENTS
from conformance.wire.frames import BINARY, TEXT, Frame
from conformance.wire.voice_agent import MESSAGES

_DELTA: Final = "response.output_audio.delta"
_FLIGHT: Final = SECOND
_BREATH: Final = 100 * MILLISECOND
"""Who passes audio on at the pace in which it is heard pauses no longer than this."""
_RESAMPLER: Final = 20 * MILLISECOND


@rule(
    "VA-BINARY-IS-AUDIO",
    "no binary frame holds anything but audio",
    why="A client plays every binary frame: JSON in it is a burst of noise.",
    source="Voice-agent contract, binary; production report: conversation.item.added forwarded as binary",
    kind=RuleKind.CONTRACT,
)
def binary_is_audio(case: Case) -> Sequence[Finding] | None:
    """Look at each binary frame down."""
    findings = []
    observed = False
    for link in view(case).links:
        if link.client is None:
            continue
        deltas = link.of(_DELTA)
        bodies = {folded(delta).get("sha256") for delta in deltas}
        for frame in link.client.down:
            if frame.kind is not BINARY:
                continue
            observed = True
            words = "JSON" if "json" in frame.data else "text" if "text" in frame.data else None
            if words is not None and folded(frame).get("sha256") not in bodies:
                type_ = mapping(frame.data.get("json")).get("type")
                named = type_ if isinstance(type_, str) else words
                findings.append(find(frame, f"a binary frame holds {words}, not audio ({named})", cause=named))
            elif frame.data.get("bytes") and not any(delta.seq < frame.seq for delta in deltas):
                findings.append(find(frame, "a binary frame, but the upstream had sent no audio", cause="binary"))
    return once_per_cause(findings) if observed else None


@rule(
    "VA-AUDIO-WHOLE",
    "each response's audio reaches the client decoded, complete, in order (joined bytes; across rates or codecs, "
    "duration); audio cut off by user speech or a cancel may be missing",
    why="A missing or doubled chunk is an audible click or a lost word.",
    source="Voice-agent contract, binary down",
    kind=RuleKind.CONTRACT,
)
def audio_whole(case: Case) -> Sequence[Finding] | None:
    """Compare the deltas of each upstream connection with the client's binary frames."""
    findings: list[Finding] = []
    observed = False
    for link in view(case).links:
        if link.client is None:
            continue
        deltas = link.of(_DELTA)
        if deltas and not _is_distorted(link):
            observed = True
            played = [frame for frame in link.client.down if frame.kind is BINARY]
            findings += _compare(link, deltas, played)
    return once_per_cause(findings) if observed else None


def _is_distorted(link: Link) -> bool:
    """True when a script spoiled frames so that nobody can say what audio they held."""
    return any(frame.kind is BINARY or not frame.type for frame in link.down)


def _compare(link: Link, deltas: Sequence[Frame], played: Sequence[Frame]) -> Iterator[Finding]:
    said, heard = upstream_format(link, "output"), client_format(link, "output")
    given, taken = chunks(deltas, said), chunks(played, heard)
    same = said == heard
    if same and [chunk.sha for chunk in given] == [chunk.sha for chunk in taken]:
        return
    cut, belated = _cut_off(link), _of_no_open_response(link)
    owed = [chunk for chunk in given if chunk.frame.seq not in belated and not _may_miss(link, chunk, cut)]
    wanted, most, got = said.duration(total(owed)), said.duration(total(given)), heard.duration(total(taken))
    tolerance = 0 if same else max(_RESAMPLER, most // 100)
    last = taken[-1].frame if taken else given[-1].frame
    if got < wanted - tolerance and not _was_left_speaking(link, taken):
        lost = format_duration(wanted - got)
        yield find(
            last, f"{lost} of the upstream's {format_duration(most)} of audio did not reach the client", cause=_DELTA
        )
    elif got > most + tolerance:
        more = format_duration(got - most)
        yield find(last, f"the client got {more} more audio than the upstream sent", cause=_DELTA)
    elif not cut and not belated and not (is_prefix(taken, given) if same else sounds_alike(taken, given)):
        yield find(last, "the client's audio is not the upstream's, or not in its order", cause=_DELTA)
    elif same and not _is_subsequence(taken, given) and not is_prefix(taken, given):
        whole = {chunk.sha for chunk in given}
        if taken and all(chunk.sha in whole for chunk in taken):
            yield find(last, "the client's audio is not in the upstream's order", cause=_DELTA)


def _was_left_speaking(link: Link, taken: Sequence[Chunk]) -> bool:
    """True when the client left while it was spoken to: a proxy may pass audio on at the pace in which it is heard."""
    if link.left is None or not taken:
        return False
    return taken[-1].frame.t + taken[-1].length + _BREATH > link.client_horizon


def _is_subsequence(taken: Sequence[Chunk], given: Sequence[Chunk]) -> bool:
    rest = iter(chunk.sha for chunk in given)
    return all(chunk.sha in rest for chunk in taken)


def _cut_off(link: Link) -> set[str]:
    """Return the ids of responses that user speech or a cancel cut off."""
    breaks = [frame for frame in link.events if frame.type in ("input_audio_buffer.speech_started", "response.cancel")]
    return {response.id for response in link.exchange.responses if _is_cut(response, breaks)}


def _of_no_open_response(link: Link) -> set[int]:
    """Return the deltas outside of any response: after its end the client has been told that it is done.

    Nor is anybody owed the audio of a response that was never created: to drop what comes late, a proxy drops that, too.
    """
    return {
        delta.seq
        for response in link.exchange.responses
        for delta in response.of(_DELTA)
        if not response.began or (response.end is not None and delta.seq > response.end.seq)
    }


def _is_cut(response: Response, breaks: Sequence[Frame]) -> bool:
    if response.status == "cancelled":
        return True
    heard_until = None if response.end is None else response.end.t + _audio_left(response)
    return any(response.first_seq < stop.seq and (heard_until is None or stop.t <= heard_until) for stop in breaks)


def _audio_left(response: Response) -> int:
    """Return how long the response's audio may still be playing after its end: it comes faster than it is heard."""
    lengths = [folded(frame).get("ms", 0) for frame in response.of(_DELTA)]
    return round(sum(length for length in lengths if isinstance(length, int | float)) * MILLISECOND)


def _may_miss(link: Link, chunk: Chunk, cut: set[str]) -> bool:
    return name_of(chunk.frame.data.get("response_id")) in cut or chunk.frame.t + _FLIGHT > link.client_horizon


@rule(
    "VA-FRAME-TYPE",
    "text is control, binary is audio: a text frame never becomes audio, a binary frame is never executed, whatever "
    "its bytes",
    why="A microphone whose bytes happen to parse as JSON must not reconfigure the session; broken JSON must not be "
    "spoken.",
    source="Voice-agent contract: JSON travels in text frames, PCM in binary frames",
    kind=RuleKind.CONTRACT,
)
def frame_type(case: Case) -> Sequence[Finding] | None:
    """Look at what became of unreadable text and of binary frames that hold words."""
    findings: list[Finding] = []
    observed = False
    for link in view(case).links:
        if link.client is None:
            continue
        for frame in link.client.up:
            if frame.kind is TEXT:
                observed = observed or not frame.type
                findings += _spoken(link, frame)
            elif "json" in frame.data or "text" in frame.data:
                observed = True
                findings += _executed(link, frame, frame.data.get("json"))
    return once_per_cause(findings) if observed else None


def _spoken(link: Link, frame: Frame) -> Iterator[Finding]:
    raw = frame.data.get("raw") if not frame.type else None
    if not isinstance(raw, str):
        return
    body = raw.encode()
    digest = hashlib.sha256(body).hexdigest()
    heard = min((f.seq for f in (link.client.up if link.client else ()) if f.kind is BINARY), default=None)
    for append in link.of("input_audio_buffer.append"):
        silent = heard is None or append.seq < heard
        if append.seq > frame.seq and (folded(append).get("sha256") == digest or silent):
            yield find(append, "a text frame of the client went up as audio", cause="text")
            return


def _executed(link: Link, frame: Frame, json: Any) -> Iterator[Finding]:
    message = mapping(json)
    type_ = message.get("type")
    if not isinstance(type_, str):
        return
    for up in link.up:
        if up.seq > frame.seq and _is_effect(link, message, up, frame):
            yield find(up, f"a binary frame of the client was executed as {type_}", cause=type_)
            return
    echo = [shown for shown in link.shown("ConversationText") if shown.seq > frame.seq]
    typed = [inject.data.get("content") for inject in link.client_texts("InjectUserMessage")]
    for shown in echo:
        if type_ == "InjectUserMessage" and shown.data.get("content") == message.get("content") not in typed:
            yield find(shown, "a binary frame of the client was executed as InjectUserMessage", cause=type_)
            return


def _is_effect(link: Link, message: Mapping[str, Any], up: Frame, frame: Frame) -> bool:
    if up.kind is TEXT and up.data == message:
        return not any(said.data == message for said in link.client_texts(str(message.get("type"))))
    item = mapping(up.data.get("item"))
    match message.get("type"):
        case "InjectUserMessage":
            texts = [mapping(part).get("text") for part in listed(item.get("content"))]
            typed = [inject.data.get("content") for inject in link.client_texts("InjectUserMessage")]
            return message.get("content") in texts and message.get("content") not in typed
        case "FunctionCallResponse":
            given = [said.data.get("id") for said in link.client_texts("FunctionCallResponse")]
            return item.get("type") == "function_call_output" and item.get("call_id") == message.get("id") not in given
        case "Settings":
            before = [settings for settings in link.settings_frames if settings.seq < up.seq]
            return up.type == "session.update" and (not before or (before[-1].seq < frame.seq and _repeats(link, up)))
        case _:
            return False


def _repeats(link: Link, up: Frame) -> bool:
    sent = [update.frame for update in link.exchange.updates if update.frame.seq <= up.seq]
    said = [settings for settings in link.settings_frames if settings.seq < up.seq]
    return len(sent) > len(said)


@rule(
    "VA-TEXT-IS-PROTOCOL",
    "every text frame is a JSON object whose `type` is no Realtime event's; further message types of the client protocol's "
    "family are allowed",
    why="A client that is shown raw Realtime events must know two protocols; unknown ones break it.",
    source="Voice-agent contract, proxy to client; production report: raw conversation.item events forwarded",
    kind=RuleKind.CONTRACT,
)
def text_is_protocol(case: Case) -> Sequence[Finding] | None:
    """Look at the type of each text frame down."""
    findings = []
    observed = False
    for link in view(case).links:
        if link.client is None:
            continue
        upstream = {frame.type for frame in link.upstream.down if frame.kind is TEXT}
        for frame in link.client.down:
            if frame.kind is not TEXT:
                continue
            observed = True
            if not frame.type:
                findings.append(find(frame, "a text frame that is no JSON object with a type", cause="untyped"))
            elif frame.type not in MESSAGES and frame.type in SERVER_EVENTS | CLIENT_EVENTS | upstream:
                findings.append(find(frame, f"the Realtime event {frame.type} was shown to the client"))
    return once_per_cause(findings) if observed else None
