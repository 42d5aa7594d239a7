"""Ephemeral keys: ``POST /v1/realtime/client_secrets`` makes an ``ek_`` key whose session is configured beforehand.

A connection with such a key finds its configuration already in ``session.created`` (ground truth §1.5).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from conformance.wire.depth import read_json
from conformance.wire.ids import random_digits
from mock_upstream.actions import Action, Send
from mock_upstream.http import HttpRequest, error_response, json_response
from mock_upstream.live import Core

LIFETIME: Final = 600
"""Seconds a key can be used unless ``expires_after`` says otherwise."""
MODEL: Final = "gpt-realtime"
"""The model of a session that names none."""
_SHORTEST: Final = 10
_LONGEST: Final = 7200
_MOST: Final = 10_000
"""Keys remembered at most; the oldest are forgotten first."""


@dataclass(frozen=True, slots=True)
class _Secret:
    expires_at: int
    session: Mapping[str, Any]


class ClientSecrets:
    """The ephemeral keys a server has made."""

    def __init__(self, make_session: Callable[[Mapping[str, Any]], Core]) -> None:
        self._make_session = make_session
        self._secrets: dict[str, _Secret] = {}
        self._random = Random("client secrets")

    def is_valid(self, key: str | None, now: int) -> bool:
        """Tell whether we made the key and it has not expired."""
        secret = self._secrets.get(key or "")
        return secret is not None and now < secret.expires_at

    def preset(self, key: str | None, now: int) -> Mapping[str, Any] | None:
        """Return the session a key was made for; None for any other key."""
        secret = self._secrets.get(key or "")
        return secret.session if secret is not None and now < secret.expires_at else None

    def answer(self, request: HttpRequest, valid: bool | None, now: int) -> bytes:
        """Answer the REST call; ``valid`` is None when no key came, ``now`` the unix second."""
        if request.method != "POST":
            return _refuse(405, f"Not allowed to {request.method} on {request.path}; use POST.")
        if valid is None:
            return _refuse(401, "Missing bearer or basic authentication in header")
        if not valid:
            return _refuse(401, "Incorrect API key provided.", "invalid_api_key")
        try:
            body = read_json(request.body or b"{}")
        except ValueError:
            return _refuse(400, "We could not parse the JSON body of your request.")
        if not isinstance(body, dict):
            return _refuse(400, "The body must be a JSON object.")
        for name in body:
            if name not in ("session", "expires_after"):
                return _refuse(400, f"Unknown parameter: '{name}'.", "unknown_parameter", name)
        return self._make(body, now)

    def _make(self, body: Mapping[str, Any], now: int) -> bytes:
        expiry = body.get("expires_after") or {}
        if not isinstance(expiry, dict):
            return _refuse(400, "Invalid type for 'expires_after': expected an object.", "invalid_type", "expires_after")
        seconds = expiry.get("seconds", LIFETIME)
        if isinstance(seconds, bool) or not isinstance(seconds, int) or not _SHORTEST <= seconds <= _LONGEST:
            message = f"Invalid 'expires_after.seconds': expected an integer from {_SHORTEST} to {_LONGEST}."
            return _refuse(400, message, "invalid_value", "expires_after.seconds")
        asked = body.get("session", {"type": "realtime", "model": MODEL})
        if not isinstance(asked, dict):
            return _refuse(400, "Invalid type for 'session': expected an object.", "invalid_type", "session")
        said = _first_event(self._make_session(asked))
        if said.get("type") != "session.created":
            error = said.get("error", {})
            return _refuse(400, error.get("message", "Invalid session."), error.get("code"), error.get("param"))
        value = f"ek_{random_digits(self._random, 32)}"
        self._secrets[value] = _Secret(now + seconds, asked)
        while len(self._secrets) > _MOST:
            del self._secrets[next(iter(self._secrets))]
        return json_response(200, {"value": value, "expires_at": now + seconds, "session": said["session"]})


def scope_of_preset(session: Mapping[str, Any] | None) -> tuple[str | None, str | None]:
    """Return the model and the intent that a key's session stands for; a connection with it need not name them."""
    if session is None:
        return None, None
    return (None, "transcription") if session.get("type") == "transcription" else (str(session.get("model") or MODEL), None)


def _first_event(session: Core) -> Mapping[str, Any]:
    """Let a session that has no connection speak until it has said something; ``session.created`` takes it a few ms."""
    said = _events(session.open(0))
    while not said and (due := session.deadline()) is not None:
        said = _events(session.wake(due))
    return said[0] if said else {}


def _events(actions: Sequence[Action]) -> list[Mapping[str, Any]]:
    return [action.event for action in actions if isinstance(action, Send) and action.event is not None]


def _refuse(status: int, message: str, code: str | None = None, param: str | None = None) -> bytes:
    return error_response(status, "invalid_request_error", message, code, param)
