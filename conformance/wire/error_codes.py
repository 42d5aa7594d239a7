"""Codes of errors that answer no single event: what is said of the account, of time that has run out, and at the door.

Source: ground truth §3.1 (handshake), §3.3 (expiry) and §3.4 (quota, rate); `idle_timeout` is some proxies' own.
"""

from collections.abc import Set
from typing import Any, Final

ACCOUNT: Final = frozenset(
    {"invalid_api_key", "insufficient_quota", "account_deactivated", "billing_hard_limit_reached", "rate_limit_exceeded"}
)
"""The key, the bill or the rate: nobody's fault who speaks the protocol, and no other attempt would fare better."""

EXPIRY: Final = frozenset({"session_expired", "idle_timeout"})
"""Time has run out."""

HANDSHAKE: Final = frozenset({"missing_model", "invalid_model", "invalid_intent", "beta_api_shape_disabled"})
"""The connection was asked for wrongly."""


def is_among(code: Any, codes: Set[str]) -> bool:
    """Tell whether what was sent as a code, which may be anything, is one of these."""
    return isinstance(code, str) and code in codes
