"""Readiness as the client sees it: told when, and only when, its settings hold, and told when they never will."""

from collections.abc import Iterator, Sequence
from typing import Final

from conformance.rules.model import Case, Finding, RuleKind, rule
from conformance.rules.view import Conn, Link, find, once_per_cause, view
from conformance.wire.durations import SECOND, Micros
from conformance.wire.frames import Direction, Frame, Kind

_APPLIED: Final = 2 * SECOND
_REFUSAL: Final = 10 * SECOND
_SILENCE: Final = 30 * SECOND
_REFUSED: Final = "the upstream refused session.update"


@rule(
    "VA-READY-AFTER-UPDATED",
    "`SettingsApplied` only after `session.updated`",
    why="`session.created` says that a session exists, not that it has the client's prompt; what comes next would be lost.",
    source="Voice-agent contract, SettingsApplied; production report: readiness taken from session.created",
    kind=RuleKind.CONTRACT,
)
def ready_after_updated(case: Case) -> Sequence[Finding] | None:
    """Look at each `SettingsApplied`."""
    shared = view(case)
    findings = []
    observed = False
    for conn in shared.clients:
        ready = [link.ready.seq for link in shared.links if link.serves(conn) and link.ready is not None]
        for applied in conn.of("SettingsApplied"):
            observed = True
            if not any(seq < applied.seq for seq in ready):
                findings.append(find(applied, "SettingsApplied before session.updated"))
    return once_per_cause(findings) if observed else None


@rule(
    "VA-READY",
    "`SettingsApplied` within 2 s of `session.updated`; a visible refusal within 10 s if the upstream refuses or closes, "
    "or Settings cannot be used",
    why="A client waits for readiness; without a word it waits for ever.",
    source="Voice-agent contract, SettingsApplied and ordering point 9",
    kind=RuleKind.CONTRACT,
)
def ready(case: Case) -> Sequence[Finding] | None:
    """Look at what became of each connection's first `Settings`."""
    shared = view(case)
    findings: list[Finding] = []
    observed = False
    for conn in shared.clients:
        settings = next((frame for frame in conn.up if frame.type == "Settings" and frame.kind is Kind.TEXT), None)
        if settings is None:
            continue
        links = [link for link in shared.links if link.serves(conn)]
        judged = _judge(case, conn, settings, links)
        if judged is not None:
            observed = True
            findings += judged
    return once_per_cause(findings) if observed else None


def _judge(case: Case, conn: Conn, settings: Frame, links: list[Link]) -> list[Finding] | None:
    """Return what is wrong with a connection's way to readiness; None when nothing was due yet."""
    end = conn.horizon(case.recording.end)
    hidden = [find(frame, f"{_REFUSED}, and the client was not told within 10s") for frame in _hidden(conn, links, end)]
    if hidden:
        return hidden
    updated = next((link.granted for link in links if link.granted is not None), None)
    if updated is not None:
        due = max(updated.t, settings.t) + _APPLIED
        if any(frame.t <= due for frame in conn.of("SettingsApplied")):
            return []
        seen = _refusal(conn, updated.seq)
        if due > end or (seen is not None and seen.t <= due):
            return None
        return [find(updated, "session.updated came, and no SettingsApplied within 2s", cause="SettingsApplied")]
    failure = _failure(settings, links)
    if failure is None:
        return None
    seq, t, what, frame = failure
    seen = _refusal(conn, seq)
    if seen is not None and seen.t <= t + _REFUSAL:
        return []
    if t + _REFUSAL > end and not (seen is not None and seen.kind is Kind.CLOSE):
        return None
    return [find(frame, f"{what}, and the client saw neither Error nor close within 10s", cause=what)]


def _hidden(conn: Conn, links: list[Link], end: Micros) -> Iterator[Frame]:
    """Yield each refusal of an update that the client was not shown in time."""
    for link in links:
        for update in link.exchange.updates:
            if update.refused is not None and update.refused.t + _REFUSAL <= end:
                seen = _refusal(conn, update.refused.seq)
                if seen is None or seen.t > update.refused.t + _REFUSAL:
                    yield update.refused


def _failure(settings: Frame, links: list[Link]) -> tuple[int, Micros, str, Frame] | None:
    """Return where, when and why readiness failed: the upstream refused or ended, or Settings never went up."""
    if not links:
        return settings.seq, settings.t, "no upstream connection was made", settings
    link = links[-1]
    end = link.upstream.opened if link.upstream.refused else link.upstream.closed
    if end is not None:
        return -1, max(end.t, settings.t), "the upstream ended before the session was ready", end
    updates = link.exchange.updates
    refused = [update.refused for update in updates if update.refused is not None]
    if updates and len(refused) == len(updates):
        return refused[-1].seq, refused[-1].t, _REFUSED, refused[-1]
    if not updates and link.created is not None:
        return settings.seq, max(settings.t, link.created.t), "Settings led to no session.update", settings
    return None


def _refusal(conn: Conn, after: int) -> Frame | None:
    """Return the first Error or close by the proxy after a frame."""
    shown = [frame for frame in conn.of("Error") if frame.seq > after]
    if shown:
        return shown[0]
    closed = conn.closed
    return closed if closed is not None and closed.dir is Direction.DOWN and closed.seq > after else None


@rule(
    "VA-READY-TIMEOUT",
    "an upstream silent after `session.update` becomes a visible refusal within 30 s",
    why="Half a minute of silence is an answer: the client should try elsewhere.",
    source="A product's choice",
    kind=RuleKind.POLICY,
)
def ready_timeout(case: Case) -> Sequence[Finding] | None:
    """Look at updates that nothing answered."""
    findings = []
    observed = False
    for link, update in _unanswered(case):
        due = update.t + _SILENCE
        seen = _refusal(link.client, update.seq) if link.client is not None else None
        if seen is None and due > link.client_horizon:
            continue
        observed = True
        if seen is None or seen.t > due:
            findings.append(find(update, "session.update was never answered, and the client saw no refusal within 30s"))
    return once_per_cause(findings) if observed else None


def _unanswered(case: Case) -> Iterator[tuple[Link, Frame]]:
    for link in view(case).links:
        updates = link.exchange.updates
        closed = link.upstream.closed
        ended = closed is not None and closed.dir is Direction.DOWN
        silent = link.ready is None and not ended and all(update.refused is None for update in updates)
        if link.client is not None and updates and silent:
            yield link, updates[-1].frame
