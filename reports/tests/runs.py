"""Runs that never ran: realistic recordings and results for the tests of the report, the same on every machine."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from conformance import results
from conformance.results import AttemptResult, Results, summarise
from conformance.rules.timeline import parse_timeline
from conformance.verdicts import Blame, CheckKind, CheckResult, Verdict, worst
from conformance.wire.recording import Footer, Outcome, Recording, dump

MANIFEST: Mapping[str, Any] = {
    "argv": ["--fault", "idle-error", "--flow", "firm-audio,greeting,idle", "--count", "20"],
    "seed": 0,
    "started": "2026-11-21T09:00:00+00:00",
    "clock": "virtual",
    "python": "3.11.9",
    "platform": "Linux",
    "versions": {"realtime-conformance": "0.1.0"},
    "git": "0123456789abcdef0123456789abcdef01234567",
    "environment": {"OPENAI_API_KEY": "[set]"},
    "scenarios": {},
    "interrupted": False,
}
ERROR = (
    "The server had an error while processing your request. Sorry about that! Please contact us through our help center "
    "at help.openai.com if the error persists."
)
WINDOW = 12_000_000
HELLO = "Hello, how can I help?"


@dataclass
class Run:
    """A run being made up; `write` puts it on disk as the plugin would."""

    manifest: dict[str, Any] = field(default_factory=lambda: dict(MANIFEST))
    attempts: list[tuple[AttemptResult, bytes | None]] = field(default_factory=list)

    def add(self, attempt: AttemptResult, recording: Recording | bytes | None) -> None:
        self.attempts.append((attempt, dump(recording) if isinstance(recording, Recording) else recording))

    @property
    def results(self) -> Results:
        return replace(summarise(attempt for attempt, _ in self.attempts), run=self.manifest)

    def write(self, folder: Path) -> Results:
        for attempt, recording in self.attempts:
            if attempt.recording is not None and recording is not None:
                path = folder / attempt.recording
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(recording)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "manifest.json").write_bytes(orjson.dumps(self.manifest))
        (folder / "results.json").write_bytes(results.dump(self.results))
        return self.results


def ids(*names: object) -> Callable[[str], str]:
    """Return a maker of ids that differ from attempt to attempt, as an upstream's do."""

    def make(prefix: str) -> str:
        digest = hashlib.sha256("/".join(map(str, (*names, prefix))).encode()).hexdigest()
        return f"{prefix.partition('/')[0]}_{digest[:21]}"

    return make


def attempt(
    scenario: str,
    cell: Mapping[str, Any],
    number: int,
    checks: Sequence[CheckResult],
    *,
    target: str = "mock",
    duration_s: float = 12.1,
    **fields: Any,
) -> AttemptResult:
    """Make an attempt's result; its verdict is the worst of its checks."""
    label = "-".join("null" if value is None else str(value) for value in cell.values())
    folder = f"recordings/{scenario}/{label or 'default'}" + ("" if target == "mock" else f".{target}")
    made = AttemptResult(
        scenario=scenario,
        flow=scenario.partition("/")[0],
        cell=dict(cell),
        attempt=number,
        target=target,
        seed=number,
        verdict=worst([check.verdict for check in checks]),
        checks=tuple(checks),
        duration_s=duration_s,
        wall_s=0.01,
        recording=f"{folder}/{number}.jsonl",
        nodeid=f"scenarios/{scenario}.yaml::{scenario}[{label}-{number}-20]",
        title="",
    )
    return replace(made, **fields)


def check(id_: str, verdict: Verdict = Verdict.PASS, **fields: Any) -> CheckResult:
    """Make a check's result: an ``expect`` unless told otherwise."""
    return CheckResult(id=id_, kind=fields.pop("kind", CheckKind.EXPECT), verdict=verdict, **fields)


def line(at: float, where: str, word: str, fields: Mapping[str, Any] | str = "", by: str = "") -> str:
    """Write a timeline's line; ``where`` is leg and direction, ``by`` the script rule that made the frame."""
    rest = fields if isinstance(fields, str) else json.dumps(fields)
    return f"{at:.3f} {where} {word} {by and f'@{by} '}{rest}".rstrip()


