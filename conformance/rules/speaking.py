"""The agent's turn as the client hears it: started before the first output, done once, after the last audio.

`AgentStartedSpeaking` and `AgentAudioDone` name no response. A started belongs to the response that had begun upstream;
a done to the first response still without one that had given any sign of completion, in order; the done that follows a
greeting to none.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from conformance.rules.messages import greeting_of, messages, telling, words
from conformance.rules.model import Case, Finding, RuleKind, rule
from conformance.rules.requests import Response
from conformance.rules.sound import folded
from conformance.rules.view import Link, find, once_per_cause, view
from conformance.wire.durations import SECOND, Micros
from conformance.wire.events import ga_name
from conformance.wire.frames import BINARY, Frame

_SOON: Final = SECOND
_DELTA: Final = "response.output_audio.delta"
_COMPLETIONS: Final = (
    "response.output_text.done",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.function_call_arguments.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.done",
)


class Speech:
    """What the client heard of each response of a link."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.responses = [response for response in link.exchange.responses if response.default]
        self.guessed: set[int] = set()
        """Audio whose body no response sent, so that only its place says whose it may be."""
        self.audio = self._audio()
        self.texts = self._texts()
        self.starts = self._assign_starts()
        self.dones, self.surplus = self._assign_dones()

    def overlaps(self, response: Response) -> bool:
        """Tell whether another response ran beside this one, as a script can make them."""
        others = [other for other in self.responses if other is not response]
        return any(_runs_beside(response, other) or _runs_beside(other, response) for other in others)

    def first_output(self, response: Response) -> Frame | None:
        """Return the first audio or text of a response at the client."""
        outputs = [*self.audio.get(id(response), [])[:1], *self.texts.get(id(response), [])[:1]]
        return min(outputs, key=lambda frame: frame.seq, default=None)

    def _audio(self) -> dict[int, list[Frame]]:
        """Attribute each binary frame to a response: by body, else to the one whose delta came last before."""
        owners: dict[object, Response] = {}
        deltas: list[tuple[Frame, Response]] = []
        for response in self.responses:
            for delta in response.of(_DELTA):
                owners.setdefault(folded(delta).get("sha256"), response)
                deltas.append((delta, response))
        deltas.sort(key=lambda pair: pair[0].seq)
        seqs = [delta.seq for delta, _ in deltas]
        twice = _sent_by_several(deltas)
        found: dict[int, list[Frame]] = {}
        for frame in self.link.client.down if self.link.client is not None else ():
            if frame.kind is not BINARY:
                continue
            owner = owners.get(folded(frame).get("sha256"))
            self.guessed |= {frame.seq} if owner is None else set()
            before = bisect_left(seqs, frame.seq)
            if before and (owner is None or owner.first_seq > frame.seq or folded(frame).get("sha256") in twice):
                owner = deltas[before - 1][1]
            if owner is not None:
                found.setdefault(id(owner), []).append(frame)
        return found

    def _texts(self) -> dict[int, list[Frame]]:
        found: dict[int, list[Frame]] = {}
        said = messages(self.link)
        for index, frames in telling(self.link).told.items():
            found.setdefault(id(said[index].response), []).extend(frames)
        return {key: sorted(frames, key=lambda frame: frame.seq) for key, frames in found.items()}

    def _assign_starts(self) -> dict[int, list[Frame]]:
        """Attribute each `AgentStartedSpeaking` to the response whose first output comes next, else to that begun last.

        Between a create and its `response.created` it may still be the one before that is told late; when that one is over
        and was told before, it is the next that is told early.
        """
        starts: dict[int, list[Frame]] = {}
        for frame in self.link.shown("AgentStartedSpeaking"):
            begun = [response for response in self.responses if response.first_seq < frame.seq]
            if not begun:
                continue
            owner = begun[-1]
            coming = self._next_heard(frame)
            if coming is not None and coming in begun and id(coming) not in starts:
                starts[id(coming)] = [frame]
                continue
            fresh = owner.start.seq > frame.seq or frame.t - owner.start.t < self.link.crossing
            if fresh and len(begun) > 1 and id(begun[-2]) not in starts:
                owner = begun[-2]
            elif len(begun) < len(self.responses) and self._is_over(owner, frame, told=id(owner) in starts):
                owner = self.responses[len(begun)]
            starts.setdefault(id(owner), []).append(frame)
        return starts

    def _next_heard(self, frame: Frame) -> Response | None:
        """Return the response of the next output at the client, if it is that response's first."""
        firsts = [(first, response) for response in self.responses if (first := self.first_output(response)) is not None]
        later = [(first.seq, response) for first, response in firsts if first.seq > frame.seq]
        heard = [output for outputs in (*self.audio.values(), *self.texts.values()) for output in outputs]
        next_ = min((output.seq for output in heard if output.seq > frame.seq), default=None)
        return next((response for seq, response in later if seq == next_), None)

    def _is_over(self, response: Response, frame: Frame, *, told: bool) -> bool:
        """True when a response has ended before a frame, and nothing of it is still to be told."""
        first, end = self.first_output(response), response.end
        if end is None or end.seq > frame.seq:
            return False
        return told or (frame.t - end.t > _SOON if first is None else first.seq < frame.seq)

    def _assign_dones(self) -> tuple[dict[int, Frame], list[Frame]]:
        dones: dict[int, Frame] = {}
        surplus: list[Frame] = []
        last, before = -1, None
        for done in self._own_dones():
            open_ = [
                index
                for index, response in enumerate(self.responses)
                if index not in dones
                and _completed_before(response, done)
                # One that was passed over had completed without a done; a script may let one run on beside the next.
                and (index > last or before is None or not _completed_before(response, before))
            ]
            speaking = [index for index in open_ if not is_tools_only(self.responses[index])]
            if open_:
                chosen = speaking[0] if speaking else open_[-1]
                dones[chosen] = done
                last, before = max(last, chosen), done
            elif any(response.first_seq < done.seq for response in self.responses):
                surplus.append(done)
        return {id(self.responses[index]): done for index, done in dones.items()}, surplus

    def _own_dones(self) -> list[Frame]:
        """Return the `AgentAudioDone` that belong to responses: not the first one after the greeting."""
        dones = self.link.shown("AgentAudioDone")
        greeting = greeting_of(self.link)
        texts = [frame for frame in self.link.shown("ConversationText") if greeting and words(frame) == greeting]
        if not texts:
            return dones
        after = next((done for done in dones if done.seq > texts[0].seq), None)
        heard = [frame for frames in (*self.audio.values(), *self.texts.values()) for frame in frames]
        between = after is not None and any(texts[0].seq < frame.seq < after.seq for frame in heard)
        return dones if between else [done for done in dones if done is not after]


