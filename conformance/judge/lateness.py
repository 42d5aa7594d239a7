"""The harness's own lateness, as far as it could have made a rule's deadline look missed.

Theory. On the real clock a frame of the subject's may have lain in our sockets while we were late, so its recorded time is
at most that much after the true one. A finding that is gone once every frame of the subject's stands as early as the
lateness allows says something about us, not about the subject. None stands earlier than what we had sent before it; what
the upstream sent lay in the same sockets, and gives way.

Nor does a finding stand that is gone once the time is cut out in which our loop was away: then the client, too, was late.
"""

from dataclasses import replace
from typing import Final

from conformance.rules.model import Case, Finding, Rule
from conformance.wire.durations import Micros
from conformance.wire.frames import Direction, Frame, Kind, Leg
from conformance.wire.recording import Recording

_FROM_SUBJECT: Final = {(Leg.CLIENT, Direction.DOWN), (Leg.UPSTREAM, Direction.UP)}
_OURS: Final = (Leg.CLIENT, Direction.UP)


def without_lateness(recording: Recording, late: Micros) -> Recording:
    """Return the recording with each frame of the subject's up to ``late`` earlier, in the same order."""
    times: list[Micros] = []
    earliest = 0
    for frame in recording.frames:
        received = frame.kind is not Kind.MARK and (frame.leg, frame.dir) in _FROM_SUBJECT
        if received:
            earliest = max(earliest, frame.t - late)
        elif frame.kind is not Kind.MARK and (frame.leg, frame.dir) == _OURS:
            earliest = frame.t
        times.append(earliest if received else frame.t)
    latest = recording.end
    for place in range(len(times) - 1, -1, -1):
        latest = times[place] = min(times[place], latest)
    moved = (frame if frame.t == t else replace(frame, t=t) for frame, t in zip(recording.frames, times, strict=True))
    return replace(recording, frames=tuple(moved))


def without_absence(recording: Recording) -> Recording:
    """Return the recording as if no time had passed while our loop was away; what it then found waiting came at once."""
    marks = [frame for frame in recording.frames if _is_absence(frame)]
    away: list[tuple[Micros, Micros]] = [(max(0, mark.t - mark.data["us"]), mark.t) for mark in marks]
    if not away:
        return recording

    def present(t: Micros) -> Micros:
        return t - sum(min(t, end) - begin for begin, end in away if begin < t)

    frames = tuple(replace(frame, t=present(frame.t)) for frame in recording.frames)
    footer = recording.footer and replace(recording.footer, t=present(recording.footer.t))
    return replace(recording, frames=frames, footer=footer)


def _is_absence(frame: Frame) -> bool:
    return frame.kind is Kind.MARK and frame.type == "away" and isinstance(frame.data.get("us"), int)


def excused(rule: Rule, findings: tuple[Finding, ...], case: Case, late: Micros) -> frozenset[str]:
    """Return the causes of the findings that only our own lateness of up to ``late`` µs explains."""
    if late <= 0 or not findings:
        return frozenset()
    standing = {finding.cause for finding in findings}
    for fairer in (without_lateness(case.recording, late), without_absence(case.recording)):
        again = rule.judge(replace(case, recording=fairer, cache={}))
        standing &= {finding.cause for finding in again or ()}
    return frozenset(finding.cause for finding in findings if finding.cause not in standing)
