"""The fidelity page says what the tests see: every event and error code, sent by the mock of its own accord."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.wire.audio import PCM_24K
from conformance.wire.events import GA_SERVER_EVENTS
from mock_upstream import voice
from mock_upstream.errors import FAILURES, PARSER_EVENTS
from mock_upstream.tests.driving import COMMIT, ITEM, RESPOND, VAD_OFF, WEATHER, Client, update
from mock_upstream.tests.recorded import SESSIONS
from mock_upstream.tests.test_mcp import CALLS, SERVER
from mock_upstream.tests.test_recorded import mismatches, replay
from mock_upstream.tests.test_refusals import CONNECTS
from mock_upstream.tests.wrong_requests import STATELESS

PAGE = (Path(__file__).parents[2] / "docs" / "fidelity.md").read_text()
SPEECH = voice.speak("Hello, can you hear me?", PCM_24K)


def named(title: str) -> set[str]:
    """Return what a section of the page names in code quotes."""
    _, _, rest = PAGE.partition(f"## {title}\n")
    section = rest.partition("\n## ")[0]
    return set(re.findall(r"`([a-z_.]+)`", section))


def plain_sessions() -> Iterator[Client]:
    """Yield sessions without any script that together show everything."""
    for recorded in SESSIONS:
        yield replay(recorded)
    client = Client()
    client.turn()
    item_id = client.one("response.output_item.done")["item"]["id"]
    cut = {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": 10}
    client.ask(cut, {**cut, "audio_end_ms": 99_999}, update(audio={"output": {"voice": "ash"}}))
    client.ask(
        {"type": "conversation.item.retrieve", "item_id": item_id}, {"type": "conversation.item.delete", "item_id": item_id}
    )
    client.ask({"type": "input_audio_buffer.clear"}, RESPOND, RESPOND, {"type": "response.cancel"})
    client.ask({**cut, "item_id": client.ask(ITEM)[0]["item"]["id"]}, update(audio={"output": {"speed": 0.1}}))
    yield client.wait(3_600_000)
    for model, fails in (("gpt-4o-transcribe-diarize", None), ("whisper-1", "x")):
        client = Client(settings={"transcription_fails": fails} if fails else {})
        client.ask(VAD_OFF, update(audio={"input": {"transcription": {"model": model}}}))
        client.say(SPEECH).ask(COMMIT, ms=3000)
        yield client
    for mcp in ("works", "list fails", "call fails"):
        client = Client(settings={"calls": CALLS, "mcp": mcp})
        client.ask(update(tools=[{**SERVER, "require_approval": "never"}, WEATHER]), RESPOND, ms=3000)
        yield client
    for _, frame, _ in STATELESS:
        client = Client()
        client.ask(frame)
        client.ask("not json", {"type": "session.close"})
        yield client
    for _, setup, _ in CONNECTS:
        yield Client(**setup)


@pytest.fixture(scope="module")
def seen() -> list[Client]:
    return list(plain_sessions())


def test_every_server_event_is_sent_without_a_script_and_named_on_the_page(seen: list[Client]) -> None:
    sent = {type_ for client in seen for type_ in client.types}
    assert sent == set(GA_SERVER_EVENTS)
    assert sent <= named("Server events")


def test_every_client_event_of_the_parser_is_named_on_the_page() -> None:
    assert named("Client events") - {"/v1/realtime/translations"} == set(PARSER_EVENTS)


def test_every_error_code_is_given_without_a_script_and_named_on_the_page(seen: list[Client]) -> None:
    given = {error["code"] for client in seen for error in client.errors} - {None}
    codes = {name for name in named("Error codes") if "_" in name}
    assert given == codes - set(FAILURES)
    assert set(FAILURES) <= codes


def test_the_score_on_the_page_is_the_score() -> None:
    matching = [recorded for recorded in SESSIONS if mismatches(recorded) == []]
    assert f"**{len(matching)} of {len(SESSIONS)} recorded sessions**" in PAGE
    for recorded in SESSIONS:
        assert f"| {recorded.name} | {recorded.source} |" in PAGE
