import pytest

from conformance.scenario.variables import Unfillable, references, resolver, substitute


def test_a_reference_alone_keeps_its_type() -> None:
    resolve = resolver({"n": None, "list": [1, {"a": 2}]})
    assert substitute({"x": "${n}", "y": ["${list}"], "z": "${list.1.a}"}, resolve) == {
        "x": None,
        "y": [[1, {"a": 2}]],
        "z": 2,
    }


@pytest.mark.parametrize(("value", "text"), [(None, "null"), (True, "true"), (7, "7"), (1.5, "1.5"), ("a", "a")])
def test_inside_a_text_values_are_written_out(value: object, text: str) -> None:
    assert substitute("<${x}>", resolver({"x": value})) == f"<{text}>"


def test_a_mapping_cannot_stand_inside_a_text() -> None:
    with pytest.raises(Unfillable, match="it must stand alone"):
        substitute("<${x}>", resolver({"x": {}}))


def test_an_undefined_variable_is_a_key_error_that_names_it() -> None:
    with pytest.raises(KeyError, match="y"):
        substitute("${x}", resolver({"x": "${y}"}))


def test_references_are_found_at_every_depth() -> None:
    assert sorted(references({"a": ["${x}", {"b": "${y.z} and ${x}"}], "c": 1})) == ["x", "x", "y.z"]
