"""The session's configuration: defaults by profile, deep partial update, and how the API echoes it.

An update changes what it names: absent is unchanged, null or an empty value goes back to the default; a VAD's or a
transcription's omitted fields are filled with defaults (C: recordings of 2026). Configurations never change in place.
"""

from collections.abc import Mapping
from typing import Any, Final

from conformance.wire.audio import PCM_24K, AudioFormat, realtime_format
from mock_upstream.errors import NO_TURN_DETECTION, REALTIME_UPDATE, TRANSCRIPTION_UPDATE, VOICE_LOCKED, Refused
from mock_upstream.profiles import DEFAULT_INSTRUCTIONS, Profile

Configuration = Mapping[str, Any]
"""A session object as ``session.created`` shows it, GA form."""

_PCM: Final = {"type": "audio/pcm", "rate": 24000}
_WITHOUT_VAD: Final = ("gpt-live-transcribe",)
"""Transcription models that refuse turn detection (C nijimaku notes; R whisrs#34)."""
_TOOL_KEYS: Final = ("type", "name", "description", "parameters")


def initial(profile: Profile, session_id: str, expires_at: int) -> dict[str, Any]:
    """Return the configuration a session begins with, its keys in the order of the wire."""
    if profile.transcription:
        return {
            "type": "transcription",
            "object": "realtime.transcription_session",
            "id": session_id,
            "expires_at": expires_at,
            "audio": {
                "input": {
                    "format": _PCM,
                    "transcription": None,
                    "noise_reduction": None,
                    "turn_detection": _server_vad(profile),
                }
            },
            "include": None,
        }
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": session_id,
        "model": profile.model,
        "output_modalities": ["audio"],
        "instructions": DEFAULT_INSTRUCTIONS,
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "expires_at": expires_at,
        "audio": {
            "input": {
                "format": _PCM,
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": _server_vad(profile),
            },
            "output": {"format": _PCM, "voice": profile.voice, "speed": 1.0},
        },
        "include": None,
    }


def merge(
    current: Configuration, patch: Mapping[str, Any], profile: Profile, *, voice_locked: bool = False
) -> dict[str, Any]:
    """Return the configuration after a valid ``session.update``.

    Raises:
        Refused: the update asks for what cannot be changed; the whole of it is discarded.
    """
    if patch.get("type", current["type"]) != current["type"]:
        raise Refused(REALTIME_UPDATE if current["type"] == "transcription" else TRANSCRIPTION_UPDATE)
    defaults = initial(profile, current["id"], current["expires_at"])
    merged = dict(current)
    for key, value in patch.items():
        if key == "audio":
            merged["audio"] = _merge_audio(current["audio"], value or {}, defaults["audio"], profile)
        elif key == "tools":
            merged["tools"] = [_tool(tool) for tool in value or ()]
        elif key not in ("type", "model", "object", "id", "expires_at"):
            merged[key] = defaults.get(key) if value is None or value == "" else value
    _check(merged, current, voice_locked)
    return merged


def input_format(configuration: Configuration) -> AudioFormat:
    """Return the format in which audio comes in."""
    return realtime_format(configuration["audio"]["input"]["format"]) or PCM_24K


def turn_detection(configuration: Configuration) -> Mapping[str, Any] | None:
    """Return the effective ``turn_detection``, None where it is off."""
    found: Mapping[str, Any] | None = configuration["audio"]["input"]["turn_detection"]
    return found


def transcription(configuration: Configuration) -> Mapping[str, Any] | None:
    """Return the effective ``transcription``, None where it is off."""
    found: Mapping[str, Any] | None = configuration["audio"]["input"]["transcription"]
    return found


def _merge_audio(
    current: Mapping[str, Any], patch: Mapping[str, Any], defaults: Mapping[str, Any], profile: Profile
) -> dict[str, Any]:
    merged: dict[str, Any] = {side: dict(config) for side, config in current.items()}
    for side in merged:
        for key, value in (patch.get(side) or {}).items():
            merged[side][key] = _fill(key, value, defaults[side].get(key), profile)
    return merged


def _fill(key: str, value: Any, default: Any, profile: Profile) -> Any:
    if value is None:
        return None if key in ("transcription", "noise_reduction", "turn_detection") else default
    match key:
        case "format":
            return _PCM if value.get("type") == "audio/pcm" else {"type": value.get("type")}
        case "transcription":
            # The recorded echo shows language and prompt even when null, and never `delay`.
            shown = {"model": value.get("model"), "language": None, "prompt": None}
            return shown | {name: given for name, given in value.items() if name != "delay"}
        case "turn_detection":
            return _semantic_vad(value) if value.get("type") == "semantic_vad" else _server_vad(profile, value)
        case "speed":
            return float(value)
        case _:
            return value


def _server_vad(profile: Profile, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    defaults: dict[str, Any] = {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": profile.silence_ms,
    }
    if not profile.transcription:
        defaults |= {"idle_timeout_ms": None, "create_response": True, "interrupt_response": True}
    return defaults | {key: value for key, value in (given or {}).items() if value is not None}


def _semantic_vad(given: Mapping[str, Any]) -> dict[str, Any]:
    defaults = {"type": "semantic_vad", "eagerness": "auto", "create_response": True, "interrupt_response": True}
    return defaults | {key: value for key, value in given.items() if value is not None}


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tool with its keys in the order in which the API echoes them (C: recordings of 2026-08)."""
    known = {key: tool[key] for key in _TOOL_KEYS if key in tool}
    return known | {key: value for key, value in tool.items() if key not in known}


def _check(merged: Configuration, current: Configuration, voice_locked: bool) -> None:
    if merged["type"] == "transcription":
        chosen = transcription(merged)
        if chosen is not None and chosen["model"] in _WITHOUT_VAD and turn_detection(merged) is not None:
            raise Refused(NO_TURN_DETECTION)
    elif voice_locked and merged["audio"]["output"]["voice"] != current["audio"]["output"]["voice"]:
        raise Refused(VOICE_LOCKED)
