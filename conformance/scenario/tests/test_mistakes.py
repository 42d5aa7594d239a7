# ruff: noqa: E501  # the tables read best as one mistake a line
from pathlib import Path

import pytest

from conformance.scenario.load import ScenarioError, is_scenario, load, load_all, load_script
from conformance.scenario.tests.build import BARE, mistakes, written

LINES = BARE.count("\n")


def test_a_mistake_reads_as_in_the_design(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, BARE.replace("    within: 5s", "    witin: 5s"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ScenarioError) as caught:
        load(path)
    assert str(caught.value).splitlines() == [
        "scenarios/text/x.yaml:8:5: unknown key 'witin'; did you mean 'within'?",
    ]


def test_every_mistake_of_a_file_is_reported_at_once(tmp_path: Path) -> None:
    text = BARE.replace("flow: text", "flow: txt") + (
        "  - id: ready\n    client: SettingsAplied\n"
        "upstream:\n  profil: x\n  rules:\n    - {when: session.updat, delay: 4}\n    - {at: 5s, fault: clos}\n"
        "mutants:\n  - id: m\n    rules: [{at: 5s, reply: [{type: error, error: {cod: 1}}]}]\n    fails: [redy]\n"
        "matrix: {unused: [1]}\n"
    )
    at = LINES
    assert mistakes(tmp_path, text) == [
        "2:7: unknown flow 'txt'; did you mean 'text'?",
        f"{at + 1}:9: the id 'ready' stands twice",
        f"{at + 2}:13: unknown event 'SettingsAplied' on the client leg; did you mean 'SettingsApplied'?",
        f"{at + 4}:3: unknown key 'profil'; did you mean 'profile'?",
        f"{at + 6}:14: unknown event 'session.updat'; did you mean 'session.update'?",
        f"{at + 6}:36: a duration needs a unit, such as 4ms or 4s",
        f"{at + 7}:23: unknown fault 'clos'; did you mean 'close'?",
        f"{at + 10}:57: unknown field 'error.cod' in error (raw: true sends it all the same)",
        f"{at + 11}:13: there is no check 'redy'; did you mean 'ready'?",
        f"{at + 12}:10: matrix key 'unused' is never used; write ${{unused}} where it belongs",
    ]


def test_an_unknown_key_that_stands_for_a_missing_one_is_one_mistake(tmp_path: Path) -> None:
    assert mistakes(tmp_path, BARE.replace("flow: text", "flwo: text")) == ["2:1: unknown key 'flwo'; did you mean 'flow'?"]


def test_a_wrong_value_of_any_size_is_named_in_a_line(tmp_path: Path) -> None:
    found = mistakes(tmp_path, BARE.replace("text\nclient", f"text\ntitle: [{', '.join(['[x, y, z]'] * 500)}]\nclient"))
    assert found
    assert all(len(mistake) < 200 for mistake in found)


@pytest.mark.parametrize(("encoding", "line"), [("utf-16", 1), ("latin-1", 3)])
def test_a_scenario_in_another_encoding_is_told_and_not_passed_over(tmp_path: Path, encoding: str, line: int) -> None:
    path = written(tmp_path, BARE)
    path.write_bytes(BARE.replace("client:", "title: Grüße\nclient:", 1).encode(encoding))
    assert is_scenario(path)
    with pytest.raises(ScenarioError, match=rf":{line}:1: the file is not UTF-8: .*; save it as UTF-8"):
        load(path)


def test_nothing_is_usable_until_every_file_is_valid(tmp_path: Path) -> None:
    good = written(tmp_path, BARE)
    bad = written(tmp_path, BARE.replace("text/x", "text/y").replace("5s", "5"), "text/y")
    worse = written(tmp_path, "scenario: [", "text/z")
    with pytest.raises(ScenarioError) as caught:
        load_all([good, bad, worse])
    assert [Path(mistake.file).stem for mistake in caught.value.mistakes] == ["y", "z"]


@pytest.mark.parametrize(
    ("added", "mistake"),
    [
        ("  - id: a\n    client: Error\n    after: grted\n", "3:12: 'grted' is neither a step's id nor an event; did you mean 'ready'?"),
        ("  - id: a\n    client: Error\n    after: redy\n", "3:12: 'redy' is neither a step's id nor an event; did you mean 'ready'?"),
        ("  - id: a\n    client: Error\n    before: ready.end\n", "3:13: 'ready.end': only an audio step has an end"),
        ("  - id: a\n", "1:5: a check needs `client:` or `upstream:`, the leg that sees it"),
        ("  - id: a\n    client: Error\n    upstream: error\n", "3:5: a check looks at one leg; make two of it"),
        ("  - client: Error\n", "1:5: missing key 'id'"),
        ("  - id: a\n    client: Error\n    within: 0s\n", "3:13: must be longer than 0"),
        ("  - id: a\n    client: Error\n    within: -5s\n", "3:13: '-5s' is not a duration; write a number with a unit, such as 40ms, 1.5s or 2m"),
        ("  - id: a\n    client: Error\n    count: -1\n", "3:12: must be at least 0, not -1"),
        ("  - id: a\n    client: Error\n    count: {$gte: 1}\n", "3:12: count is a number or holds $gt and $lt, not '$gte'"),
        ("  - id: a\n    client: Error\n    level: shold\n", "3:12: expected must, should or info, not 'shold'; did you mean 'should'?"),
        ("  - id: a\n    client: Error\n    ref: nonsense!\n", "3:10: there is no rule 'nonsense!'"),
        ("  - id: a\n    client: {type: Error, code: {$ree: x}}\n", "2:40: unknown operator '$ree'; did you mean '$re'?"),
        ("  - id: a\n    client: {code: {$re: '('}}\n", "2:26: $re needs a regular expression: missing ), unterminated subpattern at position 0"),
        ("  - id: a\n    client: {code: {$gt: x}}\n", "2:26: $gt needs a number"),
        ("  - id: a\n    client: {code: {$gt: 1, x: 2}}\n", "2:20: operators ($re, $any …) and fields cannot stand side by side"),
        ("  - id: a\n    upstream: response.outptu.*\n", "2:15: unknown event 'response.outptu.*' on the upstream leg; did you mean 'response.output_text.done'?"),
        ("  - id: a\n    client: ${nope}\n", "2:13: ${nope} is not defined"),
        ("mutants: [{id: m, rules: [{at: 1s, reply: []}]}]\n", "1:11: missing key 'fails'"),
        ("mutants: [{id: m, rules: [], fails: [ready]}]\n", "1:26: must not be empty"),
        ("mutants:\n  - {id: m, rules: [{at: 1s, reply: []}], fails: [ready]}\n  - {id: m, rules: [{at: 1s, reply: []}], fails: [ready]}\n", "3:10: the id 'm' stands twice"),
        ("refs: [RT-Ready]\n", "1:8: there is no rule 'RT-Ready'"),
        ("title: a\ntitle: b\n", "2:1: duplicate key 'title'; it stands in line 14 already"),
        ("title: !!python/object:os.system x\n", "1:8: the tag tag:yaml.org,2002:python/object:os.system is not understood; scenarios are plain data"),
        ("speaks: esperanto\n", "1:9: expected voice-agent or realtime, not 'esperanto'"),
        ("matrix: {a: []}\n", "1:13: expected a list of values, or a mapping of label to value"),
        ("tags: hello\n", "1:7: expected a list, not 'hello'"),
    ],
)  # fmt: skip
def test_what_is_wrong_after_the_checks(tmp_path: Path, added: str, mistake: str) -> None:
    line, _, rest = mistake.partition(":")
    assert f"{LINES + int(line)}:{rest}" in mistakes(tmp_path, BARE + added)


@pytest.mark.parametrize(
    ("step", "mistake"),
    [
        ("hold: 12", "1:11: a duration needs a unit, such as 12ms or 12s"),
        ("hold: 0s", "1:11: must be longer than 0"),
        ("hold: soon", "1:11: 'soon' is not a duration; write a number with a unit, such as 40ms, 1.5s or 2m"),
        ("hold:", "1:5: expected a duration, such as 40ms, 1.5s or 2m"),
        ("hold: ${win}", "1:11: ${win} is not defined"),
        ("hodl: 12s", "1:5: unknown key 'hodl'; did you mean 'hold'?"),
        ("hold: 1s\n    send: x", "1:5: a step has one verb; 'send' stands here already"),
        ("send: x\n    within: 5s", "2:5: 'within' does not go with `send`"),
        ("send: x\n    after: close", "2:12: 'close' happens on both legs; write client:close or upstream:close"),
        ("send: x\n    after: last", "2:12: the step 'last' comes later; a step can count from an earlier one only"),
        ("send: {$hex: 7b7}", "1:18: $hex needs pairs of hex digits"),
        ("send: {$bytes: 16MB}", "1:20: '16MB' is no size; write 500B, 64KiB or 16MiB, at most 64MiB"),
        ("send: {$text: x}", "1:12: unknown form '$text'"),
        ("audio: speech/nothere.wav", "1:12: there is no 'speech/nothere.wav' below"),
        ("audio: silence", "1:12: silence needs a duration: audio: {silence: 1s}"),
        ("audio: {silence: 0s}", "1:22: silence needs a duration longer than 0, with a unit"),
        ("audio: {silense: 1s}", "1:13: unknown sound 'silense'; did you mean 'silence'?"),
        ("audio: {silence: 1s}\n    chunk: 0ms", "2:12: must be longer than 0"),
        ("audio: {silence: 1s}\n    pace: fast", "2:11: expected realtime or burst, not 'fast'"),
        ("wait: Error", "1:5: missing key 'within'"),
        ("wait: upstream:respons.done\n    within: 1s", "1:11: unknown event 'respons.done' on the upstream leg; did you mean 'response.done'?"),
        ("close: 1005", "1:12: a client cannot close with 1005; use 1000 or 3000 to 4999"),
        ("close: {cod: 1000}", "1:13: unknown key 'cod'; did you mean 'code'?"),
        ("send: x\n    id: ready", "2:9: the id 'ready' stands twice"),
        ("send: x\n    id: a.end", "2:9: 'a.end' is no id; use letters, digits, - and _"),
        ("wait: Error\n    within: 1s\n    save: {x: [1]}", "3:15: expected text, not [1]"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_step(tmp_path: Path, step: str, mistake: str) -> None:
    line, _, rest = mistake.partition(":")
    text = BARE.replace("  - close: 1000", f"  - {step}\n  - close: 1000\n    id: last")
    found = mistakes(tmp_path, text)
    assert any(each.startswith(f"{9 + int(line)}:{rest}") for each in found), found


@pytest.mark.parametrize(
    ("rule", "mistake"),
    [
        ("{reply: []}", "1:7: a rule needs `when` or `at`"),
        ("{when: session.update, at: 5s, reply: []}", "1:30: a rule has `when` or `at`, not both"),
        ("{when: session.update}", "1:7: a rule needs `reply`, `delay` or `fault`"),
        ("{at: 5s, reply: [], times: 0}", "1:34: must be at least 1, not 0"),
        ("{at: 5s, reply: [], probability: 2}", "1:40: a probability is above 0 and at most 1, not 2"),
        ("{at: 5s, reply: [session.update]}", "1:24: 'session.update' is no server event"),
        ("{at: 5s, reply: [{error: {}}]}", "1:24: a reply needs a type, or raw: true"),
        ("{at: 5s, fault: drop}", "1:23: the fault 'drop' acts on an event; name it with `when`"),
        ("{at: 5s, fault: 'close,cod=1'}", "1:23: close has no parameter 'cod'; did you mean 'code'?"),
        ("{at: 5s, fault: {name: close, cod: 1}}", "1:37: close has no parameter 'cod'; did you mean 'code'?"),
        ("{at: 5s, fault: {name: close, code: x}}", "1:43: expected a positive whole number, not 'x'"),
        ("{fault: {name: idle-error, after: 5}}", "1:41: expected text such as '5s', not 5"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_rule_of_the_script(tmp_path: Path, rule: str, mistake: str) -> None:
    line, _, rest = mistake.partition(":")
    found = mistakes(tmp_path, BARE + f"upstream:\n  rules:\n    - {rule}\n")
    assert any(each.startswith(f"{LINES + 2 + int(line)}:{rest}") for each in found), found


def test_settings_of_the_mock_are_known_and_checked(tmp_path: Path) -> None:
    found = mistakes(tmp_path, BARE + "upstream:\n  profile: gpt-9\n  chunk_ms: 0\n  transcipt: x\n  dialect: old\n")
    assert [each.partition(": ")[2].partition("'; ")[0].removesuffix("'") for each in found] == [
        "unknown profile 'gpt-9",
        "mock setting 'chunk_ms' cannot be 0: write milliseconds between 1 and 10000",
        "unknown key 'transcipt",
        "mock setting 'dialect' cannot be 'old': write ga or beta",
    ]


def test_a_raw_reply_may_be_anything(tmp_path: Path) -> None:
    load(written(tmp_path, BARE + "upstream:\n  rules:\n    - {at: 5s, reply: [{type: invented, x: 1, raw: true}]}\n"))


def test_an_unused_matrix_key_is_a_mistake(tmp_path: Path) -> None:
    assert mistakes(tmp_path, BARE + "matrix: {a: [1, 2]}\n") == [
        f"{LINES + 1}:10: matrix key 'a' is never used; write ${{a}} where it belongs"
    ]


def test_the_scenario_is_called_like_its_file(tmp_path: Path) -> None:
    assert mistakes(tmp_path, BARE, "text/other") == [
        "1:11: the scenario is called 'text/x', its file 'text/other'; make them the same"
    ]


def test_the_root_may_be_another_folder(tmp_path: Path) -> None:
    path = tmp_path / "scenarios/of/mine/text/x.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(BARE)
    assert load(path, tmp_path / "scenarios/of/mine").name == "text/x"
    with pytest.raises(ScenarioError, match="its file 'of/mine/text/x'"):
        load(path)


def test_a_client_begins_by_connecting(tmp_path: Path) -> None:
    assert mistakes(tmp_path, BARE.replace("  - connect:\n", "  - hold: 1s\n")) == [
        "5:5: nothing is connected yet; the client begins with `connect:`"
    ]


def test_realtime_scenarios_name_the_leg_of_an_event(tmp_path: Path) -> None:
    text = BARE.replace("SettingsApplied", "session.updated") + "    after: session.created\nspeaks: realtime\n"
    assert mistakes(tmp_path, text) == [
        f"{LINES + 1}:12: no step has the id 'session.created'; an event needs client: or upstream: before it here"
    ]


def test_a_flow_of_ones_own_is_welcome(tmp_path: Path) -> None:
    assert load(written(tmp_path, BARE.replace("flow: text", "flow: billing-desk"))).flow == "billing-desk"


@pytest.mark.parametrize(
    ("script", "mistake"),
    [
        ("expiry: 5", "1:9: a duration needs a unit, such as 5ms or 5s"),
        ("transcript: 5", "1:13: mock setting 'transcript' cannot be 5: write a text or a list of texts"),
        (
            "calls: [{nam: x}]",
            "1:8: mock setting 'calls' cannot be [{'nam': 'x'}]: write a list of {name, arguments} for each response; a name is a text",
        ),
        (
            "pace: fast",
            "1:7: mock setting 'pace' cannot be 'fast': write realtime, burst or how many times faster than real time",
        ),
        ("rules: [{when: {type: 5}, reply: []}]", "1:23: a type is a word, such as 'conversation.created', not 5"),
        (
            "rules: [{when: error, reply: [{type: error, error: {code: 5}}]}]",
            "1:59: 'error.code' in error must be a valid string (raw: true sends it all the same)",
        ),
        (
            "rules: [{when: error, reply: [{type: response.done, response: {status: over}}]}]",
            "1:72: 'response.status' in response.done must be 'completed', 'cancelled', 'failed', 'incomplete' or 'in_progress' (raw: true sends it all the same)",
        ),
        (
            "rules: [{when: error, fault: {name: close, code: 99}}]",
            "1:50: a server cannot close with 99; use 1000 to 1003, 1007 to 1014, 3000 to 4999, or 1005 for no code",
        ),
        ("rules: [{when: error, fault: {name: drop, on: error}}]", "1:43: in a script this is the rule's own `when`"),
        (
            "rules: [{when: error, fault: {name: drop, percent: 5}}]",
            "1:43: in a script this is the rule's own `probability`",
        ),
        (
            "rules: [{when: error, fault: refuse-401}]",
            "1:30: the fault 'refuse-401' acts on the handshake, before any event; leave `when` and `at` out",
        ),
    ],
)
def test_a_mistake_in_a_script_is_told_with_its_place(tmp_path: Path, script: str, mistake: str) -> None:
    path = tmp_path / "script.yaml"
    path.write_text(script)
    with pytest.raises(ScenarioError) as caught:
        load_script(path)
    assert str(caught.value) == f"{path}:{mistake}"


@pytest.mark.parametrize(
    "script",
    [
        "{calls: [{name: f}, {name: g}], pace: burst, transcript: Hi., expiry: 5s}",
        "{calls: [[{name: f}], []], transcript: [Hi., Ho.], pace: 3}",
        "rules: [{fault: slow-accept}, {when: {type: {$re: error}}, fault: {name: close, code: 1005, reason: Bye.}}]",
        "rules: [{when: error, reply: [{type: response.done, response: {status: failed}}, {type: error, error: {code: null}}]}]",
        "rules: [{when: error, reply: [{type: conversation.item.added, item: {role: user, content: [{type: input_text, text: Hi}]}}]}]",
        "rules: [{when: error, reply: [{type: error, error: {code: 5}, raw: true}]}]",
    ],
)
def test_what_is_no_mistake_in_a_script_is_none(tmp_path: Path, script: str) -> None:
    path = tmp_path / "script.yaml"
    path.write_text(script)
    load_script(path)
