"""Turn taking upstream: each turn confirmed, asked for once, answered, and never two responses at a time."""

from collections.abc import Iterator, Sequence
from typing import Final

from conformance.rules.errors import own_errors
from conformance.rules.hostile import BEYOND_THE_FOUR
from conformance.rules.model import Case, Finding, RuleKind, rule
from conformance.rules.reading import item_text, listed, mapping
from conformance.rules.requests import Create, Item, Response
from conformance.rules.turns import GIVE_UP, Claim, Ledger, Turn, TurnKind
from conformance.rules.view import Link, find, once_per_cause, view
from conformance.wire.durations import SECOND, format_duration
from conformance.wire.frames import Frame

PATIENCE: Final = 3 * SECOND
"""How long a confirmed turn may wait for its response while nothing else is active."""
_HAND_OVER: Final = 5 * SECOND


def ledger(link: Link) -> Ledger:
    """Return the ledger of a link, made once."""
    key = f"ledger {link.upstream.leg} {link.upstream.number}"
    found = link.case.cache.get(key)
    if not isinstance(found, Ledger):
        found = link.case.cache[key] = Ledger(link.exchange)
    return found


@rule(
    "RT-ONE-RESPONSE",
    "no `response.create` for the default conversation while one is active, server-started ones included",
    why="The API refuses it with conversation_already_has_active_response, and the turn is lost unless somebody retries.",
    source="Realtime API, response.create; ground truth §3.2 conversation_already_has_active_response",
    kind=RuleKind.API,
)
def one_response(case: Case) -> Sequence[Finding] | None:
    """Look at each create of the default conversation."""
    creates = [(link, create) for link in view(case).links for create in link.exchange.creates if create.default]
    if not creates:
        return None
    findings = []
    for link, create in creates:
        response = link.exchange.active(create.frame.seq)
        if response is None or _crossed(link, create, response) or is_unsticking(link, create.frame, response):
            continue
        origin = "the server had started" if response.create is None else "was asked for before"
        findings.append(find(create.frame, f"response.create while a response that {origin} was active"))
    return once_per_cause(findings)


def _crossed(link: Link, create: Create, response: Response) -> bool:
    return response.create is None and 0 <= create.frame.t - response.start.t <= link.crossing and link.crossing > 0


def is_unsticking(link: Link, frame: Frame, response: Response) -> bool:
    """Tell whether a create is a proxy's way out of a tool call whose `response.done` never came (RT-TOOL-UNSTICKS)."""
    if response.end is not None:
        return False
    outputs = [item.frame.t for item in link.exchange.items if item.is_output and item.frame.seq < frame.seq]
    last = max((seen.t for seen in response.frames if seen.seq < frame.seq), default=response.first_t)
    return bool(outputs) and frame.t - max(*outputs, last) >= GIVE_UP


@rule(
    "RT-ITEM-CONFIRMED",
    "`response.create` only after the confirmation of that very item (the first of its `added`, `done` or beta `created`; "
    "by id, else type, role or call_id, and content); another item's does not count",
    why="A response created before the item is in the conversation answers without it; the API has closed on it, too.",
    source="Voice-agent contract, ordering point 4; production report: text turns closed 2.7 s after the first message",
    kind=RuleKind.CONTRACT,
)
def item_confirmed(case: Case) -> Sequence[Finding] | None:
    """Look at each create that a user item or a function output asked for."""
    findings = []
    observed = False
    for link in view(case).links:
        for claim in ledger(link).claims:
            turns = [*claim.answers, *([claim.early] if claim.early is not None else [])]
            items = [item for turn in turns for item in turn.items]
            observed = observed or bool(items)
            item = _unconfirmed(link, claim)
            if item is not None:
                what = "the function output" if item.is_output else "its user item"
                findings.append(find(claim.create.frame, f"response.create before {what} was confirmed"))
    return once_per_cause(findings) if observed else None


def _unconfirmed(link: Link, claim: Claim) -> Item | None:
    """Return the item for which a create came too early.

    A create that another turn justifies is none. An output that went up before its response was done is answered from
    that response.done on (RT-TOOL-CONTINUES), whether it is confirmed by then or not.
    """
    create = claim.create.frame
    if claim.early is not None and claim.early.kind is TurnKind.TEXT:
        return _waiting(claim.early, create)
    if any(turn.kind is not TurnKind.TOOLS for turn in claim.answers) or not claim.answers:
        return None
    for turn in claim.answers:
        last = turn.items[-1]
        ended = turn.response.end if turn.response is not None else None
        if ended is not None and last.frame.seq < ended.seq < create.seq:
            return None
        if link.exchange.active(create.seq) is not None:
            return None
    return next((item for turn in claim.answers if (item := _waiting(turn, create)) is not None), None)


def _waiting(turn: Turn, create: Frame) -> Item | None:
    for item in turn.items:
        confirmed = item.confirmed
        if confirmed is None and create.t - item.frame.t >= GIVE_UP:
            continue
        if confirmed is None or confirmed.seq > create.seq:
            return item
    return None


