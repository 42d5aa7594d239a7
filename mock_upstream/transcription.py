"""Transcription of what the user says: when its events come, what they say, what it costs.

Streaming models send deltas while the user speaks, under the id that the item will have; ``gpt-4o-*-transcribe`` about a
second after the commit; ``whisper-1`` one delta and the end (ground truth §2.7). The mock cannot understand speech: audible
audio "says" what the script's ``heard`` knob says, silence says nothing.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from conformance.wire.audio import Samples, decode
from conformance.wire.durations import MILLISECOND, SECOND, Micros
from mock_upstream import configuration
from mock_upstream.audio_buffer import CommittedAudio
from mock_upstream.conversation import Item
from mock_upstream.model import audio_in_tokens, pieces
from mock_upstream.state import State

STREAMING: Final = ("gpt-realtime-whisper", "gpt-live-transcribe")
AT_ONCE: Final = ("whisper-1",)
DIARIZING: Final = ("gpt-4o-transcribe-diarize",)
_BY_DURATION: Final = (*STREAMING, *AT_ONCE)

_FIRST_DELTA: Final[Micros] = 930 * MILLISECOND
_GAP: Final[Micros] = 5 * MILLISECOND
_COMPLETED: Final[Micros] = 200 * MILLISECOND
_STREAMED_END: Final[Micros] = 300 * MILLISECOND
_PER_WORD: Final[Micros] = 400 * MILLISECOND
"""Audible audio per streamed delta while the user speaks."""
_AUDIBLE: Final = 328.0
"""RMS above which audio says something: -40 dBFS, the VAD's own default."""
_LOGPROB: Final = -0.01


def future_item(state: State) -> str:
    """Return the id that the speech being heard will have as an item."""
    if state.speech_item is None:
        state.speech_item = state.new_id("item")
    return state.speech_item


def overhear(state: State, samples: Samples) -> None:
    """Let a streaming model send deltas while the user still speaks."""
    chosen = configuration.transcription(state.config)
    if chosen is None or chosen["model"] not in STREAMING or not _audible(samples):
        return
    rate = configuration.input_format(state.config).rate
    state.overheard += samples.size * SECOND // rate
    words = pieces(_heard_next(state))
    known = min(state.overheard // _PER_WORD, len(words) - 1)
    for number in range(state.streamed, known):
        _delta(state, future_item(state), words[number])
    state.streamed = max(state.streamed, known)


def forget(state: State) -> None:
    """The audio was cleared: what was overheard belongs to no item."""
    state.overheard = state.streamed = 0


def begin(state: State, item: Item, audio: CommittedAudio, *, nudged: bool = False) -> None:
    """Transcribe a committed item, if transcription is on; what an idle timeout commits costs no seconds (C)."""
    chosen = configuration.transcription(state.config)
    streamed, state.overheard, state.streamed = state.streamed, 0, 0
    if chosen is None:
        return
    audible = streamed > 0 or _audible(decode(audio.data, audio.format.encoding))
    text = _heard_next(state) if audible else ""
    state.heard += audible
    model = str(chosen["model"])
    if state.knobs.transcription_fails is not None:
        state.agenda.plan(state.latency(_STREAMED_END), lambda: _failed(state, item))
        return
    words = [text] if model in AT_ONCE and text else pieces(text)
    after = state.latency(_GAP if model in STREAMING else _FIRST_DELTA)
    for word in words[streamed:]:
        _delta(state, item.id, word, after)
        after += state.latency(_GAP)
    if model in DIARIZING and text:
        _segment(state, item, text, audio, after)
    after += state.latency(_STREAMED_END if model in STREAMING else _COMPLETED)
    usage = _usage(model, 0 if nudged and not audible else audio.duration, words)
    state.agenda.plan(after, lambda: _completed(state, item, text, usage))


def _heard_next(state: State) -> str:
    heard: str = state.knobs.heard[state.heard % len(state.knobs.heard)]
    return heard


def _audible(samples: Samples) -> bool:
    if samples.size == 0:
        return False
    loud = samples.astype(np.float64)
    return bool(np.dot(loud, loud) > samples.size * _AUDIBLE**2)


def _delta(state: State, item_id: str, text: str, after: Micros = 0) -> None:
    def say() -> None:
        fields: dict[str, Any] = {"item_id": item_id, "content_index": 0, "delta": text}
        fields |= _logprobs(state, [text])
        fields["obfuscation"] = state.ids.obfuscation(text)
        state.say(state.event("conversation.item.input_audio_transcription.delta", **fields))

    state.agenda.plan(after, say)


def _segment(state: State, item: Item, text: str, audio: CommittedAudio, after: Micros) -> None:
    def say() -> None:
        segment = {"text": text.strip(), "id": f"seg_{state.ids.digits(16)}", "speaker": "A", "start": 0.0}
        fields = {"item_id": item.id, "content_index": 0, **segment, "end": audio.duration / SECOND}
        state.say(state.event("conversation.item.input_audio_transcription.segment", **fields))

    state.agenda.plan(after, say)


def _completed(state: State, item: Item, text: str, usage: Mapping[str, Any]) -> None:
    transcript = text.strip()
    if item.body["content"]:
        item.body = {**item.body, "content": [{**item.body["content"][0], "transcript": transcript}]}
    fields: dict[str, Any] = {"item_id": item.id, "content_index": 0, "transcript": transcript, "usage": usage}
    fields |= _logprobs(state, pieces(text))
    state.say(state.event("conversation.item.input_audio_transcription.completed", **fields))


def _failed(state: State, item: Item) -> None:
    error = {
        "type": "server_error",
        "code": state.knobs.transcription_fails or None,
        "message": f"Input transcription failed for item '{item.id}'.",
        "param": None,
    }
    event = state.event("conversation.item.input_audio_transcription.failed", item_id=item.id, content_index=0, error=error)
    state.say(event)


def _logprobs(state: State, words: list[str]) -> dict[str, Any]:
    if "item.input_audio_transcription.logprobs" not in (state.config["include"] or ()):
        return {}
    return {"logprobs": [{"token": word, "logprob": _LOGPROB, "bytes": list(word.encode())} for word in words]}


def _usage(model: str, duration: Micros, words: list[str]) -> dict[str, Any]:
    if model in _BY_DURATION:
        return {"type": "duration", "seconds": -(-duration // SECOND)}
    heard = audio_in_tokens(duration)
    said = len(words) + 1
    details = {"text_tokens": 0, "audio_tokens": heard}
    return {
        "type": "tokens",
        "total_tokens": heard + said,
        "input_tokens": heard,
        "input_token_details": details,
        "output_tokens": said,
    }
