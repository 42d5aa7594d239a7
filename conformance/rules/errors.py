"""Errors: every upstream error reaches the client, in time, under its own code, and none is made up."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from conformance.rules.culprit import ACTIVE_RESPONSE
from conformance.rules.hostile import is_client_mistake
from conformance.rules.model import Case, Finding, RuleKind, rule
from conformance.rules.reading import mapping
from conformance.rules.view import Link, find, once_per_cause, view
from conformance.wire.durations import SECOND, Micros
from conformance.wire.frames import Direction, Frame, Kind

_FORWARD: Final = SECOND
_STALLED: Final = 5 * SECOND
"""An error may wait for a running response's text; one that is silent for so long has none to come."""
_NEAR: Final = 2 * SECOND
_SLOW: Final = 10 * SECOND
"""A mistake, or a frame that cannot be read, explains no Error that comes later than this."""
_NEUTRAL: Final = frozenset(
    {
        *(
            "unknown",
            "error",
            "upstream",
            "openai",
            "realtime",
            "api",
            "server",
            "provider",
            "generic",
            "internal",
            "proxy",
        ),
        *("none", "null", "unspecified", "undefined", "na", "event", "failure", "failed", "response", "unmapped"),
        *("unclassified", "other", "misc", "general", "agent"),
    }
)
"""Words of which a placeholder may be made that claims nothing about the error."""
_FAILURES: Final = (
    "conversation.item.input_audio_transcription.failed",
    "mcp_list_tools.failed",
    "response.mcp_call.failed",
)


@dataclass(frozen=True, slots=True)
class Failure:
    """An upstream `error`, or a response that failed: what it says, and until when the client must hear of it."""

    frame: Frame
    details: Mapping[str, Any]
    due: Micros | None

    @property
    def code(self) -> Any:
        """The upstream's own code."""
        return self.details.get("code")


def failures(link: Link) -> list[Failure]:
    """Return what went wrong upstream, in order; an event sent twice, or an error and its response, count once."""
    found: list[Failure] = []
    for frame in link.of("error", "response.done"):
        details = _details(frame)
        if details is None or any(_is_same(known, frame, details) for known in found):
            continue
        found.append(Failure(frame, details, _due(link, frame)))
    return found


def _details(frame: Frame) -> Mapping[str, Any] | None:
    if frame.type == "error":
        return mapping(frame.data.get("error"))
    response = mapping(frame.data.get("response"))
    if response.get("status") != "failed":
        return None
    return mapping(mapping(response.get("status_details")).get("error"))


def _is_same(known: Failure, frame: Frame, details: Mapping[str, Any]) -> bool:
    event = frame.data.get("event_id")
    if event is not None and event == known.frame.data.get("event_id"):
        return True
    alike = details.get("code") == known.code and details.get("message") == known.details.get("message")
    return alike and frame.type != known.frame.type and frame.t - known.frame.t <= SECOND


def _due(link: Link, frame: Frame) -> Micros | None:
    """Return until when an error must be shown: 1 s, or 1 s after the text of the response that is running."""
    response = link.exchange.active(frame.seq) if frame.type == "error" else None
    if response is None or response.start.seq > frame.seq:
        return frame.t + _FORWARD + link.crossing
    if response.end is not None:
        return max(frame.t, response.end.t) + _FORWARD + link.crossing
    return max(frame.t, response.last.t) + _STALLED


def pairs(link: Link) -> tuple[list[tuple[Failure, Frame | None]], list[Frame]]:
    """Match each failure with the `Error` that shows it, and return the errors that show none.

    By code or words first, then in order: a proxy may translate both.
    """
    key = f"errors {link.upstream.number}"
    found = link.case.cache.get(key)
    if isinstance(found, tuple):
        return found
    left = link.shown("Error")
    matched: dict[int, Frame] = {}
    causes = failures(link)
    for test in (_speaks_of, _follows):
        for index, failure in enumerate(causes):
            if index in matched:
                continue
            shown = next((error for error in left if error.seq > failure.frame.seq and test(failure, error)), None)
            if shown is not None:
                matched[index] = shown
                left = [error for error in left if error is not shown]
    result = [(failure, matched.get(index)) for index, failure in enumerate(causes)], left
    link.case.cache[key] = result
    return result


