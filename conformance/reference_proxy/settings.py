"""Settings: the client's first message, read strictly, and the session that it asks of the upstream.

The session has the GA shape. Its model is the one in the upstream's URL: a session's model cannot be changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from conformance.wire.audio import PCM_24K, AudioFormat, voice_agent_format

_ENCODINGS: Final = ("linear16", "mulaw", "alaw")
_RATES: Final = range(8_000, 48_001)
_TOOL_FIELDS: Final = ("name", "description", "parameters")


class SettingsError(ValueError):
    """Settings that cannot be used; the message names the field and what it must be."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One message of an earlier conversation."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Agent:
    """What Settings ask for; None and empty mean: left to the upstream."""

    microphone: AudioFormat = PCM_24K
    speaker: AudioFormat = PCM_24K
    prompt: str = ""
    greeting: str = ""
    context: Sequence[Remark] = ()
    functions: Sequence[Mapping[str, Any]] = ()
    tool_choice: str | Mapping[str, Any] | None = None
    output_modalities: Sequence[str] = ()
    max_output_tokens: int | str | None = None
    voice: str | None = None
    transcription: str | None = None
    idle_timeout_ms: int | None = None


def read_settings(settings: Mapping[str, Any]) -> Agent:
    """Read a ``Settings`` message; fields that the upstream has no counterpart for are left alone.

    Raises:
        SettingsError: a field that is used has the wrong type, or audio comes in a format that cannot be converted.
    """
    audio = _object(settings, "audio")
    agent = _object(settings, "agent")
    think, speak, listen = (_object(agent, name, f"agent.{name}") for name in ("think", "speak", "listen"))
    listener = _object(listen, "provider", "agent.listen.provider")
    return Agent(
        microphone=_format(_object(audio, "input", "audio.input"), "audio.input"),
        speaker=_format(_object(audio, "output", "audio.output"), "audio.output"),
        prompt=_string(think, "prompt", "agent.think.prompt"),
        greeting=_string(agent, "greeting", "agent.greeting"),
        context=_context(_object(agent, "context", "agent.context")),
        functions=_functions(think),
        tool_choice=_tool_choice(think),
        output_modalities=_modalities(think),
        max_output_tokens=_max_output_tokens(think),
        voice=_string(_object(speak, "provider", "agent.speak.provider"), "voice", "agent.speak.provider.voice") or None,
        transcription=_string(listener, "model", "agent.listen.provider.model") or None
        if listener.get("type") == "open_ai"
        else None,
        idle_timeout_ms=_whole(agent, "idleTimeoutMs", "agent.idleTimeoutMs"),
    )


def session_of(agent: Agent, turn_detection: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the session of the one ``session.update``."""
    audio_in: dict[str, Any] = {"format": {"type": "audio/pcm", "rate": 24_000}, "turn_detection": turn_detection}
    audio_out: dict[str, Any] = {"format": {"type": "audio/pcm", "rate": 24_000}}
    session: dict[str, Any] = {"type": "realtime", "audio": {"input": audio_in, "output": audio_out}}
    if agent.transcription is not None:
        audio_in["transcription"] = {"model": agent.transcription}
    if agent.voice is not None:
        audio_out["voice"] = agent.voice
    if agent.output_modalities:
        session["output_modalities"] = list(agent.output_modalities)
    if instructions := instructions_of(agent):
        session["instructions"] = instructions
    if agent.functions:
        session["tools"] = [
            {"type": "function", **{name: function[name] for name in _TOOL_FIELDS if name in function}}
            for function in agent.functions
        ]
    if agent.tool_choice is not None:
        session["tool_choice"] = agent.tool_choice
    if agent.max_output_tokens is not None:
        session["max_output_tokens"] = agent.max_output_tokens
    return session


def instructions_of(agent: Agent) -> str:
    """Return the prompt and the earlier conversation; as items, that conversation would ask for an answer."""
    remarks = "\n".join(f"{remark.role}: {remark.content}" for remark in agent.context)
    return "\n\n".join(part for part in (agent.prompt, remarks and f"The conversation so far:\n{remarks}") if part)


def _object(parent: Mapping[str, Any], name: str, path: str = "") -> Mapping[str, Any]:
    value = parent.get(name)
    if isinstance(value, list) and name in ("speak", "think"):  # the protocol allows alternatives; the first one counts
        value = value[0] if value else None
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise SettingsError(f"{path or name} must be an object")
    return value


def _string(parent: Mapping[str, Any], name: str, path: str) -> str:
    value = parent.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise SettingsError(f"{path} must be a string")
    return value


def _whole(parent: Mapping[str, Any], name: str, path: str) -> int | None:
    value = parent.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise SettingsError(f"{path} must be a whole number")
    return value


def _format(audio: Mapping[str, Any], path: str) -> AudioFormat:
    if audio.get("encoding", "linear16") not in _ENCODINGS:
        raise SettingsError(f"{path}.encoding must be one of {', '.join(_ENCODINGS)}")
    rate = _whole(audio, "sample_rate", f"{path}.sample_rate")
    if rate is not None and rate not in _RATES:
        raise SettingsError(f"{path}.sample_rate must be between {_RATES[0]} and {_RATES[-1]}")
    return voice_agent_format(audio)


def _context(context: Mapping[str, Any]) -> list[Remark]:
    messages = context.get("messages")
    if messages is None:
        return []
    if not isinstance(messages, list):
        raise SettingsError("agent.context.messages must be a list")
    remarks = []
    for index, message in enumerate(messages):
        path = f"agent.context.messages[{index}]"
        if not isinstance(message, Mapping) or not isinstance(message.get("content"), str):
            raise SettingsError(f"{path}.content must be a string")
        if message.get("role") not in ("user", "assistant", "system"):
            raise SettingsError(f"{path}.role must be user, assistant or system")
        remarks.append(Remark(message["role"], message["content"]))
    return remarks


def _functions(think: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    functions = think.get("functions")
    if functions is None:
        return []
    if not isinstance(functions, list):
        raise SettingsError("agent.think.functions must be a list")
    for index, function in enumerate(functions):
        path = f"agent.think.functions[{index}]"
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
            raise SettingsError(f"{path}.name must be a string")
        _string(function, "description", f"{path}.description")
        _object(function, "parameters", f"{path}.parameters")
    return functions


def _tool_choice(think: Mapping[str, Any]) -> str | Mapping[str, Any] | None:
    choice = think.get("toolChoice")
    if choice is None or choice in ("auto", "none", "required"):
        return choice
    if isinstance(choice, Mapping):
        function = choice.get("function")
        name = function.get("name") if isinstance(function, Mapping) else choice.get("name")
        if isinstance(name, str):
            return {"type": "function", "name": name}
    raise SettingsError("agent.think.toolChoice must be auto, none, required or name a function")


def _modalities(think: Mapping[str, Any]) -> list[str]:
    modalities = think.get("outputModalities")
    if modalities is None:
        return []
    if modalities not in (["audio"], ["text"]):
        raise SettingsError('agent.think.outputModalities must be ["audio"] or ["text"]')
    return list(modalities)


def _max_output_tokens(think: Mapping[str, Any]) -> int | str | None:
    return (
        "inf" if think.get("maxOutputTokens") == "inf" else _whole(think, "maxOutputTokens", "agent.think.maxOutputTokens")
    )
