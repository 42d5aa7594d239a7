"""Readiness upstream: `session.update` first and once, and nothing that depends on it before `session.updated`."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from conformance.rules.model import Case, Finding, RuleKind, rule
from conformance.rules.requests import Update
from conformance.rules.view import Link, find, once_per_cause, view
from conformance.wire.frames import Frame

_CONTRACT_PAGE: Final = "Voice-agent contract, ordering points 1 to 3"
_REAL: Final = "production reports of proxies whose early events made the API answer `server_error` and close"


@rule(
    "RT-UPDATE-FIRST",
    "`session.update` goes up before anything else",
    why="What goes up before it meets a session with the default voice, tools and turn detection.",
    source=_CONTRACT_PAGE,
    kind=RuleKind.CONTRACT,
)
def update_first(case: Case) -> Sequence[Finding] | None:
    """Look at what went up before the first update of each connection."""
    links = [link for link in view(case).links if link.up]
    if not links:
        return None
    findings = []
    for link in links:
        for frame in link.up:
            if frame.type == "session.update":
                break
            findings.append(find(frame, f"{frame.type or frame.kind} went up before session.update"))
    return once_per_cause(findings)


@rule(
    "RT-UPDATE-ONCE",
    "a repeated Settings causes no second `session.update`, unless the first was refused",
    why="A second update in mid-conversation changes the session under a running response and may be refused.",
    source=_CONTRACT_PAGE,
    kind=RuleKind.CONTRACT,
)
def update_once(case: Case) -> Sequence[Finding] | None:
    """Look at connections whose client sent Settings again."""
    links = [link for link in view(case).links if len(link.settings_frames) > 1 and link.exchange.updates]
    if not links:
        return None
    findings = []
    for link in links:
        updates = link.exchange.updates
        repeated = link.settings_frames[1].seq
        for before, update in pairwise(updates):
            if update.frame.seq > repeated and not _has_failed(link, before, update.frame):
                findings.append(find(update.frame, "a repeated Settings caused a second session.update"))
    return once_per_cause(findings)


def _has_failed(link: Link, update: Update, again: Frame) -> bool:
    """True when an update was refused before it was sent again, or unanswered when an error came that names nothing."""
    if update.refused is not None:
        return update.refused.seq < again.seq
    answered = update.answer.seq if update.answer is not None else again.seq
    return any(update.frame.seq < error.seq < min(answered, again.seq) for error in link.of("error"))


@rule(
    "RT-UPDATE-SENT",
    "`SettingsApplied` was preceded by a `session.update` on that connection that was not refused",
    why="A client that is told its settings hold will talk to a session that never heard of its prompt and tools.",
    source=_CONTRACT_PAGE,
    kind=RuleKind.CONTRACT,
)
def update_sent(case: Case) -> Sequence[Finding] | None:
    """Look at each `SettingsApplied`."""
    findings: list[Finding] = []
    observed = False
    for conn in view(case).clients:
        links = [link for link in view(case).links if link.serves(conn)]
        for applied in conn.of("SettingsApplied"):
            observed = True
            updates = [update for link in links for update in link.exchange.updates if update.frame.seq < applied.seq]
            if not updates:
                findings.append(find(applied, "SettingsApplied, but no session.update had gone up on this connection"))
            elif all(update.refused is not None and update.refused.seq < applied.seq for update in updates):
                findings.append(find(applied, "SettingsApplied, but the upstream had refused the session.update"))
    return once_per_cause(findings) if observed else None


@rule(
    "RT-AFTER-CREATED",
    "nothing goes up before `session.created`",
    why="Some upstreams drop what arrives before the session exists.",
    source="A product's choice: the API accepts events from the upgrade on (recordings of 2026-09)",
    kind=RuleKind.POLICY,
)
def after_created(case: Case) -> Sequence[Finding] | None:
    """Look at what went up before `session.created`."""
    links = [link for link in view(case).links if link.up]
    if not links:
        return None
    return once_per_cause(
        find(frame, f"{frame.type or frame.kind} went up before session.created")
        for link in links
        for frame in link.up
        if link.created is None or frame.seq < link.created.seq
    )


def _before_ready(case: Case, type_: str) -> Sequence[Finding] | None:
    """Find events of a type that went up before `session.updated`; None when there were none of that type at all."""
    sent = [(link, frame) for link in view(case).links for frame in link.up if frame.type == type_]
    if not sent:
        return None
    return once_per_cause(
        find(frame, f"{type_} went up {_when(link)}")
        for link, frame in sent
        if link.ready is None or frame.seq < link.ready.seq
    )


def _when(link: Link) -> str:
    return "but session.updated never came" if link.ready is None else "before session.updated"


@rule(
    "RT-READY-AUDIO",
    "no `input_audio_buffer.append` before `session.updated`",
    why="Audio that arrives before format and turn detection hold is heard with the defaults, or makes the API fail.",
    source=f"{_CONTRACT_PAGE}; {_REAL}",
    kind=RuleKind.CONTRACT,
)
def ready_audio(case: Case) -> Sequence[Finding] | None:
    """Look at each append."""
    return _before_ready(case, "input_audio_buffer.append")


@rule(
    "RT-READY-ITEM",
    "no `conversation.item.create` before `session.updated`",
    why="An item added to an unconfigured session is answered without the prompt and the tools, or makes the API fail.",
    source=f"{_CONTRACT_PAGE}; {_REAL}",
    kind=RuleKind.CONTRACT,
)
def ready_item(case: Case) -> Sequence[Finding] | None:
    """Look at each item sent."""
    return _before_ready(case, "conversation.item.create")


@rule(
    "RT-READY-RESPONSE",
    "no `response.create` before `session.updated`",
    why="A response asked for before the settings hold speaks with the default prompt and voice.",
    source=_CONTRACT_PAGE,
    kind=RuleKind.CONTRACT,
)
def ready_response(case: Case) -> Sequence[Finding] | None:
    """Look at each response asked for."""
    return _before_ready(case, "response.create")


@rule(
    "RT-UPDATE-IDLE",
    "no `session.update` while a response is active (until `response.done`)",
    why="The API refuses to change a voice in use, and a changed session meets a running response.",
    source=f"{_CONTRACT_PAGE}; a response is active until response.done, whichever of its parts are done",
    kind=RuleKind.CONTRACT,
)
def update_idle(case: Case) -> Sequence[Finding] | None:
    """Look at updates, and at Settings that arrived, while a response was active."""
    findings = []
    observed = False
    for link in view(case).links:
        exchange = link.exchange
        observed = observed or any(exchange.active(settings.seq) is not None for settings in link.settings_frames)
        for update in exchange.updates:
            observed = observed or any(response.first_seq < update.frame.seq for response in exchange.conversation)
            response = exchange.active(update.frame.seq)
            if response is None or _crossed(link, update.frame.t, response.first_t, own=response.create is not None):
                continue
            findings.append(find(update.frame, "session.update went up while a response was active"))
    return once_per_cause(findings) if observed else None


def _crossed(link: Link, t: int, started: int, *, own: bool) -> bool:
    return not own and t - started <= link.crossing and link.crossing > 0
