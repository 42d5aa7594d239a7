"""Texts at the client: each of the assistant's messages once, each typed turn once, nothing made up."""

from collections.abc import Iterator, Sequence
from typing import Final

from conformance.rules.errors import own_errors
from conformance.rules.messages import Message, Telling, assistant_texts, messages, telling, words
from conformance.rules.model import Case, Finding, RuleKind, rule
from conformance.rules.reading import mapping
from conformance.rules.requests import Response
from conformance.rules.view import Link, find, once_per_cause, view
from conformance.wire.durations import SECOND, Micros
from conformance.wire.frames import Frame

_SOON: Final = 2 * SECOND


@rule(
    "VA-TEXT-ONCE",
    "one assistant `ConversationText` per finished assistant message (outer whitespace aside), whichever of item, text, "
    "transcript, deltas or `response.done` carried it; the same words in a later response are a new message",
    why="A message that is shown twice, or never, is what users report first.",
    source="Voice-agent contract, ConversationText; production reports of doubled and missing agent messages",
    kind=RuleKind.CONTRACT,
)
def text_once(case: Case) -> Sequence[Finding] | None:
    """Count the tellings of each message."""
    findings: list[Finding] = []
    observed = False
    for link in view(case).links:
        if link.client is None:
            continue
        result = telling(link)
        for index, message in enumerate(messages(link)):
            told = result.told.get(index, [])
            due = _text_due(link, message)
            observed = observed or bool(told) or (message.is_settled and due <= link.client_horizon)
            allowed = max(message.parts, _twins(link, message))
            if len(told) > allowed:
                findings.append(find(told[allowed], "the same assistant message was told twice"))
            if (
                not told
                and message.is_settled
                and due <= link.client_horizon
                and not _is_told_by_twin(link, result, message)
            ):
                findings.append(find(message.last, "the assistant's message never reached the client", cause="missing"))
    return once_per_cause(findings) if observed else None


def _text_due(link: Link, message: Message) -> Micros:
    """Return when a message must have been told: counted from the last event of its response that was really sent."""
    response = message.response
    return response.last.t + (SECOND if response.end is not None else _SOON) + link.crossing


def _twins(link: Link, message: Message) -> int:
    """Return how many messages of the same response say the same: scripts may give the carriers of one different ids."""
    return sum(m.response is message.response and bool(m.texts & message.texts) for m in messages(link))


def _is_told_by_twin(link: Link, result: Telling, message: Message) -> bool:
    twins = [i for i, m in enumerate(messages(link)) if m.response is message.response and m.texts & message.texts]
    return any(result.told.get(index) for index in twins)


@rule(
    "VA-TEXT-REAL",
    "every assistant `ConversationText` is an upstream assistant message or the greeting; tool calls and control events "
    "are not text",
    why="A tool call shown as speech, or an event's name, confuses the user.",
    source="A product's choice; production proxies once showed `Function call: …`",
    kind=RuleKind.POLICY,
)
def text_real(case: Case) -> Sequence[Finding] | None:
    """Look at assistant texts that no upstream message explains."""
    links = [link for link in view(case).links if assistant_texts(link)]
    if not links:
        return None
    return once_per_cause(
        find(frame, f"the client was told {words(frame)[:60]!r}, which the upstream's assistant never said")
        for link in links
        for frame in telling(link).strange
    )


@rule(
    "VA-USER-ECHO",
    "`InjectUserMessage` is echoed once",
    why="The client's own history is made of these echoes.",
    source="Voice-agent contract, ConversationText: user",
    kind=RuleKind.CONTRACT,
)
def user_echo(case: Case) -> Sequence[Finding] | None:
    """Count the user texts for each typed turn."""
    findings: list[Finding] = []
    observed = False
    for link in view(case).links:
        asked: dict[str, list[Frame]] = {}
        for inject in link.client_texts("InjectUserMessage"):
            if words(inject):
                asked.setdefault(words(inject), []).append(inject)
        shown = [frame for frame in link.shown("ConversationText") if frame.data.get("role") == "user"]
        for text, injects in asked.items():
            echoes = [frame for frame in shown if words(frame) == text]
            due = _echo_due(link, injects[-1], text)
            observed = observed or bool(echoes) or (due is not None and due <= link.client_horizon)
            if len(echoes) > len(injects):
                findings.append(find(echoes[len(injects)], "InjectUserMessage was echoed more than once"))
            refused = any(item.refused is not None and item.text.strip() == text for item in link.exchange.items)
            said = any(error.seq > injects[-1].seq for error in own_errors(link))
            missing = len(echoes) < len(injects) and not refused and not said
            if missing and due is not None and due <= link.client_horizon:
                findings.append(find(injects[-1], "InjectUserMessage was not echoed", cause="missing"))
    return once_per_cause(findings) if observed else None


def _echo_due(link: Link, inject: Frame, text: str) -> Micros | None:
    """Return when an echo must have come: after the message, the session and the item's confirmation were there."""
    if link.granted is None:
        return None
    item = next((i for i in link.exchange.items if i.is_user and i.text.strip() == text and i.frame.seq > inject.seq), None)
    confirmed = item.confirmed if item is not None else None
    if item is not None and confirmed is None and link.was_kept_from(item.frame):
        return None  # a proxy may echo what the upstream has confirmed
    origins = [inject.t, link.granted.t, *([confirmed.t] if confirmed is not None else [])]
    return max(origins) + _SOON


@rule(
    "VA-TEXT-BEFORE-IDLE-ERROR",
    "a running response's text is delivered before an `idle_timeout` error",
    why="The client closes on idle_timeout; what the agent was saying would be lost.",
    source="Production report: the agent's last message vanished when the idle timeout hit",
    kind=RuleKind.CONTRACT,
)
def text_before_idle_error(case: Case) -> Sequence[Finding] | None:
    """Look at the order of text and error when an idle timeout met a running response."""
    findings = []
    observed = False
    for link in view(case).links:
        for error, response in _idle_errors(link):
            shown = next(
                (e for e in link.shown("Error") if e.seq > error.seq and e.data.get("code") == "idle_timeout"), None
            )
            for index, message in enumerate(messages(link)):
                if message.response is not response or not message.is_settled:
                    continue
                observed = True
                told = telling(link).told.get(index)
                if shown is not None and (not told or told[0].seq > shown.seq):
                    findings.append(find(shown, "idle_timeout was shown before the running response's text"))
    return once_per_cause(findings) if observed else None


def _idle_errors(link: Link) -> Iterator[tuple[Frame, Response]]:
    for error in link.of("error"):
        response = link.exchange.active(error.seq)
        if response is not None and mapping(error.data.get("error")).get("code") == "idle_timeout":
            yield error, response