def session(new: Callable[[str], str], idle: int | None) -> dict[str, Any]:
    """A session object as the API shows it."""
    pcm = {"type": "audio/pcm", "rate": 24_000}
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": new("sess"),
        "model": "gpt-realtime",
        "output_modalities": ["audio"],
        "expires_at": 1_790_003_600,
        "tools": [],
        "tool_choice": "auto",
        "audio": {
            "input": {"format": pcm, "turn_detection": detection(idle)},
            "output": {"format": pcm, "voice": "marin", "speed": 1.0},
        },
    }


def detection(idle: int | None) -> dict[str, Any] | None:
    """What the proxy asks of the upstream's voice detection."""
    return None if idle is None else {"type": "server_vad", "idle_timeout_ms": idle, "create_response": False}


def opening(scenario: str, cell: Mapping[str, Any], number: int, target: str = "mock", greeting: bool = False) -> list[str]:
    """The frames up to `SettingsApplied`."""
    new = ids(scenario, sorted(cell.items(), key=str), number, target)
    idle = cell.get("idle_timeout_ms")
    header = {
        "scenario": scenario,
        "flow": scenario.partition("/")[0],
        "cell": dict(cell),
        "attempt": number,
        "target": target,
        "seed": number,
        "epoch": 1_790_000_000,
        "fault": "idle-error",
    }
    agent = {"idleTimeoutMs": idle, "think": {"prompt": "Hi"}} | ({"greeting": HELLO} if greeting else {})
    settings = {"audio": {"input": {"encoding": "linear16", "sample_rate": 24_000}}, "agent": agent}
    pcm = {"type": "audio/pcm", "rate": 24_000}
    update = {
        "type": "realtime",
        "instructions": "Hi",
        "audio": {"input": {"format": pcm, "turn_detection": detection(idle)}},
    }
    lines = [
        f"header {orjson.dumps(header).decode()}",
        line(0.000, "client up", "open", {"path": "/"}),
        line(0.000, "client up", 'mark step {"index": 0, "verb": "connect", "edge": "start"}'),
        line(0.001, "upstream up", "open", {"path": "/v1/realtime", "query": {"model": "gpt-realtime"}}),
        line(0.001, "client up", "Settings", settings),
        line(0.004, "upstream down", "session.created", {"event_id": new("event/1"), "session": session(new, None)}),
        line(0.005, "upstream up", "session.update", {"session": update}),
        line(0.065, "upstream down", "session.updated", {"event_id": new("event/2"), "session": session(new, idle)}),
        line(0.065, "client down", "SettingsApplied"),
    ]
    if greeting:
        lines.append(line(0.066, "client down", "ConversationText", {"role": "assistant", "content": HELLO}))
        lines.append(line(0.066, "client down", "AgentAudioDone"))
    return lines


def ending(at: float = 12.1) -> list[str]:
    """The client's farewell."""
    return [f"{at:.3f} client up close 1000", f"{at:.3f} upstream up close 1000", f"{at:.3f} end finished"]


def idle_error(scenario: str, cell: Mapping[str, Any], number: int, at: float = 5.004, target: str = "mock") -> list[str]:
    """The seeds' error, and how the proxy passes it on."""
    new = ids(scenario, sorted(cell.items(), key=str), number, target)
    error = {"type": "server_error", "code": None, "message": ERROR, "param": None, "event_id": None}
    return [
        line(at, "upstream down", "mark fault", {"name": "idle-error"}, by="idle-error"),
        line(at, "upstream down", "error", {"event_id": new("event/3"), "error": error}, by="idle-error"),
        line(at + 0.001, "client down", "Error", {"code": "server_error", "description": ERROR}),
    ]


