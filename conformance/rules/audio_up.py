"""Audio going up: the client's, all of it, in order, in the declared format and in pieces the API takes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from conformance.rules.model import Case, Finding, RuleKind, rule
from conformance.rules.reading import mapping
from conformance.rules.sound import client_format, folded, is_silent, upstream_format
from conformance.rules.streams import Chunk, as_loud, chunks, is_prefix, silence, sounds_alike, total
from conformance.rules.view import Link, find, once_per_cause, view
from conformance.wire.audio import AudioFormat
from conformance.wire.durations import MILLISECOND, Micros, format_duration
from conformance.wire.frames import BINARY, Frame
from conformance.wire.recording import session_format

APPEND_LIMIT: Final = 15 * 1024 * 1024
_LARGE: Final = 1024 * 1024
_TAIL: Final = 500 * MILLISECOND
_RESAMPLER: Final = 20 * MILLISECOND
_ROUNDING: Final = 5 * MILLISECOND
"""By this, and a five-hundredth, a resampler's audio may be longer: it rounds up at its end, or at each chunk's."""
_WINDOW: Final = 20 * MILLISECOND
_CAUSE: Final = "input_audio_buffer.append"


@rule(
    "RT-APPEND-MAX",
    "an append is ≤ 15 MiB; larger input is split",
    why="The API refuses a larger append, and the audio is lost.",
    source="Realtime API, input_audio_buffer.append: at most 15 MiB of base64 per event",
    kind=RuleKind.API,
)
def append_max(case: Case) -> Sequence[Finding] | None:
    """Look at the encoded size of each append."""
    appends = [frame for link in view(case).links for frame in link.of("input_audio_buffer.append")]
    if not appends:
        return None
    return once_per_cause(
        find(frame, f"an append of {size / 1024 / 1024:.1f} MiB of base64; the API takes 15")
        for frame in appends
        if (size := _encoded(frame)) > APPEND_LIMIT
    )


def _encoded(frame: Frame) -> int:
    body = folded(frame)
    if isinstance(body.get("chars"), int):
        return int(body["chars"])
    return (int(body.get("bytes", 0)) + 2) // 3 * 4


@rule(
    "RT-FORMAT-DECLARED",
    "`session.update` names the input audio format",
    why="A default may change; a declared format cannot be misread.",
    source="A product's choice",
    kind=RuleKind.POLICY,
)
def format_declared(case: Case) -> Sequence[Finding] | None:
    """Look at each update."""
    updates = [update.frame for link in view(case).links for update in link.exchange.updates]
    if not updates:
        return None
    return once_per_cause(
        find(frame, "session.update names no input audio format")
        for frame in updates
        if session_format(mapping(frame.data.get("session")), "input") is None
    )


@rule(
    "RT-AUDIO-WHOLE",
    "the audio up is the client's: all, in order, same duration at the upstream rate; a resampler may be 20 ms short in "
    "all; digital silence directly before a commit may be added; the last 500 ms before the client's close may be missing",
    why="Missing, doubled or wrongly timed audio is a wrong word in the transcript, and nobody sees why.",
    source="Voice-agent contract, binary; production report: 16 kHz audio passed on as 24 kHz",
    kind=RuleKind.CONTRACT,
)
def audio_whole(case: Case) -> Sequence[Finding] | None:
    """Compare the client's binary frames with the appends of its upstream connection."""
    findings: list[Finding] = []
    observed = False
    for link in view(case).links:
        if link.client is None or link.granted is None:
            continue
        sent = [frame for frame in link.client.up if frame.kind is BINARY]
        appends = link.of("input_audio_buffer.append")
        if sent or appends:
            observed = True
            findings += _compare(link, sent, appends)
    return once_per_cause(findings) if observed else None


def _compare(link: Link, sent: Sequence[Frame], appends: Sequence[Frame]) -> Iterator[Finding]:
    """Yield what differs, with and without what the proxy need not have taken for audio."""
    heard, format_up = client_format(link), upstream_format(link)
    taken = chunks(appends, format_up)
    whole = chunks(sent, heard)
    readings = [_audio(link, whole, {chunk.sha for chunk in taken}), whole]
    first: list[Finding] = []
    for given in readings:
        differing = list(_differences(link, given, taken, heard, format_up))
        if not differing:
            return
        first = first or differing
    yield from first


