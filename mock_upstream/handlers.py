"""The client events of a WebSocket session: one handler each, in one table.

A handler gets an event that `validation` accepted (GA form), acts on the state and says what the API says, in the recorded
order; it raises `Refused` for what can only be known from the state.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from conformance.wire.durations import MILLISECOND
from conformance.wire.events import TRANSLATION_CLIENT_EVENTS
from mock_upstream import beta, mcp, player, turns
from mock_upstream.configuration import input_format, merge
from mock_upstream.conversation import Item, client_item
from mock_upstream.errors import (
    NO_RESPONSES,
    ONLY_MODEL_AUDIO,
    Refused,
    audio_shorter,
    item_not_found,
    other_endpoint,
    tool_call_not_found,
    transcription_model,
    unknown_parameter,
)
from mock_upstream.model import audio_in_tokens, audio_out_tokens, item_tokens
from mock_upstream.profiles import is_transcription_model
from mock_upstream.state import State
from mock_upstream.validation import check_event

Handler = Callable[[State, Mapping[str, Any]], None]


def read_event(state: State, event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a client event in its GA form, which the handlers take.

    Raises:
        Refused: the event is none that this session's dialect accepts.
    """
    session = event.get("session")
    if state.knobs.reject_session_audio and isinstance(session, Mapping) and "audio" in session:
        raise Refused(unknown_parameter("session.audio"))
    check_event(event, beta=state.beta and beta.speaks_beta(event, state.knobs))
    return beta.inbound(event) if state.beta else event


def update_session(state: State, event: Mapping[str, Any]) -> None:
    """``session.update``: merged or discarded whole; in force once ``session.updated`` is really sent."""
    patch = event["session"]
    model = patch.get("model")
    if isinstance(model, str) and is_transcription_model(model):
        raise Refused(replace(transcription_model(model), param="session.model", close=None))
    merged = merge(state.config, patch, state.profile, voice_locked=state.conversation.has_model_audio)

    def in_force() -> None:
        state.configure(patch)
        mcp.list_tools(state)

    state.say(state.event("session.updated", session=merged), in_force)


def append_audio(state: State, event: Mapping[str, Any]) -> None:
    """``input_audio_buffer.append``: no answer, but what turn detection makes of it."""
    turns.append(state, turns.decode_audio(event["audio"], "audio"))


def commit_audio(state: State, _event: Mapping[str, Any]) -> None:
    """``input_audio_buffer.commit``."""
    turns.commit(state)


def clear_audio(state: State, _event: Mapping[str, Any]) -> None:
    """``input_audio_buffer.clear``."""
    turns.clear(state)


def create_item(state: State, event: Mapping[str, Any]) -> None:
    """``conversation.item.create``: added, then done."""
    item = make_item(state, event["item"])
    previous = event.get("previous_item_id")
    state.conversation.check_place(previous)
    state.conversation.insert(item, previous)
    state.confirm(item)


def make_item(state: State, given: Mapping[str, Any]) -> Item:
    """Return a client's item as the conversation keeps it.

    Raises:
        Refused: its audio is none, or it answers a call that nobody made.
    """
    item_id = given.get("id") or state.new_id("item")
    body = client_item(given, item_id)
    if body["type"] == "function_call" and body["call_id"] is None:
        body["call_id"] = state.ids.call()
    answers = body["type"] == "function_call_output" and state.knobs.verify_calls
    if answers and not state.conversation.has_call(body["call_id"]):
        raise Refused(tool_call_not_found(body["call_id"]))
    item = Item(item_id, body, text_tokens=item_tokens(body))
    for index, part in enumerate(given.get("content") or ()):
        if part.get("audio") is not None:
            item.audio = turns.decode_audio(part["audio"], f"item.content[{index}].audio")
            item.format = input_format(state.config)
            item.duration = item.format.duration(len(item.audio))
            by_user = body["role"] == "user"
            item.audio_tokens = audio_in_tokens(item.duration) if by_user else audio_out_tokens(item.duration)
    return item


def delete_item(state: State, event: Mapping[str, Any]) -> None:
    """``conversation.item.delete``."""
    item = _item(state, event, "delete")
    state.conversation.delete(item.id)
    state.say(state.event("conversation.item.deleted", item_id=item.id))


def retrieve_item(state: State, event: Mapping[str, Any]) -> None:
    """``conversation.item.retrieve``: the item with its audio, as far as it is still kept."""
    item = _item(state, event, "retrieve")
    state.say(state.event("conversation.item.retrieved", item=item.with_audio()))


def truncate_item(state: State, event: Mapping[str, Any]) -> None:
    """``conversation.item.truncate``: the audio is cut and its transcript forgotten (SPEC)."""
    item = _item(state, event, "truncate")
    index, end = event["content_index"], event["audio_end_ms"]
    if not item.is_model_audio or index != 0:
        raise Refused(ONLY_MODEL_AUDIO)
    has = item.duration // MILLISECOND
    if end > has:
        raise Refused(audio_shorter(has, end))
    state.conversation.truncate(item, end * MILLISECOND)
    state.say(state.event("conversation.item.truncated", item_id=item.id, content_index=index, audio_end_ms=end))


def create_response(state: State, event: Mapping[str, Any]) -> None:
    """``response.create``: refused while the default conversation has one in progress."""
    if state.config["type"] == "transcription":
        raise Refused(NO_RESPONSES)
    params = event.get("response") or {}
    for number, item in enumerate(params.get("input") or ()):
        if item.get("type") == "item_reference" and item["id"] not in state.conversation:
            raise Refused(item_not_found("retrieve", item["id"]))
        for index, part in enumerate(item.get("content") or ()):
            if part.get("audio") is not None:
                turns.decode_audio(part["audio"], f"response.input[{number}].content[{index}].audio")
    player.respond(state, params)


def cancel_response(state: State, event: Mapping[str, Any]) -> None:
    """``response.cancel``: without an id, the default conversation's response only (R hybridclaw#1503)."""
    player.cancel(state, event.get("response_id"))


def refuse_translation(_state: State, event: Mapping[str, Any]) -> None:
    """An event of ``/v1/realtime/translations``, which the parser knows and this endpoint does not carry out."""
    raise Refused(other_endpoint(str(event["type"])))


def _item(state: State, event: Mapping[str, Any], verb: str) -> Item:
    item = state.conversation.get(event["item_id"])
    if item is None:
        raise Refused(item_not_found(verb, event["item_id"]))
    return item


HANDLERS: Final[Mapping[str, Handler]] = {
    "session.update": update_session,
    "input_audio_buffer.append": append_audio,
    "input_audio_buffer.commit": commit_audio,
    "input_audio_buffer.clear": clear_audio,
    "conversation.item.create": create_item,
    "conversation.item.delete": delete_item,
    "conversation.item.retrieve": retrieve_item,
    "conversation.item.truncate": truncate_item,
    "response.create": create_response,
    "response.cancel": cancel_response,
    **dict.fromkeys(TRANSLATION_CLIENT_EVENTS, refuse_translation),
}
"""Every client event type that the parser of the API knows."""
