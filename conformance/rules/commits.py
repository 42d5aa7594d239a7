"""Commits: who owns the turn, how much audio a commit covers, and how long audio may wait for one."""

from collections.abc import Iterator, Sequence
from typing import Final

from conformance.rules.model import Case, Finding, RuleKind, rule
from conformance.rules.requests import Response
from conformance.rules.sound import (
    COMMIT_MINIMUM,
    PAUSE,
    Pending,
    length,
    pauses,
    pendings,
    spoken_until,
    threshold,
    upstream_format,
)
from conformance.rules.view import Link, find, once_per_cause, view
from conformance.verdicts import Level
from conformance.wire.durations import SECOND, Micros, format_duration
from conformance.wire.frames import Frame

PATIENCE: Final = 3 * SECOND
_CAUSE: Final = "input_audio_buffer.commit"


@rule(
    "RT-COMMIT-MIN",
    "a commit covers ≥ 100 ms at the upstream rate since the last commit; where server VAD took the audio first, only "
    "RT-COMMIT-OWNER reports",
    why="The API refuses a smaller commit (input_audio_buffer_commit_empty), and the turn is not answered.",
    source="Realtime API, input_audio_buffer.commit; ground truth §3.2, §5.1",
    kind=RuleKind.API,
)
def commit_min(case: Case) -> Sequence[Finding] | None:
    """Look at each commit of the proxy."""
    findings = []
    observed = False
    for link in view(case).links:
        format_ = upstream_format(link)
        kept = 0
        for commit in link.exchange.commits:
            if commit.server:
                kept = 0
                continue
            covered = format_.duration(kept + commit.audio)
            # A commit that is refused leaves its audio in the buffer, for the next.
            kept = kept + commit.audio if commit.refused is not None and commit.committed is None else 0
            taken = format_.duration(commit.own) >= COMMIT_MINIMUM
            if covered < COMMIT_MINIMUM and taken:
                continue
            observed = True
            if covered < COMMIT_MINIMUM:
                findings.append(find(commit.frame, f"the commit covers {format_duration(covered)} of audio, not 100ms"))
    return once_per_cause(findings) if observed else None


@rule(
    "RT-COMMIT-OWNER",
    "with server or semantic VAD on (absent `turn_detection` is on), no client commit",
    why="Two controllers race: the server has committed the audio already, and the second commit finds the buffer empty.",
    source="Voice-agent contract, ordering point 6; ground truth §6 dual control race",
    kind=RuleKind.CONTRACT,
    realtime=True,
)
def commit_owner(case: Case) -> Sequence[Finding] | None:
    """Look at commits, and at audio, while VAD was on."""
    findings = []
    observed = False
    level = Level.SHOULD if view(case).is_realtime else None
    for link in view(case).links:
        for append in link.of("input_audio_buffer.append"):
            if link.exchange.detection(append.seq) is not None:
                observed = True
                break
        for commit in link.exchange.commits:
            if not commit.server and link.exchange.detection(commit.frame.seq) is not None:
                observed = True
                findings.append(find(commit.frame, "a commit while the server's own turn detection was on", level=level))
    return once_per_cause(findings) if observed else None


def _manual(case: Case) -> Iterator[tuple[Link, Pending]]:
    """Yield the audio that waits for a commit of the proxy: VAD off, and enough of it for a commit."""
    for link in view(case).links:
        for pending in pendings(link):
            off = link.exchange.detection(pending.appends[-1].seq) is None
            if off and (pending.commit is None or not pending.commit.server):
                yield link, pending


def _arrived_during(link: Link, t: Micros) -> Response | None:
    return next((r for r in link.exchange.conversation if r.first_t <= t and (r.end is None or r.end.t > t)), None)


@rule(
    "RT-COMMIT-COMES",
    "VAD off, client pauses: ≥ 100 ms (first commit: the target's `first_commit_min`, if larger) is committed within 3 s "
    "of its last frame",
    why="Without VAD nobody else ends the turn: audio that is not committed is never answered.",
    source="Voice-agent contract, binary: the proxy's commit; turn_detection null leaves the commit to the client side",
    kind=RuleKind.CONTRACT,
)
def commit_comes(case: Case) -> Sequence[Finding] | None:
    """Look at each pause of the microphone that leaves enough audio waiting."""
    findings = []
    observed = False
    for link, pending in _manual(case):
        end = pending.commit.frame.t if pending.commit is not None else link.horizon
        committed = {len(pending.appends) - 1} if pending.commit is not None else set()
        for index in sorted(committed.union(pauses(pending.appends, end))):
            spoken, last = pending.appends[: index + 1], pending.appends[index]
            enough = length(link, spoken) >= threshold(link, first=pending.first)
            if not enough or any(_arrived_during(link, frame.t) for frame in spoken):
                continue
            observed = True
            due = link.exchange.idle_due(last.t, PATIENCE)
            if due is not None and due <= link.horizon and not pending.committed_by(due):
                waiting = format_duration(length(link, spoken))
                fate = " was cleared away, not committed" if pending.cleared else ", then a pause, and no commit within 3s"
                findings.append(find(last, f"{waiting} of audio{fate}", cause=_CAUSE))
    return once_per_cause(findings) if observed else None


