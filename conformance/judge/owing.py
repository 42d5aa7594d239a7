"""What the upstream owes: requests that it left unanswered, turns that it ended itself and did not respond to."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from conformance.rules.reading import listed, mapping
from conformance.wire.durations import SECOND, Micros
from conformance.wire.frames import Kind, Leg
from conformance.wire.index import Index

_PATIENCE: Final[Micros] = SECOND
"""A request upstream that is this old without an answer is owed one."""

_LOUD: Final = 1_000
"""An RMS (of 16 bits) that no detector takes for silence: -30 dBFS."""

_SPEECH: Final = 10
"""So many times 20 ms of it are speech."""

ANSWERS: Final = {
    "open": ("session.created", "error"),
    "session.update": ("session.updated",),
    "conversation.item.create": ("conversation.item.added", "conversation.item.done", "conversation.item.created"),
    "response.create": ("response.created",),
    "input_audio_buffer.commit": ("input_audio_buffer.committed",),
    "response.created": ("response.done",),
}
"""What the upstream owes after an event, any one of these."""


def listens(index: Index, deadline: Micros) -> bool:
    """Tell whether audio went up to an upstream that detects turns by itself."""
    audio = index.texts(Leg.UPSTREAM, "input_audio_buffer.append")
    return bool(audio) and _turn_detection(_session(index, deadline)) is not None


def owes(index: Index, own_script: frozenset[str], deadline: Micros) -> bool:
    """Tell whether the upstream left something unanswered that the scenario's own script did not withhold."""
    if any(mark.scripted in own_script for mark in index.marks("withheld")):
        return False
    opened = index.others(Leg.UPSTREAM, Kind.OPEN)
    for asked, answers in ANSWERS.items():
        asking = index.texts(Leg.UPSTREAM, asked) if asked != "open" else opened
        requests = [frame for frame in asking if frame.t + _PATIENCE <= deadline]
        if not requests or requests[-1].scripted in own_script:
            continue
        given = index.texts(Leg.UPSTREAM, *answers)
        if not any(frame.seq > requests[-1].seq and frame.t <= deadline for frame in given):
            return True
    return _owes_own_response(index, deadline) or _is_deaf(index, deadline) or _owes_handshake(index, deadline)


def _owes_handshake(index: Index, deadline: Micros) -> bool:
    """Tell whether the upstream was dialled and had not answered; only who dials for the subject can mark it."""
    dialled = [mark for mark in index.marks("dialled") if mark.t + _PATIENCE <= deadline]
    opened = {frame.conn for frame in index.others(Leg.UPSTREAM, Kind.OPEN) if frame.t <= deadline}
    return any(mark.conn not in opened for mark in dialled)


def owes_audio(index: Index, own_script: frozenset[str], deadline: Micros) -> bool:
    """Tell whether the upstream answered in writing although nobody had asked it not to speak."""
    asked = index.texts(Leg.UPSTREAM, "session.update", "response.create")
    wanted = [modalities for frame in asked if (modalities := _modalities(frame.data)) is not None]
    if wanted and "audio" not in wanted[-1]:
        return False
    done = [f for f in index.texts(Leg.UPSTREAM, "response.done") if f.t <= deadline and f.scripted not in own_script]
    return bool(done) and _is_written(done[-1].data)


def _modalities(request: Mapping[Any, Any]) -> Sequence[Any] | None:
    """Return the output modalities that an update or a ``response.create`` asks for; None if it leaves them."""
    for body in (request.get("session"), request.get("response")):
        match body:
            case {"output_modalities": [*found]} | {"modalities": [*found]}:
                return found
            case _:
                pass
    return None


def _is_written(done: Mapping[Any, Any]) -> bool:
    match done:
        case {"response": {"status": "completed", "output": [*items]}}:
            parts = [part for item in items for part in listed(mapping(item).get("content"))]
            return bool(parts) and all(isinstance(p, Mapping) and "text" in str(p.get("type")) for p in parts)
        case _:
            return False


def _is_deaf(index: Index, deadline: Micros) -> bool:
    """Tell whether the upstream was to detect turns by itself and noticed nothing of the speech that went up."""
    if not listens(index, deadline):
        return False
    heard = index.texts(Leg.UPSTREAM, "input_audio_buffer.speech_started", "input_audio_buffer.committed")
    spoken = [f for f in index.texts(Leg.UPSTREAM, "input_audio_buffer.append") if f.t + _PATIENCE <= deadline]
    return not heard and sum(loudness >= _LOUD for frame in spoken for loudness in _loudness(frame.data)) >= _SPEECH


def _loudness(append: Mapping[Any, Any]) -> Sequence[int]:
    """Return the RMS of each 20 ms of an append, as recordings have it."""
    match append:
        case {"audio": {"rms": [*found]}}:
            return [each for each in found if isinstance(each, int)]
        case _:
            return ()


def _owes_own_response(index: Index, deadline: Micros) -> bool:
    """Tell whether the upstream ended a turn by itself, was to respond by itself, and did not."""
    turns = [f for f in index.texts(Leg.UPSTREAM, "input_audio_buffer.committed") if f.t + _PATIENCE <= deadline]
    if not turns or not _responds(_session(index, turns[-1].t)):
        return False
    before = turns[-2].seq if len(turns) > 1 else -1
    asked = index.texts(Leg.UPSTREAM, "input_audio_buffer.commit")
    given = index.texts(Leg.UPSTREAM, "response.created")
    return not any(before < frame.seq < turns[-1].seq for frame in asked) and not any(
        frame.seq > turns[-1].seq and frame.t <= deadline for frame in given
    )


def _session(index: Index, deadline: Micros) -> Any:
    """Return the session in force, as the upstream last told it."""
    told = [f for f in index.texts(Leg.UPSTREAM, "session.created", "session.updated") if f.t <= deadline]
    return told[-1].data.get("session") if told else None


def _turn_detection(session: Any) -> Mapping[Any, Any] | None:
    match session:
        case {"audio": {"input": {"turn_detection": {**found}}}} | {"turn_detection": {**found}}:
            return found
        case _:
            return None


def _responds(session: Any) -> bool:
    detection = _turn_detection(session)
    return detection is not None and detection.get("create_response") is not False