def spoken_turn(scenario: str, cell: Mapping[str, Any], number: int, target: str = "mock") -> list[str]:
    """200 ms of speech at once, the proxy's commit, and an answer in audio; with server VAD on, nothing is committed."""
    new = ids(scenario, sorted(cell.items(), key=str), number, target)
    lines = [line(0.065, "client up", 'mark step {"index": 3, "id": "first-audio", "verb": "audio", "edge": "start"}')]
    for chunk in range(10):
        at = 0.066 + 0.02 * chunk
        lines.append(line(at, "client up", "binary 20ms"))
        lines.append(line(at, "upstream up", "input_audio_buffer.append 20ms"))
    if cell.get("idle_timeout_ms") is not None:
        return lines
    item, resp = new("item/user"), new("resp")
    user = {"id": item, "type": "message", "role": "user", "content": [{"type": "input_audio", "transcript": None}]}
    part = {"response_id": resp, "item_id": new("item/answer"), "output_index": 0, "content_index": 0}
    lines += [
        line(0.646, "upstream up", "input_audio_buffer.commit"),
        line(0.700, "upstream down", "input_audio_buffer.committed", {"event_id": new("event/4"), "item_id": item}),
        line(0.701, "upstream down", "conversation.item.added", {"event_id": new("event/5"), "item": user}),
        line(0.702, "upstream down", "conversation.item.done", {"event_id": new("event/6"), "item": user}),
        line(0.702, "upstream up", "response.create"),
        line(0.790, "upstream down", "response.created", {"event_id": new("event/7"), "response": {"id": resp}}),
        line(0.791, "client down", "AgentStartedSpeaking"),
    ]
    for chunk in range(6):
        at = 0.9 + 0.01 * chunk
        said = {**part, "delta": f"word {chunk} "}
        lines.append(line(at, "upstream down", "response.output_audio_transcript.delta", said))
        lines.append(line(at, "upstream down", f"response.output_audio.delta 100ms {orjson.dumps(part).decode()}"))
        lines.append(line(at, "client down", "binary 100ms"))
    text = " ".join(f"word {chunk}" for chunk in range(6))
    return [
        *lines,
        line(0.970, "upstream down", "response.output_audio.done", part),
        line(0.971, "upstream down", "response.output_audio_transcript.done", {**part, "transcript": text}),
        line(0.972, "client down", "ConversationText", {"role": "assistant", "content": text}),
        line(0.973, "upstream down", "response.done", {"response": {"id": resp, "status": "completed"}}),
        line(0.974, "client down", "AgentAudioDone"),
    ]


IDLE_CHECKS = {"firm-audio": "no-error-in-window", "greeting": "no-error-while-idle", "idle": "stays-quiet"}


def seeds_attempt(
    scenario: str, idle: int | None, number: int, *, fails: bool | None = None, at: float = 5.004, target: str = "mock"
) -> tuple[AttemptResult, Recording]:
    """One attempt of the seeds' table."""
    flow = scenario.partition("/")[0]
    cell = {"idle_timeout_ms": idle}
    text = opening(scenario, cell, number, target, greeting=flow == "greeting")
    if flow == "firm-audio":
        text += spoken_turn(scenario, cell, number, target)
    fails = (idle is None and flow != "firm-audio") if fails is None else fails
    if fails:
        text += idle_error(scenario, cell, number, at, target)
    recording = parse_timeline("\n".join([*text, *ending()]))
    window = ((66_000, 66_000 + WINDOW),)
    settings = check("settings-applied", t=65_000, windows=((0, 2_000_000),))
    quiet = check(IDLE_CHECKS.get(flow, "no-error"), kind=CheckKind.FORBID, windows=window)
    rule = check("UP-NO-ERROR", kind=CheckKind.RULE)
    if fails:
        up = next(frame for frame in recording.frames if frame.type == "error")
        down = next(frame for frame in recording.frames if frame.type == "Error")
        quiet = replace(
            quiet, verdict=Verdict.FAIL, blame=Blame.UPSTREAM, t=down.t, event=down.seq, message=f"Error at {at:.1f}s"
        )
        rule = replace(
            rule,
            verdict=Verdict.FAIL,
            blame=Blame.UPSTREAM,
            t=up.t,
            event=up.seq,
            cause="error",
            message="the upstream sent server_error: The server had an error while processing your request.",
        )
    return attempt(scenario, cell, number, (settings, quiet, rule), target=target), recording


SEEDS = ("firm-audio/silence", "greeting/idle", "idle/connect")


