"""What the tests with real clients share: the mock's part of the play."""

from typing import Any

import numpy as np

from conformance.wire.script import Script

HELLO = "Hello! How can I help you today?"
HEARD = "I heard you well."
SUNNY = "It is sunny in Paris."
STORY = "Once upon a time there was a server that spoke like another one. " * 20
CALL = {"name": "weather", "arguments": {"city": "Paris"}}

PLAY = Script(
    settings={"transcript": [HELLO, HEARD, "(calls)", SUNNY, STORY], "calls": [[], [], [CALL]], "latency": 0.3, "pace": 20}
)
"""A text turn, an audio turn, a call and its answer, a story to interrupt."""

SPEECH: bytes = (9_000 * np.sin(np.arange(12_000) * 2 * np.pi * 300 / 24_000)).astype("<i2").tobytes()
"""Half a second that any detector takes for speech, PCM 24 kHz."""
SILENCE = bytes(48_000)
WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "description": "Tells the weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
