"""The JSON Schema of a scenario file, made from the grammar, so that an editor says what the loader would say.

Below the keys in which ``${x}`` may stand, every value also accepts a reference.
"""

from collections.abc import Mapping
from typing import Any, Final

from conformance.scenario.grammar import FILLED, ScenarioPart
from mock_upstream.profiles import KNOBS, PROFILES

_REFERENCE: Final = {"$ref": "#/$defs/Reference"}


def scenario_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12)."""
    made = ScenarioPart.model_json_schema()
    parts: dict[str, Any] = made.pop("$defs")
    upstream = parts["UpstreamPart"]
    upstream["additionalProperties"] = False
    upstream["properties"]["profile"]["enum"] = sorted(PROFILES)
    upstream["properties"] |= {knob: {"description": "a setting of the mock"} for knob in KNOBS}
    schema = _plain(made)
    for name in FILLED:
        schema["properties"][name] = _or_reference(schema["properties"][name])
    definitions = {name: _fillable(_plain(part)) for name, part in sorted(parts.items())}
    definitions["Reference"] = {
        "type": "string",
        "pattern": r"\$\{[^{}]+\}",
        "description": "a variable of matrix or vars; alone it keeps its type",
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Realtime conformance scenario",
        **{key: value for key, value in schema.items() if key != "title"},
        "$defs": definitions,
    }


def _fillable(schema: Any) -> Any:
    """Let a reference stand for every property, element and value of a part."""
    if not isinstance(schema, Mapping):
        return schema
    made = dict(schema)
    if "properties" in made:
        made["properties"] = {name: _or_reference(value) for name, value in made["properties"].items()}
    return made


def _or_reference(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema with a reference beside it, and inside its list's elements."""
    inner = dict(schema)
    description = inner.pop("description", None)
    default = {"default": inner.pop("default")} if "default" in inner else {}
    if "items" in inner:
        inner["items"] = _or_reference(inner["items"])
    if inner.get("type") == "object" or "$ref" in inner:
        inner = _fillable(inner)
    alternatives = [_or_inner(each) for each in inner.pop("anyOf")] if set(inner) == {"anyOf"} else [inner]
    made: dict[str, Any] = {"anyOf": [*alternatives, _REFERENCE], **default}
    if description is not None:
        made["description"] = description
    return made


def _or_inner(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {**schema, "items": _or_reference(schema["items"])} if "items" in schema else _fillable(schema)


def _plain(value: Any) -> Any:
    """Drop what pydantic adds for Python's sake: titles made of names, and discriminators by callables."""
    if isinstance(value, Mapping):
        return {
            key: {name: _plain(each) for name, each in item.items()} if key in ("properties", "$defs") else _plain(item)
            for key, item in value.items()
            if not (key == "title" and isinstance(item, str)) and key != "discriminator"
        }
    return [_plain(each) for each in value] if isinstance(value, list) else value
