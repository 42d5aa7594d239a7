"""Broken proxies: readiness, Settings, greeting and context."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from conformance.reference_proxy.actions import ToUpstream
from conformance.reference_proxy.phases import Phase
from conformance.reference_proxy.settings import Agent, Remark
from conformance.reference_proxy.translator import Translator
from conformance.tests.zoo.animal import animal
from conformance.wire.durations import Micros


@animal("RT-UPDATE-FIRST", "text/turn")
class ClearsBeforeItConfigures(Translator):
    """Clears the audio buffer before it sends session.update."""

    def update_session(self) -> None:
        if self.may_update():
            self.send_up({"type": "input_audio_buffer.clear"})
        super().update_session()


@animal("RT-UPDATE-ONCE", "text/completion")
class UpdatesAgain(Translator):
    """Sends a second session.update for the same Settings."""

    def on_settings(self, message: Mapping[str, Any]) -> None:
        if self.agent is not None and self.phase is Phase.READY and not self.is_responding:
            self.send_up({"type": "session.update", "session": self.session_for(self.agent)})
        super().on_settings(message)


@animal("RT-UPDATE-SENT", "text/turn")
class PretendsToConfigure(Translator):
    """Answers Settings without any session.update."""

    def on_settings(self, message: Mapping[str, Any]) -> None:
        self.send_applied()


@animal("RT-AFTER-CREATED", "session-config/ready")
class DoesNotAwaitTheSession(Translator):
    """Sends session.update as soon as the connection is open."""

    def upstream_opened(self, now: Micros) -> list[Any]:
        actions = super().upstream_opened(now)
        self.phase = Phase.CREATED
        self.update_session()
        return [*actions, *self.take_actions()]


@animal("RT-READY-AUDIO", "firm-audio/early")
class HasNoAudioGate(Translator):
    """Passes audio on before session.updated."""

    def client_frame(self, frame: str | bytes, now: Micros) -> list[Any]:
        if isinstance(frame, bytes) and Phase.CREATED <= self.phase < Phase.READY:
            self.now = now
            self.on_audio(frame)
            return self.take_actions()
        return super().client_frame(frame, now)


@animal("RT-READY-ITEM", "session-config/ready")
class InjectsAtOnce(Translator):
    """Creates the user's item before session.updated."""

    def on_inject(self, message: Mapping[str, Any]) -> None:
        if self.phase >= Phase.CREATED and isinstance(message.get("content"), str):
            self.inject(message["content"])
        else:
            super().on_inject(message)


@animal("RT-READY-RESPONSE", "greeting/held")
class AsksBeforeReady(Translator):
    """Asks for a response right after session.update."""

    def update_session(self) -> None:
        may = self.may_update()
        super().update_session()
        if may:
            self.send_up({"type": "response.create"})


@animal("RT-UPDATE-IDLE", "text/completion")
class UpdatesInMidResponse(Translator):
    """Sends session.update while a response is active."""

    def on_settings(self, message: Mapping[str, Any]) -> None:
        if self.agent is not None and self.phase is Phase.READY:
            self.send_up({"type": "session.update", "session": self.session_for(self.agent)})
        super().on_settings(message)


@animal("RT-FORMAT-DECLARED", "text/turn")
class LeavesTheFormatOpen(Translator):
    """Names no input audio format."""

    def session_for(self, agent: Agent) -> dict[str, Any]:
        session = super().session_for(agent)
        del session["audio"]["input"]["format"]
        return session


@animal("RT-TEXT-FRAMES", "firm-audio/silence")
class SendsAudioInBinary(Translator):
    """Passes audio up as binary frames."""

    def append(self, audio: bytes) -> None:
        self.act(ToUpstream(audio))


@animal("RT-KNOWN-EVENTS", "idle/keep-alive")
class PassesKeepAliveOn(Translator):
    """Passes KeepAlive on to the upstream."""

    def on_keep_alive(self, message: Mapping[str, Any]) -> None:
        self.send_up(message)


@animal("RT-VALID-EVENTS", "text/turn")
class UsesBetaFields(Translator):
    """Puts turn_detection at the session's top level, as the beta API had it."""

    def session_for(self, agent: Agent) -> dict[str, Any]:
        return {**super().session_for(agent), "turn_detection": None}


