"""Tools: each function call is shown to the client once; its output goes up as the client wrote it.

Several calls of one response make one turn: it is answered when every output is up and confirmed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from conformance.reference_proxy.core import Timing, text
from conformance.reference_proxy.turns import Turn, TurnKind, Turns
from conformance.wire.durations import Micros

_REMEMBERED: Final = 1024


@dataclass(frozen=True, slots=True)
class Call:
    """A call shown to the client, and whether its output has gone up."""

    response_id: str
    name: str
    answered: bool = False


class Tools(Turns):
    """Shows calls and returns outputs."""

    def __init__(self, timing: Timing) -> None:
        """Start without calls."""
        super().__init__(timing)
        self.calls: dict[str, Call] = {}
        self._names: dict[str, str] = {}

    def note_call_name(self, item: Mapping[str, Any]) -> None:
        """Remember the name of a call that has only begun: ``arguments.done`` does not always carry it."""
        if item.get("type") == "function_call":
            self._names[text(item.get("call_id"))] = text(item.get("name"))
            if len(self._names) > _REMEMBERED:
                del self._names[next(iter(self._names))]

    def on_call(self, call: Mapping[str, Any], response_id: str) -> None:
        """Show a complete call to the client, whichever event carried it, once."""
        call_id = text(call.get("call_id"))
        name = text(call.get("name")) or self._names.get(call_id, "")
        if not call_id or call_id in self.calls:
            return
        self.calls[call_id] = Call(response_id, name)
        if len(self.calls) > _REMEMBERED:
            del self.calls[next(iter(self.calls))]
        self.send_call(call_id, name, text(call.get("arguments")))

    def send_call(self, call_id: str, name: str, arguments: str) -> None:
        """Send ``FunctionCallRequest``."""
        function = {"id": call_id, "name": name, "arguments": arguments, "client_side": True}
        self.send_down({"type": "FunctionCallRequest", "functions": [function]})

    def on_function_response(self, message: Mapping[str, Any]) -> None:
        """Send a function's output up, at once, and queue its turn."""
        call_id = message["id"]
        call = self.calls.get(call_id)
        if call is not None and call.answered:
            self.send_error("duplicate_function_response", f"The call {call_id!r} has been answered before.")
            return
        if call is not None:
            self.calls[call_id] = replace(call, answered=True)
        output = self.output_of(message)
        self.create_item(TurnKind.OUTPUT, {"type": "function_call_output", "call_id": call_id, "output": output})

    def output_of(self, message: Mapping[str, Any]) -> str:
        """Return the output: a string as it is, any other value as JSON, an error named as such."""
        content = message.get("content")
        result = message.get("result") if content is None else content
        error = message.get("error")
        if error is not None:
            result = {"error": error} if result is None else {"error": error, "result": result}
        return result if isinstance(result, str) else orjson.dumps(result).decode()

    def may_answer(self, turn: Turn, now: Micros) -> bool:
        """Add: an output waits for the others of its response."""
        return super().may_answer(turn, now) and (turn.kind is not TurnKind.OUTPUT or self.outputs_complete(turn))

    def outputs_complete(self, turn: Turn) -> bool:
        """Tell whether every call of the same response has its output, up and confirmed."""
        call = self.calls.get(turn.item["call_id"])
        if call is None:
            return True
        siblings = {
            id_
            for id_, other in self.calls.items()
            if other is call or (call.response_id and other.response_id == call.response_id)
        }
        unconfirmed = {other.item.get("call_id") for other in self.turns if not other.confirmed}
        return all(self.calls[call_id].answered for call_id in siblings) and not siblings & unconfirmed
