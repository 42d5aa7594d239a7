"""The agenda: what is to be done when. Entries of the same instant keep the order in which they were planned."""

from collections.abc import Callable
from heapq import heappop, heappush

from conformance.wire.durations import Micros

Work = Callable[[], None]


class Agenda:
    """Planned work by time; the time an entry is due is the time it believes it is."""

    def __init__(self) -> None:
        self.now: Micros = 0
        self._entries: list[tuple[Micros, int, Work]] = []
        self._count = 0

    def plan(self, after: Micros, work: Work) -> None:
        """Do ``work`` this much later than now."""
        self._count += 1
        heappush(self._entries, (self.now + after, self._count, work))

    def after(self, after: Micros, work: Work) -> None:
        """Do ``work`` this much later than now, or at once if that is no time at all."""
        if after:
            self.plan(after, work)
        else:
            work()

    @property
    def deadline(self) -> Micros | None:
        """When the next entry is due, None when nothing is planned."""
        return self._entries[0][0] if self._entries else None

    def run(self, until: Micros) -> None:
        """Do all that is due up to ``until``, each entry at its own time, then let it be ``until``."""
        entries = self._entries
        while entries and entries[0][0] <= until:
            due, _, work = heappop(entries)
            if due > self.now:
                self.now = due
            work()
        if until > self.now:
            self.now = until

    def clear(self) -> None:
        """Forget everything planned."""
        self._entries.clear()
