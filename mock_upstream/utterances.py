"""How one output item of a response is told: announced, said in deltas, closed.

Orders: ground truth §2.3 and §2.5 (words ahead of the sound), §2.8 (calls). Deltas, of which there are many, are written
from a template when no script wants to see them.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import pairwise
from typing import Any, Final

import orjson

from conformance.wire import base64
from conformance.wire.durations import MILLISECOND, Micros
from mock_upstream import mcp, voice
from mock_upstream.actions import Send
from mock_upstream.ids import BLOCK
from mock_upstream.responses import CARRIER, Kind, Make, Output, Response, Step, complete_item
from mock_upstream.state import State

FIRST_DELTA: Final[Micros] = 6 * MILLISECOND
BURST: Final[Micros] = 18 * MILLISECOND
"""Between bursts of deltas: the recordings show about six milliseconds a token."""
PER_BURST: Final = 3
PER_CHUNK: Final = 2
"""Words beside each piece of sound."""
FIRST_AUDIO: Final[Micros] = 110 * MILLISECOND
VOICE_SEED: Final = 0
"""One voice for all sessions, so that a phrase is made once."""
_AUDIO_DELTA: Final = "response.output_audio.delta"
_NOTHING: Final[Micros] = 0


def item_events(state: State, response: Response, output: Output, stage: str) -> list[Make]:
    """Return the two events that show an item: added, the response's first; done, the conversation's first."""

    def of_response() -> dict[str, Any]:
        output.done.add(f"response.output_item.{stage}")
        return state.event(
            f"response.output_item.{stage}", response_id=response.id, output_index=output.index, item=output.item.body
        )

    def of_conversation() -> dict[str, Any] | None:
        conversation = state.conversation
        if output.item.id not in conversation and response.in_conversation:
            return None  # the client deleted it in the meantime
        previous = None
        if response.in_conversation:
            done = stage == "done"
            previous = conversation.previous_id_when_done(output.item) if done else conversation.previous_id(output.item.id)
        return state.event(f"conversation.item.{stage}", previous_item_id=previous, item=output.item.body)

    if not (response.in_conversation or state.knobs.oob_items):
        return [of_response]
    return [of_response, of_conversation] if stage == "added" else [of_conversation, of_response]


def part_event(state: State, response: Response, output: Output, stage: str, text: str) -> dict[str, Any]:
    """Return ``response.content_part.added`` or ``.done``; the part's type is ``text`` or ``audio``, unlike the item's."""
    field = "transcript" if output.kind is Kind.AUDIO else "text"
    part = {"type": output.kind.value, field: text}
    return _of_part(state, response, output, f"response.content_part.{stage}", part=part)


def delta(state: State, response: Response, output: Output, text: str) -> dict[str, Any]:
    """Return the delta that carries these words, with its obfuscation."""
    output.said += text
    return state.event(
        f"{CARRIER[output.kind]}.delta",
        response_id=response.id,
        item_id=output.item.id,
        output_index=output.index,
        **_place(output),
        delta=text,
        obfuscation=state.ids.obfuscation(text),
    )


def _place(output: Output) -> dict[str, Any]:
    """Return what a delta says beside the output's index: the call it belongs to, or the part."""
    if output.kind is Kind.CALL:
        return {"call_id": output.item.body["call_id"]}
    return {} if output.kind is Kind.MCP else {"content_index": 0}


def _burst(state: State, response: Response, output: Output, texts: list[str]) -> None:
    """Send some deltas of the same instant: from a template, unless somebody has a say in them."""
    if not state.outbox.is_plain:
        for text in texts:
            state.say(delta(state, response, output, text))
        return
    head, middle = output.delta_form or _delta_form(response, output)
    head += state.ids.stem("event", state.now)
    output.said += "".join(texts)
    digits, dumps, written = state.ids.digits, orjson.dumps, state.outbox.actions
    for text in texts:
        drawn = digits(BLOCK + -len(text) % BLOCK)
        said = dumps(text).decode()
        written.append(Send(f'{head}{drawn[:BLOCK]}{middle}{said},"obfuscation":"{drawn[BLOCK:]}"}}'.encode()))


def _delta_form(response: Response, output: Output) -> tuple[str, str]:
    place = {"response_id": response.id, "item_id": output.item.id, "output_index": output.index, **_place(output)}
    middle = orjson.dumps(place).decode()[1:-1]
    output.delta_form = f'{{"type":"{CARRIER[output.kind]}.delta","event_id":"', f'",{middle},"delta":'
    return output.delta_form


def audio_delta(state: State, response: Response, output: Output, sound: bytes) -> dict[str, Any]:
    """Return the delta that carries this audio."""
    _sounded(state, response, output, sound)
    return _of_part(state, response, output, _AUDIO_DELTA, delta=base64.encode(sound))


