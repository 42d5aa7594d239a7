"""How late the harness itself is: a beat on the event loop that notices when the loop is not there for anybody.

Theory. In real time everything of ours shares one loop: the driver, the recorder, the tap, and the reference proxy if it is
the subject. While the loop is busy, or the machine is, frames lie in sockets and timers ring late, and a recording says
that the subject took that long. A beat that should ring every 25 ms and rings later measures it. A message crosses the loop
several times, so what counts is for how much of some two seconds the loop was away, not its longest absence alone.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final
from weakref import WeakKeyDictionary

from conformance.wire.durations import MILLISECOND, SECOND, Micros

BEAT: Final[Micros] = 25 * MILLISECOND
NOTABLE: Final[Micros] = 10 * MILLISECOND
"""Less than this is what any machine does."""
LONG: Final[Micros] = 100 * MILLISECOND
WINDOW: Final[Micros] = 2 * SECOND


class Absence:
    """How late the loop was while somebody watched: ``worst`` is the most of any two seconds, in µs.

    ``tell`` hears of each absence that is long enough to change the order of things.
    """

    def __init__(self, tell: Callable[[Micros], None] = lambda _: None) -> None:
        """Nothing has been noticed yet."""
        self._tell = tell
        self.worst: Micros = 0
        self._recent: deque[tuple[Micros, Micros]] = deque()
        self._sum: Micros = 0

    def note(self, now: Micros, late: Micros) -> None:
        """Take note that the loop came back at ``now`` after having been away for ``late``."""
        if late >= LONG:
            self._tell(late)
        self._recent.append((now, late))
        self._sum += late
        while self._recent[0][0] <= now - WINDOW:
            self._sum -= self._recent.popleft()[1]
        self.worst = max(self.worst, self._sum)


class _Heart:
    """The beat of one loop; it rests while nobody watches."""

    def __init__(self) -> None:
        # It keeps no reference to its loop, or the table of hearts would keep every loop for ever.
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._watching: set[Absence] = set()

    @property
    def beats(self) -> bool:
        return self._timer is not None

    def watch(self, absence: Absence) -> None:
        self._watching.add(absence)
        if self._timer is None:
            self._wait(asyncio.get_running_loop())

    def leave(self, absence: Absence) -> None:
        self._watching.discard(absence)
        if not self._watching and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = loop.time() + BEAT / SECOND
        self._timer = loop.call_at(self._due, self._beat)

    def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        late = round((now - self._due) * SECOND)
        self._wait(loop)
        if late >= NOTABLE:
            for absence in self._watching:
                absence.note(round(now * SECOND), late)


_HEARTS: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, _Heart]] = WeakKeyDictionary()


@contextmanager
def watching(tell: Callable[[Micros], None] = lambda _: None) -> Iterator[Absence]:
    """Watch the running loop until the block ends; ``tell`` hears of long absences, in µs, when the loop is back."""
    loop = asyncio.get_running_loop()
    heart = _HEARTS.setdefault(loop, _Heart())
    absence = Absence(tell)
    heart.watch(absence)
    try:
        yield absence
    finally:
        heart.leave(absence)
