import pytest

from conformance.judge import judge
from conformance.scenario.model import Check
from conformance.tests.build import TARGET, cell, expect, forbid, parse_timeline

TIMELINE = """
    0.000 client   up   Settings {}
    0.500 upstream down response.created {}
    1.000 client   down binary 100ms
    2.000 upstream down response.done {"response": {"status": "failed", "status_details": {"error": {"code": "quota"}}}}
    3.000 client   down Error {"code": null, "description": "oops"}
    4.000 client   down close 1011 "bye"
    5.000 end
"""


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (forbid("x", "client", "Error"), "no Error was allowed; Error 'oops' came at 3s"),
        (
            forbid("x", "client", "close", after="upstream:response.created", within="10s"),
            "no close was allowed within 10s of response.created; close 1011 'bye' came 3.5s after it",
        ),
        (
            forbid("x", "client", "binary", before="client:Error"),
            "no binary was allowed before Error; a binary frame of 4800 bytes came at 1s",
        ),
        (
            forbid("x", "client", "*", after="upstream:response.created", before="upstream:response.done", within="1s"),
            None,
        ),
        (
            forbid("x", "upstream", "response.*", after="client:Settings", before="client:Error", count={"$gt": 1}),
            (
                "more than 1 response.* was forbidden between Settings and the next Error; "
                "response.created came 500ms after it, and 1 more"
            ),
        ),
        (
            forbid("x", "upstream", {"type": "response.done", "response": {"status": "failed"}}),
            'no response.done {"response":{"status":"failed"}} was allowed; response.done \'quota\' came at 2s',
        ),
        (
            expect("x", "client", "ConversationText", within="2s"),
            "expected ConversationText within 2s of the first client frame; none came",
        ),
        (
            expect("x", "client", "Error", after="client:Settings", within="1s"),
            "expected Error within 1s of Settings; the first came 2s too late",
        ),
        (
            expect("x", "client", "Error", before="upstream:response.done"),
            "expected Error before response.done; the first came 1s after that",
        ),
        (
            expect("x", "upstream", "response.created", after="client:Error"),
            "expected response.created after Error; the last came 2.5s before that",
        ),
        (expect("x", "upstream", "response.*", count=3), "expected exactly 3 response.*; 2 came"),
        (expect("x", "upstream", "response.*", count=1), "expected exactly 1 response.*; 2 came, the first too many at 2s"),
        (
            expect("x", "client", "Error", after="upstream:rate_limits.updated"),
            "cannot be judged: rate_limits.updated never happened",
        ),
    ],
    ids=lambda value: None,
)
def test_messages_are_for_people(check: Check, message: str | None) -> None:
    (result,) = judge(cell(check), parse_timeline(TIMELINE), TARGET, rules={}).checks
    assert result.message == (message or "")


def test_an_unwatched_window_says_how_much_of_it_was_watched() -> None:
    left = parse_timeline("""
        1.000 client up Settings {}
        4.000 client up close 1000
        4.010 end
    """)
    (result,) = judge(cell(forbid("x", "client", "Error", within="12s")), left, TARGET, rules={}).checks
    assert (
        result.message == "cannot say whether no Error came within 12s of the first client frame: only 3s of it was watched"
    )
