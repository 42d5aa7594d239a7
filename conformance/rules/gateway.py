"""Pass-through gateways: everything passes, once, in order, unchanged."""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from conformance.rules.model import Case, Finding, RuleKind, rule
from conformance.rules.view import Conn, Link, find, once_per_cause, view
from conformance.wire.durations import MILLISECOND, SECOND, Micros
from conformance.wire.frames import Direction, Frame, Kind

_FLIGHT: Final = 500 * MILLISECOND
"""What was sent this short before an end may have been lost with it."""
_AHEAD: Final = 20
_VOLATILE: Final = frozenset({"ms", "rms"})
"""Of folded audio, what depends on the format the recorder assumed."""


@rule(
    "GW-TRANSPARENT",
    "a pass-through gateway passes every event and close up and down once, in order, unchanged but for fields its target "
    "declares",
    why="A gateway that drops or rewrites an event breaks clients in ways that look like the API's fault.",
    source="What a pass-through gateway promises; the target's `changes` name the fields it rewrites",
    kind=RuleKind.API,
)
def transparent(case: Case) -> Sequence[Finding] | None:
    """Compare both legs of each session, direction by direction."""
    shared = view(case)
    if not shared.is_realtime or not case.subject:
        return None
    findings: list[Finding] = []
    observed = False
    for link in shared.links:
        client = link.client
        if client is None or not (client.events or link.upstream.events):
            continue
        observed = True
        findings += _passed(case, client.up, link.upstream.up, _end(link.upstream, case), "up")
        findings += _passed(case, link.upstream.down, client.down, _end(client, case), "down")
        findings += _closes(link, client)
    return once_per_cause(findings) if observed else None


def _end(conn: Conn, case: Case) -> Micros:
    return conn.horizon(case.recording.end)


def _passed(case: Case, sent: list[Frame], seen: list[Frame], end: Micros, way: str) -> Iterator[Finding]:
    """Walk both sides in step; the first event that is missing, extra or changed is the finding of its type."""
    rest = list(seen)
    for index, frame in enumerate(sent):
        if rest and _is_equal(case, frame, rest[0]):
            rest.pop(0)
            continue
        if frame.t + _FLIGHT > end and not rest:
            return
        later = next((other for other in rest if _is_equal(case, frame, other)), None)
        name = frame.type or frame.kind
        if later is not None:
            ahead = rest[0]
            said = ahead.type or ahead.kind
            if any(_is_equal(case, before, ahead) for before in sent[:index]):
                yield find(ahead, f"{said} went {way} twice", cause=f"{way} extra {said}")
            else:
                yield find(ahead, f"{said} went {way} out of order or was not sent", cause=f"{way} {said}")
            rest = rest[rest.index(later) + 1 :]
        elif rest and rest[0].type == frame.type and not _is_due_later(case, rest[0], sent[index + 1 :]):
            path = _difference(case, frame, rest[0])
            yield find(rest.pop(0), f"{name} was changed on its way {way}: {path}", cause=f"{way} {name} {path}")
        else:
            yield find(frame, f"{name} did not pass {way}", cause=f"{way} {name}")
    for frame in rest:
        name = frame.type or frame.kind
        yield find(frame, f"{name} went {way} and had not been sent, or went twice", cause=f"{way} extra {name}")


def _is_due_later(case: Case, frame: Frame, sent: list[Frame]) -> bool:
    """True when a frame is one that was sent soon after: then the one before it is missing, not changed."""
    return any(_is_equal(case, frame, other) for other in sent[:_AHEAD])


def _is_equal(case: Case, one: Frame, other: Frame) -> bool:
    return one.kind is other.kind and next(_differences(one.data, other.data, "", case.changes), None) is None


def _difference(case: Case, one: Frame, other: Frame) -> str:
    return next(_differences(one.data, other.data, "", case.changes), "the kind of frame")


def _differences(one: Any, other: Any, path: str, declared: Sequence[str]) -> Iterator[str]:
    if path and any(fnmatchcase(path, pattern) for pattern in declared):
        return
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        audio = "stream_sha256" in one
        for key in sorted({*one, *other}, key=str):
            if audio and (key in _VOLATILE or key in ("stream_sha256", "at")):
                continue
            below = f"{path}.{key}" if path else str(key)
            if (key in one) is not (key in other):
                if not any(fnmatchcase(below, pattern) for pattern in declared):
                    yield below
            else:
                yield from _differences(one[key], other[key], below, declared)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from _differences(left, right, f"{path}.{index}", declared)
    elif one != other or isinstance(one, bool) is not isinstance(other, bool):
        yield path  # 1 and 1.0 are the same number in JSON


def _closes(link: Link, client: Conn) -> Iterator[Finding]:
    """Compare how both legs ended: the side that did not close first must have been closed with the same code."""
    for origin, target in ((client.closed, link.upstream), (link.upstream.closed, client)):
        if origin is None or origin.kind is not Kind.CLOSE:
            continue
        first = origin.dir is (Direction.UP if origin is client.closed else Direction.DOWN)
        other = target.closed
        if not first or (other is not None and other.seq < origin.seq):
            continue
        code, way = origin.data.get("code"), "up" if origin is client.closed else "down"
        if other is None:
            if origin.t + 2 * SECOND <= link.case.recording.end:
                yield find(origin, f"the close {code} did not pass {way}", cause=f"{way} close")
        elif code not in (1005, 1006) and other.data.get("code") != code:
            message = f"the close {code} became {other.data.get('code')} on its way {way}"
            yield find(other, message, cause=f"{way} close code")
