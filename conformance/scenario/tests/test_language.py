from pathlib import Path

import pytest

from conformance.scenario.load import is_scenario, library, load, load_script
from conformance.scenario.model import Anchor, Audio, Close, Connect, Hold, Run, Send, Wait
from conformance.scenario.tests.build import BARE, cell, written
from conformance.verdicts import Level
from conformance.wire.frames import Leg
from conformance.wire.script import Fault


def with_steps(*steps: str) -> str:
    return BARE.replace("  - close: 1000", "".join(f"  - {step}\n" for step in steps) + "  - close: 1000")


def test_cells_are_every_combination_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = with_steps("hold: ${b}", "send: {a: '${a}'}") + "matrix: {a: [null, 1], b: [2s, 3s]}\n"
    scenario = load(written(tmp_path, text))
    assert [each.label for each in scenario.cells()] == ["null-2s", "null-3s", "1-2s", "1-3s"]
    assert scenario.cells()[0].values == {"a": None, "b": "2s"}


def test_a_reference_alone_keeps_its_type_and_in_a_text_it_is_written_out(tmp_path: Path) -> None:
    text = with_steps("send: {a: '${x}', b: 'is ${x}', c: '${m}', d: '${m.k.0}'}") + "vars: {x: null, m: {k: [7]}}\n"
    step = cell(tmp_path, text).steps[3]
    assert step == Send(message={"a": None, "b": "is null", "c": {"k": [7]}, "d": 7})


def test_vars_may_refer_to_the_matrix_but_not_in_a_circle(tmp_path: Path) -> None:
    text = with_steps("hold: ${window}") + "vars: {window: '${s}s'}\nmatrix: {s: [3]}\n"
    assert cell(tmp_path, text).steps[3] == Hold(duration=3_000_000)
    with pytest.raises(ValueError, match="circle"):
        cell(tmp_path, with_steps("hold: ${a}") + "vars: {a: '${b}', b: '${a}'}\n")


def test_labelled_values_name_the_cell_and_are_spliced_where_parts_stand(tmp_path: Path) -> None:
    text = with_steps("${more}", "hold: 1s") + "matrix: {more: {none: [], two: [{hold: 2s}, {send: x}]}}\n"
    none, two = load(written(tmp_path, text)).cells()
    assert (none.label, two.label) == ("none", "two")
    assert none.steps[3:] == (Hold(duration=1_000_000), Close())
    assert two.steps[3:5] == (Hold(duration=2_000_000), Send(message="x"))


def test_lists_of_parts_are_spliced_at_every_depth_and_lists_in_messages_are_kept(tmp_path: Path) -> None:
    text = with_steps("send: {list: ['${echo}', x]}") + (
        "vars:\n  echo: [rate_limits.updated, response.done]\n"
        "matrix:\n  when:\n    once: {at: 1s, reply: [error, '${echo}', ['${echo}']]}\n"
        "upstream: {rules: ['${when}']}\n"
    )
    read = cell(tmp_path, text)
    reply = read.script.rules[0].reply
    assert reply is not None
    assert [each.event["type"] for each in reply] == [
        "error", "rate_limits.updated", "response.done", "rate_limits.updated", "response.done",
    ]  # fmt: skip
    assert read.steps[3] == Send(message={"list": [["rate_limits.updated", "response.done"], "x"]})


def test_yaml_words_are_strings(tmp_path: Path) -> None:
    step = cell(
        tmp_path, with_steps("send: {a: on, b: no, c: 012, d: 1_000, e: 12, f: 1.5, g: 2026-11-21, h: true}")
    ).steps[3]
    assert isinstance(step, Send)
    assert step.message == {"a": "on", "b": "no", "c": "012", "d": "1_000", "e": 12, "f": 1.5, "g": "2026-11-21", "h": True}


