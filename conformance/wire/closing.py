"""Close codes: which of them an endpoint may send (RFC 6455 §7.4)."""

from typing import Final

NO_CODE: Final = 1005
"""Stands for a close frame without a code."""
SENDABLE: Final = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)})


def can_close_with(code: object) -> bool:
    """Tell whether a close with this code, or with none, can be sent."""
    return isinstance(code, int) and (code == NO_CODE or code in SENDABLE)
