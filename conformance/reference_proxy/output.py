"""Output: what the upstream says becomes the client's text, audio and signals.

A message's text may come by several carriers: deltas, ``text.done``, ``transcript.done``, a content part, its item, or
``response.done``. Whichever came, the client gets it once, when the message is finished; a text that is done waits
a moment for the rest of its message. Audio goes down as it comes. For the client, a response is over at ``response.done``
only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from conformance.reference_proxy.core import Timer, Timing, mapping, text
from conformance.reference_proxy.microphone import Converter, Microphone
from conformance.reference_proxy.turns import parts_of
from conformance.wire import base64
from conformance.wire.audio import PCM_24K, AudioFormat
from conformance.wire.durations import Micros

_REMEMBERED: Final = 64
_TEXT_FIELDS: Final = ("text", "transcript", "delta")
_TIMING_FIELDS: Final = ("start", "duration", "channel")


@dataclass(slots=True)
class Message:
    """An assistant message in the making: text by content index, from deltas and as finished, and its item's own text."""

    deltas: dict[int, str] = field(default_factory=dict)
    finished: dict[int, str] = field(default_factory=dict)
    whole: str = ""
    due: Micros = 0
    """When it is to be sent though more of it might come, once something says that it is finished."""
    sent: bool = False

    def text(self) -> str:
        """Return the best text known: the finished parts, else the item's, else what the deltas add up to."""
        for parts in (self.finished, {0: self.whole}, self.deltas):
            joined = "".join(parts[index] for index in sorted(parts))
            if joined.strip():
                return joined
        return ""


@dataclass(slots=True)
class Response:
    """What the client has had of a response."""

    speaker: Converter
    spoke: bool = False
    done: bool = False
    has_calls: bool = False
    messages: dict[str, Message] = field(default_factory=dict)


