"""WebSocket addresses that people give: checked before anything is spent, with one sentence about what to change."""

import re
from typing import Final
from urllib.parse import urlsplit

_PLACEHOLDER: Final = re.compile(r"\$\{?(\w+)\}?|\{(\w+)\}")


def check_websocket_url(url: str, source: str, *, placeholders: tuple[str, ...] = ()) -> str:
    """Return the address if it is a usable ws:// or wss:// URL.

    Args:
        url: the address as given.
        source: the option or variable it came from; the message names it.
        placeholders: names that may stand in it as ``{name}`` and are filled in later.

    Raises:
        ValueError: it is not; the message says what to change.
    """
    for match in _PLACEHOLDER.finditer(url):
        name = match[1] or match[2]
        if match[1] is None and name in placeholders:
            continue
        raise ValueError(f"{source}: {url!r} still holds {match[0]}; set {name} or write its value into the address")
    plain = _PLACEHOLDER.sub("1", url)
    try:
        parts = urlsplit(plain)
        parts.port  # noqa: B018  # reading it is what checks it
    except ValueError as error:
        raise ValueError(f"{source}: {url!r} is not an address: {error}") from None
    if parts.scheme not in {"ws", "wss"}:
        raise ValueError(f"{source}: {url!r} is not a WebSocket address; it must begin with ws:// or wss://")
    if not parts.hostname:
        raise ValueError(f"{source}: {url!r} names no host; write it as {parts.scheme}://HOST:PORT/PATH")
    if parts.username or parts.password:
        raise ValueError(f"{source}: the address holds a user name or password; give the key in OPENAI_API_KEY instead")
    return url
