"""The beta dialect (``OpenAI-Beta: realtime=v1``): switched off by the API in May 2026, spoken here when asked for.

The session inside is always GA; this module translates at its edge: `outbound` what goes to the client, `inbound` what
came from it. Sources: ground truth §1.4 and §2.16, the beta recordings of 2025, the SDK's beta types.
"""

from collections.abc import Mapping
from typing import Any, Final

from conformance.wire.events import BETA_OF_GA
from mock_upstream.profiles import Knobs

Event = Mapping[str, Any]

_FORMATS: Final = {"audio/pcm": "pcm16", "audio/pcmu": "g711_ulaw", "audio/pcma": "g711_alaw"}
_GA_FORMATS: Final[Mapping[str, Mapping[str, Any]]] = {
    "pcm16": {"type": "audio/pcm", "rate": 24000},
    "g711_ulaw": {"type": "audio/pcmu"},
    "g711_alaw": {"type": "audio/pcma"},
}
_PARTS: Final = {"output_text": "text", "output_audio": "audio"}
_GA_PARTS: Final = {
    ("assistant", "text"): "output_text",
    ("assistant", "audio"): "output_audio",
    ("user", "text"): "input_text",
    ("system", "text"): "input_text",
}
_SAME: Final = ("instructions", "tools", "tool_choice", "tracing", "temperature", "include")
_INPUT: Final = {
    "input_audio_transcription": "transcription",
    "input_audio_noise_reduction": "noise_reduction",
    "turn_detection": "turn_detection",
}
_TEMPERATURE: Final = 0.8
_IN_DETAILS: Final = ("text_tokens", "audio_tokens", "cached_tokens")


def speaks_beta(event: Event, knobs: Knobs) -> bool:
    """Tell whether a client event is to be judged as beta: always when strict, else unless it has a GA shape."""
    return knobs.strict or not _looks_ga(event)


def _looks_ga(event: Event) -> bool:
    match event:
        case {"session": {**session}}:
            return bool({"type", "audio", "output_modalities", "max_output_tokens"} & session.keys())
        case {"response": {**response}}:
            return bool({"audio", "output_modalities", "max_output_tokens"} & response.keys())
        case {"item": {"content": [{"type": "output_text" | "output_audio"}, *_]}}:
            return True
        case _:
            return False


def inbound(event: Event) -> Event:
    """Return the GA form of a valid client event; what already has it stays."""
    match event["type"]:
        case "session.update" if not _looks_ga(event):
            return {**event, "session": {"type": "realtime", **_ga_session(event["session"])}}
        case "transcription_session.update":
            patch = {"type": "transcription", **_ga_session(event["session"])}
            return {**event, "type": "session.update", "session": patch}
        case "conversation.item.create":
            return {**event, "item": _ga_item(event["item"])}
        case "response.create" if event.get("response") and not _looks_ga(event):
            return {**event, "response": _ga_response(event["response"])}
        case _:
            return event


def outbound(event: Event, knobs: Knobs, config: Mapping[str, Any]) -> Event | None:
    """Return the beta form of a GA server event; None for what beta does not send."""
    type_ = event["type"]
    if type_ == "conversation.item.done":
        return None
    translated = {key: value for key, value in event.items() if key != "obfuscation"}
    translated["type"] = BETA_OF_GA.get(type_, type_)
    if "session" in translated:
        translated["type"] = _session_event(type_, translated["session"])
        translated["session"] = _session(translated["session"])
    if "item" in translated:
        translated["item"] = _item(translated["item"])
    if "response" in translated:
        translated["response"] = _response(translated["response"], config)
    if type_ == "response.function_call_arguments.done":
        translated.pop("name", None)
    return object_delta(translated) if knobs.deltas == "object" else translated


def object_delta(event: Event) -> Event:
    """Return a transcript's delta as an object ``{"text": …}``, in which form some clients have met it."""
    if not str(event["type"]).endswith("audio_transcript.delta"):
        return event
    return {**event, "delta": {"text": event["delta"]}}


def _session_event(type_: str, session: Mapping[str, Any]) -> str:
    return type_.replace("session", "transcription_session", 1) if session.get("type") == "transcription" else type_


