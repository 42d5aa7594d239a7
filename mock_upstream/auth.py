"""Who is asking: the key from the Authorization header or the browser's subprotocol, and where secrets may not go."""

import re
from collections.abc import Mapping
from typing import Final

SUBPROTOCOL_KEY: Final = "openai-insecure-api-key."
"""What a browser, which cannot set headers, puts its key behind."""
_SECRET_HEADERS: Final = ("authorization", "cookie", "proxy-authorization", "sec-websocket-protocol", "api-key")
_SECRET_WORD: Final = re.compile("key|token|secret|auth|password|signature", re.IGNORECASE)


def subprotocols_of(headers: Mapping[str, str]) -> tuple[str, ...]:
    """Return the subprotocols a handshake offers."""
    offered = headers.get("sec-websocket-protocol", "")
    return tuple(name for name in (part.strip() for part in offered.split(",")) if name)


def shown_key(headers: Mapping[str, str], subprotocols: tuple[str, ...]) -> str | None:
    """Return the key a client shows; None when it shows none (ground truth §3.1: "Missing bearer …")."""
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() in ("bearer", "basic") and credentials.strip():
        return credentials.strip()
    for name in subprotocols:
        if name.startswith(SUBPROTOCOL_KEY) and len(name) > len(SUBPROTOCOL_KEY):
            return name[len(SUBPROTOCOL_KEY) :]
    return None


def without_secrets(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers a session may know."""
    return {name: value for name, value in headers.items() if name not in _SECRET_HEADERS}


def public_query(query: Mapping[str, str]) -> dict[str, str]:
    """Return a query as a recording may hold it: without what may be secret."""
    return {name: value for name, value in query.items() if not _SECRET_WORD.search(name)}
