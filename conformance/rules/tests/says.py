"""A short way to ask a rule about a small recording."""

from typing import Any

from conformance.rules.examples import expand
from conformance.rules.model import RULES, Case
from conformance.rules.timeline import parse_timeline

USER = '{"item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}}'
USER_SEEN = '{"item": {"id": "i1", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}}'
OUTPUT = '{"item": {"type": "function_call_output", "call_id": "c1", "output": "sunny"}}'
OUTPUT_SEEN = '{"item": {"id": "o1", "type": "function_call_output", "call_id": "c1", "output": "sunny"}}'
DONE = 'response.done {"response": {"id": "r1", "status": "completed"}}'
CONFLICT = (
    '{"error": {"type": "invalid_request_error", "code": "conversation_already_has_active_response", "message": "Busy."}}'
)


def case(timeline: str, **facts: Any) -> Case:
    """Return a case from a timeline; its lines may ``use`` the beginnings that the rules' examples share."""
    lines = [line.strip() for line in timeline.strip().splitlines()]
    return Case(parse_timeline("\n".join(expand([line for line in lines if line]))), **facts)


def says(rule: str, timeline: str, **facts: Any) -> list[str] | None:
    """Return the causes of what a rule found; an empty list: kept; None: nothing to look at."""
    findings = RULES[rule].judge(case(timeline, **facts))
    return None if findings is None else [finding.cause for finding in findings]
