"""Completion: how each server event of a scripted reply is filled in, in one table.

A completer returns the GA event as the session would send it, and what it changes when it is sent. The script's own fields
are laid over it afterwards; a completer reads them only where other fields depend on them.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from conformance.wire.durations import MILLISECOND
from mock_upstream import transcription, turns
from mock_upstream.configuration import merge, turn_detection
from mock_upstream.conversation import Item
from mock_upstream.errors import SERVER_ERROR, ApiError, Refused, failure, server_error
from mock_upstream.model import pieces
from mock_upstream.responses import CARRIER, Kind, Output, complete_item, failed_details, shown, usage
from mock_upstream.scene import Scene, item_type, made_up_item
from mock_upstream.timeline import over
from mock_upstream.utterances import audio_delta, delta, part_event

Given = Mapping[str, Any]
Completed = tuple[Mapping[str, Any], Callable[[], None] | None]
Completer = Callable[[Scene, str, Given], Completed]

_QUANTUM: Final = 32


def _error(scene: Scene, _type: str, given: Given) -> Completed:
    wanted = given.get("error") or {}
    error = server_error(scene.state.config["id"])
    if wanted.get("type", SERVER_ERROR) != SERVER_ERROR or wanted.get("code") is not None:
        known = failure(str(wanted.get("code")), str(scene.state.config.get("model")))
        message = known.message or "The request could not be carried out."
        error = ApiError(message, wanted.get("code"), type=str(wanted.get("type") or known.type))
    return scene.state.error_event(error, scene.event_id), None


def _session(scene: Scene, type_: str, _given: Given) -> Completed:
    state = scene.state
    patch = scene.patch if type_ == "session.updated" else {}
    try:
        config = merge(state.config, patch, state.profile, voice_locked=state.conversation.has_model_audio)
    except Refused:
        patch, config = {}, dict(state.config)

    def sent() -> None:
        if type_ == "session.created":
            state.created = True
        elif patch:
            state.configure(patch)

    return state.event(type_, session=config), sent


def _conversation_item(scene: Scene, type_: str, given: Given) -> Completed:
    state = scene.state
    item = scene.conversation_item(given)
    done = type_ == "conversation.item.done"
    previous = state.conversation.previous_id_when_done(item) if done else state.conversation.previous_id(item.id)
    return state.event(type_, previous_item_id=previous, item=dict(item.body)), None


def _item_id(scene: Scene, type_: str, given: Given) -> Completed:
    """Complete ``conversation.item.retrieved``, ``.truncated`` and ``.deleted``."""
    state = scene.state
    item_id = given.get("item_id") or scene.trigger.get("item_id") or state.conversation.last_id or state.new_id("item")
    item = state.conversation.get(str(item_id))
    if type_ == "conversation.item.retrieved":
        body = item.with_audio() if item is not None else {"id": item_id, **made_up_item(state, given.get("item") or {})}
        return state.event(type_, item=body), None
    if type_ == "conversation.item.deleted":
        known = item.id if item is not None else None
        return state.event(type_, item_id=item_id), lambda: state.conversation.delete(known) if known else None
    trigger = scene.trigger if scene.trigger.get("type") == "conversation.item.truncate" else {}
    fields = {"content_index": trigger.get("content_index", 0), "audio_end_ms": trigger.get("audio_end_ms", 0)}
    return state.event(type_, item_id=item_id, **fields), None


def _committed(scene: Scene, type_: str, given: Given) -> Completed:
    state = scene.state
    item_id = str(given.get("item_id") or transcription.future_item(state))
    previous = state.conversation.last_id
    if state.vad is not None:
        state.vad.reset()
    scene.item = turns.audio_item(item_id, state.buffer.commit())
    state.speech_item = None
    if item_id not in state.conversation:
        state.conversation.insert(scene.item)
    return state.event(type_, previous_item_id=previous, item_id=item_id), None


def _cleared(scene: Scene, type_: str, _given: Given) -> Completed:
    return scene.state.event(type_), scene.state.buffer.clear


def _speech(scene: Scene, type_: str, given: Given) -> Completed:
    """Complete speech and timeout events: offsets on the VAD's quantum, one item id throughout."""
    state = scene.state
    now_ms = state.buffer.total // MILLISECOND // _QUANTUM * _QUANTUM
    item_id = given.get("item_id") or transcription.future_item(state)
    if type_.endswith("speech_started"):
        padding = (turn_detection(state.config) or {}).get("prefix_padding_ms", 300)
        return state.event(type_, audio_start_ms=max(0, now_ms - padding), item_id=item_id), None
    if type_.endswith("speech_stopped"):
        return state.event(type_, audio_end_ms=now_ms, item_id=item_id), None
    return state.event(type_, audio_start_ms=0, audio_end_ms=now_ms, item_id=item_id), None


