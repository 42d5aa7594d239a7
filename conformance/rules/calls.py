"""Function calls as the client sees them."""

from collections.abc import Sequence
from typing import Final

from conformance.rules.model import Case, Finding, RuleKind, rule
from conformance.rules.reading import listed, mapping
from conformance.rules.view import Link, find, once_per_cause, view
from conformance.wire.durations import SECOND
from conformance.wire.events import ga_name
from conformance.wire.frames import Frame

_SOON: Final = SECOND


@rule(
    "VA-TOOL-ONCE",
    "exactly one `FunctionCallRequest` per call: not none, not two",
    why="A call that is asked for twice books two flights; one never asked for leaves the agent waiting.",
    source="Voice-agent contract, FunctionCallRequest",
    kind=RuleKind.CONTRACT,
)
def tool_once(case: Case) -> Sequence[Finding] | None:
    """Count the requests for each call of the upstream."""
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
