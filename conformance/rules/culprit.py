"""Which request an upstream `error` answers: by ``event_id``, else by its code or parameter, else by order (principle 8).

Not every error answers something: a `server_error` happens beside what is asked, and an expiry comes by the clock. Such an
error refuses a request only if it names it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from conformance.rules.reading import mapping
from conformance.rules.requests import Commit, Create, Request
from conformance.wire.error_codes import ACCOUNT, EXPIRY, HANDSHAKE, is_among

if TYPE_CHECKING:
    from conformance.rules.exchange import Exchange

_R = TypeVar("_R", bound=Request)

ACTIVE_RESPONSE: Final = "conversation_already_has_active_response"
COMMIT_EMPTY: Final = "input_audio_buffer_commit_empty"
_ANSWERS: Final = ("invalid_request_error", None, "")
"""The types of errors that answer an event; an upstream that names no type gets the benefit."""
_BY_THEMSELVES: Final = ACCOUNT | EXPIRY | HANDSHAKE
"""Codes of what ends a session or refuses its handshake, whatever was asked."""


def culprit(exchange: "Exchange", requests: Sequence[Request], error: Mapping[str, Any]) -> Request | None:
    """Return the request that an ``error`` event answers, of all ``requests`` so far; None if it answers none."""
    details = mapping(error.get("error"))
    named = details.get("event_id")
    if named not in (None, ""):
        return next((r for r in requests if r.frame.data.get("event_id") == named), None)
    code, param = details.get("code"), details.get("param")
    if code == ACTIVE_RESPONSE:
        return _refused_create(exchange)
    if code == COMMIT_EMPTY:
        return _refused_commit(exchange)
    top = param.partition(".")[0].partition("[")[0] if isinstance(param, str) else None
    match top:
        case "session":
            return _oldest(exchange.updates)
        case "item":
            return _oldest(exchange.items)
        case "response":
            return _oldest(exchange.creates)
        case _:
            pass
    if isinstance(code, str) and code.startswith("response_cancel"):
        return _oldest(exchange.cancels)
    if details.get("type") not in _ANSWERS or is_among(code, _BY_THEMSELVES):
        return None
    return _oldest(requests)


def _refused_create(exchange: "Exchange") -> Create | None:
    """Return the create that met an active response.

    When none is open, the response that seemed to answer the last one was the server's own and met it.
    """
    open_ = [create for create in exchange.creates if create.is_open]
    if open_:
        return open_[0]
    for create in reversed(exchange.creates):
        response = create.response
        if response is not None and response.end is None and create.default:
            create.response = response.create = None
            return create
    return None


def _refused_commit(exchange: "Exchange") -> Commit | None:
    """Return the commit that found the buffer empty; the answer it seemed to have was for the server's own commit."""
    own = [commit for commit in exchange.commits if not commit.server and commit.refused is None]
    return next((commit for commit in own if commit.committed is None), own[-1] if own else None)


def _oldest(requests: Iterable[_R]) -> _R | None:
    return next((request for request in requests if request.is_open), None)