def test_steps_in_all_their_forms(tmp_path: Path) -> None:
    steps = cell(
        tmp_path,
        with_steps(
            "connect: {headers: {x: y}, query: {a: b}}\n    id: again\n    at: 5s",
            "send: not json\n    after: SettingsApplied\n    at: 150ms",
            "send: {$hex: 7b7d}",
            'send: {$binary: \'{"type": "KeepAlive"}\'}',
            "send: {$bytes: 1KiB}",
            "audio: {silence: 1s}\n    chunk: 200ms\n    pace: burst\n    id: quiet",
            "audio: speech/hello-24k.wav",
            "wait: {type: FunctionCallRequest}\n    within: 2s\n    save: {call: functions.0.id}",
            "wait: response.done\n    within: 2s",
            "wait: upstream:response.*\n    within: 2s",
            "wait: {upstream: {type: error}}\n    within: 2s",
            "send: {id: '${call}'}\n    after: quiet.end",
            "run: big-frame",
            "run: {name: big-frame, args: {bytes: 3}}",
            "close: {code: 4000, reason: x, late: 0s, abort: true}",
            "close:",
        ),
    ).steps[3:]
    applied = Anchor(leg=Leg.CLIENT, pattern="SettingsApplied")
    assert steps[:6] == (
        Connect(id="again", at=5_000_000, headers={"x": "y"}, query={"a": "b"}),
        Send(message="not json", after=applied, at=150_000),
        Send(message=b"{}"),
        Send(message=b'{"type": "KeepAlive"}'),
        Send(message=bytes(1024)),
        Audio(id="quiet", source="silence", duration=1_000_000, chunk=200_000, realtime=False),
    )
    speech = steps[6]
    assert isinstance(speech, Audio)
    assert Path(speech.source) == library() / "speech/hello-24k.wav"
    assert speech.chunk == 20_000
    assert speech.realtime
    assert steps[7:] == (
        Wait(leg=Leg.CLIENT, pattern={"type": "FunctionCallRequest"}, within=2_000_000, save={"call": "functions.0.id"}),
        Wait(leg=Leg.UPSTREAM, pattern="response.done", within=2_000_000),
        Wait(leg=Leg.UPSTREAM, pattern="response.*", within=2_000_000),
        Wait(leg=Leg.UPSTREAM, pattern={"type": "error"}, within=2_000_000),
        Send(message={"id": "${call}"}, after=Anchor(step="quiet.end")),
        Run(name="big-frame"),
        Run(name="big-frame", args={"bytes": 3}),
        Close(code=4000, reason="x", late=0, abort=True),
        Close(),
        Close(),
    )


def test_what_is_saved_can_stand_in_messages_only(tmp_path: Path) -> None:
    text = with_steps("wait: Error\n    within: 1s\n    save: {x: code}", "hold: ${x}")
    with pytest.raises(ValueError, match=r"13:11: \$\{x\} is not known before the attempt runs"):
        cell(tmp_path, text)


def test_what_is_saved_may_stand_in_a_matrix_value(tmp_path: Path) -> None:
    text = with_steps("wait: Error\n    within: 1s\n    save: {x: code}", "send: ${m}", "send: 'a ${x} ${n}'")
    steps = cell(tmp_path, text + "matrix: {m: {one: {id: '${x}', n: '${n}'}}}\nvars: {n: 7}\n").steps
    assert steps[4:6] == (Send(message={"id": "${x}", "n": 7}), Send(message="a ${x} 7"))