def _differences(
    link: Link, given: Sequence[Chunk], taken: Sequence[Chunk], heard: AudioFormat, format_up: AudioFormat
) -> Iterator[Finding]:
    same = heard == format_up
    if (not given and not taken) or (same and _in_step(link, given, taken)):
        return
    required = [chunk for chunk in given if _is_due(link, chunk)]
    tolerance = 0 if same else _RESAMPLER
    wanted, most = heard.duration(total(required)), heard.duration(total(given))
    if any(chunk.size % heard.bytes_per_sample for chunk in given):
        wanted = heard.duration(total([chunk for chunk in required if chunk.size % heard.bytes_per_sample == 0]))
    up, padding = format_up.duration(total(taken)), _padding(link, taken)
    commits = len(link.exchange.commits)
    added = padding if not same else min(padding, max(0, silence(taken) - silence(given)) + 2 * _WINDOW * commits)
    last = taken[-1].frame if taken else (required or given)[-1].frame
    if up < wanted - tolerance:
        lost = format_duration(wanted - up)
        yield find(last, f"{lost} of the client's {format_duration(wanted)} of audio did not go up", cause=_CAUSE)
    # Without a resampler a padding's length is exact but for its rounding, by less than 1 µs a commit.
    elif up - added > most + (commits if same else _ROUNDING + most // 500):
        more = format_duration(up - added - most)
        yield find(last, f"{more} more audio went up than the client had sent", cause=_CAUSE)
    elif not (_is_alike(taken, given, same=same) or (padding and _is_padded(link, taken, given, required, same=same))):
        yield find(last, "the audio that went up is not the client's, or not in its order", cause=_CAUSE)


def _is_alike(taken: Sequence[Chunk], given: Sequence[Chunk], *, same: bool) -> bool:
    return is_prefix(taken, given) if same else sounds_alike(taken, given)


def _is_padded(
    link: Link, taken: Sequence[Chunk], given: Sequence[Chunk], required: Sequence[Chunk], *, same: bool
) -> bool:
    """Tell whether silence before commits is all that sets the appends apart, as far as their sums can show.

    Behind the first padding the two streams no longer share offsets: what went up before it must be the client's, and the
    rest as loud in all.
    """
    return _is_alike(_before_padding(link, taken), given, same=same) and as_loud(taken, required, given)


def _before_padding(link: Link, taken: Sequence[Chunk]) -> Sequence[Chunk]:
    """Return the appends up to the first commit that has silence before it, less those that end in that silence."""
    for commit in link.exchange.commits:
        upto = [chunk for chunk in taken if chunk.frame.seq < commit.frame.seq]
        if not commit.server and upto and not (upto[-1].rms and upto[-1].rms[-1]):
            while upto and not (upto[-1].rms and upto[-1].rms[-1]):
                upto.pop()
            return upto
    return taken


def _audio(link: Link, given: list[Chunk], taken: set[str]) -> list[Chunk]:
    """Leave out what the proxy did not take for audio and need not: a message in a binary frame, a large frame refused."""
    errors = [error.seq for error in link.shown("Error")]
    return [
        chunk
        for chunk in given
        if chunk.sha in taken
        or not (
            isinstance(chunk.frame.data.get("json"), Mapping)
            or (chunk.size >= _LARGE and any(chunk.frame.seq < seq for seq in errors))
        )
    ]


def _is_due(link: Link, chunk: Chunk) -> bool:
    """True when a chunk must have gone up: it came, and the session was ready, well before the end."""
    cut = link.horizon - _TAIL
    return chunk.frame.t <= cut and link.granted is not None and link.granted.t <= cut


def _in_step(link: Link, given: Sequence[Chunk], taken: Sequence[Chunk]) -> bool:
    """Tell whether the appends are the client's chunks one by one, but for silence before a commit and a missing end."""
    following = 0
    for chunk in taken:
        if following < len(given) and given[following].sha == chunk.sha:
            following += 1
        elif not (is_silent(chunk.frame) and _precedes_commit(link, chunk.frame)):
            return False
    return not any(_is_due(link, chunk) for chunk in given[following:])


def _precedes_commit(link: Link, frame: Frame) -> bool:
    """Tell whether nothing but silence stands between an append and the next commit."""
    for other in link.up:
        if other.seq <= frame.seq:
            continue
        if other.type == "input_audio_buffer.commit":
            return True
        if other.type == "input_audio_buffer.append" and not is_silent(other):
            return False
    return False


def _padding(link: Link, taken: Sequence[Chunk]) -> Micros:
    """Return how much digital silence lies directly before commits: at most this much may have been added."""
    padding = 0
    for commit in link.exchange.commits:
        covered = set() if commit.server else {append.seq for append in commit.appends}
        before = [chunk for chunk in taken if chunk.frame.seq in covered]
        for chunk in reversed(before):
            silent = 0
            for rms in reversed(chunk.rms):
                if rms:
                    break
                silent += 1
            if silent < len(chunk.rms) or not chunk.rms:
                padding += silent * _WINDOW
                break
            padding += chunk.length
    return padding
