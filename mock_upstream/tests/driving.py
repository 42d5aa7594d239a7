"""Drives a session in virtual time for tests, and checks every event it sends against the SDK's types."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from conformance.wire.durations import MILLISECOND
from conformance.wire.schema import problems
from conformance.wire.script import Reply, Script, ScriptRule
from mock_upstream.actions import Action, Close, Mark, Send, Setup
from mock_upstream.session import Session

USER = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello there"}]}
ITEM = {"type": "conversation.item.create", "item": USER}
COMMIT = {"type": "input_audio_buffer.commit"}
RESPOND = {"type": "response.create"}
WEATHER = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
VAD_OFF = {"type": "session.update", "session": {"type": "realtime", "audio": {"input": {"turn_detection": None}}}}


def update(**session: Any) -> dict[str, Any]:
    """Return a ``session.update``."""
    return {"type": "session.update", "session": {"type": "realtime", **session}}


def rule(name: str = "r", *, reply: Sequence[Any] | None = None, **fields: Any) -> ScriptRule:
    """Return a rule; replies are types or events, those with ``raw`` go out as they are."""
    return ScriptRule(id=name, reply=None if reply is None else tuple(map(_reply, reply)), **fields)


def _reply(event: Any) -> Reply:
    event = {"type": event} if isinstance(event, str) else event
    raw = bool(event.get("raw"))
    return Reply({key: value for key, value in event.items() if key != "raw"}, raw)


def once(types: Sequence[str]) -> list[str]:
    """Return the types with every run of one type as one."""
    return [type_ for index, type_ in enumerate(types) if index == 0 or types[index - 1] != type_]


class Client:
    """A client on virtual time: it connects, sends, lets time pass, and remembers what it got.

    Unless ``broken``, every text frame must be a valid event of the dialect with a fresh ``event_id``.
    """

    def __init__(
        self,
        *rules: ScriptRule,
        profile: str = "realtime-ga",
        settings: Mapping[str, Any] | None = None,
        broken: bool = False,
        dialect: str = "ga",
        opened: int = 0,
        **setup: Any,
    ) -> None:
        script = Script(profile, tuple(rules), settings or {})
        setup.setdefault("model", None if setup.get("intent") or profile == "transcription" else "gpt-realtime")
        self.session = Session(Setup(script=script, **setup))
        self.now = opened
        self.actions: list[Action] = []
        self.log: list[tuple[float, Mapping[str, Any]]] = []
        """Time in milliseconds and event of every text frame."""
        self._broken = broken
        self._dialect: Any = dialect
        self._ids: set[str] = set()
        self._take(self.session.open(opened))
        self.wait(10)

    @property
    def events(self) -> list[Mapping[str, Any]]:
        return [event for _, event in self.log]

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    @property
    def errors(self) -> list[Mapping[str, Any]]:
        return [event["error"] for event in self.events if event["type"] == "error"]

    @property
    def closes(self) -> list[Close]:
        return [action for action in self.actions if isinstance(action, Close)]

    def marks(self, name: str) -> list[Mark]:
        return [action for action in self.actions if isinstance(action, Mark) and action.body["mark"] == name]

    def all(self, type_: str) -> list[Mapping[str, Any]]:
        return [event for event in self.events if event["type"] == type_]

    def one(self, type_: str) -> Mapping[str, Any]:
        found = self.all(type_)
        assert len(found) == 1, f"{len(found)} × {type_} in {self.types}"
        return found[0]

    def time(self, type_: str) -> float:
        return next(time for time, event in self.log if event["type"] == type_)

    def send(self, *frames: Mapping[str, Any] | str | bytes) -> "Client":
        for frame in frames:
            raw = orjson.dumps(frame).decode() if isinstance(frame, Mapping) else frame
            self._take(self.session.receive(raw, self.now))
        return self

    def ask(self, *frames: Mapping[str, Any] | str | bytes, ms: float = 100) -> list[Mapping[str, Any]]:
        """Send, let some time pass, and return what came."""
        before = len(self.log)
        self.send(*frames).wait(ms)
        return self.events[before:]

    def wait(self, ms: float) -> "Client":
        until = self.now + round(ms * MILLISECOND)
        for deadline in self._deadlines(until):
            self.now = deadline
            self._take(self.session.wake(deadline))
        self.now = until
        self._take(self.session.wake(until))
        return self

    def turn(self, **response: Any) -> list[Mapping[str, Any]]:
        """Say something in writing, ask for a response, and return all that came until it was over."""
        return self.ask(ITEM, {"type": "response.create", "response": response}, ms=3000)

    def say(self, sound: bytes, *, chunk: int = 4800, ms: float = 100) -> "Client":
        """Append audio in real time."""
        from base64 import b64encode

        for start in range(0, len(sound), chunk):
            piece = b64encode(sound[start : start + chunk]).decode()
            self.send({"type": "input_audio_buffer.append", "audio": piece}).wait(ms)
        return self

    def _deadlines(self, until: int) -> Iterator[int]:
        for _ in range(100_000):
            deadline = self.session.deadline()
            if deadline is None or deadline > until:
                return
            yield deadline
        raise AssertionError("the session never comes to rest")

    def _take(self, actions: Sequence[Action]) -> None:
        assert not self.closes or not actions, "something came after the close"
        self.actions += actions
        for action in actions:
            if not isinstance(action, Send):
                continue
            if not self._broken:
                self._check(action)
            if action.event is not None:
                self.log.append((self.now / MILLISECOND, action.event))

    def _check(self, send: Send) -> None:
        assert send.event is not None
        assert orjson.loads(send.text) == send.event
        assert problems(send.event, "server", self._dialect) == [], send.event
        event_id = send.event["event_id"]
        assert event_id not in self._ids, f"{event_id} came twice"
        self._ids.add(event_id)
