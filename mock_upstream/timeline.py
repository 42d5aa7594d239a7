"""The timeline of a response: its events in the recorded order, with the recorded gaps.

Sources: the timed recordings of 2026-09 (gaps, less the round trip) and the order of ground truth §2.3, §2.5, §2.8, §2.9.
The order after a cancel is inferred from the API's own description, that every ``*.done`` is sent then, too.
"""

from base64 import b64encode
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import Any, Final

import orjson

from conformance.wire.durations import MILLISECOND, Micros
from mock_upstream import voice
from mock_upstream.actions import Send
from mock_upstream.errors import failure
from mock_upstream.ids import BLOCK
from mock_upstream.model import Call, Words, argument_pieces, decide, pieces
from mock_upstream.responses import (
    CARRIER,
    Kind,
    Output,
    Response,
    Step,
    complete_item,
    failed_details,
    open_output,
    shown,
    shown_item,
    usage,
)
from mock_upstream.state import State

CREATED: Final[Micros] = 10 * MILLISECOND
FIRST_OUTPUT: Final[Micros] = 200 * MILLISECOND
FIRST_DELTA: Final[Micros] = 6 * MILLISECOND
BURST: Final[Micros] = 18 * MILLISECOND
"""Between bursts of deltas: the recordings show about six milliseconds a token."""
PER_BURST: Final = 3
PER_CHUNK: Final = 2
"""Words beside each piece of sound."""
FIRST_AUDIO: Final[Micros] = 110 * MILLISECOND
CLOSING: Final[Micros] = 4 * MILLISECOND
RATE_LIMITS: Final[Micros] = 30 * MILLISECOND
VOICE_SEED: Final = 0
"""One voice for all sessions, so that a phrase is made once."""
REQUESTS: Final = {"name": "requests", "limit": 5000, "remaining": 4999, "reset_seconds": 0.012}
"""What beta said beside the tokens."""
_NOTHING: Final[Micros] = 0


def timeline(state: State, response: Response) -> Iterator[Step]:
    """Yield the steps of a response, from ``response.created`` to ``rate_limits.updated``."""
    yield Step(state.latency(CREATED), lambda: created(state, response))
    if state.beta:
        yield rate_limits(state, response, _NOTHING)
    if state.silent:
        return
    outcome = state.knobs.outcome
    if outcome not in ("completed", "max_output_tokens", "content_filter"):
        error = failed_details(failure(outcome, str(state.config.get("model"))))
        yield finish(state, response, "failed", error, CLOSING)
        return
    plans = decide(state.knobs, response.turn, response.tools, response.tool_choice)
    plans, cut = _cut(plans, response.max_tokens, by_script=outcome == "max_output_tokens")
    status = "incomplete" if cut or outcome == "content_filter" else "completed"
    yield from _outputs(state, response, plans, status)
    details: dict[str, Any] | None = None
    if status == "incomplete":
        details = {"type": "incomplete", "reason": "max_output_tokens" if cut else "content_filter"}
    yield finish(state, response, status, details, CLOSING)
    if not state.beta:
        yield rate_limits(state, response)


def ending(state: State, response: Response, reason: str) -> Iterator[Step]:
    """Yield the steps that end a response early: everything open is closed with what was said."""
    if not response.announced:
        yield Step(_NOTHING, lambda: created(state, response))
    for output in response.outputs:
        if "response.output_item.done" not in output.done:
            yield from close(state, response, output, "incomplete")
    yield finish(state, response, "cancelled", {"type": "cancelled", "reason": reason}, _NOTHING)
    if not state.beta:
        yield rate_limits(state, response)


def created(state: State, response: Response) -> dict[str, Any]:
    """Return ``response.created``."""
    response.announced = True
    return state.event("response.created", response=shown(response, "in_progress"))


def finish(state: State, response: Response, status: str, details: Any, after: Micros) -> Step:
    """Return the step of ``response.done``; only when it is really sent is the response over."""

    def make() -> dict[str, Any]:
        response.ending = True
        counted = usage(state, response, failed=status == "failed")
        return state.event("response.done", response=shown(response, status, details, counted))

    return Step(state.latency(after), make, partial(over, state, response))


def over(state: State, response: Response) -> None:
    """The response is over: another may begin, and the user's silence counts from the end of its playback."""
    if state.active is response:
        state.active = None
    state.out_of_band.pop(response.id, None)
    if response.in_conversation and state.idle_timeout_ms is not None:
        played = sum(output.played for output in response.outputs)
        playback_end = (response.heard_from + played) if response.heard_from is not None else state.now
        state.agenda.after(max(0, playback_end - state.now), partial(_played, state, state.turn))


