"""A target, as the command line or ``[tool.conformance.targets.NAME]`` describes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from conformance.scenario.model import Cell, Speaks
from conformance.wire.durations import Micros

PORTS: Final = range(1, 65_536)
"""Where something can listen."""


class Upstream(StrEnum):
    """Which upstream the subject talks to."""

    MOCK = "mock"
    REAL = "real"


@dataclass(frozen=True, slots=True)
class Target:
    """What is driven, and what its owner declares about it.

    Without ``url`` and ``command`` the subject is the reference proxy in process. ``command`` and ``url`` may hold
    ``{port}`` and ``{upstream_url}``. ``settings`` is merged into every ``Settings``; ``rules_off`` and ``rules_on`` map a
    rule's id to the reason; ``client_rate`` is in Hz, ``first_commit_min`` in µs; ``changes`` are the dotted paths (globs
    allowed) of the fields that a pass-through gateway rewrites.
    """

    name: str = "mock"
    upstream: Upstream = Upstream.MOCK
    url: str | None = None
    mock_port: int | None = None
    command: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    speaks: frozenset[Speaks] = frozenset({Speaks.VOICE_AGENT})
    settings: Mapping[str, Any] = field(default_factory=dict)
    rules_off: Mapping[str, str] = field(default_factory=dict)
    rules_on: Mapping[str, str] = field(default_factory=dict)
    client_rate: int | None = None
    first_commit_min: Micros = 0
    changes: tuple[str, ...] = ()

    @property
    def is_external(self) -> bool:
        """True when the subject is not in our process, so that only the real clock fits it."""
        return self.url is not None or self.command is not None

    def refuses(self, cell: Cell) -> str | None:
        """Return why this target cannot be tried on a cell; None when it can.

        In process the mock itself answers Realtime clients. The real API cannot be told to deviate.
        """
        if self.is_external and cell.speaks not in self.speaks:
            return f"{self.name} does not speak {cell.speaks}"
        if self.upstream is Upstream.REAL and cell.needs_script:
            return f"{self.name} follows no script, and without its script this scenario asks for nothing"
        return None
