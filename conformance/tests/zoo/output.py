"""Broken proxies: what the client is shown and told."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import orjson

from conformance.reference_proxy.output import Message, Response
from conformance.reference_proxy.phases import Phase
from conformance.reference_proxy.translator import Translator
from conformance.tests.zoo.animal import animal
from conformance.wire.durations import Micros


@animal("VA-BINARY-IS-AUDIO", "text/turn")
class SendsJsonInBinary(Translator):
    """Passes item events on in binary frames."""

    def on_item(self, event: Mapping[str, Any], *, is_finished: bool) -> None:
        super().on_item(event, is_finished=is_finished)
        self.send_down(orjson.dumps(event))


@animal("VA-AUDIO-WHOLE", "text/turn")
class SkipsTheFirstDelta(Translator):
    """Drops the first delta of a response's audio."""

    def send_audio(self, response: Response, audio: bytes) -> None:
        if response.spoke or not audio:
            super().send_audio(response, audio)
        else:
            self.start_speaking(response)


@animal("VA-FRAME-TYPE", "hostile-client/frames")
class ParsesBinary(Translator):
    """Executes binary frames that parse as JSON."""

    def client_frame(self, frame: str | bytes, now: Micros) -> list[Any]:
        if isinstance(frame, bytes) and frame[:1] == b"{":
            return super().client_frame(frame.decode("utf-8", "replace"), now)
        return super().client_frame(frame, now)


@animal("VA-FRAME-TYPE", "hostile-client/frames")
class SpeaksBrokenText(Translator):
    """Takes text that is no JSON for audio."""

    def on_client_text(self, frame: str) -> None:
        try:
            orjson.loads(frame)
        except orjson.JSONDecodeError:
            self.when_ready(lambda: self.on_audio(frame.encode()), len(frame))
        else:
            super().on_client_text(frame)


@animal("VA-TEXT-IS-PROTOCOL", "text/turn")
class ShowsRealtimeEvents(Translator):
    """Passes upstream events on to the client as they are."""

    def on_item(self, event: Mapping[str, Any], *, is_finished: bool) -> None:
        super().on_item(event, is_finished=is_finished)
        self.send_down(event)


@animal("VA-ERROR-FORWARDED", "error/forwarded")
class SwallowsErrors(Translator):
    """Swallows upstream errors."""

    def forward_error(self, code: str | None, description: str) -> None:
        """Say nothing."""


@animal("VA-ERROR-CODE", "error/forwarded")
class GuessesCodes(Translator):
    """Guesses an error's code from its text."""

    def forward_error(self, code: str | None, description: str) -> None:
        guessed = "idle_timeout" if re.search("server had an error|idle", description) else "session_max_duration"
        super().forward_error(guessed, description)


@animal("VA-ERROR-HONEST", "error/events-idle")
class FearsTheUnknown(Translator):
    """Shows an event it does not know as an Error."""

    def on_upstream_text(self, frame: str | bytes) -> None:
        super().on_upstream_text(frame)
        event = orjson.loads(frame) if isinstance(frame, str) and frame.startswith("{") and frame.endswith("}") else {}
        type_ = str(event.get("type", ""))
        if type_ not in self._upstream_events and not type_.startswith(("response.", "rate_limits")):
            self.send_error("unmapped_upstream_event", type_)


@animal("VA-CLOSE-SEEN", "close/mid-session")
class HidesTheEnd(Translator):
    """Leaves the client connected to nothing when the upstream closes."""

    def on_upstream_end(self, code: int, reason: str) -> None:
        """Say nothing."""


@animal("VA-CLOSE-EXPLAINED", "close/mid-session")
class ClosesAsIfAllWereWell(Translator):
    """Answers any end of the upstream with a close 1000."""

    def on_upstream_end(self, code: int, reason: str) -> None:
        self.close_client(1000, "")


@animal("VA-CLOSE-EXPLAINED", "close/before-ready")
class ClosesBeforeReadyWithoutAWord(Translator):
    """Closes with 1000 when the upstream ends before the session is ready."""

    def on_upstream_end(self, code: int, reason: str) -> None:
        if self.phase is Phase.READY:
            super().on_upstream_end(code, reason)
        else:
            self.close_client(1000, "")


@animal("VA-TEXT-ONCE", "text/turn")
class SaysItTwice(Translator):
    """Shows the text when it is done and again with its item."""

    def on_text_done(self, response: Response, event: Mapping[str, Any]) -> None:
        super().on_text_done(response, event)
        message = self.message(response, event)
        self.send_text(response, message)
        message.sent = "part" in event


@animal("VA-TEXT-ONCE", "text/carrier")
class ReadsItemsOnly(Translator):
    """Takes assistant text from items only, whatever else carries it."""

    def on_text_done(self, response: Response, event: Mapping[str, Any]) -> None:
        """Take no notice."""

    def on_text_delta(self, response: Response, event: Mapping[str, Any]) -> None:
        """Take no notice."""


@animal("VA-TEXT-ONCE", "text/turns")
class NeverRepeatsWords(Translator):
    """Drops a message that says the same words as one before."""

    _said: frozenset[str] = frozenset()

    def send_text(self, response: Response, message: Message) -> None:
        words = message.text()
        if words and not message.sent and words in self._said:
            message.sent = True
            return
        super().send_text(response, message)
        if message.sent:
            self._said = self._said | {words}


