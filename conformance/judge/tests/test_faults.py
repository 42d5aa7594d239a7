"""What a fault withheld or distorted is never charged to proxy or client."""

import pytest

from conformance.judge import judge
from conformance.judge.tests.attempts import result_of
from conformance.judge.tests.test_library import cells
from conformance.rules.tests.says import says
from conformance.runner import AttemptPlan, record
from conformance.runner.in_memory import InMemory
from conformance.scenario.model import Cell, Wait
from conformance.tests.build import TARGET, expect, forbid
from conformance.verdicts import Blame, Verdict
from conformance.wire.durations import SECOND
from conformance.wire.frames import Leg
from conformance.wire.script import FAULTS, Fault

SLICE = {
    "close/handshake": "refuse-401",
    "error/client-goes-on": "error-late",
    "error/events-idle": "session.updated",
    "error/forwarded": "other-code-idle",
    "firm-audio/during-response": "1250ms-after-900ms",
    "function-call/one-tool": "0ms-at-once",
    "function-call/realtime": "",
    "function-call/two-calls": "10ms-at-once",
    "greeting/idle": "",
    "session-config/refused": "",
    "text/turns": "",
    "transcription/heard": "",
}
"""A cell of each situation in which a fault once led to a false blame, and of the plain flows."""

_EVENTS = (
    "session.updated",
    "response.created",
    "response.done",
    "conversation.item.added",
    "input_audio_buffer.committed",
)
_SPOILING = ("drop", "delay")
ARMED = [
    *(Fault(name, {"size": 100_000} if name == "oversize" else {}) for name in FAULTS),
    *(Fault(name, {"on": event}) for name in _SPOILING for event in _EVENTS),
    *(Fault(name, {"percent": 20}) for name in _SPOILING),
    *(Fault(name, {"after": after}) for name in ("close", "abort", "half-open") for after in ("100ms", "1s")),
    Fault("close", {"after": "100ms", "code": 1000}),
]


def _slice() -> list[Cell]:
    found = [cell for cell in cells() if cell.label == SLICE.get(cell.scenario)]
    first = {cell.scenario: cell for cell in reversed(list(cells()))}
    plain = [first[name] for name, label in SLICE.items() if not label]
    return [*{cell.scenario: cell for cell in (*plain, *found)}.values()]


CELLS = _slice()


def test_the_slice_has_a_cell_of_each_scenario_named() -> None:
    assert {cell.scenario for cell in CELLS} == set(SLICE)
    assert all(SLICE[cell.scenario] in ("", cell.label) for cell in CELLS)


@pytest.mark.parametrize("fault", ARMED, ids=lambda fault: ",".join([fault.name, *map(str, fault.params.values())]))
def test_no_fault_is_charged_to_the_proxy_or_its_client(fault: Fault) -> None:
    for cell in CELLS:
        recording = record(AttemptPlan(cell=cell, target=TARGET, seed=0, fault=fault), subject=InMemory())
        charged = [
            f"{cell.scenario}[{cell.label}]: {check.verdict} {check.blame} {check.id}: {check.message}"
            for check in judge(cell, recording, TARGET).checks
            if check.verdict not in (Verdict.PASS, Verdict.INFO)
            and (check.blame in (Blame.PROXY, Blame.CLIENT) or check.verdict is Verdict.ERROR)
        ]
        assert charged == []


def test_the_slice_shows_a_proxy_that_is_broken_under_a_fault() -> None:
    """The tests above would pass vacuously if a fault excused everything."""
    timeline = """header {"fault": "error-after-turn"}
        use ready
        1.000 upstream down mark fault {"name": "error-after-turn"}
        1.000 upstream down error {"error": {"type": "server_error", "message": "oops"}}
        9.000 client   up   close 1000"""
    assert says("VA-ERROR-FORWARDED", timeline) == ["error server_error"]
    assert result_of(expect("shown", "client", "Error"), timeline.replace("use ready\n", "")).blame is Blame.PROXY


OVERLAP = """
    header {"fault": "delay"}
    0.010 upstream up   response.create {}
    0.020 upstream down mark delayed {"type": "response.created", "by": 500000}
    0.030 upstream down response.done {"response": {"id": "r1"}}
    0.520 upstream down response.created {"response": {"id": "r1"}}
    0.600 upstream up   response.create {}
    0.700 upstream down response.done {"response": {"id": "r2"}}
"""


def test_a_window_whose_bounds_a_fault_moved_tells_nothing_of_the_proxy() -> None:
    alone = forbid("x", "upstream", "response.create", after="upstream:response.created", before="upstream:response.done")
    assert result_of(alone, OVERLAP).blame is Blame.UPSTREAM
    assert result_of(alone, OVERLAP.replace("mark delayed", "mark note")).blame is Blame.PROXY