def own_errors(link: Link) -> list[Frame]:
    """Return the errors at the client that pass none of the upstream's on: only those can say what the proxy refused."""
    return pairs(link)[1]


def _speaks_of(failure: Failure, error: Frame) -> bool:
    code, message = failure.code, failure.details.get("message")
    words = f"{error.data.get('description')} {error.data.get('message')}"
    if isinstance(message, str) and message and message in words:
        return True
    return code is not None and str(code) == str(error.data.get("code"))


def _follows(failure: Failure, error: Frame) -> bool:
    return failure.code != ACTIVE_RESPONSE and (failure.due is None or error.t <= failure.due)


@rule(
    "VA-ERROR-FORWARDED",
    "each upstream `error`, and each `response.done` with status failed, reaches the client within 1 s (buffering until "
    "the text of the running response is allowed); `conversation_already_has_active_response` is left to policy",
    why="A swallowed error is a support call without a cause.",
    source="Voice-agent contract, ordering point 8",
    kind=RuleKind.CONTRACT,
)
def error_forwarded(case: Case) -> Sequence[Finding] | None:
    """Look for the client's `Error` of each upstream failure."""
    findings: list[Finding] = []
    observed = False
    for link in view(case).links:
        if link.client is None:
            continue
        for failure, shown in pairs(link)[0]:
            if failure.code == ACTIVE_RESPONSE or failure.due is None:
                continue
            in_time = shown is not None and shown.t <= failure.due
            if not in_time and (failure.due > link.client_horizon and not _was_closed_on(link, failure)):
                continue
            observed = True
            if not in_time and not _is_explained(link, failure):
                what = "the upstream's error" if failure.frame.type == "error" else "the response's failure"
                name = failure.code or failure.details.get("type") or "without a code"
                message = f"{what} ({name}) {'reached the client late' if shown else 'never reached the client'}"
                findings.append(find(failure.frame, message, cause=f"{failure.frame.type} {name}"))
    return once_per_cause(findings) if observed else None


def _was_closed_on(link: Link, failure: Failure) -> bool:
    """True when the proxy closed the client before the error's time was up: then it was not shown at all."""
    closed = link.client.closed if link.client is not None else None
    return closed is not None and closed.dir is Direction.DOWN and closed.seq > failure.frame.seq


def _is_explained(link: Link, failure: Failure) -> bool:
    """True when the client was closed at once with a reason that names the error."""
    closed = link.client.closed if link.client is not None else None
    if closed is None or closed.seq < failure.frame.seq:
        return False
    reason = str(closed.data.get("reason") or "")
    words = [failure.code, failure.details.get("message")]
    return any(isinstance(word, str) and word and (word in reason or (reason and reason in word)) for word in words)


@rule(
    "VA-ACTIVE-ERROR-QUIET",
    "`conversation_already_has_active_response` is not shown to the client (RT-TURN-ANSWERED still asks that no turn "
    "is lost)",
    why="A client that reconnects at every error would repeat its calls.",
    source="A product's choice",
    kind=RuleKind.POLICY,
)
def active_error_quiet(case: Case) -> Sequence[Finding] | None:
    """Look for the `Error` of an active-response conflict."""
    findings = []
    observed = False
    for link in view(case).links:
        for failure, shown in pairs(link)[0]:
            if failure.code == ACTIVE_RESPONSE:
                observed = True
                if shown is not None:
                    findings.append(find(shown, f"{ACTIVE_RESPONSE} was shown to the client"))
    return once_per_cause(findings) if observed else None


@rule(
    "VA-ERROR-CODE",
    "with the upstream's own code; where it has none: none, null, the error's `type` or a neutral placeholder, never a "
    "code guessed from the text",
    why="Clients decide by code whether to reconnect; a guessed code makes them do it for the wrong error.",
    source="Voice-agent contract, Error; production report: every server error relabelled idle_timeout",
    kind=RuleKind.CONTRACT,
)
def error_code(case: Case) -> Sequence[Finding] | None:
    """Compare codes of each failure and its `Error`."""
    findings = []
    observed = False
    for link in view(case).links:
        for failure, shown in pairs(link)[0]:
            if shown is None:
                continue
            observed = True
            code = shown.data.get("code")
            if not _is_honest(code, failure):
                own = failure.code if failure.code is not None else "no code"
                findings.append(find(shown, f"the client was told {code!r}; the upstream's error had {own}"))
    return once_per_cause(findings) if observed else None


