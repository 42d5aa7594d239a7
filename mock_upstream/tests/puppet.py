"""A session core whose strings a test pulls: it does what it is told and remembers what it was given."""

from collections.abc import Callable, Sequence

import orjson

from conformance.wire.durations import Micros
from mock_upstream.actions import Action, Send, Setup


def say(type_: str, scripted: str | None = None, **fields: object) -> Send:
    event = {"type": type_, **fields}
    return Send(orjson.dumps(event), event, scripted)


class Puppet:
    """Answers ``open`` with ``hello``, each message by ``answer``, and ``wake`` by what is planned."""

    def __init__(
        self,
        answer: Callable[[str | bytes], Sequence[Action]] = lambda frame: [],
        hello: Sequence[Action] = (),
        plan: Sequence[tuple[Micros, Sequence[Action]]] = (),
    ) -> None:
        self.setups: list[Setup] = []
        self.received: list[str | bytes] = []
        self.woken: list[Micros] = []
        self.ended: list[Micros] = []
        self._answer = answer
        self._hello = hello
        self._plan = list(plan)

    def __call__(self, setup: Setup) -> "Puppet":
        """Stand in for the session's class."""
        self.setups.append(setup)
        return self

    def open(self, now: Micros) -> Sequence[Action]:
        return self._hello

    def receive(self, frame: str | bytes, now: Micros) -> Sequence[Action]:
        self.received.append(frame)
        return self._answer(frame)

    def wake(self, now: Micros) -> Sequence[Action]:
        self.woken.append(now)
        return self._plan.pop(0)[1]

    def deadline(self) -> Micros | None:
        return self._plan[0][0] if self._plan else None

    def closed(self, now: Micros) -> None:
        self.ended.append(now)
