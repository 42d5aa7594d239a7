"""Faults that act before there is a connection: refusals and slow accepts."""

from dataclasses import dataclass
from random import Random
from typing import Final

from conformance.wire.durations import Micros, parse_duration
from conformance.wire.script import FAULTS, Fault
from mock_upstream.assignment import Assignment
from mock_upstream.http import error_response

_ERRORS: Final = {
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    403: ("invalid_request_error", "unsupported_country_region_territory", "You do not have access to this model."),
    429: ("tokens", "rate_limit_exceeded", "Rate limit reached for requests. Please try again later."),
    500: ("server_error", None, "The server had an error while processing your request. Sorry about that!"),
}


@dataclass(frozen=True, slots=True)
class HandshakeFault:
    """Answer with this HTTP status instead of 101, or nothing at all and reset, or answer this much later."""

    status: int | None = None
    resets: bool = False
    delay: Micros = 0

    @property
    def refuses(self) -> bool:
        """True when there will be no connection."""
        return self.resets or self.status is not None


def handshake_fault(assignment: Assignment) -> tuple[HandshakeFault | None, str | None]:
    """Return what the assignment does to the handshake, and the id of the script's rule that does it.

    A fault named on the command line is no script's doing, and never waived. A slow accept accepts nothing that the script
    refuses.
    """
    named = None
    if assignment.fault is not None and _is_for_handshakes(assignment.fault):
        named = _read(assignment.fault)
        if named.refuses:
            return named, None
    mine = [rule for rule in assignment.script.rules if rule.conn in (None, assignment.conn)]
    for rule in mine:
        if rule.fault is None or not _is_for_handshakes(rule.fault):
            continue
        if Random(f"handshake {assignment.seed} {assignment.conn} {rule.id}").random() < rule.probability:
            scripted = _read(rule.fault)
            return (scripted, rule.id) if named is None or scripted.refuses else (named, None)
    return named, None


def refusal(status: int) -> bytes:
    """Write the response of a refused handshake."""
    type_, code, message = _ERRORS[status]
    return error_response(status, type_, message, code)


def _is_for_handshakes(fault: Fault) -> bool:
    return fault.name in FAULTS and FAULTS[fault.name].scope == "handshake"


def _read(fault: Fault) -> HandshakeFault:
    if fault.name == "refuse-tcp":
        return HandshakeFault(resets=True)
    if fault.name.startswith("refuse-"):
        return HandshakeFault(status=int(fault.name.removeprefix("refuse-")))
    params = {**FAULTS[fault.name].params, **fault.params}
    return HandshakeFault(delay=parse_duration(str(params["after"])))
