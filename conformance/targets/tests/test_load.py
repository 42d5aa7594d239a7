"""Targets of a pyproject.toml: every key, and one sentence for every mistake."""

from pathlib import Path

import pytest

from conformance.scenario.model import Speaks
from conformance.targets.load import load_target
from conformance.targets.model import Target, Upstream

FULL = """
command = "node proxy.js"
url = "ws://127.0.0.1:{port}/agent"
mock_port = 9001
speaks = ["voice-agent", "realtime"]
client_rate = 16000
first_commit_min = "1s"
upstream = "mock"
env = {PORT = "{port}"}
rules_off = {VA-USER-ECHO = "our clients echo themselves"}
rules_on = {RT-CLOSE-QUIET = "we promise it"}
settings.agent.think.prompt = "Hi"
"""


def write(folder: Path, table: str, name: str = "mine") -> Path:
    path = folder / "pyproject.toml"
    path.write_text(f"[tool.conformance.targets.{name}]\n{table}")
    return path


def test_every_key_is_read(tmp_path: Path) -> None:
    assert load_target(write(tmp_path, FULL), "mine") == Target(
        name="mine",
        upstream=Upstream.MOCK,
        url="ws://127.0.0.1:{port}/agent",
        mock_port=9001,
        command="node proxy.js",
        env={"PORT": "{port}"},
        speaks=frozenset(Speaks),
        settings={"agent": {"think": {"prompt": "Hi"}}},
        rules_off={"VA-USER-ECHO": "our clients echo themselves"},
        rules_on={"RT-CLOSE-QUIET": "we promise it"},
        client_rate=16_000,
        first_commit_min=1_000_000,
    )


def test_a_table_without_an_address_is_the_reference_proxy_under_other_settings(tmp_path: Path) -> None:
    target = load_target(write(tmp_path, "client_rate = 16000"), "mine")
    assert not target.is_external
    assert target.client_rate == 16_000


def test_one_protocol_needs_no_list(tmp_path: Path) -> None:
    assert load_target(write(tmp_path, 'speaks = "realtime"'), "mine").speaks == {Speaks.REALTIME}


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("comand = 'x'", "unknown key 'comand'; did you mean 'command'?"),
        ("command = 'x'", "a command needs a url"),
        ("url = 'ws://127.0.0.1:1/'", "needs mock_port"),
        ("url = 'http://127.0.0.1:1/'\nmock_port = 1", "not a WebSocket address"),
        ("url = 'ws://127.0.0.1:{port}/'\nmock_port = 1", r"still holds \{port\}"),
        ("command = 5\nurl = 'ws://h/'", "targets.mine.command must be a string"),
        ("command = ''\nurl = 'ws://h/'", "must be a string that is not empty"),
        ("mock_port = 70000", "must be a port, at most 65535"),
        ("mock_port = true", "must be a whole number"),
        ("client_rate = 0", "must be a whole number above 0"),
        ("first_commit_min = '100'", "write a number with a unit"),
        ("first_commit_min = 100", "must be a string"),
        ("upstream = 'fake'", "must be mock or real"),
        ("speaks = ['sip']", "must be voice-agent or realtime"),
        ("speaks = []", "must be voice-agent or realtime"),
        ("settings = 'x'", "must be a table that is merged"),
        ("env = {PORT = 1}", "must be a table of strings"),
        ("env = {'A B' = 'x'}", "'A B' is no name of an environment variable"),
        ("rules_off = ['VA-USER-ECHO']", "must be a table of strings"),
        ("rules_off = {VA-USER-ECHOO = 'x'}", "there is no rule VA-USER-ECHOO; did you mean VA-USER-ECHO?"),
        ("rules_on = {RT-CLOSE-QUIET = ' '}", "RT-CLOSE-QUIET needs a reason"),
        (
            "rules_on = {RT-CLOSE-QUIET = 'x'}\nrules_off = {RT-CLOSE-QUIET = 'y'}",
            "RT-CLOSE-QUIET is both in rules_off and in rules_on",
        ),
        (
            "rules_on = {RT-CLOSE-QUIET = 'x', RT-CLOSE-COMMITS = 'y'}",
            "rules_on: RT-CLOSE-QUIET and RT-CLOSE-COMMITS ask for opposite things; leave one",
        ),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path: Path, table: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as mistake:
        load_target(write(tmp_path, table), "mine")
    assert "\n" not in str(mistake.value)


def test_an_unknown_name_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no \[tool.conformance.targets.min\]; did you mean 'mine'\?"):
        load_target(write(tmp_path, ""), "min")
    with pytest.raises(ValueError, match="there are mine"):
        load_target(write(tmp_path, ""), "quite-another")


@pytest.mark.parametrize(
    ("content", "sentence"), [("[tool", "is not TOML"), ("tool = 5", "tool must be a table"), ("", "there are none")]
)
def test_a_file_without_targets_says_so(tmp_path: Path, content: str, sentence: str) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text(content)
    with pytest.raises(ValueError, match=sentence):
        load_target(path, "mine")


def test_a_file_that_is_missing_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        load_target(tmp_path / "pyproject.toml", "mine")
