"""Settings: each field where the API wants it, wrong types refused by name, and the result valid for the SDK's types."""

import re
from typing import Any

import pytest

from conformance.reference_proxy.settings import SettingsError, read_settings, session_of
from conformance.reference_proxy.tests.dialogue import Dialogue
from conformance.wire.audio import AudioFormat, Encoding
from conformance.wire.schema import problems

FULL = {
    "type": "Settings",
    "audio": {
        "input": {"encoding": "linear16", "sample_rate": 16_000},
        "output": {"encoding": "mulaw", "sample_rate": 8_000},
    },
    "agent": {
        "greeting": "Hello",
        "idleTimeoutMs": 10_000,
        "listen": {"provider": {"type": "open_ai", "model": "gpt-4o-transcribe"}},
        "think": {
            "provider": {"type": "open_ai", "model": "gpt-realtime", "temperature": 0.7},
            "prompt": "Be brief.",
            "functions": [
                {"name": "weather", "description": "The weather", "parameters": {"type": "object"}, "client_side": True}
            ],
            "toolChoice": "required",
            "outputModalities": ["audio"],
            "maxOutputTokens": 500,
        },
        "speak": {"provider": {"type": "open_ai", "voice": "marin"}},
        "context": {"messages": [{"type": "History", "role": "user", "content": "I am Ada."}]},
    },
}


def test_every_field_finds_its_place() -> None:
    agent = read_settings(FULL)
    session = session_of(agent, None)
    assert agent.microphone == AudioFormat(Encoding.PCM16, 16_000)
    assert agent.speaker == AudioFormat(Encoding.ULAW, 8_000)
    assert session == {
        "type": "realtime",
        "output_modalities": ["audio"],
        "instructions": "Be brief.\n\nThe conversation so far:\nuser: I am Ada.",
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24_000},
                "turn_detection": None,
                "transcription": {"model": "gpt-4o-transcribe"},
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24_000}, "voice": "marin"},
        },
        "tools": [{"type": "function", "name": "weather", "description": "The weather", "parameters": {"type": "object"}}],
        "tool_choice": "required",
        "max_output_tokens": 500,
    }


@pytest.mark.parametrize("settings", [FULL, {"type": "Settings"}, {"agent": {"idleTimeoutMs": None}}])
def test_the_update_is_valid_for_the_sdk(settings: dict[str, Any]) -> None:
    talk = Dialogue()
    talk.open()
    talk.upstream("session.created")
    talk.client({"type": "Settings", **settings})
    [update] = talk.sent("session.update")
    assert problems(update, "client") == []


def test_empty_settings_leave_the_rest_to_the_upstream() -> None:
    session = session_of(read_settings({"type": "Settings"}), None)
    assert set(session) == {"type", "audio"}


@pytest.mark.parametrize("choice", [{"name": "weather"}, {"type": "function", "function": {"name": "weather"}}])
def test_a_tool_may_be_chosen_by_name(choice: dict[str, Any]) -> None:
    agent = read_settings({"agent": {"think": {"toolChoice": choice}}})
    assert agent.tool_choice == {"type": "function", "name": "weather"}


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"audio": []}, "audio"),
        ({"audio": {"input": 5}}, "audio.input"),
        ({"audio": {"input": {"encoding": "opus"}}}, "audio.input.encoding"),
        ({"audio": {"input": {"encoding": ["linear16"]}}}, "audio.input.encoding"),
        ({"audio": {"input": {"sample_rate": "24000"}}}, "audio.input.sample_rate"),
        ({"audio": {"output": {"sample_rate": 0}}}, "audio.output.sample_rate"),
        ({"audio": {"output": {"sample_rate": 10**9}}}, "audio.output.sample_rate"),
        ({"agent": "x"}, "agent"),
        ({"agent": {"think": 5}}, "agent.think"),
        ({"agent": {"greeting": {}}}, "agent.greeting"),
        ({"agent": {"idleTimeoutMs": "10"}}, "agent.idleTimeoutMs"),
        ({"agent": {"idleTimeoutMs": True}}, "agent.idleTimeoutMs"),
        ({"agent": {"think": {"prompt": []}}}, "agent.think.prompt"),
        ({"agent": {"think": {"functions": {}}}}, "agent.think.functions"),
        ({"agent": {"think": {"functions": [{"name": 5}]}}}, "agent.think.functions[0].name"),
        ({"agent": {"think": {"functions": [{"name": "x", "parameters": []}]}}}, "agent.think.functions[0].parameters"),
        ({"agent": {"think": {"toolChoice": 5}}}, "agent.think.toolChoice"),
        ({"agent": {"think": {"toolChoice": []}}}, "agent.think.toolChoice"),
        ({"agent": {"think": {"outputModalities": "audio"}}}, "agent.think.outputModalities"),
        ({"agent": {"think": {"maxOutputTokens": "many"}}}, "agent.think.maxOutputTokens"),
        ({"agent": {"context": {"messages": {}}}}, "agent.context.messages"),
        ({"agent": {"context": {"messages": [{"role": "user", "content": 5}]}}}, "agent.context.messages[0].content"),
        ({"agent": {"context": {"messages": [{"role": "tool", "content": "x"}]}}}, "agent.context.messages[0].role"),
        ({"agent": {"speak": {"provider": {"voice": 5}}}}, "agent.speak.provider.voice"),
    ],
)
def test_a_wrong_type_is_refused_by_name_and_other_settings_may_follow(settings: dict[str, Any], path: str) -> None:
    with pytest.raises(SettingsError, match=f"^{re.escape(path)} must "):
        read_settings(settings)
    talk = Dialogue()
    talk.open()
    talk.upstream("session.created")
    talk.client({"type": "Settings", **settings})
    assert [m["code"] for m in talk.heard("Error")] == ["invalid_settings"]
    assert talk.sent() == []
    talk.settings()
    assert talk.sent() == ["session.update"]
