"""A busy machine on the virtual clock."""

import asyncio
from typing import TYPE_CHECKING, cast

from conformance.wire.durations import Micros

if TYPE_CHECKING:
    from conformance.clock import VirtualLoop


def be_busy(time: Micros) -> None:
    """Let the time pass without the running loop, as a call that blocks it does on the real clock."""
    cast("VirtualLoop", asyncio.get_running_loop())._clock.now += time