def _ga_session(session: Mapping[str, Any]) -> dict[str, Any]:
    patch = {key: session[key] for key in _SAME if key in session}
    incoming = {ga: session[beta] for beta, ga in _INPUT.items() if beta in session}
    outgoing = {key: session[key] for key in ("voice", "speed") if key in session}
    if session.get("input_audio_format"):
        incoming["format"] = _GA_FORMATS[session["input_audio_format"]]
    if session.get("output_audio_format"):
        outgoing["format"] = _GA_FORMATS[session["output_audio_format"]]
    if incoming or outgoing:
        patch["audio"] = {"input": incoming, "output": outgoing}
    if session.get("modalities"):
        patch["output_modalities"] = ["audio"] if "audio" in session["modalities"] else ["text"]
    if "max_response_output_tokens" in session:
        patch["max_output_tokens"] = session["max_response_output_tokens"]
    return patch


def _ga_response(response: Mapping[str, Any]) -> dict[str, Any]:
    same = ("conversation", "instructions", "metadata", "tools", "tool_choice")
    params = {key: response[key] for key in same if key in response}
    params |= {
        key: value for key, value in _ga_session(response).items() if key in ("output_modalities", "max_output_tokens")
    }
    outgoing = {"voice": response["voice"]} if response.get("voice") else {}
    if response.get("output_audio_format"):
        outgoing["format"] = _GA_FORMATS[response["output_audio_format"]]
    if outgoing:
        params["audio"] = {"output": outgoing}
    if "input" in response:
        params["input"] = [_ga_item(item) for item in response["input"] or ()]
    return params


def _ga_item(item: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(item.get("content"), list):
        return dict(item)
    role = str(item.get("role"))
    return {
        **item,
        "content": [{**part, "type": _GA_PARTS.get((role, part["type"]), part["type"])} for part in item["content"]],
    }


def _session(session: Mapping[str, Any]) -> dict[str, Any]:
    incoming = session["audio"]["input"]
    outgoing = session["audio"].get("output")
    detection = incoming["turn_detection"]
    shown = {
        "id": session["id"],
        "object": session["object"],
        "expires_at": session["expires_at"],
        "input_audio_format": _FORMATS[incoming["format"]["type"]],
        "input_audio_transcription": incoming["transcription"],
        "turn_detection": {key: value for key, value in detection.items() if key != "idle_timeout_ms"}
        if detection
        else None,
        "client_secret": None,
    }
    if outgoing is None:
        return shown | {"modalities": ["audio", "text"]}
    return shown | {
        "model": session["model"],
        "modalities": _modalities(session["output_modalities"]),
        "instructions": session["instructions"],
        "voice": outgoing["voice"],
        "output_audio_format": _FORMATS[outgoing["format"]["type"]],
        "input_audio_noise_reduction": incoming["noise_reduction"],
        "tools": session["tools"],
        "tool_choice": session["tool_choice"],
        "temperature": session.get("temperature") or _TEMPERATURE,
        "max_response_output_tokens": session["max_output_tokens"],
        "speed": outgoing["speed"],
        "tracing": session["tracing"],
    }


def _modalities(output: list[str]) -> list[str]:
    return ["audio", "text"] if "audio" in output else ["text"]


def _item(item: Mapping[str, Any]) -> dict[str, Any]:
    shown = {"id": item.get("id"), "object": "realtime.item", **item}
    shown.pop("phase", None)
    if isinstance(shown.get("content"), list):
        shown["content"] = [{**part, "type": _PARTS.get(part.get("type"), part.get("type"))} for part in shown["content"]]
    return shown


def _response(response: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    output = (response.get("audio") or {}).get("output") or {}
    shown = {key: value for key, value in response.items() if key not in ("audio", "output_modalities", "output", "usage")}
    shown["output"] = [_item(item) for item in response["output"]]
    shown["modalities"] = _modalities(response["output_modalities"])
    shown["voice"] = output.get("voice")
    shown["output_audio_format"] = _FORMATS[output["format"]["type"]]
    shown["temperature"] = config.get("temperature") or _TEMPERATURE
    shown["usage"] = _usage(response["usage"])
    details = response.get("status_details")
    if details and details["type"] == "failed":
        error = {key: details["error"][key] for key in ("type", "code")}
        shown["status_details"] = {"type": "failed", "error": error}
    return shown


def _usage(usage: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if usage is None:
        return None
    incoming = {key: usage["input_token_details"][key] for key in _IN_DETAILS}
    outgoing = {key: usage["output_token_details"][key] for key in ("text_tokens", "audio_tokens")}
    return {**usage, "input_token_details": incoming, "output_token_details": outgoing}
