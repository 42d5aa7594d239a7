from typing import Any

import pytest

from conformance.judge import prove
from conformance.judge.examples import example
from conformance.scenario.model import Check
from conformance.tests.build import TARGET, cell, expect, forbid, parse_timeline
from conformance.wire.patterns import matches

HEALTHY = """
    0.000 client   up   open {}
    0.001 client   up   Settings {}
    0.012 upstream up   session.update {}
    0.013 upstream down session.updated {}
    0.014 client   down SettingsApplied {}
    0.100 upstream up   response.create {}
    0.200 upstream down response.created {}
    0.300 client   down binary 100ms
    0.900 upstream down response.done {}
    1.000 client   down ConversationText {"role": "assistant", "content": "Hello"}
    12.02 client   up   close 1000
    12.03 end
"""


@pytest.mark.parametrize(
    ("check", "damage"),
    [
        (expect("x", "client", "SettingsApplied", within="2s"), "drop"),
        (expect("x", "upstream", "session.update", count=1), "drop"),
        (expect("x", "upstream", "response.create", count={"$lt": 2}), "duplicate"),
        (expect("x", "upstream", "response.cancel", count=0), "insert"),
        (expect("x", "client", "binary"), "drop"),
        (forbid("x", "client", "Error", after="client:ConversationText", within="5s"), "insert"),
        (
            forbid("x", "upstream", "response.create", after="upstream:response.created", before="upstream:response.done"),
            "delay",
        ),
        (forbid("x", "upstream", {"type": "conversation.item.create", "item": {"role": "assistant"}}), "insert"),
        (forbid("x", "client", "close", before="client:ConversationText"), "insert"),
        (forbid("x", "client", {"type": "binary", "json": {"$any": True}}), "insert"),
        (forbid("x", "upstream", "response.create", count={"$gt": 1}), "duplicate"),
        (
            forbid("x", "client", {"type": "ConversationText", "content": {"$re": "(?i)^(sorry|oops), \\d{2} times\\.?$"}}),
            "insert",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_every_kind_of_check_can_be_spoiled(check: Check, damage: str) -> None:
    (proof,) = prove(cell(check), parse_timeline(HEALTHY), TARGET)
    assert (proof.check_id, proof.spoiled_by) == ("x", damage)


def test_a_check_that_nothing_can_break_is_found_out() -> None:
    vacuous = expect("x", "client", "SettingsApplied", count={"$lt": 1_000_000})
    empty = forbid("y", "client", {"type": "Error", "code": {"$gt": 2, "$lt": 1}})
    proofs = prove(cell(vacuous, empty), parse_timeline(HEALTHY), TARGET)
    assert {proof.check_id: proof.spoiled_by for proof in proofs} == {"x": None, "y": None}


def test_a_check_that_does_not_pass_proves_nothing() -> None:
    assert prove(cell(expect("x", "client", "Error")), parse_timeline(HEALTHY), TARGET) == ()


def test_a_healthy_recording_is_not_touched_by_the_spoiling() -> None:
    recording = parse_timeline(HEALTHY)
    prove(cell(forbid("x", "client", "Error")), recording, TARGET)
    assert recording == parse_timeline(HEALTHY)


@pytest.mark.parametrize(
    "pattern",
    [
        "response.*",
        "conversation.item.[ad]*",
        {"type": "error", "error": {"code": {"$absent": True}, "type": {"$any": True}}},
        {"type": "Error", "code": None},
        {"functions": [{"id": "call_1"}, {"id": {"$re": "^call_[0-9]+$"}}]},
        {"type": "x", "n": {"$gt": 3}, "m": {"$lt": 3}, "o": {"$gt": 1, "$lt": 2}},
        {"text": {"$re": "^Hello"}},
        {"text": {"$re": r"idle.?timeout|expired"}},
        {"text": {"$re": r"(?i)server[ _]error\b"}},
        {"text": {"$re": r"^\w+ \d+(\.\d+)?s$"}},
        {"text": {"$re": r"[^a-z]{3}"}},
    ],
    ids=str,
)
def test_an_example_is_what_its_pattern_means(pattern: Any) -> None:
    made = example(pattern)
    assert made is not None
    assert matches(pattern, made)


def test_where_inventing_fails_a_known_message_serves() -> None:
    hard = {"type": "ConversationText", "content": {"$re": r"^(?=.*a)(?=.*b)[ab]{2}$"}}
    assert example(hard) is None
    known = {"type": "ConversationText", "content": "ab"}
    assert example(hard, [known]) is known