def _played(state: State, turn: int) -> None:
    """The client has played the response by now; unless another began, the idle clock starts at what it has sent by now."""
    if state.vad is not None and state.turn == turn:
        state.vad.start_idle_clock(state.buffer.total)


def rate_limits(state: State, response: Response, after: Micros = RATE_LIMITS) -> Step:
    """Return the step of ``rate_limits.updated``: after every response that did not fail, in beta after its creation."""

    def make() -> dict[str, Any]:
        tokens = sum(output.item.text_tokens + output.item.audio_tokens for output in response.outputs)
        limits = [state.limits.use(tokens + state.cached_tokens, state.now)]
        if state.beta:
            limits.insert(0, REQUESTS)
        return state.event("rate_limits.updated", rate_limits=limits)

    return Step(state.latency(after), make)


def item_events(state: State, response: Response, output: Output, stage: str) -> Iterator[Step]:
    """Yield the two events that show an item: added, the response's first; done, the conversation's first."""

    def of_response() -> dict[str, Any]:
        output.done.add(f"response.output_item.{stage}")
        return state.event(
            f"response.output_item.{stage}", response_id=response.id, output_index=output.index, item=shown_item(output)
        )

    def of_conversation() -> dict[str, Any] | None:
        conversation = state.conversation
        if output.item.id not in conversation and response.in_conversation:
            return None  # the client deleted it in the meantime
        previous = None
        if response.in_conversation:
            done = stage == "done"
            previous = conversation.previous_id_when_done(output.item) if done else conversation.previous_id(output.item.id)
        return state.event(f"conversation.item.{stage}", previous_item_id=previous, item=shown_item(output))

    shows = response.in_conversation or state.knobs.oob_items
    if stage == "added":
        yield Step(_NOTHING, of_response)
    if shows:
        yield Step(_NOTHING, of_conversation)
    if stage == "done":
        yield Step(_NOTHING, of_response)


def part_event(state: State, response: Response, output: Output, stage: str, text: str) -> dict[str, Any]:
    """Return ``response.content_part.added`` or ``.done``; the part's type is ``text`` or ``audio``, unlike the item's."""
    field = "transcript" if output.kind is Kind.AUDIO else "text"
    part = {"type": output.kind.value, field: text}
    return _of_part(state, response, output, f"response.content_part.{stage}", part=part)


def delta(state: State, response: Response, output: Output, text: str) -> dict[str, Any]:
    """Return the delta that carries these words, with its obfuscation."""
    output.said += text
    extra = {"delta": text, "obfuscation": state.ids.obfuscation(text)}
    if output.kind is Kind.CALL:
        return state.event(
            f"{CARRIER[output.kind]}.delta",
            response_id=response.id,
            item_id=output.item.id,
            output_index=output.index,
            call_id=output.item.body["call_id"],
            **extra,
        )
    return _of_part(state, response, output, f"{CARRIER[output.kind]}.delta", **extra)


def _burst(state: State, response: Response, output: Output, texts: list[str]) -> None:
    """Send some deltas of the same instant: from a template, unless somebody has a say in them."""
    if not state.outbox.is_plain:
        for text in texts:
            state.say(delta(state, response, output, text))
        return
    place = f'"output_index":{output.index},"content_index":0'
    if output.kind is Kind.CALL:
        place = f'"output_index":{output.index},"call_id":{_json(output.item.body["call_id"])}'
    head = f'{{"type":"{CARRIER[output.kind]}.delta","event_id":"{state.ids.stem("event", state.now)}'
    middle = f'","response_id":"{response.id}","item_id":"{output.item.id}",{place},"delta":'
    output.said += "".join(texts)
    digits, dumps, written = state.ids.digits, orjson.dumps, state.outbox.actions
    for text in texts:
        drawn = digits(BLOCK + -len(text) % BLOCK)
        tail = f',"obfuscation":"{drawn[BLOCK:]}"}}'
        written.append(Send(f"{head}{drawn[:BLOCK]}{middle}{dumps(text).decode()}{tail}".encode()))


def _json(text: str) -> str:
    return orjson.dumps(text).decode()


