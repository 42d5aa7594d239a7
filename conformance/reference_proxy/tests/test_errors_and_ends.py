"""Errors and ends: everything that goes wrong is visible, under its own code; nothing else is."""

from typing import Any

import pytest

from conformance.reference_proxy.actions import CloseClient
from conformance.reference_proxy.tests.dialogue import Dialogue, assistant, audio_delta, error
from conformance.wire.events import GA_SERVER_EVENTS

ONE = {"response_id": "resp_1", "item_id": "item_a"}


@pytest.fixture
def talk() -> Dialogue:
    return Dialogue().ready()


@pytest.mark.parametrize("code", ["session_expired", "rate_limit_exceeded", None])
def test_an_error_comes_with_the_upstreams_own_code(talk: Dialogue, code: str | None) -> None:
    talk.upstream(error(code, type="server_error", message="invalid_api_key? No."))
    assert talk.heard("Error") == [{"type": "Error", "code": code, "description": "invalid_api_key? No."}]


def test_an_error_without_a_code_gets_none(talk: Dialogue) -> None:
    talk.upstream({"type": "error", "error": {"type": "server_error", "message": "idle_timeout"}}, {"type": "error"})
    assert [m["code"] for m in talk.heard("Error")] == [None, None]


def test_an_idle_timeout_comes_after_the_text_of_the_running_response(talk: Dialogue) -> None:
    talk.respond("resp_1", audio_delta(b"ab"), done=False)
    talk.upstream(error("idle_timeout", type="server_error"))
    talk.wait(300)
    assert talk.heard("Error") == []
    talk.upstream({"type": "response.output_text.done", **ONE, "text": "Hello."})
    talk.wait(500)
    assert talk.heard()[-2:] == ["ConversationText", "Error"]


def test_an_idle_timeout_does_not_wait_for_ever(talk: Dialogue) -> None:
    talk.respond("resp_1", done=False)
    talk.upstream(error("idle_timeout"))
    talk.wait(6_000)
    assert talk.heard() == ["Error"]


def test_an_idle_timeout_outside_a_response_comes_at_once(talk: Dialogue) -> None:
    talk.upstream(error("idle_timeout"))
    assert talk.heard() == ["Error"]


def test_a_failed_response_is_an_error(talk: Dialogue) -> None:
    failure = {"type": "failed", "error": {"type": "insufficient_quota", "code": "insufficient_quota", "message": "Pay."}}
    talk.respond("resp_1", done=False)
    talk.done("resp_1", status="failed", status_details=failure)
    talk.done("resp_1", status="failed", status_details=failure)
    assert talk.heard("Error") == [{"type": "Error", "code": "insufficient_quota", "description": "Pay."}]


@pytest.mark.parametrize("status", ["completed", "cancelled", "incomplete"])
def test_a_response_that_merely_ends_is_no_error(talk: Dialogue, status: str) -> None:
    talk.respond("resp_1", done=False)
    talk.done("resp_1", status=status, output=[assistant("So far", status="incomplete")])
    assert talk.heard() == ["AgentStartedSpeaking", "ConversationText", "AgentAudioDone"]


@pytest.mark.parametrize("type_", [*sorted(set(GA_SERVER_EVENTS) - {"error"}), "conversation.created", "invented.event"])
def test_no_other_event_is_an_error(talk: Dialogue, type_: str) -> None:
    talk.upstream({"type": type_, "event_id": "event_1"})
    talk.wait(2_000)
    assert talk.heard("Error") == []


@pytest.mark.parametrize("frame", ['{"type":', "[]", "5", '"x"', "{}", b'{"type":"session.updated"}', b"\x00\xff", ""])
def test_an_unreadable_upstream_frame_is_an_error_and_nothing_stops(talk: Dialogue, frame: str | bytes) -> None:
    talk.raw_upstream(frame)
    assert talk.heard() == ["Error"]
    talk.client({"type": "InjectUserMessage", "content": "hi"})
    assert talk.sent() == ["conversation.item.create"]


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1011, 3000, 4000])
def test_an_end_before_ready_brings_an_error_and_a_close_that_is_not_1000(code: int) -> None:
    talk = Dialogue()
    talk.open()
    talk.settings()
    talk.end(code, "because")
    assert talk.heard() == ["Error"]
    assert "because" in talk.heard("Error")[0]["description"]
    assert talk.closed.code not in (1000, 1005, 1006)


