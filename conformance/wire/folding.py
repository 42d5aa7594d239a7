"""Folding: what stands in a recording in place of audio bodies and unreadable frames.

Audio becomes ``{"bytes", "ms", "sha256", "stream_sha256", "rms"}``: the running hash of its stream lets byte-exact
rules judge across re-chunking, duration and the RMS envelope judge across a resampler. ``at`` is the offset in bytes at
which the stream's hash was taken (the total so far, this body included).
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final, NamedTuple

from conformance.wire import base64
from conformance.wire.audio import PCM_24K, AudioFormat, Encoding, decode, loudness
from conformance.wire.depth import read_json

AUDIO_FIELDS: Final = {
    "input_audio_buffer.append": "audio",
    "response.output_audio.delta": "delta",
    "response.audio.delta": "delta",
}
"""The field that holds base64 audio, by event type, both dialects."""

_HEAD: Final = 2_000
_SMALL: Final = 16 * 1024
"""Bytes of a body whose measures are remembered; two thousand of them are 32 MiB at most."""
_LATEST: Final = 32
"""Bodies that a recording remembers to meet them again on its other leg."""
KeepAudio = Callable[[str, bytes], None]
"""Called with the sha256 (hex) and the bytes of each audio body, for ``--keep-audio``."""


class AudioStream:
    """The audio of one direction of one connection; folds each body and keeps the running hash."""

    def __init__(
        self, format_: AudioFormat = PCM_24K, keep: KeepAudio | None = None, lately: "Lately | None" = None
    ) -> None:
        """Start an empty stream in a format that may change later."""
        self.format = format_
        self._keep = keep
        self._lately = lately
        self._hash = hashlib.sha256()
        self._digest = ""
        self._size = 0

    def fold(self, body: bytes) -> dict[str, Any]:
        """Return what stands in for this body."""
        place = (self._digest, self.format.encoding, self.format.rate)
        known = None if self._lately is None else self._lately.find(place, body)
        if known is None:
            known = self._measure(body)
            if self._lately is not None:
                self._lately.keep(place, known)
        self._hash, self._digest = known.hash, known.digest
        self._size += len(body)
        if self._keep is not None:
            self._keep(known.sha256, body)
        return {
            "bytes": len(body),
            "ms": known.ms,
            "sha256": known.sha256,
            "stream_sha256": known.digest,
            "at": self._size,
            "rms": list(known.rms),
        }

    def _measure(self, body: bytes) -> "_Folded":
        hash_ = self._hash if self._lately is None else self._hash.copy()  # which may be that of another stream, too
        hash_.update(body)
        measure = _measure_once if len(body) <= _SMALL else _measure
        return _Folded(body, hash_, hash_.hexdigest(), *measure(body, self.format.encoding, self.format.rate))


class _Folded(NamedTuple):
    """A body, the hash of its stream up to its end, and its measures."""

    body: bytes
    hash: "hashlib._Hash"
    digest: str
    sha256: str
    ms: float
    rms: Sequence[int]


class Lately:
    """What the streams of a recording folded lately.

    What crosses one leg soon crosses the other: the same body at the same place in a stream that began alike, which need
    not be hashed again. A place is a stream's hash so far and its format.
    """

    def __init__(self) -> None:
        self._folded: dict[tuple[str, Encoding, int], _Folded] = {}

    def __len__(self) -> int:
        return len(self._folded)

    def find(self, place: tuple[str, Encoding, int], body: bytes) -> _Folded | None:
        """Return what was folded at this place, if it was this body."""
        known = self._folded.get(place)
        return known if known is not None and known.body == body else None

    def keep(self, place: tuple[str, Encoding, int], folded: _Folded) -> None:
        """Remember a body, and forget the oldest of many."""
        if len(folded.body) > _SMALL:
            return
        if len(self._folded) >= _LATEST:
            del self._folded[next(iter(self._folded))]
        self._folded[place] = folded


def _measure(body: bytes, encoding: Encoding, rate: int) -> tuple[str, float, tuple[int, ...]]:
    """Return the hash of a body, its length in milliseconds and its loudness."""
    ms = round(AudioFormat(encoding, rate).duration(len(body)) / 1000, 3)
    return hashlib.sha256(body).hexdigest(), ms, tuple(loudness(decode(body, encoding), rate))


_measure_once = lru_cache(maxsize=2048)(_measure)
"""The same, remembered: most bodies come again in the next attempt."""


def fold_event(event: Mapping[str, Any], stream: AudioStream) -> Mapping[str, Any]:
    """Return the event with its audio field folded, if it has one; bad base64 becomes ``{"invalid", "chars"}``."""
    field = AUDIO_FIELDS.get(str(event.get("type")))
    if field is None or not isinstance(event.get(field), str):
        return event
    try:
        folded = stream.fold(base64.decode(event[field]))
    except ValueError:
        folded = {"invalid": event[field][:_HEAD], "chars": len(event[field])}
    return {**event, field: folded}


def fold_binary(body: bytes, stream: AudioStream) -> dict[str, Any]:
    """Return what stands in for a binary frame: its audio, and its words if it holds any.

    ``json`` is added when the body is a JSON object or array, ``text`` (at most 2,000 characters) when it is printable
    text: a rule must see what a proxy wrongly sent as audio.
    """
    folded = stream.fold(body)
    if body[:1] in (b"{", b"["):
        with suppress(ValueError):
            folded["json"] = read_json(body)
    if body and "json" not in folded and body.isascii() and body.decode("ascii").isprintable():
        folded["text"] = body[:_HEAD].decode("ascii")
    return folded


def fold_unreadable(text: str) -> dict[str, Any]:
    """Return what stands in for a text frame that is no JSON object."""
    return {"raw": text[:_HEAD], "chars": len(text)}
