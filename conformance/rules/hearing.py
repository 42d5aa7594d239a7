"""What the upstream heard, told to the client: speech that starts and stops, and transcripts."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final

from conformance.rules.model import Case, Finding, RuleKind, rule
from conformance.rules.reading import name_of
from conformance.rules.view import Link, find, once_per_cause, view
from conformance.wire.durations import SECOND
from conformance.wire.frames import Frame

_SOON: Final = SECOND
_MAPPED: Final = {
    "input_audio_buffer.speech_started": "UserStartedSpeaking",
    "input_audio_buffer.speech_stopped": "UtteranceEnd",
}
_DELTA: Final = "conversation.item.input_audio_transcription.delta"
_COMPLETED: Final = "conversation.item.input_audio_transcription.completed"


def _mapped(link: Link, type_: str) -> Iterator[tuple[Frame, Frame | None]]:
    """Yield each upstream event of a type with the message that tells of it; unpaired ones only when they were due."""
    shown = link.shown(_MAPPED[type_])
    for frame in link.of(type_):
        due = frame.t + _SOON + link.crossing
        found = next((message for message in shown if message.seq > frame.seq and message.t <= due), None)
        if found is not None:
            shown = [message for message in shown if message is not found]
            yield frame, found
        elif due <= link.client_horizon:
            yield frame, None


@rule(
    "VA-VAD-MAPPED",
    "`speech_started` and `speech_stopped` become `UserStartedSpeaking` and `UtteranceEnd`",
    why="The client stops its playback when the user starts to speak.",
    source="Voice-agent contract, UserStartedSpeaking and UtteranceEnd",
    kind=RuleKind.CONTRACT,
)
def vad_mapped(case: Case) -> Sequence[Finding] | None:
    """Look for the message of each speech event."""
    found = [pair for link in view(case).links if link.client is not None for t in _MAPPED for pair in _mapped(link, t)]
    if not found:
        return None
    return once_per_cause(
        find(frame, f"{frame.type} did not become {_MAPPED[frame.type]}") for frame, message in found if message is None
    )


@rule(
    "VA-VAD-VALUES",
    "`channel` and `last_word_end`, where the upstream event carries them, pass through",
    why="A made-up value looks like a measured one.",
    source="Voice-agent contract, UtteranceEnd; production report: constant channel and last_word_end",
    kind=RuleKind.CONTRACT,
)
def vad_values(case: Case) -> Sequence[Finding] | None:
    """Compare the values of each stop with its `UtteranceEnd`."""
    pairs = [
        (frame, message, _values(frame.data, "channel", "last_word_end"))
        for link in view(case).links
        for frame, message in _mapped(link, "input_audio_buffer.speech_stopped")
    ]
    told = [(message, values) for _, message, values in pairs if message is not None and values]
    if not told:
        return None
    return once_per_cause(finding for message, values in told for finding in _differing(message, values))


def _values(data: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: data[name] for name in names if data.get(name) is not None}


def _differing(message: Frame, values: Mapping[str, Any]) -> Iterator[Finding]:
    for name, value in values.items():
        if message.data.get(name) != value:
            yield find(message, f"{name} was {value!r} upstream and {message.data.get(name)!r} at the client", cause=name)


@rule(
    "VA-TRANSCRIPT",
    "interim transcripts, if sent, accumulate per item; the final text comes through",
    why="A client replaces the interim line by each new one: single deltas make it flicker word by word.",
    source="Voice-agent contract, Transcript: deltas accumulate per item",
    kind=RuleKind.CONTRACT,
)
def transcript(case: Case) -> Sequence[Finding] | None:
    """Look at interim and final transcripts."""
    findings: list[Finding] = []
    observed = False
    for link in view(case).links:
        shown = link.shown("Transcript")
        finals = list(_finals(link))
        deltas = link.of(_DELTA)
        observed = observed or bool(finals) or bool(shown and deltas)
        findings += [
            find(frame, "the final transcript never reached the client", cause="missing")
            for frame, message in finals
            if message is None
        ]
        findings += _not_accumulated(deltas, [frame for frame in shown if frame.data.get("is_final") is False])
    return once_per_cause(findings) if observed else None


def _finals(link: Link) -> Iterator[tuple[Frame, Frame | None]]:
    """Yield each completed transcription with its `Transcript`; an empty one need not be told."""
    for frame in link.of(_COMPLETED):
        text = _text(frame)
        due = frame.t + _SOON + link.crossing
        found = next((t for t in link.shown("Transcript") if t.seq > frame.seq and _text(t) == text and _is_final(t)), None)
        if found is not None or (text and due <= link.client_horizon):
            yield frame, found


def _is_final(frame: Frame) -> bool:
    return frame.data.get("is_final") is not False


def _text(frame: Frame) -> str:
    text = frame.data.get("transcript")
    return text.strip() if isinstance(text, str) else ""


def _not_accumulated(deltas: Sequence[Frame], interims: Sequence[Frame]) -> Iterator[Finding]:
    for interim in interims:
        so_far: dict[Any, str] = {}
        allowed = {""}
        for delta in deltas:
            if delta.seq > interim.seq:
                break
            item, words = name_of(delta.data.get("item_id")), delta.data.get("delta")
            so_far[item] = so_far.get(item, "") + (words if isinstance(words, str) else "")
            allowed.add(so_far[item].strip())
        if _text(interim) not in allowed:
            yield find(interim, f"the interim {_text(interim)[:40]!r} is not what its item's deltas add up to")


@rule(
    "VA-TRANSCRIPT-VALUES",
    "`start`, `duration` and `channel`, where the upstream event carries them, pass through",
    why="Captions are placed by these times; made-up ones drift.",
    source="Voice-agent contract, Transcript: timing passed through",
    kind=RuleKind.CONTRACT,
)
def transcript_values(case: Case) -> Sequence[Finding] | None:
    """Compare the values of each completed transcription with its `Transcript`."""
    told = [
        (message, values)
        for link in view(case).links
        for frame, message in [*_finals(link), *_interims(link)]
        if message is not None and (values := _values(frame.data, "start", "duration", "channel"))
    ]
    if not told:
        return None
    return once_per_cause(finding for message, values in told for finding in _differing(message, values))


def _interims(link: Link) -> Iterator[tuple[Frame, Frame]]:
    """Yield each delta with the interim transcript that came next, before any other delta.

    On the real clock the next delta may overtake it on the other leg, so that nothing can be said.
    """
    deltas = [] if link.crossing else link.of(_DELTA)
    interims = [frame for frame in link.shown("Transcript") if frame.data.get("is_final") is False]
    for delta, following in zip_longest(deltas, deltas[1:]):
        for interim in interims:
            if delta.seq < interim.seq and (following is None or interim.seq < following.seq):
                yield delta, interim
                break
