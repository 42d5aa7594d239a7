"""Broken proxies: turns and tools."""

from collections.abc import Mapping
from typing import Any

from conformance.reference_proxy.core import Timing
from conformance.reference_proxy.translator import Translator
from conformance.reference_proxy.turns import Turn, TurnKind
from conformance.tests.zoo.animal import Hasty, animal
from conformance.wire.durations import SECOND, Micros


@animal("RT-ONE-RESPONSE", "text/open-response")
class TalksOverItself(Translator):
    """Asks for a response while one is active."""

    def may_respond(self) -> bool:
        return True


@animal("RT-ITEM-CONFIRMED", "text/confirmation")
class DoesNotAwaitConfirmation(Translator):
    """Asks for a response at once, before the item is confirmed."""

    def may_answer(self, turn: Turn, now: Micros) -> bool:
        return turn.kind is TurnKind.MESSAGE or super().may_answer(turn, now)


@animal("RT-ITEM-CONFIRMED", "text/confirmation")
class TakesAnyConfirmation(Translator):
    """Takes the confirmation of another item for its own."""

    def find_confirmed(self, item_id: str, item: Mapping[str, Any]) -> int | None:
        return next((index for index, turn in enumerate(self.turns) if not turn.confirmed), None)


@animal("RT-ONE-CREATE", "text/turn")
class AsksTwice(Translator):
    """Asks for a second response when the first is done."""

    _asked_again = False

    def on_response_done(self, response_id: str) -> bool:
        fresh = super().on_response_done(response_id)
        if fresh and not self._asked_again:
            self._asked_again = True
            self.request_response(())
        return fresh


@animal("RT-TURN-ANSWERED", "exhibits/conflict")
class HidesTheConflict(Translator):
    """Drops a turn whose response.create met an active response, without a word."""

    def on_active_response(self, event_id: str | None) -> bool:
        super().on_active_response(event_id)
        self.turns = []
        return True


@animal("RT-TURN-ANSWERED", "text/turn")
class ForgetsToAsk(Translator):
    """Never asks for a response to a typed turn."""

    def may_answer(self, turn: Turn, now: Micros) -> bool:
        return turn.kind is not TurnKind.MESSAGE and super().may_answer(turn, now)


@animal("RT-TOOL-ORDER", "function-call/one-tool")
class DoesNotAwaitTheCallsEnd(Translator):
    """Asks for a response as soon as the output is confirmed, while the call's response is active."""

    def may_respond(self) -> bool:
        return super().may_respond() or any(turn.kind is TurnKind.OUTPUT for turn in self.turns)


@animal("RT-TOOL-ALL-OUTPUTS", "function-call/two-calls")
class AnswersTheFirstOutput(Translator):
    """Asks for a response after the first of two outputs."""

    def outputs_complete(self, turn: Turn) -> bool:
        return True


@animal("RT-TOOL-CONTINUES", "function-call/one-tool")
class StopsAtTools(Translator):
    """Never asks for a response after a function's output."""

    def may_answer(self, turn: Turn, now: Micros) -> bool:
        return turn.kind is not TurnKind.OUTPUT and super().may_answer(turn, now)


@animal("RT-TOOL-CONTINUES", "function-call/one-tool")
class GoesOnAtResponseDoneOnly(Translator):
    """Goes on after an output at response.done only, and stalls when that came first."""

    _at_done = False

    def may_answer(self, turn: Turn, now: Micros) -> bool:
        return super().may_answer(turn, now) and (turn.kind is not TurnKind.OUTPUT or self._at_done)

    def on_response_done(self, response_id: str) -> bool:
        self._at_done = True
        fresh = super().on_response_done(response_id)
        self._at_done = False
        return fresh


@animal("RT-TOOL-UNSTICKS", "function-call/unconfirmed")
class NeverGivesUp(Translator):
    """Waits for ever for a confirmation that does not come."""

    def waits_for_upstream(self, turn: Turn) -> bool:
        return False


@animal("RT-TOOL-OUTPUT-WHOLE", "function-call/content")
class SendsContentOnly(Translator):
    """Sends an empty output for a result or an error."""

    def output_of(self, message: Mapping[str, Any]) -> str:
        content = message.get("content")
        return content if isinstance(content, str) else ""


@animal("VA-TOOL-ONCE", "function-call/one-tool")
class CallsTwice(Translator):
    """Shows a call again when its item is done."""

    def on_call(self, call: Mapping[str, Any], response_id: str) -> None:
        known = call.get("call_id") in self.calls
        super().on_call(call, response_id)
        if known and call.get("type") == "function_call":
            self.send_call(str(call.get("call_id")), str(call.get("name")), str(call.get("arguments")))


@animal("VA-TOOL-ONCE", "function-call/one-tool")
class LosesCalls(Translator):
    """Shows no call to the client."""

    def send_call(self, call_id: str, name: str, arguments: str) -> None:
        """Say nothing."""


@animal("VA-TOOL-ONCE", "function-call/two-calls")
class RepeatsTheFirstArguments(Translator):
    """Asks for every call with the arguments of the first one."""

    _first: str | None = None

    def send_call(self, call_id: str, name: str, arguments: str) -> None:
        self._first = arguments if self._first is None else self._first
        super().send_call(call_id, name, self._first)


@animal("VA-USER-ECHO", "text/turn")
class DoesNotEcho(Translator):
    """Does not echo typed turns."""

    def send_down(self, message: Mapping[str, Any] | bytes) -> None:
        if isinstance(message, bytes) or message.get("role") != "user":
            super().send_down(message)


@animal("VA-USER-ECHO", "text/turn")
class EchoesTheItem(Translator):
    """Echoes a typed turn again when its item is confirmed."""

    def confirm(self, item: Mapping[str, Any]) -> None:
        mine = [turn for turn in self.turns if turn.item_id == item.get("id") and not turn.confirmed]
        super().confirm(item)
        for turn in mine:
            for part in turn.item.get("content", ()):
                self.send_down({"type": "ConversationText", "role": "user", "content": part["text"]})


@animal("RT-AUDIO-ANSWERED", "vad/server")
class LeavesServerTurnsAlone(Translator):
    """Leaves the turns that the server commits unanswered, although it told the server not to answer."""

    def on_server_commit(self, item_id: str) -> None:
        self.forget_waiting()


@animal("VA-ACTIVE-ERROR-QUIET", "text/open-response")
class ShowsTheConflict(Hasty):
    """Shows conversation_already_has_active_response to the client."""

    timing_of_it = Timing(retry=2 * SECOND)

    def on_active_response(self, event_id: str | None) -> bool:
        super().on_active_response(event_id)
        return False