def _transcription(scene: Scene, type_: str, given: Given) -> Completed:
    state = scene.state
    item_id = str(given.get("item_id") or scene.heard_item())
    fields: dict[str, Any] = {"item_id": item_id, "content_index": 0}
    heard = state.knobs.heard[state.heard % len(state.knobs.heard)]
    match type_.rpartition(".")[2]:
        case "delta":
            text = str(given.get("delta", pieces(heard)[0]))
            scene.heard += text
            fields |= {"delta": text, "obfuscation": state.ids.obfuscation(text)}
        case "completed":
            fields |= {"transcript": scene.heard.strip() or heard, "usage": {"type": "duration", "seconds": 1}}
        case "segment":
            fields |= {"text": heard, "id": f"seg_{state.ids.digits(16)}", "speaker": "A", "start": 0.0, "end": 1.0}
        case _:
            message = f"Input transcription failed for item '{item_id}'."
            fields["error"] = {"type": "server_error", "code": None, "message": message, "param": None}
    return state.event(type_, **fields), None


def _response_created(scene: Scene, type_: str, given: Given) -> Completed:
    response = scene.new_response(given.get("response") or {})
    return scene.state.event(type_, response=shown(response, "in_progress")), None


def _response_done(scene: Scene, type_: str, given: Given) -> Completed:
    state, wanted = scene.state, given.get("response") or {}
    response = scene.response(given)
    status = wanted.get("status", "completed")
    for index, item in enumerate(wanted.get("output") or ()):
        if index >= len(response.outputs):
            _open_like(scene, given, item)
    for output in response.outputs:
        if "response.output_item.done" not in output.done:
            complete_item(state, output, "completed" if status in ("completed", "failed") else "incomplete")
    details = {
        "cancelled": {"type": "cancelled", "reason": "client_cancelled"},
        "incomplete": {"type": "incomplete", "reason": "max_output_tokens"},
        "failed": failed_details(failure("server_error", str(state.config.get("model")))),
    }.get(status)
    response.ending = True
    event = state.event(type_, response=shown(response, status, details, usage(state, response, failed=status == "failed")))

    def sent() -> None:
        response.steps = None
        over(state, response)

    return event, sent


def _open_like(scene: Scene, given: Given, item: Mapping[str, Any]) -> Output:
    """Open an output that looks like an item the script gives."""
    response = scene.response(given)
    if item_type(item) == "function_call":
        output = scene.new_output(response, {}, Kind.CALL, item)
        output.said = str(item.get("arguments") or output.text)
        return output
    part = (item.get("content") or [{}])[0]
    said = part.get("transcript") if part.get("type") == "output_audio" else part.get("text")
    kind = Kind.AUDIO if part.get("type") == "output_audio" or (not part and response.speaks) else Kind.TEXT
    output = scene.new_output(response, {}, kind, item)
    output.opened = bool(part)
    output.said = str(said or "")
    return output


def _output_item(scene: Scene, type_: str, given: Given) -> Completed:
    state, item = scene.state, given.get("item") or {}
    response = scene.response(given)
    added = type_.endswith("added")
    type_of_item = item_type(item)
    known = [
        output
        for output in response.outputs
        if (output.item.id == item.get("id") or output.index == given.get("output_index"))
        and type_of_item in (None, output.item.body["type"])
    ]
    fitting = [output for output in response.outputs if output.item.body["type"] == (type_of_item or "message")]
    if known:
        output = known[-1]
    elif fitting and not added and "id" not in item:
        output = fitting[-1]
    else:
        output = _open_like(scene, given, {**item, "content": []} if added and type_of_item != "function_call" else item)
    if added:
        output.item.body = {**output.item.body, "status": "in_progress"}
        if output.kind is Kind.CALL:
            output.said = ""
    else:
        if output.kind is Kind.CALL:
            output.said = output.said or output.text
        complete_item(state, output, "completed")
    scene.item = output.item
    output.done.add(type_)
    return (
        state.event(type_, response_id=response.id, output_index=output.index, item=output.item.body),
        None,
    )


def _part(scene: Scene, type_: str, given: Given) -> Completed:
    part = given.get("part") or {}
    kinds = {"audio": Kind.AUDIO, "text": Kind.TEXT}
    response = scene.response(given)
    spoken = Kind.AUDIO if response.speaks else Kind.TEXT
    output = scene.output(given, kinds.get(str(part.get("type")), spoken))
    output.opened = True
    added = type_.endswith("added")
    if not added and not output.said:
        output.said = str(part.get("transcript") or part.get("text") or output.text)
    stage = "added" if added else "done"
    return part_event(scene.state, response, output, stage, "" if added else output.said), None