def test_checks_in_all_their_forms(tmp_path: Path) -> None:
    text = BARE + (
        "  - id: a\n    upstream: response.*\n    after: ready\n    before: client:Error\n    within: 500ms\n"
        "    count: {$gt: 1, $lt: 4}\n    level: should\n    ref: UP-NO-ERROR\n"
        "forbid:\n  - id: b\n    client: binary\n"
        "    after: {upstream: {type: response.done}}\n    before: session.updated\n"
    )
    ready, a, b = cell(tmp_path, text).checks
    assert (ready.forbid, ready.leg, ready.pattern, ready.count, ready.level) == (
        False, Leg.CLIENT, "SettingsApplied", None, Level.MUST,
    )  # fmt: skip
    assert (a.leg, a.after, a.before) == (
        Leg.UPSTREAM,
        Anchor(step="ready"),
        Anchor(leg=Leg.CLIENT, pattern="Error"),
    )
    assert (a.within, a.count, a.level, a.ref) == (500_000, {"$gt": 1, "$lt": 4}, Level.SHOULD, "UP-NO-ERROR")
    assert b.forbid
    assert b.after == Anchor(leg=Leg.UPSTREAM, pattern={"type": "response.done"})
    assert b.before == Anchor(leg=Leg.UPSTREAM, pattern="session.updated")


def test_a_script_in_all_its_forms(tmp_path: Path) -> None:
    text = BARE + (
        "upstream:\n  profile: gpt-realtime-2.1\n  transcript: [One., Two.]\n  chunk_ms: 100\n  rules:\n"
        "    - {when: session.update, delay: 40ms, times: 2, probability: 0.5, conn: 1, id: slow}\n"
        "    - {at: 5s, reply: [error, {type: invented, raw: true}]}\n"
        "    - {when: response.done, fault: drop}\n"
        "    - {fault: {name: idle-error, after: 4s}}\n"
        "    - {at: 9s, fault: 'close,code=1011,reason=done'}\n"
        "mutants:\n  - id: m\n    rules: [{at: 1s, fault: {name: close, code: 1000}}]\n"
        "    fails: [ready]\n    also: [RT-ONE-CREATE]\n"
    )
    read = cell(tmp_path, text)
    script = read.script
    assert (script.profile, script.settings) == ("gpt-realtime-2.1", {"transcript": ["One.", "Two."], "chunk_ms": 100})
    slow, timed, drop, idle, close = script.rules
    assert (slow.id, slow.when, slow.delay, slow.times, slow.probability, slow.conn) == (
        "slow", "session.update", 40_000, 2, 0.5, 1,
    )  # fmt: skip
    assert timed.id == "rule-2"
    assert timed.at == 5_000_000
    assert timed.reply is not None
    assert [(reply.event, reply.raw) for reply in timed.reply] == [({"type": "error"}, False), ({"type": "invented"}, True)]
    assert (drop.fault, idle.fault) == (Fault("drop"), Fault("idle-error", {"after": "4s"}))
    assert (idle.when, idle.at) == (None, None)
    assert close.fault == Fault("close", {"code": 1011, "reason": "done"})
    mutant = read.mutants[0]
    assert (mutant.id, mutant.fails, mutant.also) == ("m", ("ready",), ("RT-ONE-CREATE",))
    assert (mutant.rules[0].id, mutant.rules[0].fault) == ("m/1", Fault("close", {"code": 1000}))


def test_a_script_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    bare, under = tmp_path / "a.yaml", tmp_path / "b.yaml"
    bare.write_text("rules:\n  - {when: session.update, delay: 1s}\n")
    under.write_text("upstream:\n  rules:\n    - {when: session.update, delay: 1s}\n")
    assert load_script(bare) == load_script(under)
    assert load_script(bare).rules[0].delay == 1_000_000
    under.write_text("upstream:\n  rules:\n    - {when: session.update, dely: 1s}\n")
    with pytest.raises(ValueError, match=r"b.yaml:3:30: unknown key 'dely'; did you mean 'delay'\?"):
        load_script(under)


def test_a_file_is_a_scenario_when_it_says_so(tmp_path: Path) -> None:
    assert is_scenario(written(tmp_path, BARE))
    assert is_scenario(written(tmp_path, "scenaro: x\nflow: text\nclient:\n  - connect:\n", "misspelt"))
    assert not is_scenario(written(tmp_path, "known:\n  - scenario: x\n", "known"))


def test_the_shipped_library_is_where_it_says() -> None:
    assert (library() / "README.md").is_file()
