"""Responses: what one is, what it has said so far, and the objects that show it.

A response is known by what was really planned out of it so far, so that a cancel closes exactly what is open. `timeline`
makes the steps; `player` plays them while the session goes on reading.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from conformance.wire.audio import PCM_24K, AudioFormat, realtime_format
from conformance.wire.durations import Micros
from mock_upstream import model
from mock_upstream.conversation import Item
from mock_upstream.errors import ApiError
from mock_upstream.state import State


class Kind(StrEnum):
    """What an output item is."""

    TEXT = "text"
    AUDIO = "audio"
    CALL = "call"
    MCP = "mcp"
    """A call of an MCP server's tool, which the API makes itself."""
    APPROVAL = "approval"
    """A request to be allowed that."""


CARRIER: Final = {
    Kind.TEXT: "response.output_text",
    Kind.AUDIO: "response.output_audio_transcript",
    Kind.CALL: "response.function_call_arguments",
    Kind.MCP: "response.mcp_call_arguments",
}
"""The event family that carries an output's words."""


@dataclass(slots=True)
class Output:
    """One output item: the whole of what it will say, what it has said, and which of its events went by."""

    index: int
    item: Item
    kind: Kind
    text: str
    said: str = ""
    opened: bool = False
    """Its content part was added (a call: its item was)."""
    done: set[str] = field(default_factory=set)
    """The types of its closing events that went by."""
    played: Micros = 0
    """Audio sent."""
    sound: bytearray = field(default_factory=bytearray)
    delta_form: tuple[str, str] | None = None
    """What its deltas say around the event's id, as JSON; None before the first."""


@dataclass(slots=True)
class Response:
    """A response. ``conversation_id`` is None out of band."""

    id: str
    conversation_id: str | None
    modalities: list[str]
    format: Mapping[str, Any]
    voice: Any
    max_tokens: int | str
    metadata: Mapping[str, str] | None
    tools: list[Mapping[str, Any]]
    tool_choice: Any
    turn: int
    speed: float = 1.0
    """How fast it speaks, against the ordinary."""
    input: list[Mapping[str, Any]] | None = None
    outputs: list[Output] = field(default_factory=list)
    steps: "Iterator[Step] | None" = None
    announced: bool = False
    ending: bool = False
    """Its ``response.done`` is on its way (or withheld); it cannot be cancelled any more."""
    cancelled: bool = False
    heard_from: Micros | None = None
    """When its first audio went out."""
    audio_format: AudioFormat = field(init=False)
    """The format of its audio."""

    def __post_init__(self) -> None:
        self.audio_format = realtime_format(self.format) or PCM_24K

    @property
    def in_conversation(self) -> bool:
        """Whether it adds to the default conversation."""
        return self.conversation_id is not None

    @property
    def speaks(self) -> bool:
        """Whether it answers aloud."""
        return "audio" in self.modalities


Make = Callable[[], Mapping[str, Any] | None]
"""Makes an event when its moment has come; None when there is nothing to say."""


class Step:
    """A moment of a response: how long after the previous one, how to make its events, what each changes when sent."""

    __slots__ = ("after", "makes", "sent")

    def __init__(self, after: Micros, *makes: Make, sent: Callable[[], None] | None = None) -> None:
        self.after = after
        self.makes = makes
        self.sent = sent


def begin(state: State, params: Mapping[str, Any] | None = None) -> Response:
    """Return a new response with the session's settings, overridden by those of ``response.create``."""
    given = {key: value for key, value in (params or {}).items() if value is not None}
    config = state.config
    output = config["audio"].get("output") or {}
    wanted = (given.get("audio") or {}).get("output") or {}
    response = Response(
        id=state.new_id("resp"),
        conversation_id=None if given.get("conversation") == "none" else state.conversation.id,
        modalities=list(given.get("output_modalities") or config.get("output_modalities") or ["audio"]),
        format=wanted.get("format") or output.get("format") or {"type": "audio/pcm", "rate": 24000},
        voice=wanted.get("voice") or output.get("voice") or "alloy",
        max_tokens=given.get("max_output_tokens", config.get("max_output_tokens", "inf")),
        metadata=given.get("metadata"),
        tools=list(given.get("tools", config.get("tools") or ())),
        tool_choice=given.get("tool_choice", config.get("tool_choice", "auto")),
        turn=state.turn,
        speed=output.get("speed") or 1.0,
        input=given.get("input"),
    )
    state.turn += 1
    return response


def open_message(
    state: State, response: Response, text: str, kind: Kind | None = None, item_id: str | None = None
) -> Output:
    """Add a message to a response: spoken if the response speaks, unless ``kind`` says."""
    body: dict[str, Any] = {"id": item_id or state.new_id("item"), "type": "message", "status": "in_progress"}
    body |= {"role": "assistant", "content": []}
    if state.profile.reasoning:
        body["phase"] = "final_answer"
    return _open(state, response, kind or (Kind.AUDIO if response.speaks else Kind.TEXT), text, body)


