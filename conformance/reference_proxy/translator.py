"""The translator: a voice-agent client's session on a Realtime session, as a pure state machine.

Frames and the time go in, actions and a deadline come out. This topmost layer reads frames and hands each to its handler.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import orjson

from conformance.reference_proxy.actions import Action, CloseUpstream
from conformance.reference_proxy.core import DEFAULT_TIMING, Timing, mapping, text
from conformance.reference_proxy.phases import CLOSED, OPEN, READY, SessionPhases
from conformance.reference_proxy.turns import TurnKind
from conformance.wire.closing import SENDABLE
from conformance.wire.depth import read_json
from conformance.wire.durations import Micros
from conformance.wire.events import ga_name

Handler = Callable[[Mapping[str, Any]], None]


class Translator(SessionPhases):
    """One session. Create one per client connection; call it with times in microseconds that never go back."""

    def __init__(self, timing: Timing = DEFAULT_TIMING) -> None:
        """Start before the upstream is connected."""
        super().__init__(timing)
        self._client_messages: dict[str, Handler] = {
            "Settings": self.on_settings,
            "InjectUserMessage": self.on_inject,
            "FunctionCallResponse": self.on_function_call_response,
            "KeepAlive": self.on_keep_alive,
        }
        self._upstream_events: dict[str, Handler] = {
            "error": self.on_error,
            "session.created": self.on_session_created,
            "session.updated": self.on_session_updated,
            "conversation.item.added": partial(self.on_item, is_finished=False),
            "conversation.item.done": partial(self.on_item, is_finished=True),
            "conversation.item.input_audio_transcription.delta": self.on_transcript_delta,
            "conversation.item.input_audio_transcription.completed": self.on_transcript_completed,
            "conversation.item.input_audio_transcription.failed": self.on_transcript_failed,
            "input_audio_buffer.committed": self.on_committed,
            "input_audio_buffer.speech_started": self.on_speech_started,
            "input_audio_buffer.speech_stopped": self.on_speech_stopped,
            "input_audio_buffer.timeout_triggered": self.on_timeout_triggered,
        }

    # The shell's calls

    def upstream_opened(self, now: Micros) -> list[Action]:
        """Take note that the upstream is connected."""
        self.now = now
        self.phase = OPEN
        return self.take_actions()

    def upstream_refused(self, description: str, now: Micros) -> list[Action]:
        """Take note that the upstream could not be connected; ``description`` is one sentence."""
        self.now = now
        self.phase = CLOSED
        self.send_error("upstream_refused", description)
        self.close_client(1011, "the upstream refused the connection")
        return self.take_actions()

    def upstream_closed(self, code: int, reason: str, now: Micros) -> list[Action]:
        """Take note that the upstream closed (1006: was lost)."""
        self.now = now
        if self.phase is not CLOSED:
            self.on_upstream_end(code, reason)
            self.phase = CLOSED
        return self.take_actions()

    def client_closed(self, now: Micros) -> list[Action]:
        """Take note that the client left."""
        self.now = now
        self.phase = CLOSED
        self.on_client_left()
        return self.take_actions()

    def client_frame(self, frame: str | bytes, now: Micros) -> list[Action]:
        """Take a frame of the client: text is control, binary is audio, whatever its bytes."""
        self.now = now
        if self.phase is not CLOSED:
            if isinstance(frame, str):
                self.on_client_text(frame)
            elif frame:
                self.when_ready(partial(self.on_audio, frame), len(frame))
        return self.take_actions()

    def upstream_frame(self, frame: str | bytes, now: Micros) -> list[Action]:
        """Take a frame of the upstream."""
        self.now = now
        if self.phase is not CLOSED:
            self.on_upstream_text(frame)
        return self.take_actions()

    # The client's messages

    def on_client_text(self, frame: str) -> None:
        """Read a text frame and hand it to its handler."""
        try:
            message = read_json(frame)
        except ValueError:
            message = None
        if not isinstance(message, Mapping) or not isinstance(message.get("type"), str):
            self.send_error("invalid_message", "A text frame must be a JSON object with a type.")
            return
        handler = self._client_messages.get(message["type"], self.on_unknown_message)
        handler(message)

    def on_unknown_message(self, message: Mapping[str, Any]) -> None:
        """Refuse a message that the protocol does not have; it never goes up."""
        description = f"{message['type'][:100]!r} is not a message that a client may send."
        self.send_error("disallowed_client_message_type", description)

    def on_keep_alive(self, message: Mapping[str, Any]) -> None:
        """Do nothing: the WebSocket's own pings keep the upstream connection."""

    def on_inject(self, message: Mapping[str, Any]) -> None:
        """Take a typed user turn."""
        content = message.get("content")
        if not isinstance(content, str):
            self.send_error("invalid_message", "InjectUserMessage needs a content, which is a string.")
            return
        self.when_ready(partial(self.inject, content), len(content))

    def inject(self, content: str) -> None:
        """Echo a typed user turn and create its item."""
        self.send_down({"type": "ConversationText", "role": "user", "content": content})
        part = {"type": "input_text", "text": content}
        self.create_item(TurnKind.MESSAGE, {"type": "message", "role": "user", "content": [part]})

    def on_function_call_response(self, message: Mapping[str, Any]) -> None:
        """Take a function's output."""
        has_output = any(message.get(name) is not None for name in ("content", "result", "error"))
        if not isinstance(message.get("id"), str) or not has_output:
            self.send_error("invalid_message", "FunctionCallResponse needs an id, and a content, a result or an error.")
            return
        self.when_ready(partial(self.on_function_response, message), len(orjson.dumps(message)))

    # The upstream's events

    def on_upstream_text(self, frame: str | bytes) -> None:
        """Read an upstream frame and hand it to its handler; what is unknown is no error, the API moves."""
        event = None
        if isinstance(frame, str):
            try:
                event = orjson.loads(frame)
            except orjson.JSONDecodeError:
                event = None
        if not isinstance(event, dict) or not isinstance(event.get("type"), str):
            self.on_unreadable("a binary frame" if isinstance(frame, bytes) else "a frame that is no JSON event")
            return
        type_ = ga_name(event["type"])
        if type_.startswith("response."):
            self.on_response_event(type_, event)
        elif type_ in self._upstream_events:
            self._upstream_events[type_](event)

    def on_response_event(self, type_: str, event: Mapping[str, Any]) -> None:
        """Take an event of a response."""
        whole = mapping(event.get("response"))
        response_id = text(event.get("response_id")) or text(whole.get("id")) or self.active or ""
        if type_ == "response.created":
            self.on_response_created(response_id)
            return
        self.on_response_sign(response_id)
        response = self.response(response_id)
        item = mapping(event.get("item"))
        match type_.removeprefix("response."):
            case "done":
                self.on_response_over(response_id, whole)
            case "output_audio.delta":
                self.on_audio_delta(response, event.get("delta"))
            case "output_text.delta" | "output_audio_transcript.delta":
                self.on_text_delta(response, event)
            case "output_text.done" | "output_audio_transcript.done" | "content_part.done":
                self.on_text_done(response, event)
            case "function_call_arguments.done":
                response.has_calls = True
                self.on_call(event, response_id)
            case "output_item.added":
                self.note_call_name(item)
                self.on_output_item(response_id, item, is_finished=False)
            case "output_item.done":
                self.on_output_item(response_id, item, is_finished=True)
            case _:
                pass

    def on_output_item(self, response_id: str, item: Mapping[str, Any], *, is_finished: bool) -> None:
        """Take what an item of a response carries: text, or a call."""
        response = self.response(response_id)
        if item.get("type") == "function_call":
            response.has_calls = True
            if is_finished and item.get("status") in (None, "completed"):
                self.on_call(item, response_id)
        elif item.get("role") == "assistant":
            self.on_assistant_item(response, item, is_finished=is_finished)

    def on_response_over(self, response_id: str, whole: Mapping[str, Any]) -> None:
        """Take ``response.done``: whatever it carries goes down first, its failure too; then the next turn may come."""
        output = whole.get("output")
        for item in output if isinstance(output, list) else ():
            self.on_output_item(response_id, mapping(item), is_finished=True)
        self.finish_response(self.response(response_id))
        if self.on_response_done(response_id) and whole.get("status") == "failed":
            error = mapping(mapping(whole.get("status_details")).get("error"))
            self.forward_error(code_of(error), text(error.get("message")) or "The response failed.")
        self.release_errors()
        self.update_session()

    def on_item(self, event: Mapping[str, Any], *, is_finished: bool) -> None:
        """Take a conversation item: the confirmation of ours, or the output of the running response."""
        item = mapping(event.get("item"))
        self.confirm(item)
        if self.active is not None and self.belongs_to_response(item):
            self.on_output_item(self.active, item, is_finished=is_finished)

    def belongs_to_response(self, item: Mapping[str, Any]) -> bool:
        """Tell whether an item is the model's: not ours, and nothing of the context that some servers echo as items."""
        said = [remark.content for remark in self.agent.context] if self.agent is not None else []
        return not any(part.get("text") in said for part in item.get("content") or () if isinstance(part, Mapping))

    def on_error(self, event: Mapping[str, Any]) -> None:
        """Take an upstream error: undo what was refused, and pass it on under its own code."""
        error = mapping(event.get("error"))
        event_id = text(error.get("event_id")) or None
        code = code_of(error)
        if self.refuses_update(event_id, error):
            is_about_it = text(error.get("param")).startswith("session")
            self.on_update_refused(is_certain=event_id is not None or is_about_it)
        if not self.on_refusal(event_id, code):
            self.forward_error(code, text(error.get("message")) or "The upstream reported an error.")

    # The ends

    def on_upstream_end(self, code: int, reason: str) -> None:
        """Make the upstream's end visible: as an error unless it came as agreed, and as a close of its code."""
        self.send_all_texts()
        if self.phase is not READY or code != 1000 or self.turns or self.is_responding:
            ready = "" if self.phase is READY else " before the session was ready"
            why = f": {reason}" if reason else ""
            self.send_error("upstream_closed", f"The upstream closed the connection with code {code}{ready}{why}.")
            code = code if code != 1000 else 1011
        self.close_client(code if code in SENDABLE else 1011, reason or "the upstream closed the connection")

    def on_client_left(self) -> None:
        """Close the upstream; nothing else goes up any more."""
        self.act(CloseUpstream(1000, ""))


def code_of(error: Mapping[str, Any]) -> str | None:
    """Return the code that the upstream gave an error; None if it gave none."""
    code = error.get("code")
    return code if isinstance(code, str) else None
