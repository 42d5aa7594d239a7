"""The upstream's duties: it opens, answers, stays, and says nothing that its own types do not allow.

They hold for the mock and for the real API. What the scenario's own script produced, altered or withheld is skipped; what a
mutant or a fault did never is.
"""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from textwrap import shorten
from typing import Final

from conformance.rules.model import Case, Finding, RuleKind, rule
from conformance.rules.reading import listed, mapping, name_of
from conformance.rules.requests import Response
from conformance.rules.sound import folded
from conformance.rules.view import Conn, Link, find, once_per_cause, view
from conformance.verdicts import Blame, Level
from conformance.wire.durations import SECOND
from conformance.wire.frames import BINARY, DOWN, TEXT, UP, Frame
from conformance.wire.patterns import matches
from conformance.wire.schema import problems

_OPENS: Final = 10 * SECOND
_ANSWERS: Final = 15 * SECOND
_ENDS: Final = 10 * SECOND
_FATAL: Final = SECOND
_EXPIRY: Final = "session_expired"
_REFUSED: Final = range(3000, 5000)
_QUIET: Final = 20
"""An RMS below this is no speech."""


def is_own(case: Case, frame: Frame | None) -> bool:
    """True for a frame that the scenario's own script wrote, altered, delayed or withheld."""
    return frame is not None and frame.scripted is not None and frame.scripted in case.own_script


def withheld(conn: Conn, case: Case, type_: str) -> bool:
    """True when the scenario's own script withheld an event of this type on a connection."""
    marks = [mark for mark in conn.marks if mark.type in ("withheld", "delayed") and is_own(case, mark)]
    return any(type_ in (mark.data.get("type"), mapping(mark.data.get("event")).get("type")) for mark in marks)


def is_touched(link: Link, response: Response) -> bool:
    """True when the scenario's own script had a hand in a response: its answer was not the upstream's own."""
    case = link.case
    if not case.own_script:
        return False
    end = response.end.seq if response.end is not None else case.recording.frames[-1].seq
    marks = [mark for mark in link.upstream.marks if is_own(case, mark) and response.first_seq <= mark.seq <= end + 1]
    return bool(marks) or any(is_own(case, frame) for frame in response.frames)


@rule(
    "UP-CREATED-FIRST",
    "`session.created` first and once, or a fatal `error` and its close",
    why="Every client waits for it before it says anything.",
    source="Ground truth §2.1, §3.1",
    kind=RuleKind.UPSTREAM,
    blame=Blame.UPSTREAM,
)
def created_first(case: Case) -> Sequence[Finding] | None:
    """Look at the first event of each upstream connection."""
    findings: list[Finding] = []
    observed = False
    for link in view(case).links:
        conn = link.upstream
        down = [frame for frame in conn.events if frame.dir is DOWN]
        if withheld(conn, case, "session.created") or (down and is_own(case, down[0])):
            continue
        observed = observed or bool(down)
        if not down:
            if conn.opened is not None and not conn.refused and conn.start + _OPENS <= link.spoken_until:
                observed = True
                findings.append(find(conn.opened, "no session.created within 10s", cause="session.created"))
            continue
        first = down[0]
        fatal = first.type == "error" and conn.closed is not None and conn.closed.t - first.t <= _FATAL
        if first.type not in ("session.created", "transcription_session.created") and not fatal:
            findings.append(find(first, f"the session began with {first.type or first.kind}"))
        again = [frame for frame in down if frame.type == "session.created" and not is_own(case, frame)][1:]
        findings += [find(frame, "a second session.created on the same connection", cause="twice") for frame in again]
    return once_per_cause(findings) if observed else None