def seeds_run(count: int = 20, scenarios: Iterable[str] = SEEDS, **options: Any) -> Run:
    """The seeds' finding: firm-audio passes, greeting and idle fail at 5 s where nothing sets `idle_timeout_ms`."""
    run = Run()
    for number in range(1, count + 1):
        for scenario in scenarios:
            for idle in (None, 10_000, 30_000):
                run.add(*seeds_attempt(scenario, idle, number, **options))
    return run


def green_run(count: int = 5) -> Run:
    """Nothing fails."""
    run = seeds_run(count, fails=False)
    run.manifest["argv"] = ["--count", str(count)]
    return run


def flaky_run(count: int = 20) -> Run:
    """The greeting fails now and then, whatever the cell, at times that differ."""
    run = Run()
    run.manifest |= {"argv": ["--real", "-k", "greeting", "--count", str(count)], "clock": "real", "seed": 815}
    for number in range(1, count + 1):
        for idle in (None, 10_000):
            unlucky = (number + (idle is None)) % 4 == 0
            at = 5.0 + number / 10
            run.add(*seeds_attempt("greeting/idle", idle, number, fails=unlucky, at=at, target="real"))
    return run


def harness_error_run() -> Run:
    """Some attempts never reached the API."""
    run = seeds_run(5, ("greeting/idle",), fails=False)
    for number in range(6, 9):
        made = attempt(
            "greeting/idle",
            {"idle_timeout_ms": None},
            number,
            [check("harness", Verdict.ERROR, blame=Blame.HARNESS, message="401 at the handshake: check OPENAI_API_KEY")],
            message="401 at the handshake: check OPENAI_API_KEY",
            duration_s=0.2,
        )
        head = opening("greeting/idle", {"idle_timeout_ms": None}, number)[0]
        recording = parse_timeline(
            head + '\n0.200 client up mark connect-failed {"index": 0, "status": 401, "message": "401"}'
        )
        footer = Footer(200_000, Outcome.ERROR, "401 at the handshake: check OPENAI_API_KEY")
        run.add(made, replace(recording, footer=footer))
    return run


def known_run() -> Run:
    """A known failure that fails as it should, and one that no longer does."""
    run = Run()
    reason = "upstream idle error, issue 414"
    for number in range(1, 6):
        made, recording = seeds_attempt("greeting/idle", None, number)
        run.add(replace(made, known=reason), recording)
        made, recording = seeds_attempt("idle/connect", None, number, fails=False)
        stale = check(
            "known:UP-NO-ERROR", Verdict.FAIL, blame=Blame.HARNESS, message="known to fail, yet it passed: remove its entry"
        )
        run.add(replace(made, checks=(*made.checks, stale), verdict=Verdict.FAIL), recording)
        run.add(*seeds_attempt("firm-audio/silence", None, number))
    return run


def large_run(attempts: int, folder: Path) -> Results:
    """Write a run of many attempts over 50 cells of ten flows; every attempt has a recording of its own, a quarter fails.

    The recordings are those of the seeds' flows with other names, so that making them up takes no longer than reporting.
    """
    flows = ("greeting", "idle", "firm-audio", "text", "function-call", "vad", "error", "close", "context", "session")
    patterns = {
        fails: [seeds_attempt(scenario, None, number, fails=fails) for scenario in SEEDS for number in (1, 2)]
        for fails in (True, False)
    }
    made: list[AttemptResult] = []
    for index in range(attempts):
        flow, cell = flows[index % 10], {"idle_timeout_ms": 1000 * (index // 10 % 5)}
        known = patterns[(flow in {"greeting", "idle"} and index % 8 != 0) or index % 16 == 3]
        result, recording = known[index % len(known)]
        path = f"recordings/{flow}/one/{cell['idle_timeout_ms']}/{index}.jsonl"
        made.append(replace(result, scenario=f"{flow}/one", flow=flow, cell=cell, attempt=index, recording=path, nodeid=""))
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        own = hashlib.sha256(str(index).encode()).hexdigest()[:8].encode()
        (folder / path).write_bytes(dump(recording).replace(b"sess_", b"sess_" + own).replace(b"event_", b"event_" + own))
    return replace(summarise(made), run=dict(MANIFEST))
