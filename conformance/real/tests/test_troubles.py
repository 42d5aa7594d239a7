"""What can go wrong with a real API: each trouble gets the verdict and the blame that it deserves, and our proxy none.

All attempts of this module run at once on one loop before the first test asks for its own. The servers listen in this
process, so the loop may be one on the virtual clock: what is judged is not how busy the machine was.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from conformance.clock import Clock, run
from conformance.judge import Judgement, judge
from conformance.real.tests.conftest import KEY
from conformance.runner import AttemptPlan, pacing, record_async
from conformance.scenario.load import load
from conformance.scenario.model import Cell
from conformance.targets.model import Target, Upstream
from conformance.verdicts import Blame, Verdict
from conformance.wire.fault_text import read_fault
from conformance.wire.script import Fault, Script, ScriptRule
from mock_upstream.server import MockUpstream
from mock_upstream.tls import self_made

REAL: Final = Target(name="real", upstream=Upstream.REAL)
AGENT: Final = """
scenario: text/agent
flow: text
client:
  - connect:
  - send: {type: Settings, agent: {think: {prompt: Hi}}}
  - wait: SettingsApplied
    within: 2s
    id: ready
  - send: {type: InjectUserMessage, content: Hello}
    id: said
  - wait: AgentAudioDone
    within: 3s
  - hold: 700ms
  - close: {code: 1000, late: 0s}
expect:
  - id: answered
    client: {type: ConversationText, role: assistant}
    after: said
    within: 3s
forbid:
  - id: no-error
    client: Error
"""
DIRECT: Final = """
scenario: text/direct
flow: text
speaks: realtime
client:
  - connect:
  - wait: session.created
    within: 2s
    id: created
  - send: {type: conversation.item.create, item: {type: message, role: user, content: [{type: input_text, text: Hi}]}}
  - wait: conversation.item.done
    within: 2s
  - send: {type: response.create}
    id: asked
  - wait: response.done
    within: 3s
  - hold: 700ms
  - close: {code: 1000, late: 0s}
expect:
  - id: answered
    client: {type: response.done, response: {status: completed}}
    after: asked
    within: 3s
forbid:
  - id: no-error
    client: {type: error}
"""
QUIET: Final = """
scenario: idle/quiet
flow: idle
client:
  - connect:
  - send: {type: Settings, agent: {think: {prompt: Hi}}}
  - wait: SettingsApplied
    within: 2s
    id: ready
  - hold: 3s
  - close: {code: 1000, late: 0s}
forbid:
  - id: no-error
    client: Error
    after: ready
    within: 3s
"""
QUIET_DIRECT: Final = """
scenario: idle/quiet-direct
flow: idle
speaks: realtime
client:
  - connect:
  - wait: session.created
    within: 2s
    id: ready
  - hold: 3s
  - close: {code: 1000, late: 0s}
forbid:
  - id: no-error
    client: {type: error}
    after: ready
    within: 3s
