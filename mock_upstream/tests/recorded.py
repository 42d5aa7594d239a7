"""Facts of recorded sessions of the real API, in our own form: what the client did, what came back in which order.

A line that begins with ``>`` names what the client sends (`STIMULI`), another one an event; a run of deltas of one type is
one line. ``X=`` after an item event binds the item's id to a letter, ``<Y`` says which item its previous_item_id names
(``<-``: null). ``mod32`` marks offsets that lie on the VAD's quantum. Transcription events may come anywhere (the API does
not promise their order), so they are listed apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded session. ``source`` says where its facts come from, ``anywhere`` which events came at some time."""

    name: str
    source: str
    story: str
    model: str | None = "gpt-realtime"
    intent: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    anywhere: tuple[str, ...] = ()


_TRANSCRIPTION: Final = "conversation.item.input_audio_transcription"

SPOKEN_ANSWER: Final = """
response.created
response.output_item.added
conversation.item.added A= <{user}
response.content_part.added
response.output_audio_transcript.delta
response.output_audio.delta
response.output_audio.done
response.output_audio_transcript.done
response.content_part.done
conversation.item.done A= <{previous}
response.output_item.done
response.done
rate_limits.updated
"""
WRITTEN_ANSWER: Final = """
response.created
response.output_item.added
conversation.item.added {item}= <{user}
response.content_part.added
response.output_text.delta
response.output_text.done
response.content_part.done
conversation.item.done {item}= <{previous}
response.output_item.done
response.done
rate_limits.updated
"""

SESSIONS: Final = (
    Recorded(
        "text in, speech out",
        "an SDK's cassette, gpt-realtime, 2026-07",
        """
session.created
> update audio
session.updated
> user text
> respond
conversation.item.added U= <-
conversation.item.done U= <-
"""
        + SPOKEN_ANSWER.format(user="U", previous="-"),
    ),
    Recorded(
        "speech in under server VAD, speech out",
        "an SDK's cassette, gpt-realtime, 2026-07",
        """
session.created
> update audio
session.updated
> speech
input_audio_buffer.speech_started mod32
input_audio_buffer.speech_stopped mod32
input_audio_buffer.committed <-
conversation.item.added U= <-
conversation.item.done U= <-
"""
        + SPOKEN_ANSWER.format(user="U", previous="-"),
        anywhere=(f"{_TRANSCRIPTION}.delta", f"{_TRANSCRIPTION}.completed"),
    ),
    Recorded(
        "three seeded items, then an answer",
        "two cassettes of an SDK, gpt-realtime, 2026-07",
        """
session.created
> update text
session.updated
> user text
> assistant text
> user text
> respond
conversation.item.added U= <-
conversation.item.done U= <-
conversation.item.added V= <U
conversation.item.done V= <U
conversation.item.added W= <V
conversation.item.done W= <V
"""
        + WRITTEN_ANSWER.format(item="A", user="W", previous="W"),
    ),
    Recorded(
        "a tool's round",
        "an SDK's cassette, gpt-realtime, 2026-07",
        """
session.created
> update text and tool
session.updated
> user text
> respond
conversation.item.added U= <-
conversation.item.done U= <-
response.created
response.output_item.added
conversation.item.added C= <U
response.function_call_arguments.delta
response.function_call_arguments.done
conversation.item.done C= <-
response.output_item.done
response.done
rate_limits.updated
> output
> respond
conversation.item.added O= <C
conversation.item.done O= <C
"""
        + WRITTEN_ANSWER.format(item="A", user="O", previous="O"),
        settings={"calls": [{"name": "get_weather", "arguments": '{  \n  "city": "London" \n} \n'}]},
    ),
    Recorded(
        "two written turns with refusals between them",
        "a live probe, gpt-realtime-mini, 2026-09",
        """
session.created
> update text
session.updated
> user text
> respond
conversation.item.added U= <-
conversation.item.done U= <-
"""
        + WRITTEN_ANSWER.format(item="A", user="U", previous="-")
        + """
> unknown event
error
> unknown field
error
> no json
error
> binary
error
> user text
> respond
conversation.item.added V= <A
conversation.item.done V= <A
"""
        + WRITTEN_ANSWER.format(item="B", user="V", previous="V"),
        model="gpt-realtime-mini",
    ),
    Recorded(
        "a transcription session, committed by hand in mid-speech",
        "a live probe, gpt-4o-mini-transcribe, 2026-09",
        """
session.created
> update transcription
session.updated
> open speech
input_audio_buffer.speech_started mod32
> commit
input_audio_buffer.committed <-
conversation.item.added U= <-
conversation.item.done U= <-
""",
        model=None,
        intent="transcription",
        anywhere=(f"{_TRANSCRIPTION}.delta", f"{_TRANSCRIPTION}.completed"),
    ),
    Recorded(
        "an idle timeout",
        "a timed cassette, gpt-realtime-2.1-mini, 2026-09",
        """
session.created
> update idle timeout
session.updated
> user text
> respond
conversation.item.added U= <-
conversation.item.done U= <-
"""
        + SPOKEN_ANSWER.format(user="U", previous="-")
        + """
> silence
input_audio_buffer.timeout_triggered mod32
conversation.item.added S= <A
conversation.item.done S= <A
input_audio_buffer.committed <S
conversation.item.added X= <S
conversation.item.done X= <S
"""
        + SPOKEN_ANSWER.replace("A=", "B=").format(user="X", previous="X"),
        model="gpt-realtime-2.1-mini",
        anywhere=(f"{_TRANSCRIPTION}.completed",),
    ),
    Recorded(
        "two spoken turns",
        "frames in a SIP gateway's source, gpt-realtime, 2025-12",
        """
session.created
> update audio
session.updated
> speech
input_audio_buffer.speech_started mod32
input_audio_buffer.speech_stopped mod32
input_audio_buffer.committed <-
conversation.item.added U= <-
conversation.item.done U= <-
"""
        + SPOKEN_ANSWER.format(user="U", previous="-")
        + """
> speech
input_audio_buffer.speech_started mod32
input_audio_buffer.speech_stopped mod32
input_audio_buffer.committed <A
conversation.item.added V= <A
conversation.item.done V= <A
"""
        + SPOKEN_ANSWER.replace("A=", "B=").format(user="V", previous="V"),
        anywhere=(f"{_TRANSCRIPTION}.delta", f"{_TRANSCRIPTION}.completed"),
    ),
)