def audio_delta(state: State, response: Response, output: Output, sound: bytes) -> dict[str, Any]:
    """Return the delta that carries this audio."""
    if response.heard_from is None:
        response.heard_from = state.now
    output.played += response.audio_format.duration(len(sound))
    output.item.duration = output.played
    output.sound += sound
    return _of_part(state, response, output, "response.output_audio.delta", delta=b64encode(sound).decode("ascii"))


def close(state: State, response: Response, output: Output, status: str) -> Iterator[Step]:
    """Yield the steps that close an output item with what it has said."""
    if output.kind is Kind.CALL:
        yield Step(_NOTHING, partial(_arguments_done, state, response, output))
    elif output.opened:
        if output.kind is Kind.AUDIO:
            yield Step(_NOTHING, partial(_of_part, state, response, output, "response.output_audio.done"))
        yield Step(_NOTHING, partial(_words_done, state, response, output))
        yield Step(_NOTHING, lambda: part_event(state, response, output, "done", output.said))
    yield Step(_NOTHING, partial(complete_item, state, output, status))
    yield from item_events(state, response, output, "done")


def _outputs(state: State, response: Response, plans: list[Words | Call], status: str) -> Iterator[Step]:
    """Yield the outputs. A call after a message begins before the message is closed (C: gpt-realtime-2.x, §2.8)."""
    after = state.latency(FIRST_OUTPUT)
    last = len(plans) - 1
    waiting: Output | None = None
    for number, plan in enumerate(plans):
        yield Step(after, _wait)
        after = state.latency(FIRST_DELTA)
        if isinstance(plan, Call):
            output = open_output(state, response, Kind.CALL, plan.arguments, plan)
            texts = argument_pieces(plan.arguments)
        else:
            output = open_output(state, response, Kind.AUDIO if response.speaks else Kind.TEXT, plan.text)
            texts = pieces(plan.text)
        yield from item_events(state, response, output, "added")
        if output.kind is not Kind.CALL:
            yield Step(_NOTHING, partial(_open_part, state, response, output))
        yield from _say(state, response, output, texts)
        if waiting is not None:
            yield from close(state, response, waiting, "completed")
            waiting = None
        if output.kind is not Kind.CALL and number < last:
            waiting = output
        else:
            yield from close(state, response, output, status if number == last else "completed")


def _wait() -> None:
    """Let time pass."""


def _open_part(state: State, response: Response, output: Output) -> dict[str, Any]:
    output.opened = True
    part = {"type": "output_audio", "transcript": ""} if output.kind is Kind.AUDIO else {"type": "output_text", "text": ""}
    output.item.body = {**output.item.body, "content": [part]}
    return part_event(state, response, output, "added", "")


def _say(state: State, response: Response, output: Output, texts: list[str]) -> Iterator[Step]:
    if output.kind is Kind.AUDIO:
        yield from _say_aloud(state, response, output, texts)
        return
    after = state.latency(FIRST_DELTA)
    for start in range(0, len(texts), PER_BURST):
        yield Step(after, partial(_burst, state, response, output, texts[start : start + PER_BURST]))
        after = state.latency(BURST)


def _say_aloud(state: State, response: Response, output: Output, texts: list[str]) -> Iterator[Step]:
    """Yield transcript and audio as recorded: words first, then both, the words well ahead of the sound."""
    format_ = response.audio_format
    sound = voice.speak(output.text, format_, VOICE_SEED)
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
        yield Step(gap, partial(audio_delta, state, response, output, sound[start:end]))
        gap = round(format_.duration(end - start) / pace) if pace else _NOTHING
        if rest:
            yield Step(_NOTHING, partial(_burst, state, response, output, rest[:PER_CHUNK]))
        rest = rest[PER_CHUNK:]
    if rest:
        yield Step(_NOTHING, partial(_burst, state, response, output, rest))


def _cut(plans: list[Words | Call], limit: int | str, *, by_script: bool) -> tuple[list[Words | Call], bool]:
    """Cut what the model would say at ``max_output_tokens``; a script may cut a message in half."""
    allowed = limit if isinstance(limit, int) else None
    kept: list[Words | Call] = []
    for plan in plans:
        texts = pieces(plan.text) if isinstance(plan, Words) else argument_pieces(plan.arguments)
        most = len(texts) // 2 if by_script else allowed
        if most is not None and len(texts) > most:
            text = "".join(texts[:most])
            kept.append(Words(text) if isinstance(plan, Words) else Call(plan.name, text, plan.call_id))
            return kept, True
        kept.append(plan)
        allowed = None if allowed is None else allowed - len(texts)
    return kept, False


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
