"""Function calls as the client sees them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from conformance.rules.model import Case, Finding, RuleKind, rule
from conformance.rules.reading import listed, mapping
from conformance.rules.requests import Response
from conformance.rules.view import Link, find, once_per_cause, view
from conformance.wire.durations import SECOND
from conformance.wire.events import ga_name
from conformance.wire.frames import Frame

_SOON: Final = SECOND


@rule(
    "VA-TOOL-ONCE",
    "exactly one `FunctionCallRequest` per call: not none, not two, and not with another call's name or arguments",
    why="A call that is asked for twice books two flights; one never asked for leaves the agent waiting.",
    source="Voice-agent contract, FunctionCallRequest",
    kind=RuleKind.CONTRACT,
)
def tool_once(case: Case) -> Sequence[Finding] | None:
    """Count the requests for each call of the upstream, and compare what they ask for."""
    findings = []
    observed = False
    for link in view(case).links:
        if link.client is None:
            continue
        asked = requests(link)
        for response in link.exchange.responses:
            for call, frame in response.calls.items():
                seen = asked.get(call, [])
                done = ga_name(frame.type) == "response.function_call_arguments.done"
                # A proxy may wait for the response's end, to ask for all its calls at once.
                ended = response.end.t if response.end is not None else frame.t
                due = max(frame.t, ended) + _SOON + link.crossing
                owed = done and response.status not in ("cancelled", "failed") and due <= link.client_horizon
                observed = observed or owed or bool(seen)
                if len(seen) > 1:
                    findings.append(find(seen[1], "a second FunctionCallRequest for the same call"))
                elif owed and not any(request.t <= due for request in seen):
                    findings.append(
                        find(frame, "the call never reached the client as FunctionCallRequest", cause="missing")
                    )
                for request in seen[:1]:
                    findings += _differences(response, call, request)
    return once_per_cause(findings) if observed else None


def requests(link: Link) -> dict[str, list[Frame]]:
    """Return the requests that the client got, by call."""
    found: dict[str, list[Frame]] = {}
    for frame in link.shown("FunctionCallRequest"):
        for function in listed(frame.data.get("functions")):
            call = mapping(function).get("id")
            if isinstance(call, str):
                found.setdefault(call, []).append(frame)
    return found


def _differences(response: Response, call: str, request: Frame) -> Iterator[Finding]:
    """Yield what a request says otherwise than the call; arguments are equal as JSON, however they are written."""
    asked = next(f for f in map(mapping, listed(request.data.get("functions"))) if f.get("id") == call)
    said = list(_sayings(response, call))
    names = [(frame, body["name"]) for frame, body in said if isinstance(body.get("name"), str) and body["name"]]
    known = any(frame.seq < request.seq for frame, _ in names)
    wrong = "name" in asked and asked["name"] not in [name for _, name in names]
    if wrong and (known or (names and asked["name"])):
        yield find(request, f"the client was asked for {asked['name']!r}; the call is {names[-1][1]!r}", cause="name")
    whole = [
        body["arguments"]
        for frame, body in said
        if isinstance(body.get("arguments"), str) and not ga_name(frame.type).endswith(".added")
    ]
    if "arguments" in asked and whole and not any(_is_same(asked["arguments"], arguments) for arguments in whole):
        yield find(request, "the client was asked with other arguments than the call's", cause="arguments")


def _sayings(response: Response, call: str) -> Iterator[tuple[Frame, Mapping[str, Any]]]:
    """Yield what the upstream says of a call, and the event that says it."""
    for frame in response.frames:
        items = [mapping(frame.data.get("item"))]
        if ga_name(frame.type) == "response.function_call_arguments.done":
            items = [frame.data]
        elif frame is response.end:
            items = list(response.outputs)
        yield from ((frame, body) for body in items if body.get("call_id") == call)


def _is_same(told: Any, arguments: str) -> bool:
    return bool(told == arguments or _read(told) == _read(arguments))


def _read(arguments: Any) -> Any:
    """Return arguments as the values they stand for; nothing stands for none."""
    if not isinstance(arguments, str):
        return arguments or {}
    try:
        return orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError:
        return arguments
