"""Cousins: proxies that do otherwise what the contract leaves open, and nothing wrong. No rule and no check may mind them.

They stand for proxies of other makes: each is the reference translator with one other choice.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from conformance.reference_proxy.actions import Action, ToUpstream
from conformance.reference_proxy.core import Timer, Timing, text
from conformance.reference_proxy.output import Response
from conformance.reference_proxy.phases import Phase
from conformance.reference_proxy.settings import Agent
from conformance.reference_proxy.translator import Translator
from conformance.reference_proxy.turns import Turn, TurnKind
from conformance.tests.zoo.animal import Hasty
from conformance.wire.durations import MILLISECOND, Micros

_PIECE: Final = 9_600
"""200 ms of audio at 24 kHz."""


class SpeaksAtOnce(Translator):
    """Tells `AgentStartedSpeaking` at `response.created`, whether anything is said or not."""

    def on_response_created(self, response_id: str) -> None:
        is_new = response_id not in self.responses
        super().on_response_created(response_id)
        if response_id and is_new:
            self.start_speaking(self.response(response_id))


class DoneWithTheAudio(Translator):
    """Tells `AgentAudioDone` at the audio's own end; text may follow."""

    def on_response_event(self, type_: str, event: Mapping[str, Any]) -> None:
        super().on_response_event(type_, event)
        response = self.response(text(event.get("response_id")) or self.active or "")
        is_silent = not response.spoke or response.done or response.has_calls or id(response) in self._told
        if type_ == "response.output_audio.done" and not is_silent:
            self._told = {*self._told, id(response)}
            self.send_done()

    def deserves_done(self, response: Response) -> bool:
        return id(response) not in self._told and super().deserves_done(response)

    _told: frozenset[int] | set[int] = frozenset()


class HistoryAsItems(Translator):
    """Sends context up as items instead of inside the instructions."""

    def session_for(self, agent: Agent) -> dict[str, Any]:
        return super().session_for(replace(agent, context=()))

    def send_applied(self) -> None:
        super().send_applied()
        if self.agent is not None and not self._recalled:
            self._recalled = True
            for remark in self.agent.context:
                part = {"type": "output_text" if remark.role == "assistant" else "input_text", "text": remark.content}
                item = {"type": "message", "role": remark.role, "content": [part]}
                self.send_up({"type": "conversation.item.create", "item": item})

    _recalled = False


class LeavesTurnsToTheServer(Translator):
    """Lets the server's VAD end turns, and asks for the responses itself."""

    def turn_detection_for(self, agent: Agent) -> dict[str, Any]:
        idle = {} if agent.idle_timeout_ms is None else {"idle_timeout_ms": agent.idle_timeout_ms}
        return {"type": "server_vad", "create_response": False, **idle}


class SendsLargePieces(Translator):
    """Collects 200 ms of audio for an append, or what came within a quarter of a second."""

    _collected = b""
    _since: Micros = 0

    def append(self, audio: bytes) -> None:
        self._since = self._since if self._collected else self.now
        self._collected += audio
        if len(self._collected) >= _PIECE:
            self.send_collected()

    def send_collected(self) -> None:
        collected, self._collected = self._collected, b""
        super().append(collected)

    def timers(self) -> list[Timer]:
        timers = super().timers()
        if self._collected and self.phase is Phase.READY:
            timers.append((self._since + 250 * MILLISECOND, self.send_collected))
        return timers

    def send_up(self, event: Mapping[str, Any]) -> str:
        if event["type"] == "input_audio_buffer.commit":
            self.send_collected()
        return super().send_up(event)


class DoesNotAwaitTheSession(Translator):
    """Sends `session.update` as soon as it is connected, before `session.created`."""

    def upstream_opened(self, now: Micros) -> list[Action]:
        self.now = now
        self.phase = Phase.CREATED
        self.update_session()
        return self.take_actions()


class EchoesWhenConfirmed(Translator):
    """Echoes a typed turn when the upstream has confirmed its item."""

    def inject(self, content: str) -> None:
        part = {"type": "input_text", "text": content}
        self.create_item(TurnKind.MESSAGE, {"type": "message", "role": "user", "content": [part]})

    def confirm(self, item: Mapping[str, Any]) -> None:
        mine = self.find_confirmed(text(item.get("id")), item)
        if mine is not None and self.turns[mine].kind is TurnKind.MESSAGE:
            said = self.turns[mine].item["content"][0]["text"]
            self.send_down({"type": "ConversationText", "role": "user", "content": said})
        super().confirm(item)


