"""How deep JSON may be nested: what is deeper is no JSON to us.

The encoder stops at 254 levels, the decoder at 1,024; what lies between could be read and never be recorded, echoed or
sent on. The limit leaves room for what a recording puts around an event.
"""

from collections.abc import Iterable
from typing import Any, Final

import orjson

DEEPEST: Final = 128
"""Levels of arrays and objects, as in other common parsers."""


def read_json(text: str | bytes) -> Any:
    """Read a JSON text.

    Raises:
        ValueError: it is none, or nested too deep.
    """
    value = orjson.loads(text)
    brackets = text.count("[") + text.count("{") if isinstance(text, str) else text.count(b"[") + text.count(b"{")
    if brackets > DEEPEST and is_too_deep(value):
        raise ValueError(f"nested in more than {DEEPEST} levels")
    return value


def is_too_deep(value: Any, levels: int = DEEPEST) -> bool:
    """Tell whether arrays and objects are nested in more than ``levels`` levels."""
    if isinstance(value, dict):
        return levels == 0 or _any_too_deep(value.values(), levels - 1)
    if isinstance(value, list):
        return levels == 0 or _any_too_deep(value, levels - 1)
    return False


def _any_too_deep(values: Iterable[Any], levels: int) -> bool:
    for value in values:  # noqa: SIM110 (nearly all values are plain: a generator would cost more than the look at them)
        if type(value) in _NESTING and is_too_deep(value, levels):
            return True
    return False


_NESTING: Final = (dict, list)