def test_a_delayed_event_is_the_faults_when_it_comes() -> None:
    twice = expect("x", "upstream", "response.created", count={"$lt": 1})
    assert result_of(twice, OVERLAP).blame is Blame.UPSTREAM
    assert result_of(twice, OVERLAP.replace("500000", "900000")).blame is Blame.PROXY


@pytest.mark.parametrize(
    ("update", "blame"), [("session.update", Blame.PROXY), ("input_audio_buffer.clear", Blame.UPSTREAM)]
)
def test_an_update_that_nobody_asked_for_makes_no_proxy_ready(update: str, blame: Blame) -> None:
    stray = f"""
        header {{"fault": "drop"}}
        0.001 client   up   Settings {{}}
        0.002 upstream down mark withheld {{"event": {{"type": "session.created"}}}}
        0.003 upstream up   {update} {{}}
        1.000 upstream down session.updated {{}}
        9.000 client   up   close 1000
    """
    assert result_of(expect("x", "client", "SettingsApplied", within="5s"), stray).blame is blame


def test_an_end_that_the_client_saw_needs_no_error_beside_it() -> None:
    ended = """
        header {"fault": "close"}
        0.001 client   up   Settings {}
        1.000 upstream down mark fault {"name": "close"}
        1.000 upstream down close 1000
        1.001 client   down close 1000
    """
    shown = expect("x", "client", "Error", within="5s")
    assert result_of(shown, ended).blame is Blame.UPSTREAM
    assert (
        result_of(shown, ended.replace("1.001 client   down close 1000", "9.0 client up close 1000")).blame is Blame.PROXY
    )


def test_audio_that_a_fault_delayed_beyond_its_response_is_not_the_proxys_to_play() -> None:
    late = """
        header {"fault": "delay"}
        0.001 client   up   Settings {}
        0.010 upstream down mark delayed {"type": "response.output_audio.delta", "by": 500000}
        0.100 upstream down response.done {"response": {"id": "r1"}}
        0.510 upstream down response.output_audio.delta 200ms {"response_id": "r1"}
        9.000 client   up   close 1000
    """
    heard = expect("x", "client", "binary", within="5s")
    assert result_of(heard, late).blame is Blame.UPSTREAM
    assert result_of(heard, late.replace('"id": "r1"', '"id": "r0"')).blame is Blame.PROXY
    told = expect("x", "client", {"type": "ConversationText", "role": "assistant"}, within="5s")
    text = late.replace("output_audio.delta 200ms {", 'output_text.done {"text": "Hi", ').replace("output_audio.delta", "x")
    assert result_of(told, text).blame is Blame.UPSTREAM
    assert result_of(told, text.replace('"id": "r1"', '"id": "r0"')).blame is Blame.PROXY


def test_what_the_client_does_wrong_after_a_fault_is_the_faults() -> None:
    unasked = """
        0.001 client   up   FunctionCallResponse {"id": "call_x"}
        0.010 upstream up   conversation.item.create {"item": {"type": "function_call_output", "call_id": "call_x"}}
        0.020 upstream down error {"error": {"type": "invalid_request_error", "code": "invalid_tool_call_id"}}
        0.021 client   down Error {"code": "invalid_tool_call_id"}
    """
    quiet = forbid("x", "client", "Error")
    silent = '0.000 upstream down mark fault {"name": "silent-model"}\n'
    assert result_of(quiet, unasked).blame is Blame.CLIENT
    assert result_of(quiet, silent + unasked).blame is Blame.UPSTREAM


def test_a_wait_that_a_closed_connection_left_without_its_action_is_no_race() -> None:
    steps = (
        Wait(leg=Leg.UPSTREAM, pattern="response.done", within=5 * SECOND),
        Wait(leg=Leg.CLIENT, pattern="ConversationText", within=5 * SECOND),
    )
    closed = """
        0.000 client   up   mark step {"index": 9, "verb": "send", "edge": "start"}
        0.100 client   down ConversationText {"role": "assistant"}
        0.200 upstream down response.done {}
        0.200 client   up   mark step {"index": 0, "verb": "wait", "edge": "start"}
        1.000 upstream down close 1011
        1.000 client   down close 1011
        1.500 client   up   mark skipped {"index": 9}
        9.000 client   up   mark wait-timeout {"index": 1, "id": "told", "pattern": "ConversationText"}
    """
    assert result_of("wait:told", closed, steps=steps).blame is Blame.UPSTREAM
    raced = result_of("wait:told", closed.replace("mark skipped", "mark note"), steps=steps)
    assert (raced.verdict, raced.blame) == (Verdict.ERROR, Blame.HARNESS)