def _runs_beside(one: Response, other: Response) -> bool:
    return one.start.seq < other.start.seq and (one.end is None or other.start.seq < one.end.seq)


def _sent_by_several(deltas: Sequence[tuple[Frame, Response]]) -> set[object]:
    """Return the hashes of bodies, such as silence, that more than one response sent."""
    owners: dict[object, Response] = {}
    return {
        digest
        for delta, response in deltas
        if owners.setdefault(digest := folded(delta).get("sha256"), response) is not response
    }


def _completed_before(response: Response, done: Frame) -> bool:
    return any(frame.seq < done.seq and ga_name(frame.type) in _COMPLETIONS for frame in response.frames)


def is_tools_only(response: Response) -> bool:
    """True for a response that said nothing and called functions."""
    if not response.calls:
        return False
    spoken = ("response.output_audio.delta", "response.output_text.delta", "response.output_text.done")
    return not response.of(*spoken) and all(item.get("type") == "function_call" for item in response.outputs)


def _speeches(case: Case) -> list[Speech]:
    found = case.cache.get("speeches")
    if not isinstance(found, list):
        found = [Speech(link) for link in view(case).links if link.client is not None and link.exchange.responses]
        case.cache["speeches"] = found
    return found


@rule(
    "VA-SPEAKING-FIRST",
    "`AgentStartedSpeaking` before a response's first audio or assistant text (greeting aside)",
    why="The client switches from listening to speaking on it; output before it is cut or timed out.",
    source="Voice-agent contract, AgentStartedSpeaking; production report: idle timeout hit before the first text",
    kind=RuleKind.CONTRACT,
)
def speaking_first(case: Case) -> Sequence[Finding] | None:
    """Look at what came first of each response that was heard."""
    findings = []
    observed = False
    for speech in _speeches(case):
        for response in speech.responses:
            first = speech.first_output(response)
            if first is None:
                continue
            observed = True
            own = speech.starts.get(id(response), [])
            started = [f for f in speech.link.shown("AgentStartedSpeaking") if f.seq > response.first_seq]
            if not any(frame.seq < first.seq for frame in (*own, *started)):
                what = "audio" if first.kind is BINARY else "text"
                findings.append(find(first, f"a response's {what} came before AgentStartedSpeaking", cause=what))
    return once_per_cause(findings) if observed else None


