"""An independent Realtime mock in the place of the API: the harness finds where it is unlike it, and blames nobody else.

``npm ci`` in ``conformance/real/tests/node`` installs it. Without it these tests are skipped with that advice, but in CI
(``CI`` set) they fail: a skipped proof proves nothing.
"""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.real.tests.conftest import KEY, Repository, Served

NODE = Path(__file__).parent / "node"
PROGRAM = NODE / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
FIXTURES = {
    "fixtures": [
        {"match": {"userMessage": "hello"}, "response": {"content": "Hello! How can I help you today?"}},
        {
            "match": {"userMessage": "weather"},
            "response": {"toolCalls": [{"name": "weather", "arguments": {"city": "Rome"}}]},
        },
    ]
}
AGENT = """
scenario: text/agent
flow: text
client:
  - connect:
  - send: {type: Settings, agent: {think: {prompt: Hi}}}
  - wait: SettingsApplied
    within: 5s
  - send: {type: InjectUserMessage, content: hello}
    id: said
  - wait: {type: ConversationText, role: assistant}
    within: 2s
  - hold: 300ms
  - close: {code: 1000, late: 0s}
expect:
  - id: answered
    client: {type: ConversationText, role: assistant}
    after: said
    within: 2s
"""
DIRECT = """
scenario: text/direct
flow: text
speaks: realtime
client:
  - connect:
  - wait: session.created
    within: 5s
  - send: {type: conversation.item.create, item: {type: message, role: user, content: [{type: input_text, text: hello}]}}
    id: said
  - wait: conversation.item.added
    within: 2s
  - send: {type: response.create}
    id: asked
  - wait: response.done
    within: 2s
  - hold: 300ms
  - close: {code: 1000, late: 0s}
expect:
  - id: item-done
    client: conversation.item.done
    after: said
    before: asked
  - id: answered
    client: {type: response.done, response: {status: completed}}
    after: asked
  - id: rate-limits
    client: rate_limits.updated
    after: asked
"""
CONFLICT = """
scenario: error/conflict
flow: error
speaks: realtime
client:
  - connect:
  - wait: session.created
    within: 5s
  - send: {type: conversation.item.create, item: {type: message, role: user, content: [{type: input_text, text: hello}]}}
  - send: {type: response.create}
  - send: {type: response.create, event_id: second}
    id: second
  - wait: response.done
    within: 2s
  - hold: 300ms
  - close: {code: 1000, late: 0s}
expect:
  - id: conflict
    client: {type: error, error: {code: conversation_already_has_active_response, event_id: second}}
    after: second
    within: 2s
"""
UNKNOWN = """
scenario: error/unknown
flow: error
speaks: realtime
client:
  - connect:
  - wait: session.created
    within: 5s
  - send: {type: no.such.event, event_id: mine}
    id: sent
  - hold: 500ms
  - close: {code: 1000, late: 0s}
expect:
  - id: refused
    client: {type: error, error: {type: invalid_request_error, event_id: mine}}
    after: sent
    within: 500ms
"""


@pytest.fixture
def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    missing = "Node is not installed" if shutil.which("node") is None else None
    if missing is None and not PROGRAM.is_file():
        missing = f"run `npm ci` in {NODE}"
    if missing is not None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    fixtures = tmp_path / "fixtures.json"
    fixtures.write_text(json.dumps(FIXTURES))
    served = Served("node", str(PROGRAM), "--port", "0", "--fixtures", str(fixtures))
    try:
        address = served.until(r"listening on http://(\S+)")
        monkeypatch.setenv("OPENAI_REALTIME_URL", f"ws://{address}/v1/realtime")
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        yield address
    finally:
        served.stop()


def findings(results: dict[str, Any]) -> dict[str, list[tuple[str, str, str]]]:
    """Scenario → (check, blame, message) of everything found, warnings too."""
    return {
        attempt["scenario"]: [
            (check["id"], check["blame"], check["message"])
            for check in attempt["checks"]
            if check["verdict"] not in ("pass", "info")
        ]
        for attempt in results["attempts"]
    }


DEFECTS = {
    "wrong part types": (
        "text/agent",
        "UP-VALID-EVENTS",
        "response.content_part.added: part.type must be 'text' or 'audio'",
    ),
    "fields of another dialect": ("text/agent", "UP-VALID-EVENTS", "session.created: session.modalities is not a field"),
    "an item that is done without having been added": ("text/direct", "UP-ITEM-LIFECYCLE", "had never been added"),
    "the user's item never done": ("text/direct", "item-done", "expected conversation.item.done"),
    "no rate limits": ("text/direct", "rate-limits", "none came"),
    "no conflict of two responses": ("error/conflict", "conflict", "conversation_already_has_active_response"),
    "an unknown event passed over": ("error/unknown", "refused", "none came"),
}


def test_the_peers_defects_are_found_and_nobody_else_is_blamed(empty_repository: Repository, peer: str) -> None:
    for scenario in (AGENT, DIRECT, CONFLICT, UNKNOWN):
        empty_repository.scenario(scenario)
    empty_repository.run_outside("scenarios", "--real", "--concurrency", "8", "-q").assert_outcomes(failed=4)
    found = findings(empty_repository.results)
    missed = [
        defect
        for defect, (scenario, check, says) in DEFECTS.items()
        if not any(id_ == check and says in message for id_, _, message in found[scenario])
    ]
    assert missed == []
    assert {blame for checks in found.values() for _, blame, _ in checks} == {"upstream"}, found
    agent = next(attempt for attempt in empty_repository.results["attempts"] if attempt["scenario"] == "text/agent")
    assert {check["id"]: check["verdict"] for check in agent["checks"]}["answered"] == "pass", "our proxy coped with it"
