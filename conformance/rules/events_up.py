"""What goes up is Realtime: text frames, known events, valid for the dialect."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from conformance.rules.model import Case, Finding, RuleKind, rule
from conformance.rules.reading import listed, mapping, name_of
from conformance.rules.view import Link, find, once_per_cause, view
from conformance.wire.events import CLIENT_EVENTS
from conformance.wire.frames import BINARY, TEXT, Frame
from conformance.wire.schema import problems

_BY_CALL_ONLY: Final = "output_audio_buffer.clear"
"""The one client event that the SDK has a type for and a WebSocket's parser does not know (ground truth §1.1)."""


def _sent(case: Case) -> list[tuple[Link, Frame]]:
    return [(link, frame) for link in view(case).links for frame in link.up]


@rule(
    "RT-TEXT-FRAMES",
    "only text frames go up",
    why="The API answers a binary frame with an error; a proxy that passes one on mistook audio or a message for "
    "something else.",
    source="Ground truth §3.2: Expected a text WebSocket message; binary frames are not supported.",
    kind=RuleKind.API,
)
def text_frames(case: Case) -> Sequence[Finding] | None:
    """Look at the kind of each frame up."""
    sent = _sent(case)
    if not sent:
        return None
    return once_per_cause(
        find(frame, "a binary frame went up", cause="binary") for _, frame in sent if frame.kind is BINARY
    )


@rule(
    "RT-KNOWN-EVENTS",
    "only Realtime client events go up, never client-protocol messages (`KeepAlive`, unknown JSON)",
    why="The API answers an event it does not know with an error, which then reaches the user.",
    source="Ground truth §1.1: the types the API accepts",
    kind=RuleKind.API,
)
def known_events(case: Case) -> Sequence[Finding] | None:
    """Look at the type of each message up, be it in a text or, wrongly, in a binary frame."""
    sent = [(frame, type_) for _, frame in _sent(case) if (type_ := _type_of(frame)) is not None]
    if not sent:
        return None
    return once_per_cause(
        find(frame, f"{type_ or 'something without a type'} is no Realtime client event", cause=type_ or "untyped")
        for frame, type_ in sent
        if type_ not in CLIENT_EVENTS
    )


def _type_of(frame: Frame) -> str | None:
    """Return the type of the message a frame holds; empty if it has none, None for binary that is no JSON object."""
    if frame.kind is TEXT:
        return frame.type
    json = frame.data.get("json")
    return name_of(json.get("type")) if isinstance(json, Mapping) else None


@rule(
    "RT-VALID-EVENTS",
    "every event up is valid for the dialect: SDK types, no unknown parameter (`session.turn_detection`, "
    "`session.temperature` … on GA; `session.audio` on beta), `session.type` on GA; `session.model` is valid; one finding "
    "per parameter",
    why="One unknown parameter makes the API discard the whole event: no settings, no turn, or no tools hold.",
    source="Types of the openai package; ground truth §1.3, §1.4, §3.2",
    kind=RuleKind.API,
)
def valid_events(case: Case) -> Sequence[Finding] | None:
    """Validate each known event up."""
    sent = [(link, frame) for link, frame in _sent(case) if frame.kind is TEXT and frame.type in CLIENT_EVENTS]
    if not sent:
        return None
    return once_per_cause(finding for link, frame in sent for finding in _invalid(link, frame))


def _invalid(link: Link, frame: Frame) -> Iterator[Finding]:
    if frame.type == _BY_CALL_ONLY:
        yield find(frame, f"{frame.type} is for WebRTC and SIP; over a WebSocket the API refuses it")
    for problem in problems(frame.data, "client", "beta" if link.is_beta else "ga"):
        if problem.path == "session.model":
            continue
        path = problem.path or frame.type
        yield find(frame, f"{frame.type}: {path} {problem.message}", cause=f"{frame.type} {path}")


@rule(
    "RT-ASSISTANT-CONTENT",
    "assistant items carry `output_text` (beta `text`), never `input_text`",
    why="The API refuses an assistant item with input_text, and the history is lost.",
    source="Ground truth §1.4, content types",
    kind=RuleKind.API,
)
def assistant_content(case: Case) -> Sequence[Finding] | None:
    """Look at the content parts of the assistant items sent."""
    findings = []
    observed = False
    for link in view(case).links:
        allowed = ("text", "audio") if link.is_beta else ("output_text", "output_audio")
        for item in link.exchange.items:
            if item.body.get("role") != "assistant":
                continue
            observed = True
            types = [mapping(part).get("type") for part in listed(item.body.get("content"))]
            wrong = next((type_ for type_ in types if type_ not in allowed), None)
            if wrong is not None:
                findings.append(find(item.frame, f"an assistant item with {wrong} content", cause=str(wrong)))
    return once_per_cause(findings) if observed else None
