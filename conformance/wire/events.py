"""Events: the catalogues of the Realtime API's event names, in both dialects.

Sources: the OpenAPI document 2.3.0 and the types of the `openai` package; what a WebSocket really accepts and sends is from
recordings of 2025-12 to 2026-09 (ground truth §1).
"""

from collections.abc import Mapping
from typing import Final

GA_CLIENT_EVENTS: Final = (
    "session.update",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "conversation.item.create",
    "conversation.item.truncate",
    "conversation.item.delete",
    "conversation.item.retrieve",
    "response.create",
    "response.cancel",
)
"""What a client may send over a GA WebSocket, in the order in which the API's own error message lists them."""

TRANSLATION_CLIENT_EVENTS: Final = ("session.close", "session.input_audio_buffer.append")
"""Of ``/v1/realtime/translations``, which shares the parser, so that the API's error message names them, too."""

TRANSCRIPTION_CLIENT_EVENTS: Final = ("transcription_session.update",)
"""Beta only; GA configures transcription by ``session.update`` with ``type: transcription``."""

GA_SERVER_EVENTS: Final = (
    "error",
    "session.created",
    "session.updated",
    "conversation.item.added",
    "conversation.item.done",
    "conversation.item.retrieved",
    "conversation.item.truncated",
    "conversation.item.deleted",
    "conversation.item.input_audio_transcription.delta",
    "conversation.item.input_audio_transcription.completed",
    "conversation.item.input_audio_transcription.segment",
    "conversation.item.input_audio_transcription.failed",
    "input_audio_buffer.committed",
    "input_audio_buffer.cleared",
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.timeout_triggered",
    "response.created",
    "response.done",
    "response.output_item.added",
    "response.output_item.done",
    "response.content_part.added",
    "response.content_part.done",
    "response.output_text.delta",
    "response.output_text.done",
    "response.output_audio.delta",
    "response.output_audio.done",
    "response.output_audio_transcript.delta",
    "response.output_audio_transcript.done",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "mcp_list_tools.in_progress",
    "mcp_list_tools.completed",
    "mcp_list_tools.failed",
    "response.mcp_call_arguments.delta",
    "response.mcp_call_arguments.done",
    "response.mcp_call.in_progress",
    "response.mcp_call.completed",
    "response.mcp_call.failed",
    "rate_limits.updated",
)
"""What a GA WebSocket may send."""

OTHER_TRANSPORT_EVENTS: Final = (
    "output_audio_buffer.clear",
    "output_audio_buffer.started",
    "output_audio_buffer.stopped",
    "output_audio_buffer.cleared",
    "input_audio_buffer.dtmf_event_received",
)
"""WebRTC and SIP only: declared by the SDK, refused or never sent on a WebSocket. The first one is the client's."""

NEVER_SENT_EVENTS: Final = ("conversation.created", "conversation.item.created")
"""Declared by the SDK for GA and absent from every GA recording (openai-openapi #518); the beta API sends both."""

GA_OF_BETA: Final[Mapping[str, str]] = {
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "conversation.item.created": "conversation.item.added",
}
"""The GA name of each beta event that was renamed. Beta sends ``created`` once where GA sends ``added`` and ``done``."""

BETA_OF_GA: Final[Mapping[str, str]] = {ga: beta for beta, ga in GA_OF_BETA.items()}
"""The beta name of each GA event that was renamed."""

BETA_CLIENT_EVENTS: Final = (*GA_CLIENT_EVENTS, *TRANSCRIPTION_CLIENT_EVENTS)
"""What a client may send in the beta dialect."""

BETA_SERVER_EVENTS: Final = (
    *(
        BETA_OF_GA.get(name, name)
        for name in GA_SERVER_EVENTS
        if "mcp" not in name and name not in ("conversation.item.done", "input_audio_buffer.timeout_triggered")
    ),
    "conversation.created",
    "transcription_session.created",
    "transcription_session.updated",
)
"""What the beta API may send."""

CLIENT_EVENTS: Final = frozenset({*BETA_CLIENT_EVENTS, *TRANSLATION_CLIENT_EVENTS, "output_audio_buffer.clear"})
"""Every name a client event of any dialect or transport has."""

SERVER_EVENTS: Final = frozenset(
    {*GA_SERVER_EVENTS, *BETA_SERVER_EVENTS, *OTHER_TRANSPORT_EVENTS, *NEVER_SENT_EVENTS} - {"output_audio_buffer.clear"}
)
"""Every name a server event of any dialect or transport has."""


def ga_name(type_: str) -> str:
    """Return the GA name of an event of either dialect."""
    return GA_OF_BETA.get(type_, type_)
