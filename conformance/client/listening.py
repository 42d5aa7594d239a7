"""The driver's ears: waits for frames of the recording as they are recorded, and looks back at those that were."""

import asyncio
from collections.abc import Callable
from typing import Final

from conformance.scenario.model import Anchor
from conformance.wire.frames import CLIENT, DOWN, MARK, TEXT, UP, UPSTREAM, Frame, Leg
from conformance.wire.index import frame_matches
from conformance.wire.patterns import Pattern
from conformance.wire.recording import Recorder

Wanted = Callable[[Frame], bool]
TURN_ENDS: Final = "response.done"
_CLIENT_TURN_ENDS: Final = "AgentAudioDone"


class Listening:
    """Hears every frame of both legs."""

    def __init__(self, recorder: Recorder) -> None:
        """Listen to a recorder until `stop`."""
        self._recorder = recorder
        self._waiting: list[tuple[Wanted, asyncio.Future[Frame], Callable[[Frame], None]]] = []
        recorder.listeners.append(self._hear)

    def stop(self) -> None:
        """Hear no more."""
        self._recorder.listeners.remove(self._hear)

    async def first(
        self, wanted: Wanted, *, since: int = 0, until: float, taken: Callable[[Frame], None] = lambda _: None
    ) -> Frame | None:
        """Return the first frame with ``seq`` >= ``since`` that is wanted; None if none came by loop time ``until``.

        ``taken`` is called with it at once, before anything else can be recorded.
        """
        for frame in self._recorder.frames[since:]:
            if wanted(frame):
                taken(frame)
                return frame
        future: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        entry = (wanted, future, taken)
        self._waiting.append(entry)
        try:
            async with asyncio.timeout_at(until):
                return await future
        except TimeoutError:
            return None
        finally:
            self._waiting.remove(entry)

    def last_turn_end(self) -> Frame | None:
        """Return the frame that ended the latest finished turn.

        That is ``response.done`` on either leg; where the upstream leg is not ours to see, ``AgentAudioDone``.
        """
        sees_upstream = any(frame.leg is UPSTREAM for frame in self._recorder.frames)
        ends = (TURN_ENDS,) if sees_upstream else (TURN_ENDS, _CLIENT_TURN_ENDS)
        for frame in reversed(self._recorder.frames):
            if frame.kind is TEXT and frame.dir is DOWN and frame.type in ends:
                return frame
        return None

    def _hear(self, frame: Frame) -> None:
        for wanted, future, taken in self._waiting:
            if not future.done() and wanted(frame):
                future.set_result(frame)
                taken(frame)


def event_on(leg: Leg, pattern: Pattern, *, received: bool = False) -> Wanted:
    """Want an event of a leg; ``received`` leaves out what the client itself sent."""

    def wanted(frame: Frame) -> bool:
        if frame.leg is not leg or (received and leg is CLIENT and frame.dir is UP):
            return False
        return frame_matches(pattern, frame)

    return wanted


def anchored(anchor: Anchor) -> Wanted:
    """Want the first instant of an anchor: a step's mark or an event. Only audio has an ``id.end`` apart from its start."""
    if anchor.step is None:
        if anchor.leg is None or anchor.pattern is None:
            raise ValueError(f"the anchor {anchor} names neither a step nor an event of a leg")
        return event_on(anchor.leg, anchor.pattern)
    step, _, end = anchor.step.partition(".")

    def wanted(frame: Frame) -> bool:
        if frame.kind is not MARK or frame.type != "step" or frame.data["id"] != step:
            return False
        return bool(frame.data["edge"] == (end or "start") or frame.data["verb"] != "audio")

    return wanted
