"""The harness's own lateness, as far as it could have made a rule's deadline look missed.

Theory. On the real clock a frame of the subject's may have lain in our sockets while we were late, so its recorded time is
at most that much after the true one. A finding that is gone once every frame we received stands as early as the lateness
allows (never before the frame ahead of it) says something about us, not about the subject.
"""

from dataclasses import replace

from conformance.rules.model import Case, Finding, Rule
from conformance.wire.durations import Micros
from conformance.wire.frames import Direction, Frame, Kind, Leg
from conformance.wire.recording import Recording

_FROM_SUBJECT = {(Leg.CLIENT, Direction.DOWN), (Leg.UPSTREAM, Direction.UP)}


def without_lateness(recording: Recording, late: Micros) -> Recording:
    """Return the recording with each frame of the subject's up to ``late`` earlier, in the same order."""
    frames: list[Frame] = []
    earliest = 0
    for frame in recording.frames:
        received = frame.kind is not Kind.MARK and (frame.leg, frame.dir) in _FROM_SUBJECT
        earliest = max(earliest, frame.t - late if received else frame.t)
        frames.append(frame if earliest == frame.t else replace(frame, t=earliest))
    return replace(recording, frames=tuple(frames))


def excused(rule: Rule, findings: tuple[Finding, ...], case: Case, late: Micros) -> frozenset[str]:
    """Return the causes of the findings that only our own lateness of up to ``late`` µs explains."""
    if late <= 0 or not findings:
        return frozenset()
    again = rule.judge(replace(case, recording=without_lateness(case.recording, late), cache={}))
    standing = {finding.cause for finding in again or ()}
    return frozenset(finding.cause for finding in findings if finding.cause not in standing)
