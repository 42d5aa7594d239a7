"""The scene of a scripted reply: what it answers, and which response, output and item its events are about.

Events of one reply belong together: a ``done`` follows its deltas, an item event the response it stands in.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from conformance.wire.durations import MILLISECOND
from mock_upstream import voice
from mock_upstream.conversation import Item
from mock_upstream.errors import Refused
from mock_upstream.handlers import make_item, read_event
from mock_upstream.model import Call, item_tokens
from mock_upstream.outbox import Outgoing
from mock_upstream.player import adopt
from mock_upstream.responses import Kind, Output, Response, begin, open_call, open_message
from mock_upstream.state import State
from mock_upstream.utterances import VOICE_SEED


class Scene:
    """What the events of one reply share."""

    def __init__(self, state: State, trigger: Mapping[str, Any] | None, replaced: Outgoing | None) -> None:
        self.state = state
        self.trigger: Mapping[str, Any] = {}
        """The client event that is answered, in GA form; empty unless it is a valid one."""
        self.event_id: str | None = None
        """The id of that event, valid or not."""
        if trigger is not None:
            event_id = trigger.get("event_id")
            self.event_id = event_id if isinstance(event_id, str) else None
            with suppress(Refused):
                self.trigger = read_event(state, trigger)
        self.replaced = replaced
        self.item: Item | None = None
        """The item that the last item or buffer event of this reply was about."""
        self.heard = ""
        """What this reply has transcribed so far."""
        self._about = replaced.event if replaced is not None else {}
        self._response: Response | None = None
        self._client_item: Item | None = None
        self._heard_item: str | None = None

    @property
    def patch(self) -> Mapping[str, Any]:
        """The session update that is answered, if it is one; else nothing."""
        patch: Mapping[str, Any] = self.trigger["session"] if self.trigger.get("type") == "session.update" else {}
        return patch

    def new_response(self, given: Mapping[str, Any]) -> Response:
        """Begin the response that a scripted ``response.created`` announces; from then on it is in progress."""
        params = self.trigger.get("response") if self.trigger.get("type") == "response.create" else None
        response = begin(self.state, params)
        if isinstance(given.get("id"), str):
            response.id = given["id"]
        response.announced = True
        self._response = response
        return adopt(self.state, response)

    def response(self, given: Mapping[str, Any]) -> Response:
        """Return the response an event is about: the one it names, this reply's, the active one, or one made up for it."""
        named = given.get("response_id") or (given.get("response") or {}).get("id") or self._about.get("response_id")
        state = self.state
        for known in (state.active, state.out_of_band.get(str(named))):
            if known is not None and named == known.id:
                return known
        if self._response is None or (named is not None and named != self._response.id):
            self._response = state.active if state.active is not None and named is None else begin(state)
            if named is not None:
                self._response.id = str(named)
        return self._response

    def output(self, given: Mapping[str, Any], kind: Kind | None, item: Mapping[str, Any] | None = None) -> Output:
        """Return the output an event is about: the one it names, the open one of its kind, or one made up for it."""
        response = self.response(given)
        named = given.get("item_id") or (item or {}).get("id")
        call_id = given.get("call_id") or (item or {}).get("call_id")
        about = self._about.get("item_id")
        for output in reversed(response.outputs):
            if named is None and about is not None and output.item.id == about and kind in (None, output.kind):
                return output
            if named is not None and output.item.id != named:
                continue
            if call_id is not None and output.item.body.get("call_id") not in (None, call_id):
                continue
            if named is not None or kind is None or output.kind is kind:
                return output
        return self.new_output(response, given, kind or (Kind.AUDIO if response.speaks else Kind.TEXT), item)

    def new_output(
        self, response: Response, given: Mapping[str, Any], kind: Kind, item: Mapping[str, Any] | None = None
    ) -> Output:
        """Open an output of a response with the ids and names that the script gives."""
        body = item or {}
        named = given.get("item_id") or body.get("id")
        item_id = named if isinstance(named, str) else None
        if kind is Kind.CALL:
            name = given.get("name") or body.get("name") or self._tool_name(response)
            call_id = given.get("call_id") or body.get("call_id")
            call = Call(str(name), str(given.get("arguments") or body.get("arguments") or "{}"), call_id)
            output = open_call(self.state, response, call, item_id)
        else:
            words = self.state.knobs.transcript
            output = open_message(self.state, response, words[response.turn % len(words)], kind, item_id)
        self.item = output.item
        return output

    def heard_item(self) -> str:
        """Return the id of the item that is being transcribed: the one being said, this reply's, or the user's last."""
        if self._heard_item is None:
            said = [item.id for item in self.state.conversation if item.body.get("role") == "user"]
            known = self.item.id if self.item is not None else None
            self._heard_item = self.state.speech_item or known or (said[-1] if said else self.state.new_id("item"))
        return self._heard_item

    def sound(self, response: Response, output: Output, given: Mapping[str, Any]) -> bytes:
        """Return the audio of a delta: the script's, or the next piece of the mock's voice."""
        if isinstance(given.get("delta"), str):
            try:
                return b64decode(given["delta"], validate=True)
            except (Base64Error, ValueError):
                return b""
        format_ = response.audio_format
        whole = voice.speak(output.text, format_, VOICE_SEED, response.speed)
        start = len(output.sound)
        piece = whole[start : start + format_.size(self.state.knobs.chunk_ms * MILLISECOND)]
        return piece or whole[: format_.size(self.state.knobs.chunk_ms * MILLISECOND)]

    def conversation_item(self, given: Mapping[str, Any]) -> Item:
        """Return the item that a ``conversation.item`` event is about, made known to the conversation if it was not."""
        wanted = given.get("item") or {}
        conversation = self.state.conversation
        client = self._client(wanted)
        item = client or conversation.get(str(wanted.get("id")))
        if item is None and not wanted:
            item = self.item or conversation.last
        self.item = item or self._made_up(wanted)
        if self.item.id not in conversation:
            place = self.trigger if self.item is client else given
            conversation.insert(self.item, place.get("previous_item_id"))
        return self.item

    def _client(self, wanted: Mapping[str, Any]) -> Item | None:
        """Return the item of the ``conversation.item.create`` that is answered, unless the script means another one."""
        if self.trigger.get("type") != "conversation.item.create":
            return None
        if self._client_item is None:
            try:
                self._client_item = make_item(self.state, self.trigger["item"])
            except Refused:
                return None
        body = self._client_item.body
        same = all(wanted.get(key, body.get(key)) == body.get(key) for key in ("id", "role", "call_id"))
        same = same and item_type(wanted) in (None, body["type"])
        return self._client_item if same else None

    def _made_up(self, wanted: Mapping[str, Any]) -> Item:
        item_id = str(wanted.get("id") or self.state.new_id("item"))
        body = {"id": item_id, **made_up_item(self.state, wanted)}
        return Item(item_id, body, by_model=body.get("role") == "assistant", text_tokens=item_tokens(body))

    @staticmethod
    def _tool_name(response: Response) -> str:
        names = [tool["name"] for tool in response.tools if tool.get("name")]
        return names[0] if names else "function"


def item_type(item: Mapping[str, Any]) -> str | None:
    """Return the type of an item of which a script gives only some fields; None where they do not tell."""
    if isinstance(item.get("type"), str):
        return str(item["type"])
    if "content" in item or "role" in item:
        return "message"
    if "output" in item:
        return "function_call_output"
    return "function_call" if {"name", "arguments", "call_id"} & item.keys() else None


def made_up_item(state: State, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rest of an item of which a script gives only some fields."""
    filled: dict[str, Any]
    type_ = item_type(wanted) or "message"
    match type_:
        case "function_call":
            filled = {"status": "completed", "name": "function", "call_id": state.ids.call(), "arguments": "{}"}
        case "function_call_output":
            filled = {"call_id": state.ids.call(), "output": ""}
        case "message":
            filled = {"status": "completed", "role": "user", "content": []}
        case _:
            filled = {}
    return {"type": type_, **filled, **{key: value for key, value in wanted.items() if key != "id"}}