def open_call(state: State, response: Response, call: model.Call, item_id: str | None = None) -> Output:
    """Add a call to a response: of a function, or of an MCP server's tool, or the request to be allowed that."""
    item_id = item_id or state.new_id("item")
    body: dict[str, Any]
    if call.server is None:
        body = {"id": item_id, "type": "function_call", "status": "in_progress", "name": call.name}
        body |= {"call_id": call.call_id or state.ids.call(), "arguments": ""}
        return _open(state, response, Kind.CALL, call.arguments, body)
    body = {"id": item_id, "type": "mcp_call", "name": call.name, "server_label": call.server, "arguments": ""}
    if call.asks:
        state.asked = replace(call, asks=False, approval_id=item_id)
        body |= {"type": "mcp_approval_request", "arguments": call.arguments}
        return _open(state, response, Kind.APPROVAL, call.arguments, body)
    body |= {"approval_request_id": call.approval_id, "output": None, "error": None}
    return _open(state, response, Kind.MCP, call.arguments, body)


def _open(state: State, response: Response, kind: Kind, text: str, body: dict[str, Any]) -> Output:
    """Add an output item to a response, and to the conversation unless the response is out of band."""
    item = Item(body["id"], body, by_model=True, format=response.audio_format)
    output = Output(len(response.outputs), item, kind, text)
    output.opened = body["type"] != "message"
    response.outputs.append(output)
    if response.in_conversation:
        state.conversation.insert(output.item)
    return output


def complete_item(state: State, output: Output, status: str) -> None:
    """Give an output's item its final content: what was said."""
    item, said = output.item, output.said
    match output.kind:
        case Kind.CALL:
            item.body = {**item.body, "status": status, "arguments": said}
        case Kind.MCP:
            item.body = {**item.body, "arguments": said}
        case Kind.APPROVAL:
            pass
        case _:
            spoken = output.kind is Kind.AUDIO
            part = {"type": "output_audio", "transcript": said} if spoken else {"type": "output_text", "text": said}
            item.body = {**item.body, "status": status, "content": [part] if output.opened else []}
            if spoken and output.opened:
                state.conversation.hold_audio(item, bytes(output.sound))
    item.text_tokens = model.item_tokens(item.body) + (model.text_tokens(said) if output.kind is Kind.AUDIO else 0)
    item.audio_tokens = model.audio_out_tokens(output.played)


def shown(response: Response, status: str, details: Any = None, usage: Any = None) -> dict[str, Any]:
    """Return the response object, its keys in the order of the wire."""
    finished = status != "in_progress" and status != "failed"
    return {
        "object": "realtime.response",
        "id": response.id,
        "status": status,
        "status_details": details,
        "output": [output.item.body for output in response.outputs] if finished else [],
        "conversation_id": response.conversation_id,
        "output_modalities": response.modalities,
        "max_output_tokens": response.max_tokens,
        "audio": {"output": {"format": response.format, "voice": _voice_name(response.voice)}},
        "usage": usage,
        "metadata": response.metadata,
    }


def _voice_name(voice: Any) -> Any:
    """Return what a response calls its voice; a session names a custom one by an object (SDK: a string here)."""
    return voice.get("id") if isinstance(voice, Mapping) else voice


def failed_details(error: ApiError) -> dict[str, Any]:
    """Return the ``status_details`` of a failed response; an empty message is left out (R forum 1362788)."""
    shown_error: dict[str, Any] = {"type": error.type, "code": error.code}
    if error.message:
        shown_error["message"] = error.message
    return {"type": "failed", "error": shown_error}


def usage(state: State, response: Response, *, failed: bool = False) -> dict[str, Any]:
    """Count the tokens of a response; a failed one cost none. What went in before is cached in blocks of 64."""
    text_in = audio_in = text_out = audio_out = cached_text = cached_audio = 0
    if not failed:
        text_in, audio_in = _input_tokens(state, response)
        text_out = sum(output.item.text_tokens for output in response.outputs)
        audio_out = sum(output.item.audio_tokens for output in response.outputs)
        mine = {output.item.id for output in response.outputs} if response.in_conversation else set()
        for output in response.outputs:
            if output.item.id in mine and output.item.id in state.conversation:
                text_in -= output.item.text_tokens
                audio_in -= output.item.audio_tokens
        cached = min(state.cached_tokens, text_in + audio_in) // 64 * 64
        cached_text = min(cached, text_in)
        cached_audio = cached - cached_text
        if response.in_conversation:
            state.cached_tokens = text_in + audio_in
    details = {"text_tokens": text_out, "audio_tokens": audio_out}
    if state.profile.reasoning:
        details["reasoning_tokens"] = 0 if failed else max(1, text_out // 2)
        text_out += details["reasoning_tokens"]
        details["text_tokens"] = text_out
    return {
        "total_tokens": text_in + audio_in + text_out + audio_out,
        "input_tokens": text_in + audio_in,
        "output_tokens": text_out + audio_out,
        "input_token_details": {
            "text_tokens": text_in,
            "audio_tokens": audio_in,
            "image_tokens": 0,
            "cached_tokens": cached_text + cached_audio,
            "cached_tokens_details": {"text_tokens": cached_text, "audio_tokens": cached_audio, "image_tokens": 0},
        },
        "output_token_details": details,
    }


def _input_tokens(state: State, response: Response) -> tuple[int, int]:
    instructions = model.text_tokens(str(state.config.get("instructions") or ""))
    tools = sum(model.text_tokens(str(tool)) for tool in response.tools)
    if response.input is None:
        text, audio = state.conversation.tokens()
        return instructions + tools + text, audio
    text = audio = 0
    for item in response.input:
        known = state.conversation.get(item["id"]) if item.get("type") == "item_reference" else None
        text += model.item_tokens(item) if known is None else known.text_tokens
        audio += 0 if known is None else known.audio_tokens
    return instructions + tools + text, audio