class NamesErrorsWithoutACode(Translator):
    """Gives an error without a code a neutral one."""

    def send_error(self, code: str | None, description: str) -> None:
        super().send_error(code or "unknown_error", description)


class NamesNoItems(Translator):
    """Lets the upstream give items their ids."""

    def create_item(self, kind: TurnKind, item: Mapping[str, Any]) -> None:
        event_id = self.send_up({"type": "conversation.item.create", "item": dict(item)})
        self.add_turn(Turn(kind, self.now, event_id, None, item))


class NamesNoEvents(Translator):
    """Gives its events no ids, so that errors must be told apart by what they say and by order."""

    def send_up(self, event: Mapping[str, Any]) -> str:
        event_id = super().send_up(event)
        self._outbox[-1] = ToUpstream(event)
        return event_id


class Talkative(Translator):
    """Says more than it must, in messages of the client's family."""

    def upstream_opened(self, now: Micros) -> list[Action]:
        self.send_down({"type": "Welcome", "request_id": "request_1"})
        return super().upstream_opened(now)

    def inject(self, content: str) -> None:
        super().inject(content)
        self.send_down({"type": "History", "role": "user", "content": content})

    def on_function_response(self, message: Mapping[str, Any]) -> None:
        self.send_down({"type": "AgentThinking", "content": "Let me see."})
        super().on_function_response(message)

    def send_done(self) -> None:
        super().send_done()
        self.send_down({"type": "AgentDone"})


class Impatient(Hasty):
    """Takes the shortest pause for the end of a turn."""

    timing_of_it = Timing(debounce=100 * MILLISECOND, longest_wait=300 * MILLISECOND, text_grace=0)


class SpeaksAtThePaceOfSpeech(Translator):
    """Passes audio on as slowly as it is heard, and drops what is left of it when the user speaks."""

    _speaks_until: Micros = 0

    def __init__(self) -> None:
        super().__init__()
        self._to_say: list[tuple[Micros, bytes | None]] = []

    def send_audio(self, response: Response, audio: bytes) -> None:
        if audio:
            self.start_speaking(response)
            self._speaks_until = max(self._speaks_until, self.now)
            self._to_say.append((self._speaks_until, audio))
            self._speaks_until += self.speaker_format.duration(len(audio))

    def send_done(self) -> None:
        self._to_say.append((max(self._speaks_until, self.now), None))

    def on_speech_started(self, event: Mapping[str, Any]) -> None:
        self._to_say = [(self.now, None) for _, audio in self._to_say if audio is None]
        self._speaks_until = self.now
        super().on_speech_started(event)

    def say(self) -> None:
        due = [audio for at, audio in self._to_say if at <= self.now]
        self._to_say = [each for each in self._to_say if each[0] > self.now]
        for audio in due:
            if audio is None:
                super().send_done()
            else:
                self.send_down(audio)

    def timers(self) -> list[Timer]:
        due = [(at, self.say) for at, _ in self._to_say[:1] if self.phase is not Phase.CLOSED]
        return [*super().timers(), *due]


class EndsHostileSessions(Translator):
    """Ends the session of a client that sends what it must not, with an Error or, for half a sample, without one."""

    def on_audio(self, chunk: bytes) -> None:
        if len(chunk) % 2:
            self.close_client(1007, "half a sample")
        else:
            super().on_audio(chunk)

    def on_unknown_message(self, message: Mapping[str, Any]) -> None:
        super().on_unknown_message(message)
        self.close_client(1008, "not a message of this protocol")


COUSINS: Final[tuple[type[Translator], ...]] = (
    SpeaksAtOnce,
    DoneWithTheAudio,
    HistoryAsItems,
    LeavesTurnsToTheServer,
    SendsLargePieces,
    DoesNotAwaitTheSession,
    EchoesWhenConfirmed,
    NamesErrorsWithoutACode,
    NamesNoItems,
    NamesNoEvents,
    Talkative,
    Impatient,
    SpeaksAtThePaceOfSpeech,
    EndsHostileSessions,
)