def _words(kind: Kind, scene: Scene, type_: str, given: Given) -> Completed:
    """Complete the delta or the end of a text, a transcript or a call's arguments."""
    state, response = scene.state, scene.response(given)
    output = scene.output(given, kind)
    output.opened = True
    if type_.endswith(".delta"):
        text = given.get("delta")
        return delta(state, response, output, text if isinstance(text, str) else _next_piece(output)), None
    field = {Kind.TEXT: "text", Kind.AUDIO: "transcript", Kind.CALL: "arguments"}[kind]
    output.said = str(given.get(field) or output.said or output.text)
    complete_item(state, output, "completed")
    fields = {"response_id": response.id, "item_id": output.item.id, "output_index": output.index}
    if kind is Kind.CALL:
        fields |= {"call_id": output.item.body["call_id"], "name": output.item.body["name"]}
    else:
        fields["content_index"] = 0
    return state.event(type_, **fields, **{field: output.said}), None


def _next_piece(output: Output) -> str:
    rest = output.text.removeprefix(output.said)
    return pieces(rest)[0] if rest else " "


def _audio(scene: Scene, type_: str, given: Given) -> Completed:
    state, response = scene.state, scene.response(given)
    output = scene.output(given, Kind.AUDIO)
    output.opened = True
    if type_.endswith(".delta"):
        return audio_delta(state, response, output, scene.sound(response, output, given)), None
    ids = {"response_id": response.id, "item_id": output.item.id, "output_index": output.index, "content_index": 0}
    return state.event(type_, **ids), None


def _rate_limits(scene: Scene, type_: str, _given: Given) -> Completed:
    state = scene.state
    return state.event(type_, rate_limits=[state.limits.use(0, state.now)]), None


def _mcp(scene: Scene, type_: str, given: Given) -> Completed:
    state = scene.state
    item_id = str(given.get("item_id") or (scene.item or _nothing(state.new_id("item"))).id)
    if type_.startswith("mcp_list_tools"):
        return state.event(type_, item_id=item_id), None
    fields: dict[str, Any] = {"item_id": item_id, "output_index": 0}
    if "arguments" in type_:
        fields |= {"response_id": scene.response(given).id}
        fields |= {"arguments": "{}"} if type_.endswith("done") else {"delta": "{}", "obfuscation": state.ids.digits(14)}
    return state.event(type_, **fields), None


def _nothing(item_id: str) -> Item:
    return Item(item_id, {"id": item_id})


def _other_transport(scene: Scene, type_: str, given: Given) -> Completed:
    return scene.state.event(type_, response_id=scene.response(given).id), None


def _conversation_created(scene: Scene, type_: str, _given: Given) -> Completed:
    conversation = {"id": scene.state.conversation.id, "object": "realtime.conversation"}
    return scene.state.event(type_, conversation=conversation), None


_TRANSCRIPTION: Final = "conversation.item.input_audio_transcription"
COMPLETERS: Final[Mapping[str, Completer]] = {
    "error": _error,
    "session.created": _session,
    "session.updated": _session,
    **dict.fromkeys((f"conversation.item.{stage}" for stage in ("added", "done", "created")), _conversation_item),
    **dict.fromkeys((f"conversation.item.{what}" for what in ("retrieved", "truncated", "deleted")), _item_id),
    **dict.fromkeys((f"{_TRANSCRIPTION}.{what}" for what in ("delta", "completed", "segment", "failed")), _transcription),
    "input_audio_buffer.committed": _committed,
    "input_audio_buffer.cleared": _cleared,
    **dict.fromkeys(
        (f"input_audio_buffer.{what}" for what in ("speech_started", "speech_stopped", "timeout_triggered")), _speech
    ),
    "response.created": _response_created,
    "response.done": _response_done,
    **dict.fromkeys((f"response.output_item.{stage}" for stage in ("added", "done")), _output_item),
    **dict.fromkeys((f"response.content_part.{stage}" for stage in ("added", "done")), _part),
    **{
        f"{CARRIER[kind]}.{stage}": partial(_words, kind)
        for kind in (Kind.TEXT, Kind.AUDIO, Kind.CALL)
        for stage in ("delta", "done")
    },
    **dict.fromkeys((f"response.output_audio.{stage}" for stage in ("delta", "done")), _audio),
    "rate_limits.updated": _rate_limits,
    **dict.fromkeys((f"mcp_list_tools.{stage}" for stage in ("in_progress", "completed", "failed")), _mcp),
    **dict.fromkeys((f"response.mcp_call_arguments.{stage}" for stage in ("delta", "done")), _mcp),
    **dict.fromkeys((f"response.mcp_call.{stage}" for stage in ("in_progress", "completed", "failed")), _mcp),
    **dict.fromkeys((f"output_audio_buffer.{stage}" for stage in ("started", "stopped", "cleared")), _other_transport),
    "conversation.created": _conversation_created,
}
"""A completer for every server event of any transport; an event that is not here gets an ``event_id`` and no more."""
