# ruff: noqa: E501  # a line of a timeline is one frame
"""Context that goes up as items keeps its order and its speakers."""

import pytest

from conformance.rules.tests.says import says

CONTEXT = """
    0.000 client   up   open
    0.000 client   up   Settings {"agent": {"context": {"messages": [{"role": "user", "content": "I am Ada."}, {"role": "assistant", "content": "Yes."}, {"role": "user", "content": "Yes."}]}}}
    0.005 upstream up   open
    0.010 upstream down session.created
    0.010 upstream up   session.update {"session": {"instructions": INSTRUCTIONS}}
    0.020 upstream down session.updated
    0.021 client   up   InjectUserMessage {"content": "Well?"}
    ITEMS
    0.100 upstream up   response.create
    9.000 end"""
ADA, YES, AGREED, WELL = ("user", "I am Ada."), ("assistant", "Yes."), ("user", "Yes."), ("user", "Well?")


def said(*items: tuple[str, str]) -> list[str] | None:
    lines = [
        f'0.03 upstream up conversation.item.create {{"item": {{"type": "message", "role": "{role}", "content": [{{"text": "{text}"}}]}}}}'
        for role, text in items
    ]
    return says("RT-CONTEXT-KEPT", CONTEXT.replace("INSTRUCTIONS", '"Be brief."').replace("ITEMS", "\n".join(lines)))


def test_items_in_their_order_keep_the_context() -> None:
    assert said(ADA, YES, AGREED, WELL) == []


@pytest.mark.parametrize("items", [(YES, ADA, AGREED, WELL), (AGREED, YES, ADA, WELL)])
def test_items_in_another_order_do_not(items: tuple[tuple[str, str], ...]) -> None:
    assert said(*items) == ["agent.context"]


def test_the_assistants_words_are_not_the_users() -> None:
    assert said(ADA, AGREED, AGREED, WELL) == ["agent.context"]


def test_one_item_may_hold_all_of_it() -> None:
    assert said(("system", "Before: I am Ada. Yes. Yes."), WELL) == []


def test_what_is_typed_is_no_context_though_it_says_what_the_assistant_said() -> None:
    timeline = CONTEXT.replace(', {"role": "user", "content": "Yes."}', "").replace("Well?", "Yes.")
    told = timeline.replace("INSTRUCTIONS", '"Before: I am Ada. Yes."')
    typed = '0.03 upstream up conversation.item.create {"item": {"type": "message", "role": "user", "content": [{"text": "Yes."}]}}'
    assert says("RT-CONTEXT-KEPT", told.replace("ITEMS", typed)) == []
