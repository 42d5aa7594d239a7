"""The real API is asked again when it refuses the handshake with 429 or 5xx, a few times, and never otherwise."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from http import HTTPStatus

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from conformance.clock import Clock, run
from conformance.runner import AttemptPlan, pacing, record_async
from conformance.runner.failures import RefusedError
from conformance.runner.pacing import Pacing, asked_pause
from conformance.runner.tests.fakes import cell_of
from conformance.runner.tests.test_in_process import READY
from conformance.scenario.model import Close, Connect, Hold, Speaks
from conformance.targets.external import ExternalSubject
from conformance.targets.model import Target, Upstream
from conformance.targets.pairing import Pairing
from conformance.wire.durations import MILLISECOND, SECOND
from conformance.wire.frames import Kind, Leg
from conformance.wire.recording import Outcome, Recording
from conformance.wire.script import Fault, Script
from mock_upstream.assignment import Assignment, Handshake
from mock_upstream.server import MockUpstream

KEY = "sk-proj-abcdefghijklmnop"
REAL = Target(name="real", upstream=Upstream.REAL)
STEPS = (*READY, Close(late=0))


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_REALTIME_MODEL", raising=False)
    monkeypatch.setattr(pacing, "FIRST_PAUSE", 10 * MILLISECOND)
    monkeypatch.setattr(pacing, "SPREAD", 0)
    return monkeypatch


class Grudging:
    """A stand-in for the API that refuses the first ``times`` handshakes by a fault."""

    def __init__(self, fault: str, times: int, then: Fault | None = None) -> None:
        self.asked = 0
        self._fault = fault
        self._times = times
        self._then = then

    def assign(self, _: Handshake) -> Assignment:
        self.asked += 1
        fault = Fault(self._fault) if self.asked <= self._times else self._then
        return Assignment(Script(), 0, 1_790_000_000, lambda: 0, fault=fault)


def attempt(
    environment: pytest.MonkeyPatch,
    server: AbstractAsyncContextManager[object],
    url: Callable[[], str],
    plan: AttemptPlan | None = None,
    subject: ExternalSubject | None = None,
) -> Recording:
    async def main() -> Recording:
        async with server:
            environment.setenv("OPENAI_REALTIME_URL", url())
            made = plan or AttemptPlan(cell=cell_of(*STEPS), target=REAL, clock=Clock.REAL)
            return await record_async(made, subject=subject)

    return run(main(), clock=Clock.VIRTUAL)  # all that listens is in this process


def ending(recording: Recording) -> tuple[Outcome, str]:
    assert recording.footer is not None
    return recording.footer.outcome, recording.footer.message or ""


def refused(environment: pytest.MonkeyPatch, door: Grudging, plan: AttemptPlan | None = None) -> Recording:
    server = MockUpstream(door.assign)
    return attempt(environment, server, lambda: server.url, plan)


@pytest.mark.parametrize("speaks", list(Speaks), ids=str)
@pytest.mark.parametrize("fault", ["refuse-429", "refuse-500"])
def test_a_server_that_refuses_twice_is_asked_a_third_time(
    fault: str, speaks: Speaks, environment: pytest.MonkeyPatch
) -> None:
    door = Grudging(fault, 2)
    steps = STEPS if speaks is Speaks.VOICE_AGENT else (Connect(), Hold(duration=20_000), Close())
    plan = AttemptPlan(cell=cell_of(*steps, speaks=speaks), target=REAL, clock=Clock.REAL)
    recording = refused(environment, door, plan)
    assert door.asked == 3
    assert ending(recording) == (Outcome.FINISHED, "")
    opens = [frame.data for frame in recording.frames if frame.kind is Kind.OPEN and frame.leg is Leg.UPSTREAM]
    assert len(opens) == 1
    assert "status" not in opens[0], "the recording is that of the try that counts"


def test_a_server_that_keeps_refusing_is_asked_four_times_and_then_it_is_the_harnesss_error(
    environment: pytest.MonkeyPatch,
) -> None:
    door = Grudging("refuse-429", 99)
    outcome, sentence = ending(refused(environment, door))
    assert door.asked == pacing.TRIES == 4
    assert outcome is Outcome.ERROR
    assert "HTTP 429" in sentence
    assert sentence.endswith("(4 tries)")


@pytest.mark.parametrize("fault", ["refuse-401", "refuse-403"])
def test_a_refusal_that_time_does_not_cure_is_not_tried_again(fault: str, environment: pytest.MonkeyPatch) -> None:
    door = Grudging(fault, 99)
    outcome, _ = ending(refused(environment, door))
    assert (outcome, door.asked) == (Outcome.ERROR, 1)


def test_a_server_error_inside_a_session_is_a_result_and_never_tried_again(environment: pytest.MonkeyPatch) -> None:
    door = Grudging("", 0, Fault("error-after-created", {"after": "50ms"}))
    plan = AttemptPlan(cell=cell_of(*READY, Hold(duration=200_000), Close(late=0)), target=REAL, clock=Clock.REAL)
    recording = refused(environment, door, plan)
    assert ending(recording) == (Outcome.FINISHED, "")
    assert [frame.data["error"]["type"] for frame in recording.frames if frame.type == "error"] == ["server_error"]
    assert door.asked == 1


def test_a_server_that_asks_for_more_patience_than_we_have_is_not_asked_again(environment: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(connection: ServerConnection, request: Request) -> Response:
        asked.append(request.path)
        response = connection.respond(HTTPStatus.TOO_MANY_REQUESTS, "later")
        response.headers["Retry-After"] = "3600"
        return response

    @asynccontextmanager
    async def listening() -> AsyncIterator[None]:
        async def never(_: ServerConnection) -> None:
            raise AssertionError

        async with serve(never, "127.0.0.1", 0, process_request=refuse) as server:
            port.append(next(iter(server.sockets)).getsockname()[1])
            yield

    port: list[int] = []
    recording = attempt(environment, listening(), lambda: f"ws://127.0.0.1:{port[0]}/v1/realtime")
    assert len(asked) == 1
    assert ending(recording)[1].endswith("(1 try, it asks to wait 3600)")


def test_an_external_proxy_s_upstream_is_asked_again_through_the_tap(environment: pytest.MonkeyPatch) -> None:
    environment.setattr("conformance.targets.external.Pairing", partial(Pairing, patience=60 * SECOND))
    door = Grudging("refuse-500", 2)
    server = MockUpstream(door.assign)
    program = "import sys; from conformance.cli import main; sys.exit(main())"
    command = f"exec {sys.executable} -c '{program}' proxy --listen 127.0.0.1:{{port}} --upstream {{upstream_url}}"
    target = Target(name="proxy-real", upstream=Upstream.REAL, url="ws://127.0.0.1:{port}/agent", command=command)

    async def main() -> Recording:
        async with server:
            environment.setenv("OPENAI_REALTIME_URL", server.url)
            async with ExternalSubject(target, ready=200 * SECOND) as subject:
                plan = AttemptPlan(cell=cell_of(*STEPS), target=target, clock=Clock.REAL)
                return await record_async(plan, subject=subject)

    recording = run(main(), clock=Clock.REAL)
    assert ending(recording) == (Outcome.FINISHED, "")
    assert door.asked == 3


def test_pauses_double_by_the_attempts_seed_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()

    def pauses(seed: int) -> list[int | None]:
        own = Pacing(seed)
        return [own.start(), *(own.after(RefusedError("no", 429), 0.0) for _ in range(4))]

    start, first, second, third, end = pauses(7)
    assert start is not None
    assert start <= pacing.SPREAD
    for pause, base in ((first, SECOND), (second, 2 * SECOND), (third, 4 * SECOND)):
        assert pause is not None
        assert 0.5 * base <= pause <= 1.5 * base
    assert end is None
    assert pauses(7) == pauses(7) != pauses(8)


def test_a_pause_that_the_server_asks_for_is_kept_up_to_a_cap() -> None:
    assert Pacing(1).after(RefusedError("no", 503, "3"), 0.0) == 3 * SECOND
    assert Pacing(1).after(RefusedError("no", 503, "10"), 0.0) == 10 * SECOND
    assert Pacing(1).after(RefusedError("no", 503, "11"), 0.0) is None


def test_a_pause_may_be_asked_for_as_a_date_and_nonsense_asks_for_nothing() -> None:
    now = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
    date = format_datetime(now.replace(second=5), usegmt=True)
    assert asked_pause(date, now.timestamp()) == 5 * SECOND
    assert asked_pause(format_datetime(now, usegmt=True), now.timestamp() + 60) == 0
    for nonsense in (None, "", "soon", "-3", "²", "1e9"):
        assert asked_pause(nonsense, now.timestamp()) is None