@rule(
    "VA-SPEAKING-ONCE",
    "`AgentStartedSpeaking` once per response",
    why="A client that counts turns by it would count too many.",
    source="Voice-agent contract, AgentStartedSpeaking",
    kind=RuleKind.CONTRACT,
)
def speaking_once(case: Case) -> Sequence[Finding] | None:
    """Count the starts of each response."""
    findings = []
    observed = False
    for speech in _speeches(case):
        for started in speech.starts.values():
            observed = True
            if len(started) > 1:
                findings.append(find(started[1], "a second AgentStartedSpeaking for the same response"))
    return once_per_cause(findings) if observed else None


@rule(
    "VA-DONE-LAST",
    "no audio of a response after its `AgentAudioDone`; text may follow",
    why="The client has stopped listening for audio: what comes late is lost or played into the user's turn.",
    source="Voice-agent contract, AgentAudioDone",
    kind=RuleKind.CONTRACT,
)
def done_last(case: Case) -> Sequence[Finding] | None:
    """Look at the audio after each response's done."""
    findings = []
    observed = False
    for speech in _speeches(case):
        for response in speech.responses:
            done, audio = speech.dones.get(id(response)), speech.audio.get(id(response), [])
            if done is None or not audio:
                continue
            observed = True
            findings += [
                find(frame, "audio of a response after its AgentAudioDone")
                for frame in audio
                if frame.seq > done.seq and not (frame.seq in speech.guessed and speech.overlaps(response))
            ]
    return once_per_cause(findings) if observed else None


@rule(
    "VA-DONE-ONCE",
    "`AgentAudioDone` once per response; the one after a greeting belongs to none",
    why="A client that idles on it would start its timeout twice, or hang up in the middle of a response.",
    source="Voice-agent contract, AgentAudioDone: once per response",
    kind=RuleKind.CONTRACT,
)
def done_once(case: Case) -> Sequence[Finding] | None:
    """Look for dones that no response explains."""
    speeches = [speech for speech in _speeches(case) if speech.dones or speech.surplus]
    if not speeches:
        return None
    return once_per_cause(
        find(done, "a second AgentAudioDone for the same response") for speech in speeches for done in speech.surplus
    )


@rule(
    "VA-DONE-COMES",
    "within 1 s of `response.done`, also without any other completion event or with empty output; tool-calls-only exempt",
    why="Without it the client never listens again, or never times out.",
    source="Voice-agent contract, AgentAudioDone; production report: proxies that wait for a text event that never comes",
    kind=RuleKind.CONTRACT,
)
def done_comes(case: Case) -> Sequence[Finding] | None:
    """Look for the done of each finished response."""
    findings = []
    observed = False
    for speech in _speeches(case):
        for response in speech.responses:
            end = response.end
            if end is None or not response.began or is_tools_only(response) or _is_told_as_error(speech, response):
                continue
            due = _spoken_until(speech, response, end) + _SOON + speech.link.crossing
            done = speech.dones.get(id(response))
            if done is None and due > speech.link.client_horizon:
                continue
            observed = True
            if done is None or done.t > due:
                findings.append(find(end, "no AgentAudioDone within 1s of response.done", cause="AgentAudioDone"))
    return once_per_cause(findings) if observed else None


def _spoken_until(speech: Speech, response: Response, end: Frame) -> Micros:
    """Return when the client has all of a response: a proxy may pass audio on at the pace in which it is heard."""
    until = end.t
    for frame in speech.audio.get(id(response), []):
        if frame.t <= until + _SOON:
            until = max(until, frame.t)
    return until


def _is_told_as_error(speech: Speech, response: Response) -> bool:
    """True for a failed response that the client was told of as an Error: nothing was being said."""
    end = response.end
    failed = response.status == "failed" and end is not None and speech.first_output(response) is None
    return failed and end is not None and any(error.seq > end.seq for error in speech.link.shown("Error"))
