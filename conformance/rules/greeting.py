"""Greeting and context: shown or told once, on the right leg, and never a turn upstream."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from conformance.rules.hostile import BEYOND_THE_FOUR
from conformance.rules.messages import assistant_texts, greeting_of, messages, words
from conformance.rules.model import Case, Finding, RuleKind, rule
from conformance.rules.reading import item_text, listed, mapping
from conformance.rules.turns import context_texts
from conformance.rules.view import Link, find, once_per_cause, view
from conformance.wire.durations import SECOND

_CONTRACT_PAGE: Final = "Voice-agent contract, ordering point 7"
_SOON: Final = 2 * SECOND
_ESCAPE: Final = re.compile(r"\\u([0-9a-fA-F]{4})")


def _greeted(case: Case, *, context: bool) -> list[tuple[Link, str]]:
    """Return the ready links whose Settings hold a greeting, with or without context."""
    links = [(link, greeting_of(link)) for link in view(case).links if link.ready is not None]
    return [(link, said) for link, said in links if said and bool(context_texts(link.settings)) is context]


@rule(
    "RT-GREETING-QUIET",
    "a greeting causes neither item nor response upstream",
    why="The API refuses or echoes a greeting sent as an item, and a response to it makes the agent greet twice.",
    source=f"{_CONTRACT_PAGE}; production report: errors after a greeting was injected upstream",
    kind=RuleKind.CONTRACT,
)
def greeting_quiet(case: Case) -> Sequence[Finding] | None:
    """Look at items that hold the greeting, and at responses asked for before any turn."""
    links = [link for link in view(case).links if greeting_of(link) and link.exchange.updates]
    if not links:
        return None
    findings = []
    for link in links:
        greeting = greeting_of(link)
        injects = link.client_texts("InjectUserMessage")
        context = [text for _, text in context_texts(link.settings)]
        known = context + [str(frame.data.get("content")).strip() for frame in injects]
        findings += [
            find(item.frame, "the greeting went up as an item")
            for item in link.exchange.items
            if greeting in item.text and item.text.strip() not in known and not _is_history(item.text, context)
        ]
        own = [item for item in link.exchange.items if item.text.strip() not in context]
        turns = [item.frame.seq for item in own if item.is_user or item.is_output]
        turns += [frame.seq for frame in injects] + [commit.frame.seq for commit in link.exchange.commits]
        turns += [frame.seq for frame in link.client_texts(*BEYOND_THE_FOUR)]
        first = min(turns, default=None)
        findings += [
            find(create.frame, "response.create before any turn: the greeting caused a response")
            for create in link.exchange.creates
            if first is None or create.frame.seq < first
        ]
    return once_per_cause(findings)


def _is_history(text: str, context: Sequence[str]) -> bool:
    """True for an item that holds the whole context, which may have the words of the greeting in it."""
    return bool(context) and text.strip() not in context and all(said in text for said in context)


@rule(
    "RT-CONTEXT-KEPT",
    "context reaches the upstream before the first response, as items, in its order and under its roles, or inside "
    "`instructions`",
    why="Without the history a reconnected agent has forgotten the conversation.",
    source="Voice-agent contract, Settings: agent.context.messages",
    kind=RuleKind.CONTRACT,
)
def context_kept(case: Case) -> Sequence[Finding] | None:
    """Look for each context message in what went up before the first response."""
    findings = []
    observed = False
    for link in view(case).links:
        context = context_texts(link.settings)
        starts = [r.first_seq for r in link.exchange.conversation] + [c.frame.seq for c in link.exchange.creates]
        if not context or not link.exchange.updates:
            continue
        first = min(starts, default=None)
        told = "\n".join(_told(link, first))
        missing = [text for _, text in context if text not in told]
        if missing and first is None:
            continue
        observed = True
        if missing:
            frame = next(frame for frame in link.upstream.events if frame.seq == first)
            message = f"{len(missing)} of {len(context)} context messages had not gone up before the first response"
            findings.append(find(frame, message, cause="agent.context"))
        findings += _turned_about(link, context, first)
    return once_per_cause(findings) if observed else None


def _turned_about(link: Link, context: Sequence[tuple[str, str]], before: int | None) -> Iterator[Finding]:
    """Yield a finding when a message that went up as an item of its own is said by another, or before an earlier one."""
    left = list(enumerate(context))
    typed = {frame.data.get("content") for frame in link.client_texts("InjectUserMessage")}
    last = -1
    for item in link.exchange.items:
        if before is not None and item.frame.seq >= before:
            break
        role, text = str(item.body.get("role", "")), item.text.strip()
        alike = [(index, said) for index, (said, words) in left if words == text]
        if not alike or item.text in typed or role not in ("user", "assistant"):
            continue
        own = [index for index, said in alike if said == role]
        if not own:
            yield find(item.frame, f"what the {alike[0][1]} had said went up as the {role}'s words", cause="agent.context")
            return
        if own[0] < last and item.frame.data.get("previous_item_id") is None:
            yield find(item.frame, "the context went up in another order", cause="agent.context")
            return
        last = own[0]
        left = [entry for entry in left if entry[0] != own[0]]


def _told(link: Link, before: int | None) -> Iterator[str]:
    for update in link.exchange.updates:
        instructions = mapping(update.frame.data.get("session")).get("instructions")
        if isinstance(instructions, str) and update.refused is None and (before is None or update.frame.seq < before):
            yield from _read(instructions)
    for create in link.exchange.creates:
        asked = mapping(create.frame.data.get("response"))
        if before is None or create.frame.seq <= before:
            yield from _read(str(asked.get("instructions") or ""))
            yield from (item_text(mapping(item)) for item in listed(asked.get("input")))
    for item in link.exchange.items:
        if before is None or item.frame.seq < before:
            yield item.text


def _read(instructions: str) -> Iterator[str]:
    """Yield instructions as they stand, and as JSON that they may hold spells them out."""
    yield instructions
    spelt = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), instructions)
    spelt = spelt.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    yield spelt.replace("\\n", "\n").replace('\\"', '"')


@rule(
    "RT-CONTEXT-NO-ITEMS",
    "context goes up inside `instructions`, never as items",
    why="Items are echoed by the API and then shown as new text.",
    source="A product's choice after a production report of doubled history",
    kind=RuleKind.POLICY,
)
def context_no_items(case: Case) -> Sequence[Finding] | None:
    """Look for items that hold a context message."""
    findings = []
    observed = False
    for link in view(case).links:
        context = [text for _, text in context_texts(link.settings)]
        if not context or not link.exchange.updates:
            continue
        observed = True
        said = [frame.data.get("content") for frame in link.client_texts("InjectUserMessage")]
        findings += [
            find(item.frame, "a context message went up as an item")
            for item in link.exchange.items
            if item.text.strip() in context and item.text not in said
        ]
    return once_per_cause(findings) if observed else None


@rule(
    "VA-HISTORY-QUIET",
    "context is not echoed as new text",
    why="The user would see the old conversation again as if it were said now.",
    source="Voice-agent contract; production report of doubled assistant messages after a reconnect",
    kind=RuleKind.CONTRACT,
)
def history_quiet(case: Case) -> Sequence[Finding] | None:
    """Look for context among the texts at the client, save where somebody really said it again."""
    findings = []
    observed = False
    for link in view(case).links:
        context = {text for _, text in context_texts(link.settings)}
        if not context or link.ready is None:
            continue
        observed = True
        said = {text for message in messages(link) for text in message.texts} | {greeting_of(link)}
        said |= {str(frame.data.get("content")).strip() for frame in link.client_texts("InjectUserMessage")}
        findings += [
            find(text, "a context message was shown as new text")
            for text in link.shown("ConversationText")
            if words(text) in context - said
        ]
    return once_per_cause(findings) if observed else None


@rule(
    "VA-GREETING",
    "a greeting, without context, reaches the client once, after `SettingsApplied`",
    why="The greeting is the first thing a user should see, once.",
    source=_CONTRACT_PAGE,
    kind=RuleKind.CONTRACT,
)
def greeting(case: Case) -> Sequence[Finding] | None:
    """Count the greeting at the client."""
    findings: list[Finding] = []
    observed = False
    for link, said in _greeted(case, context=False):
        shown = [frame for frame in assistant_texts(link) if words(frame) == said]
        again = sum(said in message.texts for message in messages(link))
        applied = next(iter(link.shown("SettingsApplied")), None)
        observed = observed or bool(shown) or applied is not None
        if not shown and applied is not None and applied.t + _SOON <= link.client_horizon:
            findings.append(find(applied, "the greeting never reached the client", cause="missing"))
        if len(shown) > 1 + again:
            findings.append(find(shown[1], "the greeting reached the client more than once"))
        if shown and (applied is None or shown[0].seq < applied.seq):
            findings.append(find(shown[0], "the greeting came before SettingsApplied", cause="order"))
    return once_per_cause(findings) if observed else None


@rule(
    "VA-GREETING-DONE",
    "`AgentAudioDone` follows the greeting",
    why="A client that waits for the agent to finish would never start to listen, or to time out.",
    source="A product's choice; production proxies send it so that the idle timeout can start",
    kind=RuleKind.POLICY,
)
def greeting_done(case: Case) -> Sequence[Finding] | None:
    """Look for the done after the greeting."""
    findings = []
    observed = False
    for link in view(case).links:
        said = greeting_of(link)
        shown = next((frame for frame in assistant_texts(link) if said and words(frame) == said), None)
        if shown is None:
            continue
        observed = True
        due = shown.t + _SOON
        if due <= link.client_horizon and not any(
            shown.seq < done.seq and done.t <= due for done in link.shown("AgentAudioDone")
        ):
            findings.append(find(shown, "no AgentAudioDone within 2s after the greeting"))
    return once_per_cause(findings) if observed else None


@rule(
    "VA-GREETING-NOT-AGAIN",
    "with context in Settings, the greeting is not repeated",
    why="A user who reconnects in mid-conversation has been greeted.",
    source="A product's choice",
    kind=RuleKind.POLICY,
)
def greeting_not_again(case: Case) -> Sequence[Finding] | None:
    """Look for the greeting where there is context."""
    findings = []
    observed = False
    for link, said in _greeted(case, context=True):
        observed = True
        real = {text for message in messages(link) for text in message.texts}
        findings += [
            find(frame, "the greeting was repeated although Settings held context")
            for frame in assistant_texts(link)
            if words(frame) == said and said not in real
        ]
    return once_per_cause(findings) if observed else None
