"""The session's phases: one update, nothing before it is confirmed, nothing lost meanwhile."""

import pytest

from conformance.reference_proxy.tests.dialogue import Dialogue, error


@pytest.fixture
def talk() -> Dialogue:
    return Dialogue()


def test_settings_become_one_session_update_after_session_created(talk: Dialogue) -> None:
    talk.settings(think={"prompt": "Hi"})
    talk.open()
    assert talk.sent() == []
    talk.upstream("session.created")
    assert talk.sent() == ["session.update"]
    assert talk.sent("session.update")[0]["session"]["instructions"] == "Hi"


def test_settings_are_applied_after_session_updated_only(talk: Dialogue) -> None:
    talk.open()
    talk.settings()
    talk.upstream("session.created")
    assert talk.heard() == []
    talk.upstream("session.updated")
    assert talk.heard() == ["SettingsApplied"]


def test_what_comes_early_waits_and_goes_up_in_its_order(talk: Dialogue) -> None:
    talk.open()
    talk.client({"type": "InjectUserMessage", "content": "before Settings"})
    talk.settings()
    talk.client(bytes(960))
    talk.upstream("session.created")
    talk.client({"type": "FunctionCallResponse", "id": "call_1", "content": "4"})
    talk.client(bytes(480))
    assert talk.sent() == ["session.update"]
    talk.wait(600)
    talk.upstream("session.updated")
    assert talk.sent()[1:] == [
        "conversation.item.create",
        "input_audio_buffer.append",
        "conversation.item.create",
        "input_audio_buffer.append",
    ]
    assert len(talk.spoken()) == 1440
    assert talk.heard() == ["SettingsApplied", "ConversationText"]


def test_repeated_settings_are_answered_without_a_second_update(talk: Dialogue) -> None:
    talk.open()
    talk.upstream("session.created")
    talk.settings()
    talk.settings()
    talk.upstream("session.updated")
    talk.settings()
    assert talk.sent() == ["session.update"]
    assert talk.heard() == ["SettingsApplied"] * 3


def test_a_second_session_updated_changes_nothing(talk: Dialogue) -> None:
    talk.open()
    talk.upstream("session.created")
    talk.settings(greeting="Hello")
    talk.upstream("session.updated", "session.updated")
    assert talk.heard() == ["SettingsApplied", "ConversationText", "AgentAudioDone"]


def test_an_update_that_nobody_asked_for_applies_no_settings(talk: Dialogue) -> None:
    talk.open()
    talk.upstream("session.created", "session.updated")
    assert talk.heard() == []


@pytest.mark.parametrize("echoes", [True, False])
def test_a_refused_update_is_shown_and_settings_may_come_again(talk: Dialogue, echoes: bool) -> None:
    talk.open()
    talk.upstream("session.created")
    talk.settings(think={"toolChoice": "auto"})
    talk.client({"type": "InjectUserMessage", "content": "early"})
    refused = talk.sent("session.update")[0]["event_id"]
    talk.upstream(error("unknown_parameter", event_id=refused if echoes else None))
    assert [m["code"] for m in talk.heard("Error")] == ["unknown_parameter"]
    talk.settings()
    assert talk.sent() == ["session.update"] * 2
    talk.upstream("session.updated")
    assert talk.heard()[1:] == ["SettingsApplied", "ConversationText"]


def test_a_server_error_during_the_update_refuses_nothing(talk: Dialogue) -> None:
    talk.open()
    talk.upstream("session.created")
    talk.settings()
    talk.upstream(error(None, type="server_error"), "session.updated")
    assert talk.heard() == ["Error", "SettingsApplied"]


def test_an_update_confirmed_after_an_error_that_named_nothing_was_not_refused_by_it(talk: Dialogue) -> None:
    talk.open()
    talk.upstream("session.created")
    talk.settings(greeting="Hello!")
    talk.upstream(error("invalid_value"), "session.updated")
    assert talk.heard()[:2] == ["Error", "SettingsApplied"]
    assert talk.texts() == ["Hello!"]


@pytest.mark.parametrize("named", [True, False])
def test_an_update_refused_by_name_or_by_parameter_stays_refused(talk: Dialogue, named: bool) -> None:
    talk.open()
    talk.upstream("session.created")
    talk.settings()
    event_id = talk.sent("session.update")[0]["event_id"] if named else None
    talk.upstream(error("invalid_value", event_id=event_id, param=None if named else "session.voice"), "session.updated")
    assert talk.heard() == ["Error"]


def test_the_greeting_goes_to_the_client_alone_once(talk: Dialogue) -> None:
    talk.open()
    talk.upstream("session.created")
    talk.settings(greeting="Hello!")
    talk.upstream("session.updated")
    assert talk.heard() == ["SettingsApplied", "ConversationText", "AgentAudioDone"]
    assert talk.texts() == ["Hello!"]
    talk.settings(greeting="Hello!")
    talk.wait(5_000)
    assert talk.texts() == ["Hello!"]
    assert talk.sent() == ["session.update"]


def test_the_greeting_is_not_repeated_when_a_conversation_goes_on(talk: Dialogue) -> None:
    talk.open()
    talk.upstream("session.created")
    talk.settings(greeting="Hello!", context={"messages": [{"role": "user", "content": "My name is Ada."}]})
    talk.upstream("session.updated")
    assert talk.heard() == ["SettingsApplied"]
    assert "My name is Ada." in talk.sent("session.update")[0]["session"]["instructions"]


@pytest.mark.parametrize("created", [True, False])
def test_a_silent_upstream_becomes_a_visible_refusal(talk: Dialogue, created: bool) -> None:
    talk.open()
    if created:
        talk.upstream("session.created")
    talk.settings()
    talk.wait(30_000)
    assert talk.heard() == ["Error"]
    assert talk.closed.code == 1011
    assert talk.upstream_closed is not None


def test_settings_wait_for_a_response_that_is_open(talk: Dialogue) -> None:
    talk.open()
    talk.upstream("session.created", {"type": "response.created", "response": {"id": "resp_1"}})
    talk.settings()
    assert talk.sent() == []
    talk.done("resp_1")
    assert talk.sent() == ["session.update"]


def test_input_that_waits_is_bounded(talk: Dialogue) -> None:
    talk.open()
    for _ in range(5):
        talk.client(bytes(16 * 1024 * 1024))
    assert talk.heard() == ["Error"]
    assert talk.closed.code == 1009
