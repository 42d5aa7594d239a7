"""The protocol's law, as pure functions over a recording.

Importing the package registers every rule in `conformance.rules.model.RULES`, in the order of the catalogue.
"""

from conformance.rules import (
    audio_up,
    calls,
    clients,
    closes,
    commits,
    errors,
    events_up,
    frames_down,
    gateway,
    greeting,
    hearing,
    hostile,
    leaving,
    readiness,
    ready_client,
    speaking,
    texts,
    tools,
    turn_taking,
    upstream,
    upstream_grammar,
)
from conformance.rules.catalogue import CATALOGUE, put_in_order

__all__ = [
    "CATALOGUE",
    "audio_up",
    "calls",
    "clients",
    "closes",
    "commits",
    "errors",
    "events_up",
    "frames_down",
    "gateway",
    "greeting",
    "hearing",
    "hostile",
    "leaving",
    "readiness",
    "ready_client",
    "speaking",
    "texts",
    "tools",
    "turn_taking",
    "upstream",
    "upstream_grammar",
]

put_in_order()
