# ruff: noqa: E501  # a line of a timeline is one frame
"""Function outputs: whole, in order, complete, continued."""

import pytest

from conformance.rules.tests.says import DONE, OUTPUT, OUTPUT_SEEN, USER, says

UP = f"conversation.item.create {OUTPUT}"


def test_a_create_for_another_turn_breaks_the_order_too_while_the_calls_response_is_active() -> None:
    timeline = f"use called\n0.3 upstream up {UP}\n0.4 upstream up response.create\n0.8 upstream down {DONE}"
    assert says("RT-TOOL-ORDER", timeline) == ["response.create"]


def test_parts_done_and_items_confirmed_do_not_end_a_response() -> None:
    timeline = f"""use called
        0.300 upstream up   {UP}
        0.310 upstream down conversation.item.added {OUTPUT_SEEN}
        0.320 upstream down response.output_text.done {{"response_id": "r1", "item_id": "a1", "text": "One moment."}}
        0.320 upstream up   response.create
        0.800 upstream down {DONE}"""
    assert says("RT-TOOL-ORDER", timeline) == ["response.create"]


def test_a_create_that_unsticks_a_call_whose_end_never_came_is_no_breach() -> None:
    timeline = f"use called\n0.3 upstream up {UP}\n20.3 upstream up response.create\n40 end"
    assert says("RT-TOOL-ORDER", timeline) == []
    assert says("RT-ONE-RESPONSE", timeline) == []
    assert says("RT-TOOL-ORDER", timeline.replace("20.3", "2.3")) == ["response.create"]


TWO = f"""use called
    0.210 upstream down response.function_call_arguments.done {{"response_id": "r1", "call_id": "c2", "name": "time", "arguments": ""}}
    0.300 upstream down {DONE}
    0.400 upstream up   {UP}
    0.410 upstream down conversation.item.done {OUTPUT_SEEN}
"""


def test_a_user_turn_between_two_outputs_may_be_answered() -> None:
    timeline = f"""{TWO}
        0.500 upstream up   conversation.item.create {USER.replace("Hi", "Hurry")}
        0.510 upstream down conversation.item.added {USER.replace("Hi", "Hurry")}
        0.510 upstream up   response.create"""
    assert says("RT-TOOL-ALL-OUTPUTS", timeline) == []


def test_one_call_alone_is_nothing_to_look_at_for_parallel_calls() -> None:
    assert says("RT-TOOL-ALL-OUTPUTS", f"use called\n0.3 upstream up {UP}\n0.8 upstream down {DONE}") is None


def test_an_output_from_before_the_end_is_due_from_the_end_on() -> None:
    start = f"use called\n0.3 upstream up {UP}\n0.31 upstream down conversation.item.done {OUTPUT_SEEN}\n3.0 upstream down {DONE}"
    assert says("RT-TOOL-CONTINUES", f"{start}\n4.9 upstream up response.create\n9 end") == []
    assert says("RT-TOOL-CONTINUES", f"{start}\n5.1 upstream up response.create\n9 end") == ["function_call_output"]


def test_an_output_from_before_the_end_is_not_due_while_the_mock_keeps_its_confirmation_back() -> None:
    start = f"use called\n0.3 upstream up {UP}\n"
    kept = '0.31 upstream down mark withheld {"event": {"type": "conversation.item.added"}}\n'
    end = f"0.5 upstream down {DONE}\n"
    assert says("RT-TOOL-CONTINUES", f"{start}{kept}{end}9 end") is None
    assert says("RT-TOOL-CONTINUES", f"{start}{end}9 end") == ["function_call_output"]
    late = f"{start}{end}3.5 upstream down conversation.item.added {OUTPUT_SEEN}\n"
    assert says("RT-TOOL-CONTINUES", f"{late}3.6 upstream up response.create\n9 end") == []
    assert says("RT-TOOL-CONTINUES", f"{late}9 end") == ["function_call_output"]


def test_an_output_from_after_the_end_is_due_from_its_done_on_and_added_alone_starts_nothing() -> None:
    start = f"use called\n0.25 upstream down {DONE}\n0.4 upstream up {UP}"
    added = f"{start}\n0.5 upstream down conversation.item.added {OUTPUT_SEEN}\n9 end"
    assert says("RT-TOOL-CONTINUES", added) is None
    for event in ("conversation.item.done", "conversation.item.created"):
        assert says("RT-TOOL-CONTINUES", f"{start}\n0.5 upstream down {event} {OUTPUT_SEEN}\n9 end") == [
            "function_call_output"
        ]


def test_a_response_that_runs_meanwhile_moves_the_deadline_to_its_end() -> None:
    timeline = f"""use called
        0.250 upstream down {DONE}
        0.400 upstream up   {UP}
        0.410 upstream down conversation.item.done {OUTPUT_SEEN}
        0.420 upstream down response.created {{"response": {{"id": "r2"}}}}
        9.000 upstream down response.done {{"response": {{"id": "r2", "status": "completed"}}}}
        10.00 end"""
    assert says("RT-TOOL-CONTINUES", timeline) == []