_ITEM: Final = "type event_id previous_item_id item item.id item.type item.status item.role item.content"
_OUTPUT: Final = "type event_id response_id output_index item item.id item.type item.status"
_PART: Final = "type event_id response_id item_id output_index content_index"
_RESPONSE: Final = (
    "type event_id response response.object response.id response.status response.status_details response.output "
    "{output}response.conversation_id response.output_modalities response.max_output_tokens response.audio "
    "response.audio.output response.audio.output.format response.audio.output.format.type "
    "response.audio.output.format.rate response.audio.output.voice response.usage {usage}response.metadata"
)
_USAGE: Final = (
    "response.usage.total_tokens response.usage.input_tokens response.usage.output_tokens "
    "response.usage.input_token_details response.usage.input_token_details.text_tokens "
    "response.usage.input_token_details.audio_tokens response.usage.input_token_details.image_tokens "
    "response.usage.input_token_details.cached_tokens response.usage.input_token_details.cached_tokens_details "
    "response.usage.input_token_details.cached_tokens_details.text_tokens "
    "response.usage.input_token_details.cached_tokens_details.audio_tokens "
    "response.usage.input_token_details.cached_tokens_details.image_tokens response.usage.output_token_details "
    "response.usage.output_token_details.text_tokens response.usage.output_token_details.audio_tokens "
)
_SESSION: Final = (
    "type event_id session session.type session.object session.id session.model session.output_modalities "
    "session.instructions session.tools session.tool_choice session.max_output_tokens session.tracing session.truncation "
    "session.prompt session.expires_at session.audio session.audio.input session.audio.input.format "
    "session.audio.input.format.type session.audio.input.format.rate session.audio.input.transcription {transcription}"
    "session.audio.input.noise_reduction session.audio.input.turn_detection session.audio.input.turn_detection.type "
    "session.audio.input.turn_detection.threshold session.audio.input.turn_detection.prefix_padding_ms "
    "session.audio.input.turn_detection.silence_duration_ms session.audio.input.turn_detection.idle_timeout_ms "
    "session.audio.input.turn_detection.create_response session.audio.input.turn_detection.interrupt_response "
    "session.audio.output session.audio.output.format session.audio.output.format.type session.audio.output.format.rate "
    "session.audio.output.voice session.audio.output.speed session.include"
)
_CONTENT: Final = " item.content[].type item.content[].{what}"
_CALL: Final = "item.name item.call_id item.arguments"

FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "session.created": (_SESSION.format(transcription=""),),
    "session.updated": (
        _SESSION.format(
            transcription="session.audio.input.transcription.model session.audio.input.transcription.language "
            "session.audio.input.transcription.prompt "
        ),
    ),
    "conversation.item.added user": (_ITEM + _CONTENT.format(what="text"), _ITEM + _CONTENT.format(what="transcript")),
    "conversation.item.done user": (_ITEM + _CONTENT.format(what="text"), _ITEM + _CONTENT.format(what="transcript")),
    "conversation.item.added assistant": (_ITEM, _ITEM + _CONTENT.format(what="text")),
    "conversation.item.done assistant": (_ITEM + _CONTENT.format(what="text"), _ITEM + _CONTENT.format(what="transcript")),
    "conversation.item.added function_call": (_ITEM.replace("item.role item.content", _CALL),),
    "conversation.item.done function_call": (_ITEM.replace("item.role item.content", _CALL),),
    "conversation.item.added function_call_output": (
        "type event_id previous_item_id item item.id item.type item.call_id item.output",
    ),
    "conversation.item.done function_call_output": (
        "type event_id previous_item_id item item.id item.type item.call_id item.output",
    ),
    f"{_TRANSCRIPTION}.delta": ("type event_id item_id content_index delta obfuscation",),
    f"{_TRANSCRIPTION}.completed": ("type event_id item_id content_index transcript usage usage.type usage.seconds",),
    "input_audio_buffer.committed": ("type event_id previous_item_id item_id",),
    "input_audio_buffer.speech_started": ("type event_id audio_start_ms item_id",),
    "input_audio_buffer.speech_stopped": ("type event_id audio_end_ms item_id",),
    "rate_limits.updated": (
        (
            "type event_id rate_limits rate_limits[].name rate_limits[].limit rate_limits[].remaining "
            "rate_limits[].reset_seconds"
        ),
    ),
    "response.created": (_RESPONSE.format(output="", usage=""),),
    "response.done": tuple(
        _RESPONSE.format(
            output="response.output[].id response.output[].type response.output[].status " + output, usage=_USAGE
        )
        for output in (
            "response.output[].name response.output[].call_id response.output[].arguments ",
            *(
                "response.output[].role response.output[].content response.output[].content[].type "
                f"response.output[].content[].{what} "
                for what in ("text", "transcript")
            ),
        )
    ),
    "response.output_item.added function_call": (f"{_OUTPUT} {_CALL}",),
    "response.output_item.done function_call": (f"{_OUTPUT} {_CALL}",),
    "response.output_item.added assistant": (f"{_OUTPUT} item.role item.content",),
    "response.output_item.done assistant": tuple(
        f"{_OUTPUT} item.role item.content{_CONTENT.format(what=what)}" for what in ("text", "transcript")
    ),
    "response.content_part.added": (f"{_PART} part part.type part.text", f"{_PART} part part.type part.transcript"),
    "response.content_part.done": (f"{_PART} part part.type part.text", f"{_PART} part part.type part.transcript"),
    "response.output_text.delta": (f"{_PART} delta obfuscation",),
    "response.output_text.done": (f"{_PART} text",),
    "response.output_audio.delta": (f"{_PART} delta",),
    "response.output_audio.done": (_PART,),
    "response.output_audio_transcript.delta": (f"{_PART} delta obfuscation",),
    "response.output_audio_transcript.done": (f"{_PART} transcript",),
    "response.function_call_arguments.delta": ("type event_id response_id item_id output_index call_id delta obfuscation",),
    "response.function_call_arguments.done": ("type event_id response_id item_id output_index call_id name arguments",),
}
"""Every field of the recorded gpt-realtime events, in the order of the wire; an event has one of the forms listed."""
