"""Audio going up: formats, pending audio and the pauses of the microphone, for the rules on commits."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from conformance.rules.reading import audio_bytes, listed, mapping
from conformance.rules.requests import Commit
from conformance.rules.view import Link
from conformance.wire.audio import PCM_24K, AudioFormat, realtime_format, voice_agent_format
from conformance.wire.durations import MILLISECOND, Micros
from conformance.wire.folding import AUDIO_FIELDS
from conformance.wire.frames import BINARY, Frame
from conformance.wire.recording import session_format

COMMIT_MINIMUM: Final = 100 * MILLISECOND
"""The API refuses to commit less (ground truth §3.2 input_audio_buffer_commit_empty)."""
PAUSE: Final = 500 * MILLISECOND
"""A gap this long between two chunks is a pause: longer than the debounce of known proxies, shorter than a breath taken."""
_NUMBERS: Final = frozenset({int, float, bool})


def upstream_format(link: Link, side: str = "input") -> AudioFormat:
    """Return the format that the last accepted `session.update` declares for a side; else PCM at 24 kHz (principle 7)."""
    declared = PCM_24K
    for update in link.exchange.updates:
        session = mapping(update.frame.data.get("session"))
        named: Any = session_format(session, side)
        found = realtime_format(named)
        if update.refused is None and found is not None:
            rate = mapping(named).get("rate")
            whole = isinstance(rate, int) and not isinstance(rate, bool) and rate > 0
            declared = AudioFormat(found.encoding, rate if whole and isinstance(rate, int) else found.rate)
    return declared


def client_format(link: Link, side: str = "input") -> AudioFormat:
    """Return the format of the client's audio: what Settings say, else the target's rate, else 24 kHz (principle 7)."""
    default = AudioFormat(PCM_24K.encoding, link.case.client_rate or PCM_24K.rate) if side == "input" else PCM_24K
    return voice_agent_format(mapping(link.settings.get("audio")).get(side), default)


@dataclass(frozen=True, slots=True)
class Pending:
    """Appends that wait for one commit (None: for one that never came). ``first`` is True for the connection's first.

    ``cleared`` audio waits no more: it was thrown away.
    """

    appends: Sequence[Frame]
    commit: Commit | None
    first: bool
    cleared: bool = False

    def committed_by(self, due: Micros) -> bool:
        """True when the commit came in time."""
        return self.commit is not None and self.commit.frame.t <= due


def pendings(link: Link) -> Iterator[Pending]:
    """Yield the appends of a link as its commits group them; the server's own commits group them, too."""
    first = True
    for commit in link.exchange.commits:
        if commit.appends:
            yield Pending(commit.appends, commit, first)
        first = first and (commit.server or commit.refused is not None)
    if link.exchange.rest:
        yield Pending(link.exchange.rest, None, first)
    for appends in link.exchange.cleared:
        before = (commit for commit in link.exchange.commits if commit.frame.seq < appends[0].seq)
        yield Pending(appends, None, all(commit.server or commit.refused is not None for commit in before), cleared=True)


def length(link: Link, appends: Sequence[Frame]) -> Micros:
    """Return how long the audio of these appends lasts upstream."""
    return upstream_format(link).duration(sum(map(audio_bytes, appends)))


def threshold(link: Link, *, first: bool) -> Micros:
    """Return how much audio a commit needs here: the API's 100 ms, at first the target's own minimum if that is larger."""
    return max(COMMIT_MINIMUM, link.case.first_commit_min) if first else COMMIT_MINIMUM


def spoken_until(appends: Sequence[Frame], t: Micros) -> Sequence[Frame]:
    """Return the appends up to ``t``."""
    return [frame for frame in appends if frame.t <= t]


def pauses(appends: Sequence[Frame], end: Micros) -> Iterator[int]:
    """Yield the index of each append that a pause follows; ``end`` closes the last gap."""
    for index, frame in enumerate(appends):
        following = appends[index + 1].t if index + 1 < len(appends) else end
        if following - frame.t >= PAUSE:
            yield index


def is_silent(frame: Frame) -> bool:
    """True when an audio body is known to be digital silence only."""
    rms = listed(folded(frame).get("rms"))
    return bool(rms) and not any(rms)


def folded(frame: Frame) -> Mapping[str, Any]:
    """Return what stands in for the audio of a binary frame, an append or an audio delta.

    Empty if it holds none: a peer may send an object where audio belongs, and then nothing has been folded.
    """
    body = frame.data if frame.kind is BINARY else mapping(frame.data.get(AUDIO_FIELDS.get(frame.type, "")))
    if isinstance(body.get("bytes"), int) and isinstance(body.get("sha256", ""), str):
        rms = body.get("rms")
        if not isinstance(rms, list) or _NUMBERS.issuperset(map(type, rms)):
            return body
    return body if isinstance(body.get("chars"), int) else {}
