"""A pytest fixture for other people's tests: ``mock_upstream``, a running server that remembers what crossed it.

    async def test_my_client(mock_upstream):
        mock_upstream.script = Script(settings={"transcript": ["Good morning."]})
        await my_client(mock_upstream.url)
        assert mock_upstream.received("response.create")

The installed plugin provides it; elsewhere ``from mock_upstream.fixture import mock_upstream`` in a ``conftest.py`` does.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest_asyncio

from conformance.wire.durations import SECOND
from conformance.wire.frames import Direction, Kind, Leg
from conformance.wire.patterns import Pattern, matches
from conformance.wire.recording import Header, Recorder
from mock_upstream.server import MockUpstream


class RememberingMock(MockUpstream):
    """A mock that keeps, in ``recorder``, every frame of every connection."""

    def __init__(self, **options: Any) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.recorder = Recorder(Header(clock="real"), lambda: round((loop.time() - began) * SECOND))
        super().__init__(sink=self.recorder.leg(Leg.UPSTREAM), **options)

    def received(self, pattern: Pattern = "*") -> list[Mapping[str, Any]]:
        """Return the client's messages that match, in order; audio is folded to its size and loudness."""
        return self._frames(Direction.UP, pattern)

    def sent(self, pattern: Pattern = "*") -> list[Mapping[str, Any]]:
        """Return the mock's messages that match, in order."""
        return self._frames(Direction.DOWN, pattern)

    def _frames(self, direction: Direction, pattern: Pattern) -> list[Mapping[str, Any]]:
        return [
            frame.data
            for frame in self.recorder.frames
            if frame.dir is direction and frame.kind is Kind.TEXT and matches(pattern, frame.data)
        ]


@pytest_asyncio.fixture
async def mock_upstream() -> AsyncIterator[RememberingMock]:
    """A faithful Realtime server on a free port of 127.0.0.1; see `RememberingMock`."""
    async with RememberingMock() as mock:
        yield mock
