"""The user's turns: audio comes in, is listened to, committed, transcribed and answered.

Orders: ground truth §2.5 (manual commit, server VAD) and §2.6 (idle timeout).
"""

from typing import Final

from conformance.wire import base64
from conformance.wire.durations import MILLISECOND, Micros
from mock_upstream import transcription
from mock_upstream.audio_buffer import CommittedAudio
from mock_upstream.configuration import turn_detection
from mock_upstream.conversation import Item
from mock_upstream.errors import Refused, commit_empty, invalid_audio, string_too_long
from mock_upstream.model import audio_in_tokens, item_tokens
from mock_upstream.player import interrupt, respond
from mock_upstream.state import State
from mock_upstream.vad import IdleTimeout, SpeechStarted, SpeechStopped, VadEvent

LEAST: Final[Micros] = 100 * MILLISECOND
SLOW_REFUSAL: Final[Micros] = 700 * MILLISECOND
"""A transcription session says so that much later than it would confirm a commit (C: probe notes of 2026-10)."""
MAX_APPEND: Final = 15 * 2**20
NUDGE: Final = (
    "No user speech was detected for a while. Please review the recorded audio: If the user was speaking, respond "
    "naturally. If not, follow up on their last message to keep the conversation going or ask if they're still there."
)
"""The system message of an idle timeout, verbatim (C: a timed recording of 2026-09)."""


def decode_audio(text: str, param: str) -> bytes:
    """Return the bytes of an audio field.

    Raises:
        Refused: it is no base64, is empty, or holds more than 15 MiB.
    """
    if len(text) > MAX_APPEND * 4 // 3 + 4:
        raise Refused(string_too_long(param, MAX_APPEND, len(text) * 3 // 4))
    try:
        data = base64.decode(text)
    except ValueError:
        raise Refused(invalid_audio(param)) from None
    if not data:
        raise Refused(invalid_audio(param, empty=True))
    if len(data) > MAX_APPEND:
        raise Refused(string_too_long(param, MAX_APPEND, len(data)))
    return data


def append(state: State, data: bytes) -> None:
    """Take audio in and let turn detection hear it."""
    samples = state.buffer.append(data)
    transcription.overhear(state, samples)
    if state.vad is not None:
        for event in state.vad.feed(samples):
            _heard(state, event)


def commit(state: State) -> None:
    """Commit by hand: what came since the last commit becomes a user item; no response by itself.

    Raises:
        Refused: it is less than 100 ms.
    """
    held = state.buffer.duration_since_commit
    if held < LEAST:
        slow = SLOW_REFUSAL if state.config["type"] == "transcription" else 0
        raise Refused(commit_empty(held / MILLISECOND), after=slow)
    if state.vad is not None:
        state.vad.reset()
        state.vad.stop_idle_clock()
    _take(state, _future_item(state), state.buffer.commit())


def clear(state: State) -> None:
    """Forget uncommitted audio."""
    state.buffer.clear()
    state.speech_item = None
    transcription.forget(state)
    if state.vad is not None:
        state.vad.reset()
    state.say(state.event("input_audio_buffer.cleared"))


def _future_item(state: State) -> str:
    """Return the id that what is being said will have as an item, and use it up."""
    item_id = transcription.future_item(state)
    state.speech_item = None
    return item_id


def _heard(state: State, event: VadEvent) -> None:
    match event:
        case SpeechStarted(start):
            item_id = transcription.future_item(state)
            state.say(state.event("input_audio_buffer.speech_started", audio_start_ms=start, item_id=item_id))
            if (turn_detection(state.config) or {}).get("interrupt_response", True):
                interrupt(state)
        case SpeechStopped(end):
            item_id = _future_item(state)
            state.say(state.event("input_audio_buffer.speech_stopped", audio_end_ms=end, item_id=item_id))
            _take(state, item_id, state.buffer.commit(end=end * MILLISECOND))
            _respond_by_itself(state)
        case _:
            _nudge(state, event)


def _take(state: State, item_id: str, audio: CommittedAudio, *, nudged: bool = False) -> None:
    """Make a user item of committed audio: committed → added → done, then its transcription."""
    item = audio_item(item_id, audio)
    previous = state.conversation.last_id
    state.conversation.insert(item)
    state.say(state.event("input_audio_buffer.committed", previous_item_id=previous, item_id=item_id))
    state.confirm(item)
    transcription.begin(state, item, audio, nudged=nudged)


def audio_item(item_id: str, audio: CommittedAudio) -> Item:
    """Return the user item of committed audio."""
    content = [{"type": "input_audio", "transcript": None}]
    body = {"id": item_id, "type": "message", "status": "completed", "role": "user", "content": content}
    tokens = audio_in_tokens(audio.duration)
    return Item(item_id, body, audio=audio.data, format=audio.format, duration=audio.duration, audio_tokens=tokens)


def _respond_by_itself(state: State) -> None:
    """Answer the turn unless ``create_response`` is off; while a response runs, "this may fail" (SPEC), with its error."""
    detection = turn_detection(state.config) or {}
    if state.config["type"] == "transcription" or not detection.get("create_response", True):
        return

    try:
        respond(state)
    except Refused as refused:
        state.refuse(refused.error)


def _nudge(state: State, timeout: IdleTimeout) -> None:
    item_id = _future_item(state)
    start, end = timeout.audio_start_ms, timeout.audio_end_ms
    triggered = state.event("input_audio_buffer.timeout_triggered", audio_start_ms=start, audio_end_ms=end, item_id=item_id)
    state.say(triggered)
    nudge_id = state.new_id("item")
    content = [{"type": "input_text", "text": NUDGE}]
    body = {"id": nudge_id, "type": "message", "status": "completed", "role": "system", "content": content}
    nudge = Item(nudge_id, body, text_tokens=item_tokens(body))
    state.conversation.insert(nudge)
    state.confirm(nudge)
    _take(state, item_id, state.buffer.commit(start * MILLISECOND, end * MILLISECOND), nudged=True)
    _respond_by_itself(state)
