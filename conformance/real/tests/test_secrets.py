"""Keys reach the server and nothing else: no recording, no report, no log, no line of the terminal.

The keys are drawn anew from fixed seeds; the server says them back wherever it can: in errors, texts, refusals and closes.
"""

import html
import json
import string
from pathlib import Path
from random import Random
from urllib.parse import quote

import pytest

from conformance.real.tests.conftest import Repository, StartMock

AGENT = """
scenario: text/agent
flow: text
client:
  - connect:
  - send: {type: Settings, agent: {think: {prompt: Hi}}}
  - wait: SettingsApplied
    within: 30s
  - send: {type: InjectUserMessage, content: tell me}
  - wait: Error
    within: 30s
  - close: {code: 1000, late: 0s}
forbid:
  - id: no-error
    client: Error
"""
DIRECT = """
scenario: text/direct
flow: text
speaks: realtime
matrix:
  case:
    plain: {headers: {}, item: tell me, ends: {type: error}}
    header: {headers: {Authorization: "Bearer HEADER"}, item: tell me, ends: {type: error}}
    subprotocol:
      headers: {Sec-WebSocket-Protocol: "realtime, openai-insecure-api-key.HEADER"}
      item: tell me
      ends: {type: error}
    close: {headers: {}, item: leave, ends: {type: close}}
client:
  - connect: {headers: "${case.headers}", query: {token: QUERY}}
  - wait: session.created
    within: 30s
  - send:
      type: conversation.item.create
      item: {type: message, role: user, content: [{type: input_text, text: "${case.item}"}]}
  - wait: "${case.ends}"
    within: 30s
  - close: {code: 1000, late: 0s}
forbid:
  - id: no-error
    client: {type: error}
"""
SCRIPT = {
    "rules": [
        {
            "when": {"type": "conversation.item.create", "item": {"content": [{"text": "leave"}]}},
            "fault": {"name": "close", "code": 4000, "reason": "KEY"},
        },
        {
            "when": "conversation.item.create",
            "reply": [
                {
                    "type": "error",
                    "error": {"type": "server_error", "message": "your key KEY, QUERY, HEADER", "code": "KEY"},
                },
                {"type": "conversation.item.added", "raw": True, "KEY": "QUERY", "item": {"id": "KEY"}},
            ],
        },
    ]
}


def drawn(random: Random, alphabet: str) -> str:
    return "".join(random.choices(alphabet, k=random.randint(16, 60)))


def forms(secret: str) -> set[str]:
    """Return how a secret may be written."""
    escaped = json.dumps(secret)[1:-1]
    return {secret, quote(secret), quote(secret, safe=""), html.escape(secret), escaped, html.escape(escaped)}


@pytest.mark.parametrize("seed", range(2))
def test_a_key_never_leaves_the_wire(
    seed: int, empty_repository: Repository, start_mock: StartMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(f"secrets {seed}")
    punctuation = "".join(set(string.punctuation) - set("\"'{}$<>"))
    letters = string.ascii_letters + string.digits
    key = ("sk-proj-" + drawn(random, letters + "-_")) if seed == 0 else "K" + drawn(random, letters + punctuation)
    query, header = drawn(random, letters), "sk-" + drawn(random, letters)
    secrets = {"KEY": key, "QUERY": query, "HEADER": header}

    def filled(text: str, written: bool = True) -> str:
        for name, secret in secrets.items():
            text = text.replace(name, json.dumps(secret)[1:-1] if written else secret)
        return text

    script = empty_repository.path / "script.yaml"
    script.write_text(filled(json.dumps(SCRIPT)))
    stand_in = start_mock("--script", str(script), key=key)
    monkeypatch.setenv("OPENAI_REALTIME_URL", f"{stand_in.url}?api_key={query}")
    empty_repository.scenario(AGENT)
    empty_repository.scenario(filled(DIRECT))
    found = empty_repository.run_outside(
        "scenarios", "--real", "--concurrency", "8", "-rA", "--junitxml", "j.xml", f"--ignore={key}"
    )
    found.assert_outcomes(failed=3, errors=2)

    run = empty_repository.latest
    written = {str(path): path.read_text("utf-8", "replace") for path in run.rglob("*") if path.is_file()}
    written |= {"terminal": found.stdout.str() + found.stderr.str(), "j.xml": Path("j.xml").read_text()}
    assert len(written) > 8
    assert any("[secret]" in text for name, text in written.items() if name.endswith(".jsonl")), "the server said them"
    leaks = {
        (name, path, form)
        for name, secret in secrets.items()
        for form in forms(secret)
        for path, text in written.items()
        if form in text.replace("\n", "")
    }
    assert leaks == set()