@rule(
    "RT-ONE-CREATE",
    "one `response.create` per turn (user item, commit, or complete set of tool outputs); one may answer several confirmed "
    "items; a retry after a refusal is allowed",
    why="A second create makes the agent answer the same words twice, or is refused.",
    source="Voice-agent contract, ordering point 4",
    kind=RuleKind.CONTRACT,
)
def one_create(case: Case) -> Sequence[Finding] | None:
    """Look for creates that no open turn asked for."""
    findings = []
    observed = False
    for link in view(case).links:
        claims = ledger(link).claims
        observed = observed or any(claim.answers or claim.early or claim.spare for claim in claims)
        spare = [claim.create for claim in claims if claim.spare and not _is_justified(link, claim.create)]
        findings += [find(create.frame, "a second response.create for a turn that already had its own") for create in spare]
    return once_per_cause(findings) if observed else None


def _is_justified(link: Link, create: Create) -> bool:
    """True for a repetition because the upstream had not reacted to the create before, and for what no turn asked for.

    Other items (the system's, an approval) and messages of the client's family beyond the four may ask for a response, too.
    """
    before = [other.frame for other in link.exchange.creates if other.frame.seq < create.frame.seq]
    if not before:
        return False
    last, now = before[-1].seq, create.frame
    others = [item.frame for item in link.exchange.items if not item.is_user and not item.is_output]
    if any(last < frame.seq < now.seq for frame in (*others, *link.client_texts(*BEYOND_THE_FOUR))):
        return True
    silent = next(other for other in link.exchange.creates if other.frame is before[-1]).response is None
    return silent and now.t - before[-1].t >= GIVE_UP


@rule(
    "RT-TURN-ANSWERED",
    "after its confirmation a user turn gets a response, ours or the server's; if refused, a retry or a visible `Error`; "
    "a hidden refusal is no answer",
    why="A user who was heard and never answered waits for ever.",
    source="Voice-agent contract, table of client messages: InjectUserMessage",
    kind=RuleKind.CONTRACT,
)
def turn_answered(case: Case) -> Sequence[Finding] | None:
    """Look at each confirmed user item, and at typed turns that never went up."""
    findings: list[Finding] = []
    observed = False
    for link in view(case).links:
        for turn in ledger(link).turns:
            if turn.kind is TurnKind.TEXT and turn.ready is not None:
                observed = True
                findings += _unanswered(link, turn, turn.ready)
        findings += _lost(link)
        observed = observed or bool(findings)
    return once_per_cause(findings) if observed else None


@rule(
    "RT-AUDIO-ANSWERED",
    "a committed audio turn gets a response, the server's own or a `response.create` (also after the server's `committed` "
    "under `create_response: false`)",
    why="Under create_response false nobody answers unless the proxy asks; the caller hears silence.",
    source="Voice-agent contract, table of client messages: binary; ground truth §2.5 create_response:false",
    kind=RuleKind.CONTRACT,
)
def audio_answered(case: Case) -> Sequence[Finding] | None:
    """Look at each commit that the upstream confirmed."""
    findings: list[Finding] = []
    observed = False
    for link in view(case).links:
        for turn in ledger(link).turns:
            commit = turn.commit
            if commit is None or commit.committed is None:
                continue
            by_server = commit.server and (link.exchange.creates_responses(commit.committed.seq) or commit.timed_out)
            observed = observed or not by_server or bool(turn.answers)
            if not by_server:
                findings += _unanswered(link, turn, commit.committed)
    return once_per_cause(findings) if observed else None


def _unanswered(link: Link, turn: Turn, since: Frame) -> Iterator[Finding]:
    """Yield a finding when a turn that was ready at ``since`` got neither response nor, if refused, a word about it."""
    accepted = [create for create in turn.creates if create.refused is None]
    if accepted or turn.answers or link.granted is None:
        return
    refusals = [create.refused for create in turn.creates if create.refused is not None]
    origin = max([since, link.granted, *refusals], key=lambda frame: frame.seq)
    if refusals and any(error.seq > refusals[0].seq for error in link.shown("Error")):
        return
    due = link.exchange.idle_due(origin.t, PATIENCE)
    if due is None or due > link.horizon:
        return
    what = "the turn's refused response.create was neither retried nor shown" if refusals else "nobody asked for a response"
    yield find(since, f"{what} within {format_duration(PATIENCE)}", cause=turn.sent.type)


def _lost(link: Link) -> Iterator[Finding]:
    """Yield a finding for each typed turn that never went up although the session was ready, and nobody said why."""
    if link.granted is None:
        return
    sent = [item for item in link.exchange.items if item.is_user]
    for inject in link.client_texts("InjectUserMessage"):
        content = inject.data.get("content")
        if not isinstance(content, str) or not content.strip():
            continue
        if any(item.frame.seq > inject.seq and content.strip() in item.text for item in sent):
            continue
        due = link.exchange.idle_due(max(inject.t, link.granted.t), _HAND_OVER)
        creates = any(c.frame.seq > inject.seq and _carries(c, content.strip()) for c in link.exchange.creates)
        told = any(error.seq > inject.seq for error in own_errors(link))
        if due is not None and due <= link.horizon and not creates and not told:
            yield find(inject, "InjectUserMessage never went up, and no Error said why")


def _carries(create: Create, content: str) -> bool:
    """True when a create brings the words along itself, as its input or in its instructions."""
    asked = mapping(create.frame.data.get("response"))
    words = [str(asked.get("instructions") or ""), *(item_text(mapping(item)) for item in listed(asked.get("input")))]
    return any(content in said for said in words)
