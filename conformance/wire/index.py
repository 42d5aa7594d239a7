"""An index over a recording: the frames of a leg by type, and which frames a scenario's pattern means.

Besides messages, a pattern can name what is none: ``binary`` a binary frame, ``close`` the end of a connection, ``open`` a
handshake. Those three mean what the harness itself receives, so down on the client leg and up on the upstream leg, unless
the pattern says ``dir``; their fields are those of `Frame.data`. Globs mean messages only.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from conformance.wire.durations import Micros
from conformance.wire.frames import BINARY, CLIENT, CLOSE, DOWN, MARK, OPEN, TEXT, UP, UPSTREAM, Frame, Kind, Leg
from conformance.wire.patterns import Pattern, matches, pattern_type
from conformance.wire.recording import Recording

_WORDS: Final = {"binary": BINARY, "close": CLOSE, "open": OPEN}
_RECEIVED: Final = {CLIENT: DOWN, UPSTREAM: UP}
_GLOB: Final = frozenset("*?[")


def frame_matches(pattern: Pattern, frame: Frame) -> bool:
    """Tell whether a frame of the right leg is one the pattern means; marks never are."""
    if frame.kind is TEXT:
        return matches(pattern, frame.data)
    kind = _WORDS.get(pattern_type(pattern))
    return kind is frame.kind and matches(pattern, _words(pattern, frame))


def _words(pattern: Pattern, frame: Frame) -> Mapping[str, Any]:
    """Return a frame that is no message as one; without a wish for its direction it must be one the harness received."""
    received = frame.dir is _RECEIVED[frame.leg] or (isinstance(pattern, Mapping) and "dir" in pattern)
    return {"type": str(frame.kind) if received else "", **frame.data, "dir": str(frame.dir)}


class Index:
    """The frames of a recording, by leg and type, and its marks by name. Built once for all checks of an attempt."""

    def __init__(self, recording: Recording, *, one_leg: bool = False) -> None:
        """Sort the frames; every list keeps the order of the recording.

        ``one_leg`` says that the client talks to the upstream itself and only the client leg was recorded: then both legs
        are that one.
        """
        self.recording = recording
        self.frames = recording.frames
        self._types: dict[Leg, dict[str, list[Frame]]] = {CLIENT: {}, UPSTREAM: {}}
        self._words: dict[tuple[Leg, Kind], list[Frame]] = {}
        self._marks: dict[str, list[Frame]] = {}
        for frame in recording.frames:
            if frame.kind is TEXT:
                self._types[frame.leg].setdefault(frame.type, []).append(frame)
            elif frame.kind is MARK:
                self._marks.setdefault(frame.type, []).append(frame)
            else:
                self._words.setdefault((frame.leg, frame.kind), []).append(frame)
        if one_leg:
            self._types[UPSTREAM] = self._types[CLIENT]
            self._words.update({(UPSTREAM, kind): frames for (_, kind), frames in list(self._words.items())})
        self._end = recording.end

    @property
    def end(self) -> Micros:
        """When the attempt ended."""
        return self._end

    def texts(self, leg: Leg, *types: str) -> list[Frame]:
        """Return a leg's text frames of these types, both directions."""
        found = self._types[leg]
        return _merge([found[type_] for type_ in types if type_ in found])

    def others(self, leg: Leg, kind: Kind) -> list[Frame]:
        """Return a leg's frames of a kind that is neither text nor mark."""
        return self._words.get((leg, kind), [])

    def marks(self, name: str) -> list[Frame]:
        """Return the marks of a name, both legs."""
        return self._marks.get(name, [])

    def matching(self, leg: Leg, pattern: Pattern) -> list[Frame]:
        """Return a leg's frames that a pattern means."""
        type_ = pattern_type(pattern)
        candidates = self._candidates(leg, type_)
        return [frame for frame in candidates if frame_matches(pattern, frame)]

    def _candidates(self, leg: Leg, type_: str) -> list[Frame]:
        found = self._types[leg]
        if _GLOB.isdisjoint(type_):
            kind = _WORDS.get(type_)
            return found.get(type_, []) if kind is None else _merge([found.get(type_, []), self.others(leg, kind)])
        return _merge([frames for name, frames in found.items() if fnmatchcase(name, type_)])


def _merge(lists: list[list[Frame]]) -> list[Frame]:
    if len(lists) == 1:
        return lists[0]
    return sorted((frame for frames in lists for frame in frames), key=lambda frame: frame.seq)
