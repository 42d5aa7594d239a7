"""Closes: an end of the upstream is seen by the client, and told apart from an ordinary one."""

from collections.abc import Iterator, Sequence
from typing import Final

from conformance.rules.model import Case, Finding, RuleKind, rule
from conformance.rules.view import Link, find, once_per_cause, view
from conformance.wire.durations import SECOND
from conformance.wire.frames import CLOSE, OPEN, UP, Frame

_NEAR: Final = 2 * SECOND
_CLOSE_CODES: Final = frozenset({1000, 1005})


@rule(
    "VA-CLOSE-SEEN",
    "an upstream close, abort or refused handshake ends in an `Error` or a close at the client within 2 s",
    why="A client that is not told talks to nobody.",
    source="Voice-agent contract, ordering point 9",
    kind=RuleKind.CONTRACT,
)
def close_seen(case: Case) -> Sequence[Finding] | None:
    """Look at what the client saw after each end of an upstream connection."""
    findings = []
    observed = False
    for link, end in _ends(case):
        told, closed = _aftermath(link, end)
        if not told and closed is None and end.t + _NEAR > link.client_horizon:
            continue
        observed = True
        if not told and closed is None:
            findings.append(find(end, f"the upstream {_how(end)}, and the client saw nothing of it", cause=_how(end)))
    return once_per_cause(findings) if observed else None


@rule(
    "VA-CLOSE-EXPLAINED",
    "before ready: any upstream end brings an `Error`, or a close code other than 1000 and 1005; after ready: the same for "
    "any end but a 1000",
    why="A close 1000 looks like the end of a conversation; a client must be able to tell a failure from it.",
    source="Voice-agent contract, ordering point 9; production report: upstream closed before the session was ready",
    kind=RuleKind.CONTRACT,
)
def close_explained(case: Case) -> Sequence[Finding] | None:
    """Look at how the client was told of each end that was no ordinary one."""
    findings = []
    observed = False
    for link, end in _ends(case):
        ready = link.ready is not None and link.ready.seq < end.seq
        if ready and end.data.get("code") == 1000:
            continue
        told, closed = _aftermath(link, end)
        if not told and closed is None:
            continue
        observed = True
        if not told and closed is not None and closed.data.get("code", 1005) in _CLOSE_CODES:
            message = f"the upstream {_how(end)}; the client saw a close {closed.data.get('code', 1005)} and no Error"
            findings.append(find(closed, message, cause=_how(end)))
    return once_per_cause(findings) if observed else None


def _ends(case: Case) -> Iterator[tuple[Link, Frame]]:
    """Yield each end of an upstream connection that its own side brought about while the client was there.

    Of a proxy that dials again for a client that is not ready yet, the last connection's end is the one to tell.
    """
    links = view(case).links
    for link in links:
        end = link.upstream.opened if link.upstream.refused else link.upstream.closed
        if link.client is None or end is None or (end.kind is CLOSE and end.dir is UP):
            continue
        if link.client.refused or any(mark.type == "connect-failed" for mark in link.client.marks):
            continue  # the client was refused in turn: it saw the end
        if link.ready is None and any(_is_next(other, link, end) for other in links):
            continue
        closed = link.client.closed
        if closed is None or closed.seq > end.seq:
            yield link, end


def _is_next(other: Link, link: Link, end: Frame) -> bool:
    """Tell whether a connection was opened in place of another soon after its end."""
    same = link.client is not None and other.serves(link.client)
    return same and other.upstream.start > end.t and other.upstream.start <= end.t + _NEAR


def _aftermath(link: Link, end: Frame) -> tuple[bool, Frame | None]:
    """Return whether an Error told of an end, and the client's close if the proxy closed it in time."""
    told = any(end.t - _NEAR <= error.t <= end.t + _NEAR for error in link.shown("Error"))
    closed = link.client.closed if link.client is not None else None
    late = closed is not None and (closed.dir is UP or closed.t > end.t + _NEAR)
    return told, None if late else closed


def _how(end: Frame) -> str:
    if end.kind is OPEN:
        status = end.data.get("status")
        return "reset the handshake" if status is None else f"refused the handshake with {status}"
    return "aborted" if end.data.get("code") == 1006 else f"closed with {end.data.get('code')}"