@animal("VA-TEXT-REAL", "function-call/one-tool")
class ShowsCallsAsText(Translator):
    """Shows a function call as something the agent said."""

    def send_call(self, call_id: str, name: str, arguments: str) -> None:
        super().send_call(call_id, name, arguments)
        self.send_down({"type": "ConversationText", "role": "assistant", "content": f"Function call: {name}({arguments})"})


@animal("VA-SPEAKING-FIRST", "text/turn")
class SpeaksWithoutWarning(Translator):
    """Sends AgentStartedSpeaking after the first output."""

    def start_speaking(self, response: Response) -> None:
        response.spoke = True

    def finish_response(self, response: Response) -> None:
        self.send_down({"type": "AgentStartedSpeaking"})
        super().finish_response(response)


@animal("VA-SPEAKING-ONCE", "text/turn")
class StartsWithEveryChunk(Translator):
    """Sends AgentStartedSpeaking with every output."""

    def start_speaking(self, response: Response) -> None:
        response.spoke = True
        self.send_down({"type": "AgentStartedSpeaking"})


@animal("VA-DONE-LAST", "text/completion")
class IsDoneAtTheTextsEnd(Translator):
    """Sends AgentAudioDone when the text is done, though audio is to come."""

    def on_text_done(self, response: Response, event: Mapping[str, Any]) -> None:
        super().on_text_done(response, event)
        if not response.has_calls:
            self.start_speaking(response)
            self.send_done()
            response.has_calls = True

    def deserves_done(self, response: Response) -> bool:
        return not response.has_calls


@animal("VA-DONE-ONCE", "text/turn")
class IsDoneTwice(Translator):
    """Sends AgentAudioDone at the last part's end and again at response.done."""

    def on_response_event(self, type_: str, event: Mapping[str, Any]) -> None:
        super().on_response_event(type_, event)
        if type_ == "response.output_item.done":
            self.send_done()


@animal("VA-DONE-COMES", "text/completion")
class IsDoneOnlyWithText(Translator):
    """Sends AgentAudioDone only after a text's done event."""

    def on_text_done(self, response: Response, event: Mapping[str, Any]) -> None:
        super().on_text_done(response, event)
        response.has_calls = True

    def deserves_done(self, response: Response) -> bool:
        return response.has_calls


@animal("VA-TEXT-BEFORE-IDLE-ERROR", "error/forwarded")
class InterruptsItself(Translator):
    """Shows idle_timeout before the text of the response that is running."""

    def waits_for_text(self, code: str | None) -> bool:
        return False


@animal("VA-VAD-MAPPED", "vad/events")
class DoesNotHearTheUser(Translator):
    """Tells the client nothing of speech that starts."""

    def on_speech_started(self, event: Mapping[str, Any]) -> None:
        """Say nothing."""


@animal("VA-VAD-VALUES", "vad/events")
class MakesUpValues(Translator):
    """Makes up channel and last_word_end."""

    def on_speech_stopped(self, event: Mapping[str, Any]) -> None:
        self.send_down({"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": 0})


@animal("VA-TRANSCRIPT", "transcription/heard")
class ShowsSingleDeltas(Translator):
    """Shows each transcription delta alone."""

    def on_transcript_delta(self, event: Mapping[str, Any]) -> None:
        self.send_transcript(str(event.get("delta")), event, is_final=False)


@animal("VA-TRANSCRIPT", "transcription/heard")
class LosesTheFinalTranscript(Translator):
    """Does not pass the final transcript on."""

    def on_transcript_completed(self, event: Mapping[str, Any]) -> None:
        """Say nothing."""


@animal("VA-TRANSCRIPT-VALUES", "transcription/heard")
class MakesUpTimes(Translator):
    """Sends start and duration as 0."""

    def send_transcript(self, transcript: str, event: Mapping[str, Any], *, is_final: bool) -> None:
        values = {"start": 0, "duration": 0}
        super().send_transcript(transcript, {**event, **values}, is_final=is_final)


@animal("VA-REJECTS-UNKNOWN", "hostile-client/frames")
class IgnoresTheUnknown(Translator):
    """Ignores messages it does not know."""

    def on_unknown_message(self, message: Mapping[str, Any]) -> None:
        """Say nothing."""


@animal("VA-REJECTS-MALFORMED", "hostile-client/frames")
class PassesAnythingOn(Translator):
    """Makes an item of a content that is no text."""

    def on_inject(self, message: Mapping[str, Any]) -> None:
        self.when_ready(lambda: self.inject(message.get("content")), 1)  # type: ignore[arg-type]


@dataclass
class _Process:
    """What a process shares between its sessions."""

    sessions: int = 0
    poisoned: bool = False


@animal("VA-SURVIVES-CLIENT", "hostile-client/frames")
class FallsSilentForAll(Translator):
    """Stops serving every session once one client has sent an odd number of bytes."""

    process: ClassVar[_Process] = _Process()

    def __init__(self) -> None:
        super().__init__()
        if not self.process.sessions:
            self.process.poisoned = False
        self.process.sessions += 1

    def client_closed(self, now: Micros) -> list[Any]:
        self.process.sessions -= 1
        return super().client_closed(now)

    def client_frame(self, frame: str | bytes, now: Micros) -> list[Any]:
        if isinstance(frame, bytes) and len(frame) % 2:
            self.process.poisoned = True
        return [] if self.process.poisoned else super().client_frame(frame, now)
