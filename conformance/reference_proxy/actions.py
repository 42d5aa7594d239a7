"""Actions: what the translator asks its shell to do, in order."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ToClient:
    """Send a message (JSON text) or audio (a binary frame) to the client."""

    message: Mapping[str, Any] | bytes


@dataclass(frozen=True, slots=True)
class ToUpstream:
    """Send an event (JSON text) up. Bytes go up as a binary frame, which the API refuses: only broken proxies do so."""

    event: Mapping[str, Any] | bytes


@dataclass(frozen=True, slots=True)
class CloseClient:
    """Close the client's connection."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class CloseUpstream:
    """Close the upstream connection."""

    code: int
    reason: str


Action = ToClient | ToUpstream | CloseClient | CloseUpstream
