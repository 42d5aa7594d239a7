"""`pytest --real` as an investigator uses it, against `conformance mock` in another process behind TLS."""

import re

import pytest

from conformance.real.tests.conftest import Repository, StartMock

CORE = (
    "greeting/held and 100ms-null",
    "idle/keep-alive and null",
    "text/turn and audio",
    "text/realtime and text",
    "firm-audio/early and 600ms-burst",
    "function-call/realtime",
)


def test_the_core_flows_of_the_library_pass_on_a_faithful_server(
    empty_repository: Repository, start_mock: StartMock
) -> None:
    url = start_mock("--tls").url
    chosen = " or ".join(f"({flow})" for flow in CORE)
    found = empty_repository.run_outside("--library", "--noconftest", "--real", "--concurrency", "20", "-q", "-k", chosen)
    first = found.outlines[0]
    assert re.fullmatch(rf"REAL API {re.escape(url)} model gpt-realtime, \d+ attempts, at most 20 at once", first), first
    assert found.ret == pytest.ExitCode.OK, found.outlines
    attempts = [attempt for attempt in empty_repository.results["attempts"] if attempt["recording"]]
    assert {attempt["verdict"] for attempt in attempts} == {"pass"}
    assert {attempt["scenario"] for attempt in attempts} >= {flow.partition(" ")[0] for flow in CORE}
    upstream_rules = {rule for attempt in attempts for rule in attempt["observed"] if rule.startswith("UP-")}
    assert {"UP-VALID-EVENTS", "UP-NO-ERROR", "UP-RESPONSE-ORDER"} <= upstream_rules, "the tap shows the upstream leg"


def test_a_certificate_that_nobody_vouches_for_stops_the_run_before_anything_is_spent(
    empty_repository: Repository, start_mock: StartMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_mock("--tls")
    monkeypatch.delenv("SSL_CERT_FILE")
    found = empty_repository.run_outside("--library", "--noconftest", "--real", "-q", "-k", "function-call/realtime")
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    assert "certificate verify failed" in (said := found.stderr.str())
    assert "nothing was run" in said
    assert not (empty_repository.path / "runs").exists()