@rule(
    "RT-COMMIT-STREAM",
    "VAD off, stream without pauses: no audio waits over 3 s for a commit while no response is active",
    why="A phone's microphone never pauses: a debounce that waits for a pause never commits.",
    source="Voice-agent contract; production report: debounce under a continuous stream",
    kind=RuleKind.CONTRACT,
)
def commit_stream(case: Case) -> Sequence[Finding] | None:
    """Look at the oldest audio that waits while the microphone goes on."""
    findings = []
    observed = False
    for link, pending in _manual(case):
        first = pending.appends[0]
        if _arrived_during(link, first.t) is not None:
            continue
        due = link.exchange.idle_due(first.t, PATIENCE)
        if due is None:
            continue
        spoken = spoken_until(pending.appends, due)
        end = min(due, pending.commit.frame.t) if pending.commit is not None else due
        paused = any(True for _ in pauses(spoken, end))
        if paused or length(link, spoken) < threshold(link, first=pending.first):
            continue
        if end - first.t >= SECOND:
            observed = True
        if due <= link.horizon and not pending.committed_by(due):
            findings.append(find(first, "audio waited over 3s for a commit in a stream without pauses", cause=_CAUSE))
    return once_per_cause(findings) if observed else None


@rule(
    "RT-COMMIT-AFTER-RESPONSE",
    "VAD off: ≥ 100 ms that arrived during a response is committed within 3 s of its end",
    why="What the caller said while the agent spoke is a turn, too; a proxy that forgets it never answers.",
    source="Voice-agent contract; production report: audio during a response was kept for ever",
    kind=RuleKind.CONTRACT,
)
def commit_after_response(case: Case) -> Sequence[Finding] | None:
    """Look at the audio that came while a response was active."""
    findings = []
    observed = False
    for link, pending in _manual(case):
        for response in link.exchange.conversation:
            during = _during(pending, response)
            if not during or length(link, during) < threshold(link, first=pending.first) or response.end is None:
                continue
            observed = True
            due = link.exchange.idle_due(response.end.t, PATIENCE)
            if due is not None and due <= link.horizon and not pending.committed_by(due):
                waiting = format_duration(length(link, during))
                message = f"{waiting} of audio came during a response and was not committed within 3s of its end"
                findings.append(find(response.end, message, cause=_CAUSE))
    return once_per_cause(findings) if observed else None


def _during(pending: Pending, response: Response) -> list[Frame]:
    end = response.end
    return [f for f in pending.appends if response.first_seq < f.seq and (end is None or f.seq < end.seq)]


@rule(
    "RT-COMMIT-TAIL",
    "VAD off: a shorter rest is padded and committed within 3 s of the response's end, or committed with what follows",
    why="The last syllable of a turn must not become the first one of the next, minutes later.",
    source="A product's choice",
    kind=RuleKind.POLICY,
)
def commit_tail(case: Case) -> Sequence[Finding] | None:
    """Look at rests under 100 ms that came during a response."""
    findings = []
    observed = False
    for link, pending in _manual(case):
        for response in link.exchange.conversation:
            during = _during(pending, response)
            if not during or response.end is None or length(link, during) >= COMMIT_MINIMUM:
                continue
            observed = True
            due = link.exchange.idle_due(response.end.t, PATIENCE)
            followed = pending.appends[-1].t > response.end.t + PAUSE and pending.commit is not None
            if due is not None and due <= link.horizon and not pending.committed_by(due) and not followed:
                rest = format_duration(length(link, during))
                findings.append(find(during[-1], f"a rest of {rest} was not committed within 3s", cause=_CAUSE))
    return once_per_cause(findings) if observed else None


@rule(
    "RT-COMMIT-FIRST",
    "a connection's first commit covers at least the target's `first_commit_min`",
    why="Some upstreams fail on a very short first turn; a product that learnt so asks for more.",
    source="A product's choice; the target declares `first_commit_min`, else it is the API's 100 ms",
    kind=RuleKind.POLICY,
)
def commit_first(case: Case) -> Sequence[Finding] | None:
    """Look at the first commit of each connection."""
    firsts = []
    for link in view(case).links:
        own = [commit for commit in link.exchange.commits if not commit.server]
        firsts += [(link, commit) for commit in own[:1]]
    if not firsts:
        return None
    findings = []
    for link, commit in firsts:
        format_, enough = upstream_format(link), threshold(link, first=True)
        covered = format_.duration(commit.audio)
        if covered < enough and format_.duration(commit.own) < enough:
            wanted = format_duration(enough)
            findings.append(find(commit.frame, f"the first commit covers {format_duration(covered)}, not {wanted}"))
    return once_per_cause(findings)