@pytest.mark.parametrize(("code", "passed"), [(1001, 1001), (1006, 1011), (1011, 1011), (3000, 3000), (4000, 4000)])
def test_an_end_after_ready_brings_an_error_and_its_code(talk: Dialogue, code: int, passed: int) -> None:
    talk.end(code)
    assert talk.heard() == ["Error"]
    assert talk.closed.code == passed


def test_an_agreed_end_closes_the_client_alike(talk: Dialogue) -> None:
    talk.end(1000, "bye")
    assert talk.heard() == []
    assert talk.closed == CloseClient(1000, "bye")


def test_an_agreed_end_that_leaves_a_turn_unanswered_is_an_error(talk: Dialogue) -> None:
    talk.client({"type": "InjectUserMessage", "content": "hi"})
    talk.end(1000)
    assert talk.heard() == ["ConversationText", "Error"]


def test_what_was_said_before_the_end_still_comes(talk: Dialogue) -> None:
    talk.respond("resp_1", {"type": "response.output_text.delta", "delta": "So"}, done=False)
    talk.upstream(error("idle_timeout"))
    talk.end(1000)
    assert talk.heard() == ["AgentStartedSpeaking", "ConversationText", "Error", "Error"]
    assert talk.texts() == ["So"]


def test_a_refused_handshake_is_visible() -> None:
    talk = Dialogue()
    talk.settings()
    talk.refuse("The upstream refused the connection with HTTP 401.")
    assert talk.heard() == ["Error"]
    assert "401" in talk.heard("Error")[0]["description"]
    assert talk.closed.code == 1011


def test_after_the_client_left_nothing_but_the_close_goes_up(talk: Dialogue) -> None:
    talk.audio(1_000)
    sent = len(talk.up)
    talk.leave()
    assert talk.upstream_closed is not None
    talk.wait(10_000)
    assert len(talk.up) == sent


def test_a_long_reason_fits_into_a_close_frame(talk: Dialogue) -> None:
    talk.end(4000, "é" * 200)
    assert len(talk.closed.reason.encode()) <= 123


@pytest.mark.parametrize("before_settings", [True, False])
def test_keep_alive_never_goes_up(before_settings: bool) -> None:
    talk = Dialogue() if before_settings else Dialogue().ready()
    talk.client({"type": "KeepAlive"})
    assert talk.heard() == []
    assert talk.sent() == []


@pytest.mark.parametrize(
    "message", [{"type": "Invented"}, {"type": "session.update", "session": {}}, {"type": "UpdatePrompt"}]
)
def test_an_unknown_message_is_refused_and_never_goes_up(talk: Dialogue, message: dict[str, Any]) -> None:
    talk.client(message)
    assert [m["code"] for m in talk.heard("Error")] == ["disallowed_client_message_type"]
    assert talk.sent() == []


@pytest.mark.parametrize(
    "frame", ["null", "hi", "odd", "[1]", "5", "{}", '{"type": 5}', "{" * 5_000, "", '{"type":"\\ud800"}', "\x00" * 7]
)
def test_malformed_text_is_an_error_of_the_client_and_no_audio(talk: Dialogue, frame: str | bytes) -> None:
    talk.client(frame)
    assert talk.heard() == ["Error"]
    assert talk.sent() == []
    talk.client({"type": "InjectUserMessage", "content": "hi"})
    assert talk.sent() == ["conversation.item.create"]


@pytest.mark.parametrize("content", [None, 5, [], {}])
def test_an_injected_message_needs_words(talk: Dialogue, content: object) -> None:
    talk.client({"type": "InjectUserMessage", "content": content})
    assert talk.heard() == ["Error"]
    assert talk.sent() == []


@pytest.mark.parametrize("type_", ["Settings", "FunctionCallResponse", "Nonsense"])
def test_a_message_nested_too_deep_to_be_sent_on_is_no_message(type_: str) -> None:
    talk = Dialogue()
    talk.client(f'{{"type":"{type_}","agent":{"[" * 500 + "]" * 500}}}')
    assert [m["code"] for m in talk.heard("Error")] == ["invalid_message"]