def _sound(state: State, response: Response, output: Output, sound: bytes) -> Mapping[str, Any] | None:
    """Send the delta that carries this audio: from a template, unless somebody has a say in it."""
    if not state.outbox.is_plain:
        return audio_delta(state, response, output, sound)
    _sounded(state, response, output, sound)
    output.done.add(_AUDIO_DELTA)
    _, middle = output.delta_form or _delta_form(response, output)
    event_id = state.ids.make("event", state.now)
    text = f'{{"type":"{_AUDIO_DELTA}","event_id":"{event_id}{middle}"{base64.encode(sound)}"}}'
    state.outbox.actions.append(Send(text.encode()))
    return None


def _sounded(state: State, response: Response, output: Output, sound: bytes) -> None:
    if response.heard_from is None:
        response.heard_from = state.now
    output.played += response.audio_format.duration(len(sound))
    output.item.duration = output.played
    output.sound += sound


def close(state: State, response: Response, output: Output, status: str) -> Iterator[Step]:
    """Yield the steps that close an output item with what it has said."""
    makes: list[Make] = []
    if output.kind is Kind.CALL:
        makes.append(partial(_arguments_done, state, response, output))
    elif output.kind is Kind.MCP:
        yield from mcp.call_steps(state, response, output)
    elif output.kind is not Kind.APPROVAL and output.opened:
        if output.kind is Kind.AUDIO:
            makes.append(partial(_of_part, state, response, output, "response.output_audio.done"))
        makes.append(partial(_words_done, state, response, output))
        makes.append(lambda: part_event(state, response, output, "done", output.said))
    makes.append(partial(complete_item, state, output, status))
    yield Step(_NOTHING, *makes, *item_events(state, response, output, "done"))


def open_part(state: State, response: Response, output: Output) -> dict[str, Any]:
    """Return ``response.content_part.added``, and let the item have that part."""
    output.opened = True
    part = {"type": "output_audio", "transcript": ""} if output.kind is Kind.AUDIO else {"type": "output_text", "text": ""}
    output.item.body = {**output.item.body, "content": [part]}
    return part_event(state, response, output, "added", "")


def say(state: State, response: Response, output: Output, texts: list[str]) -> Iterator[Step]:
    """Yield the deltas of an output, in bursts, aloud where it is spoken."""
    if output.kind is Kind.AUDIO:
        yield from _say_aloud(state, response, output, texts)
        return
    after, gap = state.latency(FIRST_DELTA), state.latency(BURST)
    at_once = len(texts) if state.outbox.is_plain and not gap else PER_BURST
    for start in range(0, len(texts), at_once or PER_BURST):
        yield Step(after, partial(_burst, state, response, output, texts[start : start + at_once]))
        after = gap


def _say_aloud(state: State, response: Response, output: Output, texts: list[str]) -> Iterator[Step]:
    """Yield transcript and audio as recorded: words first, then both, the words well ahead of the sound."""
    format_ = response.audio_format
    sound = voice.speak(output.text, format_, VOICE_SEED, response.speed)
    chunk = max(format_.bytes_per_sample, format_.size(state.knobs.chunk_ms * MILLISECOND))
    edges = [
        0,
        *range(max(format_.bytes_per_sample, format_.size(state.knobs.chunk_ms * 500)), len(sound), chunk),
        len(sound),
    ]
    yield Step(state.latency(FIRST_DELTA), partial(_burst, state, response, output, texts[:PER_BURST]))
    rest = texts[PER_BURST:]
    pace = state.knobs.pace
    gap = state.latency(FIRST_AUDIO)
    for start, end in pairwise(edges):
        if start == end:
            continue
        yield Step(gap, partial(_sound, state, response, output, sound[start:end]))
        gap = round(format_.duration(end - start) / pace) if pace else _NOTHING
        if rest:
            yield Step(_NOTHING, partial(_burst, state, response, output, rest[:PER_CHUNK]))
        rest = rest[PER_CHUNK:]
    if rest:
        yield Step(_NOTHING, partial(_burst, state, response, output, rest))


def _of_part(state: State, response: Response, output: Output, type_: str, **fields: Any) -> dict[str, Any]:
    output.done.add(type_)
    return {
        "type": type_,
        "event_id": state.ids.make("event", state.now),
        "response_id": response.id,
        "item_id": output.item.id,
        "output_index": output.index,
        "content_index": 0,
        **fields,
    }


def _words_done(state: State, response: Response, output: Output) -> dict[str, Any]:
    field = "transcript" if output.kind is Kind.AUDIO else "text"
    return _of_part(state, response, output, f"{CARRIER[output.kind]}.done", **{field: output.said})


def _arguments_done(state: State, response: Response, output: Output) -> dict[str, Any]:
    return state.event(
        f"{CARRIER[output.kind]}.done",
        response_id=response.id,
        item_id=output.item.id,
        output_index=output.index,
        call_id=output.item.body["call_id"],
        name=output.item.body["name"],
        arguments=output.said,
    )
