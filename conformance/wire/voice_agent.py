"""The voice-agent protocol's message names: the Deepgram Voice Agent set, with what proxies of its family add.

JSON travels in text frames, PCM in binary frames, both ways. Source: the voice-agent protocol page, and the names that
Deepgram's own SDKs declare for ``/v1/agent/converse``.
"""

from typing import Final

CLIENT_MESSAGES: Final = (
    "Settings",
    "InjectUserMessage",
    "FunctionCallResponse",
    "KeepAlive",
    "InjectAgentMessage",
    "UpdatePrompt",
    "UpdateSpeak",
    "UpdateThink",
    "UpdateListen",
    "CloseStream",
)
"""What a client may say; a proxy to the Realtime API understands the first four."""

SERVER_MESSAGES: Final = (
    "SettingsApplied",
    "ConversationText",
    "AgentStartedSpeaking",
    "AgentAudioDone",
    "AgentDone",
    "UserStartedSpeaking",
    "UtteranceEnd",
    "Transcript",
    "FunctionCallRequest",
    "AgentThinking",
    "Error",
    "Warning",
    "Welcome",
    "History",
    "InjectionRefused",
    "PromptUpdated",
    "SpeakUpdated",
    "ThinkUpdated",
)
"""What a proxy may say; those after ``Error`` are the family's, not required of anybody."""

MESSAGES: Final = frozenset({*CLIENT_MESSAGES, *SERVER_MESSAGES})
"""Every name, both ways."""
