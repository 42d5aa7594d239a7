import pytest

from conformance.scenario.mistakes import ScenarioError
from conformance.scenario.yaml_source import MAX_SIZE, read_yaml


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x" * (MAX_SIZE + 1), "at most"),
        ("[" * 400_000, "nested too deeply"),
        ("- " * 50_000, "nested too deeply"),
        ("{a: " * 50_000, "nested too deeply"),
        ("a: " + "[" * 60 + "]" * 60, "nested too deeply"),
        ("a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
            f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdef", "bcdefg", strict=True)
        ), "more than 50000 values, aliases expanded"),
        ("a: &a [*a]\n", "nested too deeply"),
        ("a: 1\n---\nb: 2\n", "; a file holds one, so take the second --- line away or make two files"),
        ("a: [1\nb: 2\n", "not valid YAML"),
        ("a:\n   - 1\n  - 2\n", "; indent this line like those beside it"),
        ("a:\n\t- 1\n", "; indent with spaces, not with tabs"),
        ("a: \x00\n", "not valid YAML"),
        ("a: *nobody\n", "not valid YAML"),
    ],
)  # fmt: skip
def test_hostile_yaml_is_one_sentence_with_a_place(text: str, sentence: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        read_yaml(text, "x.yaml")
    assert sentence in str(caught.value)
    assert str(caught.value).startswith("x.yaml:")
    assert "\n" not in str(caught.value)


def test_an_alias_is_plain_reuse() -> None:
    assert read_yaml("a: &x {b: 1}\nc: *x\n", "x.yaml").data == {"a": {"b": 1}, "c": {"b": 1}}


def test_keys_are_texts_whatever_they_look_like() -> None:
    assert read_yaml("1: a\nnull: b\non: c\n", "x.yaml").data == {"1": "a", "null": "b", "on": "c"}


def test_a_number_beyond_reason_stays_text() -> None:
    assert read_yaml("a: " + "9" * 5_000 + "\nb: .inf\nc: .nan\n", "x.yaml").data == {
        "a": "9" * 5_000,
        "b": ".inf",
        "c": ".nan",
    }
