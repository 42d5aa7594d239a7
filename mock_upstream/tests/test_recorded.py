"""Differential: fed what the client of a recorded session did, the mock gives what the API gave."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from conformance.wire.audio import PCM_24K
from conformance.wire.ids import decode_clock
from mock_upstream import voice
from mock_upstream.tests.driving import COMMIT, Client, update
from mock_upstream.tests.recorded import FIELDS, SESSIONS, Recorded

_VAD: Final = {"type": "server_vad", "create_response": True, "interrupt_response": True}
_AUDIO: Final = {"input": {"turn_detection": _VAD, "transcription": {"model": "gpt-realtime-whisper"}}}
_TOOL: Final = {"type": "function", "name": "get_weather", "description": "x", "parameters": {"type": "object"}}
_SPEECH: Final = bytes(48_000) + voice.speak("Hello, my name is Marcelo.", PCM_24K)


def _message(role: str, type_: str) -> dict[str, Any]:
    content = [{"type": type_, "text": "My name is Alice."}]
    return {"type": "conversation.item.create", "item": {"type": "message", "role": role, "content": content}}


STIMULI: Final[Mapping[str, Any]] = {
    "update audio": update(output_modalities=["audio"], audio=_AUDIO),
    "update text": update(output_modalities=["text"], audio=_AUDIO),
    "update text and tool": update(output_modalities=["text"], audio=_AUDIO, tools=[_TOOL]),
    "update idle timeout": update(
        audio={
            "input": {
                "turn_detection": {**_VAD, "idle_timeout_ms": 5000},
                "transcription": {"model": "gpt-realtime-whisper"},
            }
        }
    ),
    "update transcription": {
        "type": "session.update",
        "session": {"type": "transcription", "audio": {"input": {"transcription": {"model": "gpt-4o-mini-transcribe"}}}},
    },
    "user text": _message("user", "input_text"),
    "assistant text": _message("assistant", "output_text"),
    "respond": {"type": "response.create"},
    "commit": COMMIT,
    "unknown event": {"type": "nope"},
    "unknown field": update(bogus_field=1),
    "no json": "not json",
    "binary": bytes(64),
}


def stimulate(client: Client, name: str) -> None:
    """Do what the recorded client did."""
    match name:
        case "speech":
            client.say(_SPEECH + bytes(48_000))
        case "open speech":
            client.say(_SPEECH)
        case "silence":
            client.say(bytes(4800 * 64))
        case "output":
            call_id = client.one("response.function_call_arguments.done")["call_id"]
            output = {"type": "function_call_output", "call_id": call_id, "output": "It is foggy."}
            client.send({"type": "conversation.item.create", "item": output})
        case _:
            client.send(STIMULI[name])


def replay(recorded: Recorded) -> Client:
    """Play the client's side; where the recording waits for the server, wait."""
    client = Client(model=recorded.model, intent=recorded.intent, settings=recorded.settings)
    for line, follower in zip(lines(recorded), [*lines(recorded)[1:], ""], strict=True):
        if line.startswith("> "):
            stimulate(client, line[2:])
            if not follower.startswith("> "):
                client.wait(3000)
    return client


def lines(recorded: Recorded) -> list[str]:
    return [line for line in recorded.story.splitlines() if line]


def runs(events: list[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield the events; deltas that alternate between words and sound, or repeat, once each."""
    seen: set[str] = set()
    for event in events:
        if "delta" not in event:
            seen.clear()
        elif event["type"] in seen:
            continue
        seen.add(event["type"])
        yield event


def mismatches(recorded: Recorded) -> list[str]:
    """Return where the mock's answer differs from the recording."""
    client = replay(recorded)
    got = list(runs([event for event in client.events if event["type"] not in recorded.anywhere]))
    wanted = [line for line in lines(recorded) if not line.startswith("> ")]
    names: dict[str | None, str] = {None: "-"}
    found: list[str] = []
    for line, event in zip(wanted, got, strict=False):
        type_, *facts = line.split()
        if event["type"] != type_:
            return [*found, f"{type_} was recorded, {event['type']} came"]
        for fact in facts:
            if fact.endswith("="):
                names.setdefault(event["item"]["id"], fact[0])
                if names[event["item"]["id"]] != fact[0]:
                    found.append(f"{line}: another item")
            elif fact.startswith("<"):
                if names.get(event["previous_item_id"]) != fact[1:]:
                    found.append(f"{line}: previous item is {names.get(event['previous_item_id'])}")
            elif (
                any(event.get(key, 0) % 32 for key in ("audio_end_ms",))
                or (event.get("audio_start_ms", 0) + padding(event)) % 32
            ):
                found.append(f"{line}: off the quantum")
    missing = {type_ for type_ in recorded.anywhere if type_ not in client.types}
    return [*found, *sorted(missing), *([] if len(got) == len(wanted) else [f"{len(wanted)} recorded, {len(got)} came"])]


def padding(event: Mapping[str, Any]) -> int:
    return 300 if event["type"].endswith("speech_started") else 0


@pytest.mark.parametrize("recorded", SESSIONS, ids=[recorded.name for recorded in SESSIONS])
def test_the_mock_gives_what_was_recorded(recorded: Recorded) -> None:
    assert mismatches(recorded) == []


def flat(value: Any, prefix: str = "") -> Iterator[str]:
    """Yield every field's path, in order; of a list's elements the first."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield prefix + key
            yield from flat(inner, f"{prefix}{key}.")
    elif isinstance(value, list) and value:
        yield from flat(value[0], f"{prefix[:-1]}[].")


def form(event: Mapping[str, Any]) -> str:
    """Return the key of `FIELDS` for an event."""
    item = event.get("item")
    return f"{event['type']} {item.get('role', item['type'])}" if item else str(event["type"])


@pytest.mark.parametrize("recorded", SESSIONS[:4], ids=[recorded.name for recorded in SESSIONS[:4]])
def test_every_field_stands_where_it_was_recorded(recorded: Recorded) -> None:
    client = replay(recorded)
    for event in client.events:
        if "session" in event and event["session"]["tools"]:
            continue  # a tool's own schema is the client's
        assert " ".join(flat(event)) in FIELDS[form(event)]


def test_together_these_sessions_show_every_recorded_event() -> None:
    seen = {form(event) for recorded in SESSIONS for event in replay(recorded).events}
    assert set(FIELDS) <= seen


@pytest.mark.parametrize("recorded", SESSIONS, ids=[recorded.name for recorded in SESSIONS])
def test_every_id_has_the_recorded_form(recorded: Recorded) -> None:
    client = replay(recorded)

    def ids(value: Any) -> Iterator[tuple[str, str]]:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                if key.endswith("id") and isinstance(inner, str):
                    yield key, inner
                yield from ids(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from ids(inner)

    found = list(ids(client.events))
    assert found
    for key, value in found:
        prefix, _, digits = value.partition("_")
        assert prefix in ("sess", "conv", "item", "resp", "event", "call"), key
        if prefix == "call":
            assert len(digits) == 16
        else:
            assert 0 <= decode_clock(value) - 1_790_000_000 <= 60


def test_the_offsets_of_the_recorded_idle_timeout_come_out_again() -> None:
    client = Client(model="gpt-realtime-2.1-mini", settings={"transcript": "Hello there"})
    client.ask(STIMULI["update idle timeout"])
    client.send(STIMULI["user text"], STIMULI["respond"])
    while "response.done" not in client.types:
        client.wait(1)
    client.say(bytes(4800 * 60))
    timeout = client.one("input_audio_buffer.timeout_triggered")
    assert (timeout["audio_start_ms"], timeout["audio_end_ms"]) == (672, 5792)
