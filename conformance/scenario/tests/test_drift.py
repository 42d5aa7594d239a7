"""One test over loader, schema and page: what one of them knows, all know."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import orjson
import pytest

from conformance.scenario import grammar
from conformance.scenario.load import ScenarioError, library, load
from conformance.scenario.schema import scenario_schema
from conformance.scenario.tests.build import BARE, written
from conformance.scenario.vocabulary import FRAME_WORDS
from conformance.scenario.yaml_source import read_yaml
from conformance.wire.patterns import OPERATORS
from mock_upstream.profiles import KNOBS

if TYPE_CHECKING:
    from pydantic import BaseModel

ADDED = {
    "nothing": "",
    "a title": "title: x\n",
    "an unknown key": "titel: x\n",
    "a script": "upstream: {profile: realtime-ga, chunk_ms: 20, rules: [{when: session.update, delay: 1s}]}\n",
    "a setting nobody knows": "upstream: {chunk: 20}\n",
    "a profile nobody knows": "upstream: {profile: x}\n",
    "a rule with a typing mistake": "upstream: {rules: [{when: session.update, dely: 1s}]}\n",
    "a duration without a unit": "upstream: {rules: [{when: session.update, delay: 1}]}\n",
    "a reference for a duration": "vars: {d: 1s}\nupstream: {rules: [{when: session.update, delay: '${d}'}]}\n",
    "a reference for rules": "matrix: {r: {none: []}}\nupstream: {rules: '${r}'}\n",
    "a reference for one rule": "matrix: {r: {none: []}}\nupstream: {rules: ['${r}']}\n",
    "a fault by name": "upstream: {rules: [{fault: idle-error}]}\n",
    "a fault with parameters": "upstream: {rules: [{at: 1s, fault: {name: close, code: 1000}}]}\n",
    "a count": "forbid: [{id: a, client: Error, count: {$gt: 1}}]\n",
    "a count below zero": "forbid: [{id: a, client: Error, count: -1}]\n",
    "a count of something": "forbid: [{id: a, client: Error, count: {$ge: 1}}]\n",
    "a window of nothing": "forbid: [{id: a, client: Error, within: 0s}]\n",
    "a level nobody knows": "forbid: [{id: a, client: Error, level: maybe}]\n",
    "a mutant": "mutants: [{id: m, rules: [{at: 1s, reply: [error]}], fails: [ready]}]\n",
    "a mutant without rules": "mutants: [{id: m, rules: [], fails: [ready]}]\n",
    "a mutant that fails nothing": "mutants: [{id: m, rules: [{at: 1s, reply: [error]}]}]\n",
    "an empty matrix": "matrix: {a: []}\n",
    "a protocol nobody speaks": "speaks: latin\n",
}
STEPS = {
    "hold": "{hold: 1s}",
    "hold without a unit": "{hold: 1}",
    "hold for nothing": "{hold: 0s}",
    "a misspelt verb": "{hodl: 1s}",
    "two verbs": "{hold: 1s, send: x}",
    "a modifier of another verb": "{send: x, within: 1s}",
    "wait without within": "{wait: Error}",
    "sound": "{audio: {silence: 1s}, chunk: 20ms, pace: burst}",
    "sound of another kind": "{audio: {noise: 1s}}",
    "sound at another pace": "{audio: {silence: 1s}, pace: fast}",
    "bytes": "{send: {$bytes: 1KiB}}",
    "close": "{close: 1000}",
    "close with options": "{close: {code: 1000, late: 0s}}",
    "close with a typing mistake": "{close: {cod: 1000}}",
    "connect with a query": "{connect: {query: {a: b}}}",
    "run": "{run: {name: big-frame, args: {bytes: 1}}}",
    "an id that is none": "{hold: 1s, id: a b}",
}
DOCUMENTS = {
    **{name: BARE + added for name, added in ADDED.items()},
    **{f"step: {name}": BARE.replace("  - close", f"  - {step}\n  - close") for name, step in STEPS.items()},
}


@cache
def schema_validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(scenario_schema())


def is_valid(text: str) -> bool:
    validator = schema_validator()
    return validator.is_valid(read_yaml(text, "x").data)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_schema_says_what_the_loader_says(tmp_path: Path, name: str) -> None:
    text = DOCUMENTS[name]
    try:
        load(written(tmp_path, text))
        loads = True
    except ScenarioError:
        loads = False
    assert is_valid(text) is loads


def test_the_samples_are_of_both_kinds() -> None:
    valid = [is_valid(text) for text in DOCUMENTS.values()]
    assert valid.count(True) > 10
    assert valid.count(False) > 10


def test_the_committed_schema_is_the_grammars() -> None:
    committed = orjson.loads((library() / "schema/scenario.schema.json").read_bytes())
    assert committed == scenario_schema(), "write it anew: conformance schema --out scenarios/schema/scenario.schema.json"


def test_every_scenario_of_the_library_is_valid_by_the_schema_and_names_it() -> None:
    validator = schema_validator()
    files = [path for path in library().rglob("*.yaml") if path.parent != library()]
    assert files
    for path in files:
        text = path.read_text(encoding="utf-8")
        errors: list[Any] = [error.message for error in validator.iter_errors(read_yaml(text, path.name).data)]
        assert errors == [], path
        assert text.startswith("# yaml-language-server: $schema=../schema/scenario.schema.json\n"), path


def test_the_page_names_every_word_of_the_language() -> None:
    page = (library() / "README.md").read_text(encoding="utf-8")
    parts: list[type[BaseModel]] = [
        grammar.ScenarioPart, grammar.UpstreamPart, grammar.RulePart, grammar.CheckPart, grammar.MutantPart,
        grammar.CloseOptions, grammar.ConnectOptions, grammar.RunOptions, *grammar.STEPS.values(),
    ]  # fmt: skip
    words = {word for part in parts for word in part.model_fields} | {*KNOBS, *FRAME_WORDS, "$binary", "$hex", "$bytes"}
    missing = {word for word in words if f"`{word}`" not in page and f"`{word}:" not in page}
    assert missing == set()
    assert {operator for operator in OPERATORS if f"{{{operator}:" not in page} == set()


def test_the_pages_example_is_valid(tmp_path: Path) -> None:
    example = (library() / "README.md").read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    assert is_valid(example)
    load(written(tmp_path, example, "greeting/idle"))
