"""Tools: what a function's output carries upstream, and the `response.create` that follows when, and only when, it may."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from conformance.rules.errors import own_errors
from conformance.rules.model import Case, Finding, RuleKind, rule
from conformance.rules.reading import listed, mapping, name_of
from conformance.rules.requests import Item, Response
from conformance.rules.turn_taking import is_unsticking, ledger
from conformance.rules.turns import Turn, TurnKind
from conformance.rules.view import Link, find, once_per_cause, view
from conformance.wire.durations import SECOND, Micros
from conformance.wire.frames import Frame

_CONTINUES: Final = 2 * SECOND
_UNSTICKS: Final = 30 * SECOND
_HANGS: Final = 10 * SECOND
"""After this long without the other outputs a proxy may give up on them."""
_HAND_OVER: Final = 5 * SECOND


def _tool_turns(case: Case) -> Iterator[tuple[Link, Turn]]:
    for link in view(case).links:
        for turn in ledger(link).turns:
            if turn.kind is TurnKind.TOOLS:
                yield link, turn


@rule(
    "RT-TOOL-ORDER",
    "after a function output: no `response.create` before `response.done`, whatever items are confirmed or parts done "
    "meanwhile",
    why="The response that made the call is active until response.done; a create before it is refused and the answer "
    "is lost.",
    source="Realtime API, one active response; ground truth §2.8: the output may go up before response.done, the "
    "create may not",
    kind=RuleKind.API,
)
def tool_order(case: Case) -> Sequence[Finding] | None:
    """Look at the creates between each function output and the end of the response that made the call."""
    findings = []
    observed = False
    for link, turn in _tool_turns(case):
        observed = True
        for item in turn.items:
            response = turn.response or link.exchange.active(item.frame.seq)
            if response is None or not response.active_at(item.frame.seq):
                continue
            for create in link.exchange.creates:
                early = item.frame.seq < create.frame.seq and response.active_at(create.frame.seq)
                if create.default and early and not is_unsticking(link, create.frame, response):
                    findings.append(find(create.frame, "response.create before the response.done of the call's response"))
    return once_per_cause(findings) if observed else None


@rule(
    "RT-TOOL-ALL-OUTPUTS",
    "with parallel calls, `response.create` waits for every output",
    why="A response created after the first of two outputs answers with half the facts, and the second output comes "
    "too late.",
    source="Voice-agent contract, ordering point 5; parallel_tool_calls of the Realtime API",
    kind=RuleKind.CONTRACT,
)
def tool_all_outputs(case: Case) -> Sequence[Finding] | None:
    """Look at creates that came for a set of outputs that was not complete."""
    findings = []
    observed = False
    for link, turn in _tool_turns(case):
        if turn.response is None or len(turn.response.calls) < 2:
            continue
        observed = True
        for claim in ledger(link).claims:
            create = claim.create.frame
            if claim.early is not turn:
                continue
            given = [item for item in turn.items if item.frame.seq < create.seq]
            if create.t - given[-1].frame.t < _HANGS:
                findings.append(
                    find(create, f"response.create after {len(given)} of {len(turn.response.calls)} function outputs")
                )
    return once_per_cause(findings) if observed else None


@rule(
    "RT-TOOL-CONTINUES",
    "it comes within 2 s of `response.done` if the output went up before it, else within 2 s of the output item's `.done` "
    "(beta `.created`)",
    why="Nothing else makes the model go on after a tool call: without it the agent falls silent.",
    source="Voice-agent contract, ordering point 5; production report: a proxy that waited for a text event of a call "
    "response",
    kind=RuleKind.CONTRACT,
)
def tool_continues(case: Case) -> Sequence[Finding] | None:
    """Look at each complete set of outputs whose trigger was really sent."""
    findings = []
    observed = False
    for link, turn in _tool_turns(case):
        trigger = _trigger(link, turn)
        if trigger is None or turn.ready is None:
            continue
        observed = True
        due = link.exchange.idle_due(trigger.t, _CONTINUES)
        if due is None or due > link.horizon or _went_on(link, turn.ready, due):
            continue
        findings.append(
            find(trigger, "no response.create within 2s after the function output", cause="function_call_output")
        )
    return once_per_cause(findings) if observed else None


def _trigger(link: Link, turn: Turn) -> Frame | None:
    """Return the event from which the create is due: the response's end, or the last output's confirmation if later.

    A confirmation that the mock withheld starts no deadline, not even of an output that went up before the end (principle
    3): a proxy may wait for it (RT-ITEM-CONFIRMED) until it gives up (RT-TOOL-UNSTICKS).
    """
    if turn.ready is None:
        return None
    last = turn.items[-1]
    response = turn.response or _active(link, last)
    if response is not None and response.end is None:
        return None
    if response is not None and response.end is not None and last.frame.seq < response.end.seq:
        if last.confirmed is None:
            return None if link.was_kept_from(last.frame) else response.end
        return max(response.end, last.confirmed, key=lambda frame: frame.seq)
    return next((seen for seen in last.confirmations if seen.type != "conversation.item.added"), None)


def _active(link: Link, item: Item) -> Response | None:
    return link.exchange.active(item.frame.seq)


def _went_on(link: Link, ready: Frame, due: Micros) -> bool:
    creates = any(ready.seq < create.frame.seq and create.frame.t <= due for create in link.exchange.creates)
    return creates or any(
        ready.seq < response.start.seq and response.start.t <= due for response in link.exchange.responses
    )


@rule(
    "RT-TOOL-UNSTICKS",
    "if a confirmation or completion never arrives, `response.create` or a visible `Error` comes within 30 s",
    why="An upstream that forgets one event must not silence the agent for good.",
    source="A product's choice; production proxies use 20 s",
    kind=RuleKind.POLICY,
)
def tool_unsticks(case: Case) -> Sequence[Finding] | None:
    """Look at complete sets of outputs whose confirmation or `response.done` never came."""
    findings = []
    observed = False
    for link, turn in _tool_turns(case):
        if turn.ready is None:
            continue
        last = turn.items[-1]
        response = turn.response or _active(link, last)
        unfinished = response is not None and response.end is None
        if not unfinished and last.confirmed is not None:
            continue
        observed = True
        seen = response.last.t if response is not None else last.frame.t
        due = max(last.frame.t, seen) + _UNSTICKS
        told = any(last.frame.seq < error.seq and error.t <= due for error in link.shown("Error"))
        if due <= link.horizon and not told and not _went_on(link, last.frame, due):
            message = "30s after the function output neither response.create nor Error had come"
            findings.append(find(last.frame, message, cause="function_call_output"))
    return once_per_cause(findings) if observed else None


@rule(
    "RT-TOOL-OUTPUT-WHOLE",
    "the output carries what the client sent: strings verbatim, values equal as JSON, an `error` contained",
    why="The model answers from the output; an empty or changed one makes it invent.",
    source="Voice-agent contract, FunctionCallResponse: content, result or error",
    kind=RuleKind.CONTRACT,
)
def tool_output_whole(case: Case) -> Sequence[Finding] | None:
    """Compare each `FunctionCallResponse` with the output item of its call."""
    findings: list[Finding] = []
    observed = False
    for link in view(case).links:
        replies = [frame for frame in link.client_texts("FunctionCallResponse") if isinstance(frame.data.get("id"), str)]
        outputs = [item for item in link.exchange.items if item.is_output]
        for output in outputs:
            given = [r for r in replies if r.data["id"] == output.body.get("call_id") and r.seq < output.frame.seq]
            observed = observed or bool(given)
            if given and not any(_carries(output.body.get("output"), reply.data) for reply in given):
                findings.append(find(output.frame, "the output is not what the client sent", cause="function_call_output"))
        findings += _lost(link, replies, {name_of(output.body.get("call_id")) for output in outputs})
    return once_per_cause(findings) if observed or findings else None


def _carries(output: Any, reply: Mapping[str, Any]) -> bool:
    if not isinstance(output, str):
        return False
    values = [reply[key] for key in ("content", "result") if reply.get(key) is not None]
    if any(_is_value(output, value) for value in values):
        return True
    error = reply.get("error")
    if error is None:
        return not values
    words = error if isinstance(error, str) else mapping(error).get("message", error)
    text = words if isinstance(words, str) else orjson.dumps(words).decode()
    return text in output or text in orjson.dumps(_read(output)).decode() or _contains(_read(output), error)


def _is_value(output: str, value: Any) -> bool:
    return output == value if isinstance(value, str) else _read(output) == value


def _read(output: str) -> Any:
    try:
        return orjson.loads(output)
    except orjson.JSONDecodeError:
        return output


def _contains(found: Any, error: Any) -> bool:
    return found == error or (isinstance(found, Mapping) and any(_contains(value, error) for value in found.values()))


def _lost(link: Link, replies: Sequence[Frame], outputs: set[Any]) -> Iterator[Finding]:
    """Yield a finding for each answer to a call the proxy had passed on that never went up, with no Error to say why."""
    asked = {
        name_of(mapping(call).get("id"))
        for request in link.shown("FunctionCallRequest")
        for call in listed(request.data.get("functions"))
    }
    for reply in replies:
        if reply.data["id"] in outputs or reply.data["id"] not in asked or link.granted is None:
            continue
        told = any(error.seq > reply.seq for error in own_errors(link))
        since = max(reply.t, link.granted.t)
        # It may wait for the end of the response that asked for it, not for one that never comes.
        due = link.exchange.idle_due(since, _HAND_OVER) or since + _HAND_OVER
        if not told and due <= link.horizon:
            yield find(reply, "the function's output never went up, and no Error said why")