"""
SCENARIOS: Final = (AGENT, DIRECT, QUIET, QUIET_DIRECT)


@dataclass(frozen=True)
class Trouble:
    """What the server does, and what must be said of it."""

    verdict: Verdict
    blames: frozenset[Blame] = frozenset()
    says: str = ""
    fault: str | None = None
    rule: ScriptRule | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    model: str = "gpt-realtime"
    tls: bool = False
    quiet: bool = False


def harness(says: str, **options: Any) -> Trouble:
    return Trouble(Verdict.ERROR, frozenset({Blame.HARNESS}), says, **options)


def upstream(says: str = "", **options: Any) -> Trouble:
    return Trouble(Verdict.FAIL, frozenset({Blame.UPSTREAM}), says, **options)


ABORTED: Final = ScriptRule(id="abort", when="response.output_audio.delta", fault=Fault("abort"))
TROUBLES: Final = {
    "none": Trouble(Verdict.PASS),
    "refused with 401": harness("HTTP 401: check the key", fault="refuse-401"),
    "refused with 403": harness("HTTP 403: the key or the address has no access", fault="refuse-403"),
    "refused with 429": harness("HTTP 429: it limits the rate", fault="refuse-429"),
    "refused with 500": harness("HTTP 500: it is in trouble", fault="refuse-500"),
    "a slow accept": Trouble(Verdict.PASS, fault="slow-accept,after=700ms"),
    "an abort mid-response": upstream("UP-STAYS-OPEN: the upstream closed with 1006", rule=ABORTED),
    "silence": upstream("answered", fault="silent-model"),
    "a stall": upstream("answered", rule=ScriptRule(id="stall", when="response.created", fault=Fault("stall"))),
    "a peer that is gone mid-response": upstream(
        "answered", rule=ScriptRule(id="gone", when="response.created", fault=Fault("half-open"))
    ),
    "a peer that takes the call and is gone": upstream(fault="half-open"),
    "an error while idle": upstream("no-error", fault="idle-error,after=600ms", quiet=True),
    "an error after the turn": upstream("no-error", fault="error-after-turn,after=300ms"),
    "the session's expiry": upstream("no-error", settings={"expiry": "900ms"}, quiet=True),
    "a certificate that nobody vouches for": harness("the certificate of wss://", tls=True),
    "a model that there is not": harness("refused the session: ", model="gpt-nonsense"),
}
SPOKEN: Final = {"agent": ("text/agent", "idle/quiet"), "direct": ("text/direct", "idle/quiet-direct")}
"""By the protocol of the client leg: the scenario with a turn, and the one without."""
CASES: Final = [(name, spoken) for name in TROUBLES for spoken in SPOKEN]


@dataclass(frozen=True)
class Case:
    trouble: Trouble
    judgement: Judgement
    message: str
    length: int


async def play(trouble: Trouble, cell: Cell, patch: pytest.MonkeyPatch) -> Case:
    rules = () if trouble.rule is None else (trouble.rule,)
    server = MockUpstream(
        script=Script(rules=rules, settings=trouble.settings),
        fault=None if trouble.fault is None else read_fault(trouble.fault),
        ssl=self_made("127.0.0.1")[0] if trouble.tls else None,
        key=KEY,
    )
    plan = AttemptPlan(cell=cell, target=REAL, clock=Clock.REAL)
    async with server:
        patch.setenv("OPENAI_REALTIME_URL", server.url)
        patch.setenv("OPENAI_REALTIME_MODEL", trouble.model)
        recording = await record_async(plan)  # reads the environment before anything else can run
    assert recording.footer is not None
    return Case(trouble, judge(cell, recording, REAL), recording.footer.message or "", recording.end)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Case]:
    folder = tmp_path_factory.mktemp("troubles") / "scenarios"
    cells = {}
    for text in SCENARIOS:
        name = text.split()[1]
        path = folder / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        [cells[name]] = load(path).cells()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", KEY)
        patch.setattr(pacing, "FIRST_PAUSE", 10_000)
        patch.setattr(pacing, "SPREAD", 0)

        async def main() -> list[Case]:
            chosen = [(TROUBLES[name], cells[SPOKEN[spoken][TROUBLES[name].quiet]]) for name, spoken in CASES]
            return list(await asyncio.gather(*(play(trouble, cell, patch) for trouble, cell in chosen)))

        return dict(zip(CASES, run(main(), clock=Clock.VIRTUAL), strict=True))


@pytest.mark.parametrize(("name", "spoken"), CASES)
def test_a_trouble_gets_its_verdict_and_its_blame(cases: dict[tuple[str, str], Case], name: str, spoken: str) -> None:
    case = cases[name, spoken]
    trouble, judgement = case.trouble, case.judgement
    bad = [check for check in judgement.checks if check.verdict is trouble.verdict]
    told = [f"{check.verdict} {check.id} {check.blame}: {check.message}" for check in judgement.checks if check.blame]
    assert judgement.verdict is trouble.verdict, (told, case.message)
    if trouble.verdict is Verdict.PASS:
        return
    assert {check.blame for check in bad if check.blame} <= trouble.blames, told
    said = [case.message, *(f"{check.id}: {check.message}" for check in bad)]
    assert any(trouble.says in sentence for sentence in said), said


def test_no_trouble_of_the_upstream_is_charged_to_our_proxy(cases: dict[tuple[str, str], Case]) -> None:
    charged = {
        name: [check.message for check in case.judgement.checks if check.blame in (Blame.PROXY, Blame.CLIENT)]
        for name, case in cases.items()
    }
    assert {name: messages for name, messages in charged.items() if messages} == {}


def test_a_refusal_ends_an_attempt_at_once_and_does_not_wait_for_its_windows(cases: dict[tuple[str, str], Case]) -> None:
    refused = [case.length for (name, _), case in cases.items() if name.startswith("refused") or "model" in name]
    assert len(refused) == 10
    assert max(refused) < 4_000_000
