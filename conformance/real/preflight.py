"""One connection before a run of the real API: it must reach ``session.created``, else nothing is spent."""

import asyncio
from dataclasses import dataclass
from typing import Final

import orjson
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from conformance.real.api import RealApi

_PATIENCE_S: Final = 20.0


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
        async with asyncio.timeout(_PATIENCE_S), connect(api.address, additional_headers=api.headers) as connection:
            event = orjson.loads(await connection.recv())
    except TimeoutError:
        raise PreflightError(f"{place} did not send session.created within {_PATIENCE_S:g} s; try again later") from None
    except InvalidStatus as error:
        raise PreflightError(_explain_status(api, error.response.status_code)) from None
    except ConnectionClosed as error:
        said = api.scrub(str(error))
        raise PreflightError(f"{place} closed before session.created ({said}); check the address") from None
    except (OSError, WebSocketException) as error:
        said = api.scrub(str(error))
        raise PreflightError(f"{place} cannot be reached: {said}; check OPENAI_REALTIME_URL and the network") from None
    except orjson.JSONDecodeError:
        raise PreflightError(f"{place} is no Realtime server: its first frame is not JSON; check the address") from None
    return _read(api, event)


def _read(api: RealApi, event: object) -> Found:
    match event:
        case {"type": "session.created", "session": {**session}}:
            return Found(
                session_id=_text(session.get("id")),
                model=_text(session.get("model")),
                expires_at=expires if isinstance(expires := session.get("expires_at"), int) else None,
            )
        case {"type": "error", "error": {"message": str(message)}}:
            raise PreflightError(f"{api.shown} refused the session: {api.scrub(message)}")
        case {"type": str(type_)}:
            raise PreflightError(f"{api.shown} began with {type_} instead of session.created; check the address")
        case _:
            raise PreflightError(f"{api.shown} is no Realtime server: its first frame has no type; check the address")


def _explain_status(api: RealApi, status: int) -> str:
    advice = {
        401: "check OPENAI_API_KEY",
        403: "the key has no access to this model or region",
        404: "check the path of OPENAI_REALTIME_URL",
        429: "the rate limit is reached; wait, or lower --concurrency",
    }.get(status, "try again later" if status >= 500 else "check OPENAI_REALTIME_URL")
    return f"{api.shown} refused the connection with HTTP {status}; {advice}"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
