"""The player: plays responses over time while the session goes on reading, and ends them early when asked."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from mock_upstream.errors import CANCEL_NOT_ACTIVE, Refused, active_response
from mock_upstream.responses import Response, Step, begin
from mock_upstream.state import State
from mock_upstream.timeline import ending, timeline


def respond(state: State, params: Mapping[str, Any] | None = None) -> Response:
    """Begin a response.

    Raises:
        Refused: it is for the default conversation, which has one in progress.
    """
    out_of_band = (params or {}).get("conversation") == "none"
    if state.active is not None and not out_of_band:
        raise Refused(active_response(state.active.id))
    response = adopt(state, begin(state, params))
    if state.vad is not None and response.in_conversation:
        state.vad.stop_idle_clock()
    _play(state, response, timeline(state, response))
    return response


def adopt(state: State, response: Response) -> Response:
    """Let a response be in progress."""
    if response.in_conversation:
        state.active = response
    else:
        state.out_of_band[response.id] = response
    return response


def cancel(state: State, response_id: str | None = None, reason: str = "client_cancelled") -> None:
    """End a response now; without an id the default conversation's.

    Raises:
        Refused: it is not in progress.
    """
    response = state.active if response_id is None else _find(state, response_id)
    if response is None or response.ending or response.cancelled:
        raise Refused(CANCEL_NOT_ACTIVE)
    response.cancelled = True
    _play(state, response, ending(state, response, reason))


def interrupt(state: State) -> None:
    """The user speaks: end what the model is saying, if it is saying anything."""
    if state.active is not None and not state.active.ending and not state.active.cancelled:
        cancel(state, reason="turn_detected")


def _find(state: State, response_id: str) -> Response | None:
    if state.active is not None and state.active.id == response_id:
        return state.active
    return state.out_of_band.get(response_id)


def _play(state: State, response: Response, steps: Iterator[Step]) -> None:
    response.steps = steps
    _advance(state, response, steps)


def _advance(state: State, response: Response, steps: Iterator[Step]) -> None:
    """Play what is due now and plan the rest."""
    for step in steps:
        if step.after:
            state.agenda.plan(step.after, partial(_resume, state, response, steps, step))
            return
        if not _perform(state, response, steps, step):
            return


def _resume(state: State, response: Response, steps: Iterator[Step], step: Step) -> None:
    if response.steps is steps and _perform(state, response, steps, step):
        _advance(state, response, steps)


def _perform(state: State, response: Response, steps: Iterator[Step], step: Step) -> bool:
    """Say a moment's events; False as soon as a cancel has replaced the steps, which are then no longer the response's."""
    for make in step.makes:
        event = make()
        if event is not None:
            state.outbox.say(event, step.sent)
        if response.steps is not steps or state.outbox.closed:
            return False
    return True
