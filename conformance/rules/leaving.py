"""What goes up when the client leaves."""

from collections.abc import Sequence

from conformance.rules.model import Case, Finding, RuleKind, rule
from conformance.rules.reading import audio_bytes
from conformance.rules.sound import threshold, upstream_format
from conformance.rules.view import Link, find, once_per_cause, view
from conformance.wire.durations import SECOND


@rule(
    "RT-CLOSE-COMMITS",
    "audio pending when the client leaves is committed before the upstream closes",
    why="The last words before hanging up belong in the transcript.",
    source="A product's choice",
    kind=RuleKind.POLICY,
    excludes="RT-CLOSE-QUIET",
)
def close_commits(case: Case) -> Sequence[Finding] | None:
    """Look at the audio that waited when the client left."""
    findings = []
    observed = False
    for link in view(case).links:
        left = link.left
        if left is None or link.ready is None or link.exchange.detection(left.seq) is not None:
            continue
        committed = any(not commit.server for commit in link.exchange.commits)
        pending = upstream_format(link).duration(sum(map(audio_bytes, link.exchange.rest)))
        if pending < threshold(link, first=not committed):
            continue
        observed = True
        over = _ended(link)
        if over and not any(frame.type == "input_audio_buffer.commit" for frame in link.late):
            findings.append(find(left, "the client left with audio pending, and nothing committed it"))
    return once_per_cause(findings) if observed else None


def _ended(link: Link) -> bool:
    end = link.case.recording.end
    return link.upstream.closed is not None or (link.left is not None and end - link.left.t >= SECOND)


@rule(
    "RT-CLOSE-QUIET",
    "after the client left, nothing but the close goes up",
    why="Work for somebody who is gone costs money and can fail loudly.",
    source="A product's choice",
    kind=RuleKind.POLICY,
    excludes="RT-CLOSE-COMMITS",
)
def close_quiet(case: Case) -> Sequence[Finding] | None:
    """Look at what went up after the client's close."""
    links = [link for link in view(case).links if link.left is not None and link.client is not None]
    if not links:
        return None
    return once_per_cause(
        find(frame, f"{frame.type or frame.kind} went up after the client had left")
        for link in links
        for frame in link.late
        if link.left is not None and frame.t - link.left.t >= link.crossing
    )