class Output(Microphone):
    """Maps the upstream's events to the client's messages."""

    def __init__(self, timing: Timing) -> None:
        """Start with nothing said."""
        super().__init__(timing)
        self.speaker_format: AudioFormat = PCM_24K
        self.responses: dict[str, Response] = {}
        self.held_errors: list[tuple[Micros, str | None, str]] = []
        """Errors that wait for the running response's text: until when, code, description."""
        self.due_texts: list[tuple[Response, Message]] = []
        self._transcripts: dict[str, str] = {}

    def timers(self) -> list[Timer]:
        """Add: finished texts, errors that have waited long enough."""
        timers = super().timers()
        if self.due_texts:
            timers += [(message.due, self.send_due_texts) for _, message in self.due_texts]
        if self.held_errors:
            timers.append((self.held_errors[0][0], self.release_errors))
        return timers

    def response(self, response_id: str) -> Response:
        """Return what is known of a response, from now on if nothing was."""
        if response_id not in self.responses:
            self.responses[response_id] = Response(Converter(PCM_24K, self.speaker_format))
            if len(self.responses) > _REMEMBERED:
                del self.responses[next(iter(self.responses))]
        return self.responses[response_id]

    # Audio and signals

    def start_speaking(self, response: Response) -> None:
        """Announce a response's output, once."""
        if not response.spoke:
            response.spoke = True
            self.send_down({"type": "AgentStartedSpeaking"})

    def on_audio_delta(self, response: Response, delta: Any) -> None:
        """Send audio down as a binary frame; nothing else ever is one."""
        try:
            audio = base64.decode(text(delta))
        except ValueError:
            self.on_unreadable("audio that is not base64")
            return
        if not response.done:  # after AgentAudioDone no audio may follow
            self.send_audio(response, response.speaker.convert(audio))

    def send_audio(self, response: Response, audio: bytes) -> None:
        """Send decoded audio."""
        if audio:
            self.start_speaking(response)
            self.send_down(audio)

    def finish_response(self, response: Response) -> None:
        """Send what is left of a response, then say that it is done, once."""
        if response.done:
            return
        self.send_audio(response, response.speaker.flush())
        for message in response.messages.values():
            self.send_text(response, message)
        response.done = True
        if self.deserves_done(response):
            self.send_done()

    def deserves_done(self, response: Response) -> bool:
        """Tell whether the client hears that a response is done: not if it was nothing but calls."""
        return response.spoke or not response.has_calls

    def send_done(self) -> None:
        """Send ``AgentAudioDone``."""
        self.send_down({"type": "AgentAudioDone"})

    def on_speech_started(self, event: Mapping[str, Any]) -> None:
        """Map ``speech_started``."""
        self.send_down({"type": "UserStartedSpeaking", **pick(event, ("channel",))})

    def on_speech_stopped(self, event: Mapping[str, Any]) -> None:
        """Map ``speech_stopped``, with the values that this upstream gives."""
        self.send_down({"type": "UtteranceEnd", **pick(event, ("channel", "last_word_end"))})

    # Text

    def message(self, response: Response, event: Mapping[str, Any]) -> Message:
        """Return the message that an event is about."""
        item_id = text(event.get("item_id"))
        if item_id not in response.messages:
            response.messages[item_id] = Message()
        return response.messages[item_id]

    def on_text_delta(self, response: Response, event: Mapping[str, Any]) -> None:
        """Add a delta; a string, or as some servers have it an object around one."""
        deltas = self.message(response, event).deltas
        index = index_of(event)
        deltas[index] = deltas.get(index, "") + words_of(event.get("delta"))

    def on_text_done(self, response: Response, event: Mapping[str, Any]) -> None:
        """Take a finished text, transcript or content part; it goes down soon, with the rest of its message."""
        message = self.message(response, event)
        message.finished[index_of(event)] = words_of(event.get("part", event))
        message.due = self.now + self.timing.text_grace
        self.due_texts.append((response, message))

    def on_assistant_item(self, response: Response, item: Mapping[str, Any], *, is_finished: bool) -> None:
        """Take the text an assistant item carries; send it if the item is finished."""
        message = self.message(response, {"item_id": item.get("id")})
        message.whole = "".join(words_of(part) for part in parts_of(item)) or message.whole
        if is_finished:
            self.send_text(response, message)

    def send_text(self, response: Response, message: Message) -> None:
        """Send a message's text, once, if it has any."""
        words = message.text()
        if words and not message.sent:
            message.sent = True
            self.due_texts = [pair for pair in self.due_texts if pair[1] is not message]
            self.start_speaking(response)
            self.send_down({"type": "ConversationText", "role": "assistant", "content": words})
            self.release_errors()

    def send_due_texts(self) -> None:
        """Send the texts whose message has had time to be completed."""
        due = [pair for pair in self.due_texts if pair[1].due <= self.now]
        self.due_texts = [pair for pair in self.due_texts if pair[1].due > self.now]
        for response, message in due:
            self.send_text(response, message)

    def send_all_texts(self) -> None:
        """Send whatever has been said, because nothing more will come."""
        for response in self.responses.values():
            for message in response.messages.values():
                self.send_text(response, message)
        self.release_errors()

    # Transcripts

    def on_transcript_delta(self, event: Mapping[str, Any]) -> None:
        """Send what has been heard of an item so far."""
        item_id = text(event.get("item_id"))
        self._transcripts[item_id] = self._transcripts.get(item_id, "") + words_of(event.get("delta"))
        if len(self._transcripts) > _REMEMBERED:
            del self._transcripts[next(iter(self._transcripts))]
        self.send_transcript(self._transcripts[item_id], event, is_final=False)

    def on_transcript_completed(self, event: Mapping[str, Any]) -> None:
        """Send an item's final transcript."""
        self._transcripts.pop(text(event.get("item_id")), None)
        self.send_transcript(text(event.get("transcript")), event, is_final=True)

    def on_transcript_failed(self, event: Mapping[str, Any]) -> None:
        """Forget a transcript that will not be completed; the turn goes on without."""
        self._transcripts.pop(text(event.get("item_id")), None)

    def send_transcript(self, transcript: str, event: Mapping[str, Any], *, is_final: bool) -> None:
        """Send ``Transcript`` with the values that this upstream gives."""
        values = pick(event, _TIMING_FIELDS)
        self.send_down({"type": "Transcript", "transcript": transcript, "is_final": is_final, **values})

    # Errors

    def forward_error(self, code: str | None, description: str) -> None:
        """Send an upstream error down; an ``idle_timeout`` after the text of the response that is running."""
        if self.waits_for_text(code):
            self.held_errors.append((self.now + self.timing.error_grace, code, description))
        else:
            self.send_error(code, description)

    def waits_for_text(self, code: str | None) -> bool:
        """Tell whether an error must let the running response finish its text first."""
        running = self.responses.get(self.active) if self.active is not None else None
        has_text = running is not None and any(message.sent for message in running.messages.values())
        return code == "idle_timeout" and self.is_responding and not has_text

    def release_errors(self) -> None:
        """Send the errors that were held."""
        held, self.held_errors = self.held_errors, []
        for _, code, description in held:
            self.send_error(code, description)

    def on_unreadable(self, what: str) -> None:
        """Tell the client that the upstream sent something that cannot be read: it may have been what the client awaits."""
        self.send_error("unreadable_upstream_message", f"The upstream sent {what}.")


def words_of(value: Any) -> str:
    """Return the words in a delta, a content part or a done event."""
    if isinstance(value, str):
        return value
    return next((value[name] for name in _TEXT_FIELDS if isinstance(mapping(value).get(name), str)), "")


def index_of(event: Mapping[str, Any]) -> int:
    """Return an event's content index, 0 if it has none."""
    index = event.get("content_index")
    return index if isinstance(index, int) else 0


def pick(event: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return those of the named values that an event has."""
    return {name: event[name] for name in names if name in event}