@rule(
    "UP-VALID-EVENTS",
    "every event is valid for the SDK's types, with an `event_id`, never reused",
    why="An event that the official SDK cannot read breaks every client built on it.",
    source="Types of the openai package; ground truth §1",
    kind=RuleKind.UPSTREAM,
    blame=Blame.UPSTREAM,
)
def valid_events(case: Case) -> Sequence[Finding] | None:
    """Validate each event of the upstream."""
    findings: list[Finding] = []
    observed = False
    for link in view(case).links:
        seen: set[str] = set()
        for frame in link.upstream.down:
            if is_own(case, frame):
                continue
            observed = True
            findings += _invalid(link, frame)
            event_id = frame.data.get("event_id")
            if frame.kind is TEXT and frame.type:
                if not isinstance(event_id, str):
                    findings.append(find(frame, f"{frame.type} has no event_id", cause=f"{frame.type} event_id"))
                elif event_id in seen:
                    findings.append(find(frame, f"the event_id of {frame.type} was used before", cause="event_id reused"))
                seen.add(name_of(event_id))
    return once_per_cause(findings) if observed else None


def _invalid(link: Link, frame: Frame) -> Iterator[Finding]:
    if frame.kind is BINARY or not frame.type:
        yield find(frame, "the upstream sent something that is no JSON event", cause="unreadable")
        return
    real = link.case.recording.header.target.startswith("real")
    for problem in problems(frame.data, "server", "beta" if link.is_beta else "ga"):
        if problem.path == "event_id":
            continue
        path = problem.path or "type"
        level = Level.SHOULD if real and "not a field" in problem.message else None
        yield find(frame, f"{frame.type}: {path} {problem.message}", cause=f"{frame.type} {path}", level=level)


@rule(
    "UP-RESPONSE-ENDS",
    "every response ends in `response.done`",
    why="A response without an end blocks the conversation: no other may begin.",
    source="Ground truth §2.3 to §2.9",
    kind=RuleKind.UPSTREAM,
    blame=Blame.UPSTREAM,
)
def response_ends(case: Case) -> Sequence[Finding] | None:
    """Look for the end of each response."""
    findings = []
    observed = False
    for link in view(case).links:
        conversation = link.exchange.conversation
        for response, following in zip_longest(conversation, conversation[1:]):
            if is_touched(link, response):
                continue
            due = response.last.t + _ENDS
            if response.end is None and following is None and due > link.spoken_until:
                continue
            observed = True
            if response.end is None:
                message = (
                    "the response never ended" if following is None else "the next response began before this one ended"
                )
                findings.append(find(response.last, message, cause="response.done"))
    return once_per_cause(findings) if observed else None


@rule(
    "UP-NO-ERROR",
    "no `server_error`, in no window: connected and idle, after an append, after a finished turn",
    why="The upstream failed by itself; the user hears silence or an apology.",
    source="Production reports of `The server had an error` about 5 s after connecting and after finished turns",
    kind=RuleKind.UPSTREAM,
    blame=Blame.UPSTREAM,
)
def no_error(case: Case) -> Sequence[Finding] | None:
    """Look for server errors on each upstream connection."""
    links = [link for link in view(case).links if link.down]
    if not links:
        return None
    findings = []
    for link in links:
        for frame in link.of("error", "response.done"):
            details = mapping(frame.data.get("error"))
            if frame.type == "response.done":
                details = mapping(mapping(mapping(frame.data.get("response")).get("status_details")).get("error"))
            if details.get("type") == "server_error" and not is_own(case, frame) and not _is_expected(link, frame):
                said = shorten(str(details.get("message") or details.get("code") or ""), 80, placeholder=" …")
                findings.append(
                    find(frame, f"server_error {_window(link, frame)}: {said}", cause=f"{frame.type} server_error")
                )
    return once_per_cause(findings)


def _is_expected(link: Link, error: Frame) -> bool:
    """True when an `expect` of the scenario asks for the `Error` that shows it, and neither fault nor mutant runs."""
    header = link.case.recording.header
    if header.fault is not None or header.mutant is not None:
        return False
    shown = next((frame for frame in link.shown("Error") if frame.seq > error.seq), None)
    return shown is not None and any(matches(pattern, shown.data) for pattern in link.case.expected_errors)


def _window(link: Link, error: Frame) -> str:
    before = [frame for frame in link.events if frame.seq < error.seq and frame.type != "rate_limits.updated"]
    last = before[-1] if before else None
    if last is None or last.type in ("session.created", "session.updated", "session.update"):
        since = error.t - link.upstream.start
        return f"while connected and idle, {since / SECOND:.1f}s after the connection"
    if last.type == "input_audio_buffer.append":
        return "after an append"
    return "after a finished turn" if last.type == "response.done" else f"after {last.type}"


