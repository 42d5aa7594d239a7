"""The timeline of a response: its events in the recorded order, with the recorded gaps.

Sources: the timed recordings of 2026-09 (gaps, less the round trip) and the order of ground truth §2.3, §2.5, §2.8, §2.9.
The order after a cancel is inferred from the API's own description, that every ``*.done`` is sent then, too.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Final

from conformance.wire.durations import MILLISECOND, Micros
from mock_upstream import mcp
from mock_upstream.errors import failure
from mock_upstream.model import Call, Words, argument_pieces, decide, pieces
from mock_upstream.responses import (
    Kind,
    Output,
    Response,
    Step,
    failed_details,
    open_call,
    open_message,
    shown,
    usage,
)
from mock_upstream.state import State
from mock_upstream.utterances import FIRST_DELTA, close, item_events, open_part, say

CREATED: Final[Micros] = 10 * MILLISECOND
FIRST_OUTPUT: Final[Micros] = 200 * MILLISECOND
CLOSING: Final[Micros] = 4 * MILLISECOND
RATE_LIMITS: Final[Micros] = 30 * MILLISECOND
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
    plans = mcp.settle(state, response, decide(state.knobs, response.turn, response.tools, response.tool_choice))
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

    return Step(state.latency(after), make, sent=partial(over, state, response))


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


def _outputs(state: State, response: Response, plans: list[Words | Call], status: str) -> Iterator[Step]:
    """Yield the outputs. A call after a message begins before the message is closed (C: gpt-realtime-2.x, §2.8)."""
    after = state.latency(FIRST_OUTPUT)
    last = len(plans) - 1
    waiting: Output | None = None
    for number, plan in enumerate(plans):
        yield Step(after, _wait)
        after = state.latency(FIRST_DELTA)
        if isinstance(plan, Call):
            output = open_call(state, response, plan)
            texts = argument_pieces(plan.arguments)
        else:
            output = open_message(state, response, plan.text)
            texts = pieces(plan.text)
        opening = item_events(state, response, output, "added")
        if isinstance(plan, Words):
            opening.append(partial(open_part, state, response, output))
        yield Step(_NOTHING, *opening)
        if output.kind is not Kind.APPROVAL:
            yield from say(state, response, output, texts)
        if waiting is not None:
            yield from close(state, response, waiting, "completed")
            waiting = None
        if isinstance(plan, Words) and number < last:
            waiting = output
        else:
            yield from close(state, response, output, status if number == last else "completed")


def _wait() -> None:
    """Let time pass."""


def _cut(plans: list[Words | Call], limit: int | str, *, by_script: bool) -> tuple[list[Words | Call], bool]:
    """Cut what the model would say at ``max_output_tokens``; a script may cut a message in half."""
    allowed = limit if isinstance(limit, int) else None
    if allowed is None and not by_script:
        return plans, False
    kept: list[Words | Call] = []
    for plan in plans:
        texts = pieces(plan.text) if isinstance(plan, Words) else argument_pieces(plan.arguments)
        most = len(texts) // 2 if by_script else allowed
        if most is not None and len(texts) > most:
            text = "".join(texts[:most])
            kept.append(Words(text) if isinstance(plan, Words) else replace(plan, arguments=text))
            return kept, True
        kept.append(plan)
        allowed = None if allowed is None else allowed - len(texts)
    return kept, False
