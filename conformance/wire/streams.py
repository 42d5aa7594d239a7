"""The audio streams of a recording: one for each direction of each connection, in the format that was last declared."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from conformance.wire.audio import AudioFormat, realtime_format, voice_agent_format
from conformance.wire.folding import AudioStream, KeepAudio, Lately
from conformance.wire.frames import CLIENT, DOWN, UP, Direction, Leg

REALTIME: Final = frozenset({"session.created", "session.updated"})
"""Realtime's events that declare formats."""
DECLARING: Final = frozenset({"Settings", *REALTIME})
_SIDES: Final = ((UP, "input"), (DOWN, "output"))
_MOST_UNREAD: Final = 100


class Streams:
    """All streams of a recording; a format may be declared by an event's bytes, which are read once there is audio."""

    def __init__(self, client_format: AudioFormat | None, keep: KeepAudio | None, lately: Lately | None = None) -> None:
        self._client_format = client_format
        self._keep = keep
        self._lately = lately
        self._streams: dict[tuple[Leg, int, Direction], AudioStream] = {}
        self._unread: dict[tuple[Leg, int], list[bytes]] = {}

    def of(self, leg: Leg, conn: int, direction: Direction) -> AudioStream:
        """Return the stream of one direction of a connection."""
        if self._unread:
            self._read(leg, conn)
        key = (leg, conn, direction)
        if key not in self._streams:
            self._streams[key] = AudioStream(keep=self._keep, lately=self._lately)
            if leg is CLIENT and self._client_format is not None:
                self._streams[key].format = self._client_format
        return self._streams[key]

    def note(self, leg: Leg, conn: int, event: Mapping[str, Any]) -> None:
        """Take the formats that an event declares, if it does."""
        match event:
            case {"type": "Settings", "audio": {**audio}}:
                for direction, side in _SIDES:
                    stream = self.of(leg, conn, direction)
                    stream.format = voice_agent_format(audio.get(side), stream.format)
            case {"type": "session.updated" | "session.created", "session": {**session}}:
                for direction, side in _SIDES:
                    found = realtime_format(session_format(session, side))
                    if found is not None:
                        self.of(leg, conn, direction).format = found
            case _:
                pass

    def note_unread(self, leg: Leg, conn: int, event: bytes) -> None:
        """Keep an event that declares formats until they are needed."""
        unread = self._unread.setdefault((leg, conn), [])
        unread.append(event)
        if len(unread) > _MOST_UNREAD:
            self._read(leg, conn)

    def _read(self, leg: Leg, conn: int) -> None:
        for event in self._unread.pop((leg, conn), ()):
            self.note(leg, conn, orjson.loads(event))


def session_format(session: Mapping[Any, Any], side: str) -> Any:
    """Return the audio format a session object declares for ``input`` or ``output``, in either dialect; None if none."""
    audio = session.get("audio")
    nested = audio.get(side) if isinstance(audio, Mapping) else None
    return nested.get("format") if isinstance(nested, Mapping) else session.get(f"{side}_audio_format")