@rule(
    "UP-STAYS-OPEN",
    "no close before the client's, save for expiry and fatal refusals",
    why="A connection that ends by itself ends the call.",
    source="Ground truth §2.13, §3.1, §3.5",
    kind=RuleKind.UPSTREAM,
    blame=Blame.UPSTREAM,
)
def stays_open(case: Case) -> Sequence[Finding] | None:
    """Look at closes by the upstream."""
    links = [link for link in view(case).links if link.down or link.upstream.closed is not None]
    if not links:
        return None
    findings = []
    for link in links:
        closed = link.upstream.closed
        if closed is None or closed.dir is UP or is_own(case, closed) or _may_close(link, closed):
            continue
        if link.left is not None and link.left.seq < closed.seq:
            continue
        findings.append(
            find(closed, f"the upstream closed with {closed.data.get('code')}", cause=f"close {closed.data.get('code')}")
        )
    return once_per_cause(findings)


def _may_close(link: Link, closed: Frame) -> bool:
    errors = [frame for frame in link.of("error") if 0 <= closed.t - frame.t <= _FATAL]
    if any(is_own(link.case, frame) for frame in errors):
        return True
    details = [mapping(frame.data.get("error")) for frame in errors]
    if any(detail.get("code") == _EXPIRY for detail in details):
        return True
    refusal = any(detail.get("type") == "invalid_request_error" for detail in details)
    return refusal and closed.data.get("code") in _REFUSED


@rule(
    "UP-ANSWERS",
    "a text turn is answered within 15 s",
    why="Silence after a question is what a user calls broken.",
    source="What text clients of the API time out after",
    kind=RuleKind.UPSTREAM,
    blame=Blame.UPSTREAM,
)
def answers(case: Case) -> Sequence[Finding] | None:
    """Look at each accepted create after a user item."""
    findings = []
    observed = False
    for link in view(case).links:
        users = [item for item in link.exchange.items if item.is_user]
        for create in link.exchange.creates:
            asked = any(item.frame.seq < create.frame.seq for item in users)
            if not asked or create.refused is not None or _is_scripted_answer(link, create.frame, create.response):
                continue
            due = create.frame.t + _ANSWERS
            response = create.response
            said = response is not None and any(
                frame.t <= due for frame in response.frames if frame.type not in ("response.created", "rate_limits.updated")
            )
            if not said and due > link.spoken_until:
                continue
            observed = True
            if not said:
                findings.append(find(create.frame, "no answer within 15s"))
    return once_per_cause(findings) if observed else None


def _is_scripted_answer(link: Link, create: Frame, response: Response | None) -> bool:
    if response is not None:
        return is_touched(link, response)
    marks = [mark for mark in link.upstream.marks if is_own(link.case, mark) and mark.seq > create.seq]
    frames = [frame for frame in link.down if is_own(link.case, frame) and frame.seq > create.seq]
    return bool(marks or frames)


@rule(
    "UP-AUDIO-SPEAKS",
    "a response in audio carries audio that is not silence",
    why="Silence with a transcript looks right in every log and is heard by nobody.",
    source="Ground truth §2.5; production report: the user cannot hear playback",
    kind=RuleKind.UPSTREAM,
    blame=Blame.UPSTREAM,
)
def audio_speaks(case: Case) -> Sequence[Finding] | None:
    """Look at the loudness of each response with audio."""
    findings = []
    observed = False
    for link in view(case).links:
        for response in link.exchange.responses:
            if is_touched(link, response) or response.status not in ("completed", ""):
                continue
            deltas = response.of("response.output_audio.delta")
            done = response.of("response.output_audio.done")
            if not deltas and not done:
                continue
            observed = True
            if all(_is_quiet(frame) for frame in deltas):
                what = "only silence" if deltas else "no audio at all"
                findings.append(find((deltas or done)[0], f"a response in audio carried {what}", cause="silence"))
    return once_per_cause(findings) if observed else None


def _is_quiet(delta: Frame) -> bool:
    """True when a delta is known to hold nothing that can be heard."""
    rms = listed(folded(delta).get("rms"))
    return bool(rms) and max(rms) < _QUIET
