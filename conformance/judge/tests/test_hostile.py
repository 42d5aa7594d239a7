"""Whatever stands in a recording, judging it ends in a verdict."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.judge import judge, prove
from conformance.scenario.model import Connect, Wait
from conformance.tests.build import TARGET, cell, expect, forbid
from conformance.verdicts import Verdict
from conformance.wire.frames import Direction, Frame, Kind, Leg
from conformance.wire.recording import Footer, Header, Outcome, Recording

TYPES = (
    "Settings",
    "Error",
    "error",
    "response.done",
    "session.update",
    "session.updated",
    "response.created",
    "",
    "\ud800",
)
KEYS = (
    "type",
    "error",
    "code",
    "message",
    "response",
    "status",
    "status_details",
    "index",
    "id",
    "verb",
    "edge",
    "event",
    "us",
)

values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(TYPES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=8,
)
MARKS = ("step", "wait-timeout", "connect-failed", "lateness", "withheld", "fault", "other")


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    frames = []
    t = 0
    for seq in range(draw(st.integers(0, 12))):
        t += draw(st.integers(0, 3_000_000))
        kind = draw(st.sampled_from(Kind))
        data = draw(st.dictionaries(st.sampled_from(KEYS), values, max_size=4))
        type_ = draw(st.sampled_from(MARKS if kind is Kind.MARK else TYPES))
        if kind is Kind.TEXT:
            data["type"] = type_
        leg, direction = draw(st.sampled_from(Leg)), draw(st.sampled_from(Direction))
        scripted = draw(st.none() | st.just("rule-1"))
        frames.append(
            Frame(seq, t, leg, 0, direction, kind, type_ if kind in (Kind.TEXT, Kind.MARK) else "", data, scripted)
        )
    footer = Footer(t, draw(st.sampled_from(Outcome)), lateness=draw(st.integers(0, 1_000_000)))
    header = Header(clock=draw(st.sampled_from(["real", "virtual"])), fault=draw(st.none() | st.just("stall")))
    return Recording(header, tuple(frames), draw(st.none() | st.just(footer)))


CELL = cell(
    expect("a", "client", "Error", within="1s", count=2),
    expect("b", "upstream", "response.*", after="upstream:response.created", before="upstream:response.done"),
    forbid("c", "client", {"type": "Error", "code": {"$re": "x"}}, after="waited", within="2s"),
    forbid("d", "client", "close", before="client:Settings", count={"$gt": 1}),
    expect("e", "upstream", {"type": "*", "id": "${saved}"}),
    steps=(Connect(), Wait(id="waited", leg=Leg.CLIENT, pattern="Error", within=1_000_000, save={"saved": "error.code"})),
)


@settings(max_examples=80, deadline=None)
@given(recordings())
def test_every_recording_can_be_judged(recording: Recording) -> None:
    judgement = judge(CELL, recording, TARGET)
    assert judgement.verdict in Verdict
    crashed = [check.message for check in judgement.checks if check.cause == "crash"]
    assert crashed == []
    for proof in prove(CELL, recording, TARGET):
        assert proof.check_id in {"a", "b", "c", "d", "e"}
