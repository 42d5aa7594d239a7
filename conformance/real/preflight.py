"""One connection before a run of the real API: it must reach ``session.created``, else nothing is spent."""

import asyncio
from dataclasses import dataclass
from typing import Final

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from conformance.real.api import RealApi
from conformance.runner.failures import explain

_PATIENCE_S: Final = 20.0
_ADVICE: Final = {
    "invalid_api_key": "check OPENAI_API_KEY",
    "invalid_model": "check OPENAI_REALTIME_MODEL",
    "model_not_found": "check OPENAI_REALTIME_MODEL, and whether the key has access to it",
    "insufficient_quota": "check the plan and billing of the key's project",
    "rate_limit_exceeded": "wait, or lower --concurrency",
}
"""What to do about an error that a session begins with, by its code."""


class PreflightError(Exception):
    """The API cannot be used as it is; the message is one sentence that says why and what to do."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the first connection showed."""

    session_id: str | None
    model: str | None
    expires_at: int | None


async def preflight(api: RealApi) -> Found:
    """Connect once and wait for ``session.created``.

    Raises:
        PreflightError: it did not come.
    """
    place = api.shown
    try:
        async with connect(api.address, additional_headers=api.headers) as connection:
            event = orjson.loads(await _first_frame(connection))
    except ConnectionClosed as error:
        said = api.scrub(str(error))
        raise PreflightError(f"{place} closed before session.created ({said}); check the address") from None
    except orjson.JSONDecodeError:
        raise PreflightError(f"{place} is no Realtime server: its first frame is not JSON; check the address") from None
    except _SilentError:
        raise PreflightError(f"{place} did not send session.created within {_PATIENCE_S:g} s; try again later") from None
    except (OSError, WebSocketException) as error:
        raise PreflightError(api.scrub(explain(error, api.url))) from None
    return _read(api, event)


class _SilentError(Exception):
    """The server took the call and said nothing."""


async def _first_frame(connection: ClientConnection) -> str | bytes:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            return await connection.recv()
    except TimeoutError:
        raise _SilentError from None


def _read(api: RealApi, event: object) -> Found:
    match event:
        case {"type": "session.created", "session": {**session}}:
            return Found(
                session_id=_text(session.get("id")),
                model=_text(session.get("model")),
                expires_at=expires if isinstance(expires := session.get("expires_at"), int) else None,
            )
        case {"type": "error", "error": {"message": str(message), **rest}}:
            advice = _ADVICE.get(str(rest.get("code")), "check OPENAI_API_KEY and OPENAI_REALTIME_MODEL")
            raise PreflightError(f"{api.shown} refused the session: {api.scrub(message).rstrip('.')}; {advice}")
        case {"type": str(type_)}:
            raise PreflightError(f"{api.shown} began with {type_} instead of session.created; check the address")
        case _:
            raise PreflightError(f"{api.shown} is no Realtime server: its first frame has no type; check the address")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