def test_a_visible_error_unsticks_as_well() -> None:
    start = f"use called\n0.25 upstream down {DONE}\n0.4 upstream up {UP}"
    assert says("RT-TOOL-UNSTICKS", f'{start}\n25 client down Error {{"code": "upstream_timeout"}}\n35 end') == []
    assert says("RT-TOOL-UNSTICKS", f"{start}\n25 end") == []
    assert says("RT-TOOL-UNSTICKS", f"{start}\n35 end") == ["function_call_output"]


@pytest.mark.parametrize(
    ("sent", "output", "kept"),
    [
        ('"content": "{\\"c\\": 4}"', '"{\\"c\\": 4}"', True),
        ('"content": "{\\"c\\": 4}"', '"{\\"c\\":4}"', False),
        ('"result": {"c": 4}', '"{\\"c\\": 4}"', True),
        ('"result": "sunny"', '"sunny"', True),
        ('"result": "sunny"', '"\\"sunny\\""', False),
        ('"result": 4', '"4"', True),
        ('"error": "no such city"', '"{\\"error\\":\\"no such city\\"}"', True),
        ('"error": "no such city"', '"Error: no such city"', True),
        ('"error": {"message": "no such city"}', '"no such city"', True),
        ('"error": "no such city"', '""', False),
        ('"content": ""', '""', True),
    ],
)
def test_what_the_client_sent_is_what_goes_up(sent: str, output: str, kept: bool) -> None:
    timeline = f"""use called
        0.300 client   up   FunctionCallResponse {{"id": "c1", "name": "weather", {sent}}}
        0.300 upstream up   conversation.item.create {{"item": {{"type": "function_call_output", "call_id": "c1", "output": {output}}}}}"""
    assert says("RT-TOOL-OUTPUT-WHOLE", timeline) == ([] if kept else ["function_call_output"])


def test_an_output_that_never_goes_up_is_found_but_not_an_answer_to_a_call_nobody_made() -> None:
    reply = '0.3 client up FunctionCallResponse {"id": "c1", "name": "weather", "content": "sunny"}'
    assert says("RT-TOOL-OUTPUT-WHOLE", f"use called\n{reply}\n9 end") == ["FunctionCallResponse"]
    assert says("RT-TOOL-OUTPUT-WHOLE", f"use called\n{reply.replace('c1', 'c9')}\n9 end") is None


def test_a_call_is_asked_for_once_whichever_events_carry_it() -> None:
    item = '{"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}", "status": "completed"}'
    only_item = f"""use responding
        0.200 upstream down response.output_item.done {{"response_id": "r1", "item": {item}}}
        9.000 end"""
    assert says("VA-TOOL-ONCE", only_item) is None
    request = '0.2 client down FunctionCallRequest {"functions": [{"id": "c1"}, {"id": "c1"}]}'
    assert says("VA-TOOL-ONCE", only_item.replace("9.000", f"{request}\n9.000")) == ["FunctionCallRequest"]


@pytest.mark.parametrize(
    ("asked", "causes"),
    [
        ('{"id": "c1", "name": "weather", "arguments": "{\\"at\\":\\"Z\\u00fcrich\\"}"}', []),
        ('{"id": "c1", "name": "weather", "arguments": {"at": "Zürich"}}', []),
        ('{"id": "c1"}', []),
        ('{"id": "c1", "name": "weather", "arguments": ""}', ["arguments"]),
        ('{"id": "c1", "name": "weather", "arguments": "{\\"at\\": \\"Bern\\"}"}', ["arguments"]),
        ('{"id": "c1", "name": "clock"}', ["name"]),
        ('{"id": "c1", "name": ""}', ["name"]),
        ('{"id": "c1", "name": ["weather"]}', ["name"]),
    ],
)
def test_a_call_is_asked_for_by_its_own_name_with_its_own_arguments(asked: str, causes: list[str]) -> None:
    call = '"type": "function_call", "call_id": "c1", "name": "weather", "arguments"'
    arguments = '"{\\"at\\": \\"Zürich\\"}"'
    timeline = f"""use responding
        0.200 upstream down response.output_item.added {{"response_id": "r1", "item": {{{call}: ""}}}}
        0.210 upstream down response.function_call_arguments.done {{"response_id": "r1", "call_id": "c1", "arguments": {arguments}}}
        0.250 client   down FunctionCallRequest {{"functions": [{asked}]}}
        9.000 end"""
    assert says("VA-TOOL-ONCE", timeline) == causes


def test_a_call_that_arrives_late_at_the_client_is_missing() -> None:
    timeline = """use responding
        0.200 upstream down response.function_call_arguments.done {"response_id": "r1", "call_id": "c1", "arguments": ""}
        1.500 client   down FunctionCallRequest {"functions": [{"id": "c1"}]}
        9.000 end"""
    assert says("VA-TOOL-ONCE", timeline) == ["missing"]