class ContextAsItems(Translator):
    """Sends context as items."""

    def session_for(self, agent: Agent) -> dict[str, Any]:
        return super().session_for(replace(agent, context=()))

    def part_type(self, role: str) -> str:
        return "output_text" if role == "assistant" else "input_text"

    def history(self, context: Sequence[Remark]) -> Sequence[Remark]:
        return context

    def on_session_updated(self, event: Mapping[str, Any]) -> None:
        for remark in self.history(self.agent.context if self.agent is not None else ()):
            part = {"type": self.part_type(remark.role), "text": remark.content}
            item = {"type": "message", "role": remark.role, "content": [part]}
            self.send_up({"type": "conversation.item.create", "item": item})
        super().on_session_updated(event)


@animal("RT-CONTEXT-NO-ITEMS", "context/kept")
class SendsContextAsItems(ContextAsItems):
    """Sends context as items instead of instructions."""


@animal("RT-ASSISTANT-CONTENT", "context/kept")
class MistypesAssistantContent(ContextAsItems):
    """Sends the assistant's part of the context as input_text."""

    def part_type(self, role: str) -> str:
        return "input_text"


@animal("RT-CONTEXT-KEPT", "context/kept")
class ForgetsTheContext(Translator):
    """Drops the context."""

    def session_for(self, agent: Agent) -> dict[str, Any]:
        return super().session_for(replace(agent, context=()))


@animal("RT-CONTEXT-KEPT", "context/kept")
class PutsWordsIntoTheUsersMouth(ContextAsItems):
    """Sends all of the context as the user's words."""

    def history(self, context: Sequence[Remark]) -> Sequence[Remark]:
        return [replace(remark, role="user") for remark in context]


@animal("RT-CONTEXT-KEPT", "context/kept")
class TellsTheContextBackwards(ContextAsItems):
    """Sends the context's last message first."""

    def history(self, context: Sequence[Remark]) -> Sequence[Remark]:
        return context[::-1]


@animal("RT-GREETING-QUIET", "greeting/idle")
class GreetsUpstream(Translator):
    """Sends the greeting up as an assistant item."""

    def greet(self, agent: Agent) -> None:
        super().greet(agent)
        if agent.greeting:
            part = {"type": "output_text", "text": agent.greeting}
            item = {"type": "message", "role": "assistant", "content": [part]}
            self.send_up({"type": "conversation.item.create", "item": item})


@animal("VA-HISTORY-QUIET", "context/kept")
class ReplaysTheContext(Translator):
    """Shows the context to the client as new text."""

    def greet(self, agent: Agent) -> None:
        for remark in agent.context:
            self.send_down({"type": "ConversationText", "role": remark.role, "content": remark.content})
        super().greet(agent)


@animal("VA-GREETING", "greeting/idle")
class GreetsTwice(Translator):
    """Shows the greeting twice."""

    def greet(self, agent: Agent) -> None:
        super().greet(agent)
        self._greeted = False
        super().greet(agent)


@animal("VA-GREETING", "greeting/held")
class GreetsTooEarly(Translator):
    """Shows the greeting before the session is ready."""

    def on_settings(self, message: Mapping[str, Any]) -> None:
        super().on_settings(message)
        if self.agent is not None:
            self.greet(self.agent)


@animal("VA-GREETING-DONE", "greeting/idle")
class NeverEndsItsGreeting(Translator):
    """Sends no AgentAudioDone after the greeting."""

    def greet(self, agent: Agent) -> None:
        if agent.greeting and not agent.context:
            self.send_down({"type": "ConversationText", "role": "assistant", "content": agent.greeting})


@animal("VA-GREETING-NOT-AGAIN", "context/kept")
class GreetsAgain(Translator):
    """Repeats the greeting although there is context."""

    def greet(self, agent: Agent) -> None:
        super().greet(replace(agent, context=()))


@animal("VA-READY-AFTER-UPDATED", "session-config/ready")
class TakesCreatedForReady(Translator):
    """Sends SettingsApplied at session.created."""

    def on_session_created(self, event: Mapping[str, Any]) -> None:
        super().on_session_created(event)
        self.send_applied()


@animal("VA-READY", "text/turn")
class NeverSaysReady(Translator):
    """Sends no SettingsApplied."""

    def send_applied(self) -> None:
        """Say nothing."""


@animal("VA-READY", "session-config/refused")
class HidesTheRefusal(Translator):
    """Swallows the upstream's refusal of session.update."""

    def forward_error(self, code: str | None, description: str) -> None:
        """Say nothing."""


@animal("VA-READY-TIMEOUT", "session-config/never-ready")
class WaitsForEver(Translator):
    """Never gives up on a session that does not become ready."""

    def give_up_on_session(self) -> None:
        self.agent = None
