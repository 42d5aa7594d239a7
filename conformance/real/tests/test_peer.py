"""An independent Realtime mock in the place of the API: the harness finds where it is unlike it, and blames nobody else."""

import pytest

from conformance.real.tests.conftest import Repository, findings, peer

HELLO = {"match": {"userMessage": "hello"}, "response": {"content": "Hello! How can I help you today?"}}
AGENT = """
scenario: text/agent
flow: text
client:
  - connect:
  - send: {type: Settings, agent: {think: {prompt: Hi}}}
  - wait: SettingsApplied
    within: 30s
  - send: {type: InjectUserMessage, content: hello}
    id: said
  - wait: {type: ConversationText, role: assistant}
    within: 30s
  - hold: 3s
  - close: {code: 1000, late: 0s}
expect:
  - id: answered
    client: {type: ConversationText, role: assistant}
    after: said
    within: 30s
"""
DIRECT = """
scenario: text/direct
flow: text
speaks: realtime
client:
  - connect:
  - wait: session.created
    within: 30s
  - send: {type: conversation.item.create, item: {type: message, role: user, content: [{type: input_text, text: hello}]}}
    id: said
  - wait: conversation.item.added
    within: 30s
  - send: {type: response.create}
    id: asked
  - wait: response.done
    within: 30s
  - hold: 3s
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
    within: 30s
  - send: {type: conversation.item.create, item: {type: message, role: user, content: [{type: input_text, text: hello}]}}
  - send: {type: response.create}
  - send: {type: response.create, event_id: second}
    id: second
  - wait: response.done
    within: 30s
  - hold: 3s
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
    within: 30s
  - send: {type: no.such.event, event_id: mine}
    id: sent
  - hold: 3s
  - close: {code: 1000, late: 0s}
expect:
  - id: refused
    client: {type: error, error: {type: invalid_request_error, event_id: mine}}
    after: sent
    within: 500ms
"""


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


def test_the_peers_defects_are_found_and_nobody_else_is_blamed(
    empty_repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    for scenario in (AGENT, DIRECT, CONFLICT, UNKNOWN):
        empty_repository.scenario(scenario)
    with peer(empty_repository.path, HELLO) as stand_in:
        for name, value in stand_in.environment.items():
            monkeypatch.setenv(name, value)
        empty_repository.run_outside("scenarios", "--real", "--concurrency", "8", "-q").assert_outcomes(failed=4)
    attempts = empty_repository.results["attempts"]
    found = {attempt["scenario"]: findings(attempt) for attempt in attempts}
    missed = [
        defect
        for defect, (scenario, check, says) in DEFECTS.items()
        if not any(id_ == check and says in message for _, id_, _, message in found[scenario])
    ]
    assert missed == []
    assert {blame for checks in found.values() for _, _, blame, _ in checks} == {"upstream"}, found
    agent = next(attempt for attempt in attempts if attempt["scenario"] == "text/agent")
    assert {check["id"]: check["verdict"] for check in agent["checks"]}["answered"] == "pass", "our proxy coped with it"
