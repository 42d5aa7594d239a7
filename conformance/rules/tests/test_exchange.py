"""Which request an upstream error answers: by event id, else by what it is about, else by order, and only if it answers one."""
# ruff: noqa: E501  # a line of a timeline is one frame

import pytest

from conformance.rules.exchange import Exchange
from conformance.rules.tests.says import case, says
from conformance.rules.view import view

UPDATE = '{"event_id": "u1", "session": {"type": "realtime", "audio": {"input": {"turn_detection": null}}}}'
ASKED = f"use connected\n0.020 client up Settings\n0.030 upstream up session.update {UPDATE}\n"
APPLIED = "0.300 upstream down session.updated\n0.310 client down SettingsApplied\n"
AUDIO = "1.000 upstream up input_audio_buffer.append 200ms\n1.500 upstream up input_audio_buffer.commit\n"


def error(fields: str, at: str = "0.100", event_id: str = "e1") -> str:
    return f'{at} upstream down error {{"event_id": "{event_id}", "error": {{{fields}, "message": "?"}}}}\n'


def exchange(timeline: str) -> Exchange:
    return view(case(timeline)).links[0].exchange


@pytest.mark.parametrize(
    ("fields", "refuses"),
    [
        ('"type": "server_error", "code": null', False),
        ('"type": "server_error", "code": "overloaded", "event_id": null', False),
        ('"type": "rate_limit_error", "code": "rate_limit_exceeded"', False),
        ('"type": "invalid_request_error", "code": "session_expired"', False),
        ('"type": "invalid_request_error", "code": "idle_timeout"', False),
        ('"type": "server_error", "code": null, "event_id": "u1"', True),
        ('"type": "server_error", "code": null, "event_id": "of nobody"', False),
        ('"type": "invalid_request_error", "code": null', True),
        ('"type": "invalid_request_error", "code": "invalid_value", "param": "session.voice"', True),
        ('"type": "invalid_request_error", "code": "invalid_value", "event_id": "u1"', True),
    ],
)
def test_only_an_error_that_answers_an_event_refuses_the_update(fields: str, refuses: bool) -> None:
    assert (exchange(ASKED + error(fields)).updates[0].refused is not None) is refuses


def test_a_server_error_beside_an_update_does_not_refuse_it() -> None:
    beside = ASKED + error('"type": "server_error", "code": null')
    early = f"{beside}0.200 client down SettingsApplied\n9 end"
    assert says("RT-UPDATE-SENT", early) == []
    assert says("VA-READY-AFTER-UPDATED", early) == ["SettingsApplied"]
    assert says("RT-COMMIT-OWNER", f"{beside}{AUDIO}9 end") is None


def test_an_error_that_names_the_update_refuses_it() -> None:
    refused = ASKED + error('"type": "server_error", "code": null, "event_id": "u1"')
    assert says("RT-UPDATE-SENT", f"{refused}0.200 client down SettingsApplied\n9 end") == ["SettingsApplied"]
    assert says("RT-COMMIT-OWNER", f"{refused}{AUDIO}9 end") == ["input_audio_buffer.commit"]


def test_an_update_that_is_confirmed_after_all_was_not_refused_by_an_error_that_named_nothing() -> None:
    by_order = ASKED + error('"type": "invalid_request_error", "code": "invalid_value"')
    assert exchange(by_order).updates[0].refused is not None
    assert exchange(by_order + APPLIED).updates[0].refused is None
    named = ASKED + error('"type": "invalid_request_error", "code": "invalid_value", "event_id": "u1"')
    assert exchange(named + APPLIED).updates[0].refused is not None


def test_an_event_told_twice_answers_one_request() -> None:
    refusal = error('"type": "invalid_request_error", "code": null, "param": "session.voice"')
    again = "0.200 client up Settings\n0.210 upstream up session.update {}\n"
    late = refusal.replace("0.100", "0.250")
    updates = exchange(f"{ASKED}{refusal}{again}{late}").updates
    assert [update.refused is not None for update in updates] == [True, False]
    updated = '0.300 upstream down session.updated {"event_id": "e2"}\n'
    updates = exchange(f"{ASKED}{refusal}{again}{updated}{updated.replace('0.300', '0.310')}").updates
    assert [update.answer is not None for update in updates] == [False, True]
    assert says("RT-UPDATE-ONCE", f"{ASKED}{refusal}{again}{updated}{updated}9 end") == []


def test_settings_may_go_up_again_after_an_error_that_left_the_update_unanswered() -> None:
    again = "0.200 client up Settings\n0.210 upstream up session.update {}\n0.220 upstream down session.updated\n9 end"
    assert says("RT-UPDATE-ONCE", ASKED + error('"type": "server_error", "code": null') + again) == []
    assert says("RT-UPDATE-ONCE", ASKED + again) == ["session.update"]
    applied = "0.050 upstream down session.updated\n"
    assert says("RT-UPDATE-ONCE", ASKED + applied + error('"type": "server_error", "code": null') + again) == [
        "session.update"
    ]


def test_what_was_answered_is_not_blamed_for_a_later_error() -> None:
    truncated = """use ready
        0.100 upstream up   conversation.item.truncate {"item_id": "a", "content_index": 0, "audio_end_ms": 5}
        0.110 upstream down conversation.item.truncated {"event_id": "t", "item_id": "a"}
        0.200 upstream up   response.create
        """ + error('"type": "invalid_request_error", "code": null', at="0.300")
    assert exchange(truncated).creates[0].refused is not None
    cancelled = """use responding
        0.100 upstream up   response.cancel
        0.110 upstream down response.done {"response": {"id": "r1", "status": "cancelled"}}
        0.200 upstream up   response.create
        """ + error('"type": "invalid_request_error", "code": null', at="0.300")
    assert [create.refused is not None for create in exchange(cancelled).creates] == [False, True]