def _is_honest(code: Any, failure: Failure) -> bool:
    own = failure.code
    if own not in (None, ""):
        return code is not None and str(code) == str(own)
    if code in (None, "") or code == failure.details.get("type"):
        return True
    return set(re.findall(r"[a-z]+", str(code).lower())) <= _NEUTRAL


@rule(
    "VA-ERROR-HONEST",
    "no `Error` without an upstream error, close, refusal, unreadable upstream frame, or client mistake; lifecycle and "
    "unknown events are none of these",
    why="A made-up error makes clients reconnect, and reconnecting makes new errors.",
    source="Voice-agent contract, ordering point 8; production report: unmapped lifecycle events shown as errors",
    kind=RuleKind.CONTRACT,
)
def error_honest(case: Case) -> Sequence[Finding] | None:
    """Look for the reason of each `Error` that shows no upstream error."""
    findings = []
    observed = False
    for link in view(case).links:
        strange = pairs(link)[1]
        observed = observed or bool(link.shown("Error"))
        for error in strange:
            if not _has_reason(link, error):
                last = next((frame for frame in reversed(link.upstream.down) if frame.seq < error.seq), None)
                cause = last.type if last is not None else "Error"
                findings.append(find(error, f"an Error that nothing explains; {cause} came before it", cause=cause))
    return once_per_cause(findings) if observed else None


def _has_reason(link: Link, error: Frame) -> bool:
    up = link.upstream
    if up.refused or (up.closed is not None and up.closed.seq < error.seq):
        return True
    before = [frame for frame in up.down if frame.seq < error.seq]
    if any(_is_bad_news(frame, error) for frame in before):
        return True
    if any(_is_recent(link, frame, error) and is_client_mistake(link, frame) for frame in _said_before(link, error)):
        return True
    return _is_stuck(link, error)


def _is_bad_news(frame: Frame, error: Frame) -> bool:
    if frame.kind is Kind.BINARY or not frame.type:
        return error.t - frame.t <= _SLOW
    status = mapping(frame.data.get("response")).get("status")
    bad = frame.type == "error" or frame.type in _FAILURES or (frame.type == "response.done" and status not in _GOOD)
    return bad and error.t - frame.t <= _NEAR


_GOOD: Final = (None, "completed", "in_progress", "cancelled")


def _is_recent(link: Link, frame: Frame, error: Frame) -> bool:
    """True when an Error may still answer a message of the client: what came early waits for the session to be ready."""
    ready = link.granted
    return ready is None or error.t - max(frame.t, ready.t) <= _SLOW


def _said_before(link: Link, error: Frame) -> Iterator[Frame]:
    if link.client is not None:
        yield from (frame for frame in link.client.up if frame.seq < error.seq)


def _is_stuck(link: Link, error: Frame) -> bool:
    """True when the upstream has owed an answer, or the rest of a response, so long that giving up on it is honest."""
    exchange = link.exchange
    answers: list[tuple[Micros, Frame | None]] = [(link.upstream.start, link.created)]
    answers += [(update.frame.t, update.answer or update.refused) for update in exchange.updates]
    answers += [(item.frame.t, item.confirmed or item.refused) for item in exchange.items]
    answers += [(c.frame.t, c.refused if c.response is None else c.response.start) for c in exchange.creates]
    answers += [(commit.frame.t, commit.committed or commit.refused) for commit in exchange.commits if not commit.server]
    for response in exchange.responses:
        heard = [frame.t for frame in response.frames if frame.seq < error.seq]
        answers += [(max(heard), response.end)] if heard else []
    return any(error.t - since >= _STALLED and (answer is None or answer.seq > error.seq) for since, answer in answers)
