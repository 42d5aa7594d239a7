"""A translator under test with somebody on either side; times are milliseconds."""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from conformance.reference_proxy.actions import Action, CloseClient, CloseUpstream, ToClient, ToUpstream
from conformance.reference_proxy.translator import Translator
from conformance.wire.events import BETA_OF_GA

CALL = {"type": "function_call", "name": "weather", "call_id": "call_1", "arguments": '{"city": "Oslo"}'}


class Dialogue:
    """Drives a translator, wakes it whenever it asks to be, and keeps what it sent and when."""

    def __init__(self, translator: Translator | None = None) -> None:
        self.translator = translator or Translator()
        self.now = 0
        self.down: list[tuple[int, Any]] = []
        self.up: list[tuple[int, Mapping[str, Any]]] = []
        self.closed = CloseClient(0, "not closed")
        self.upstream_closed: CloseUpstream | None = None

    # The two sides

    def settings(self, **agent: Any) -> None:
        audio = agent.pop("audio", {})
        self.client({"type": "Settings", "audio": audio, "agent": agent})

    def client(self, message: Any) -> None:
        frame = message if isinstance(message, str | bytes) else json.dumps(message)
        self._take(self.translator.client_frame(frame, self.now * 1000))

    def upstream(self, *events: Any) -> None:
        for event in events:
            event = {"type": event} if isinstance(event, str) else event
            frame = event if isinstance(event, bytes) else json.dumps(event)
            self._take(self.translator.upstream_frame(frame, self.now * 1000))

    def raw_upstream(self, frame: str | bytes) -> None:
        self._take(self.translator.upstream_frame(frame, self.now * 1000))

    def open(self) -> None:
        self._take(self.translator.upstream_opened(self.now * 1000))

    def end(self, code: int, reason: str = "") -> None:
        self._take(self.translator.upstream_closed(code, reason, self.now * 1000))

    def refuse(self, why: str) -> None:
        self._take(self.translator.upstream_refused(why, self.now * 1000))

    def leave(self) -> None:
        self._take(self.translator.client_closed(self.now * 1000))

    def wait(self, ms: int) -> None:
        """Let time pass; the translator is woken at each of its deadlines."""
        until = self.now + ms
        for _ in range(1000):
            deadline = self.translator.deadline()
            if deadline is None or deadline > until * 1000:
                break
            self.now = max(self.now, -(-deadline // 1000))
            self._take(self.translator.wake(self.now * 1000))
        else:
            raise AssertionError("the translator asks to be woken for nothing")
        self.now = until

    # Common passages

    def ready(self, **agent: Any) -> "Dialogue":
        """Open, settle and forget how it came to that."""
        self.open()
        self.upstream("session.created")
        self.settings(**agent)
        self.upstream("session.updated")
        assert "SettingsApplied" in self.heard()
        self.up.clear()
        self.down.clear()
        return self

    def confirm(self, index: int = -1, *, kind: str = "added", **item: Any) -> None:
        """Confirm an item that went up."""
        made = [event["item"] for _, event in self.up if event["type"] == "conversation.item.create"]
        self.upstream({"type": f"conversation.item.{kind}", "item": {**made[index], **item}})

    def commit_confirmed(self, item_id: str) -> None:
        item = {"id": item_id, "type": "message", "role": "user", "content": [{"type": "input_audio"}]}
        self.upstream({"type": "input_audio_buffer.committed", "item_id": item_id})
        self.upstream({"type": "conversation.item.added", "item": item})
        self.upstream({"type": "conversation.item.done", "item": item})

    def respond(self, response_id: str, *events: Mapping[str, Any], done: bool = True, beta: bool = False) -> None:
        """Let the upstream run a response."""
        self.upstream({"type": "response.created", "response": {"id": response_id}})
        for event in events:
            type_ = BETA_OF_GA.get(event["type"], event["type"]) if beta else event["type"]
            self.upstream({"response_id": response_id, "item_id": f"item_{response_id}", **event, "type": type_})
        if done:
            self.done(response_id)

    def done(self, response_id: str, **response: Any) -> None:
        self.upstream({"type": "response.done", "response": {"id": response_id, "status": "completed", **response}})

    def audio(self, ms: int, *, rate: int = 24_000, chunk: int = 20) -> None:
        """Speak in real time."""
        for _ in range(ms // chunk):
            self.client(bytes(rate * chunk // 1000 * 2))
            self.wait(chunk)

    # What was seen

    def heard(self, type_: str | None = None) -> list[Any]:
        """Return the types the client has got (``audio`` for binary), or the messages of one type."""
        if type_ is None:
            return ["audio" if isinstance(m, bytes) else m["type"] for _, m in self.down]
        return [m for _, m in self.down if not isinstance(m, bytes) and m["type"] == type_]

    def texts(self) -> list[str]:
        return [m["content"] for m in self.heard("ConversationText") if m["role"] == "assistant"]

    def sound(self) -> bytes:
        return b"".join(m for _, m in self.down if isinstance(m, bytes))

    def sent(self, type_: str | None = None) -> list[Any]:
        """Return the types that went up, or the events of one type."""
        if type_ is None:
            return [event["type"] for _, event in self.up]
        return [event for _, event in self.up if event["type"] == type_]

    def sent_at(self, type_: str) -> list[int]:
        return [at for at, event in self.up if event["type"] == type_]

    def spoken(self) -> bytes:
        """Return the audio that went up."""
        return b"".join(b64decode(event["audio"]) for event in self.sent("input_audio_buffer.append"))

    def _take(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case ToClient(message):
                    self.down.append((self.now, message))
                case ToUpstream(event) if not isinstance(event, bytes):
                    self.up.append((self.now, event))
                case CloseClient():
                    self.closed = action
                case CloseUpstream():
                    self.upstream_closed = action


def audio_delta(pcm: bytes) -> dict[str, Any]:
    return {"type": "response.output_audio.delta", "delta": b64encode(pcm).decode()}


def text_done(text: str) -> dict[str, Any]:
    return {"type": "response.output_text.done", "text": text}


def assistant(text: str, item_id: str = "item_a", **item: Any) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text}]
    return {"id": item_id, "type": "message", "role": "assistant", "content": content, **item}


def error(code: str | None, *, event_id: str | None = None, message: str = "No.", **rest: Any) -> dict[str, Any]:
    body = {"type": "invalid_request_error", "code": code, "message": message, "event_id": event_id, **rest}
    return {"type": "error", "error": body}
