"""Validators that only say yes or no, at a third of the cost: for the many events that are as they should be.

Theory. What an SDK class spends on a valid event is mostly the making of instances, at every depth and, in a union, for
every member that is tried. Its schema without the ``model`` layers asks the same of the fields and makes none; and in a
union the first member that fits is proof enough. So what these validators accept, the class accepts; what they refuse is
for the class to explain.

Fields that the class does not declare and that are right nevertheless are given along, so that an event that has them
need not be taken apart first.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pydantic_core import SchemaValidator
    from pydantic_core.core_schema import ModelField

_KEPT: Final = ("bytes", "ms", "sha256", "stream_sha256", "at", "rms")
Field = tuple[tuple[str, ...], "ModelField"]
"""A further field of a class: the way to it (``*``: each element of a list), and what it is."""


def quick_validator(class_: Any, fields: Sequence[Field] = ()) -> "SchemaValidator":
    """Return the validator of one of the SDK's classes, which has been built, with these fields besides or instead."""
    from pydantic_core import SchemaValidator

    return SchemaValidator(_bare(class_.__pydantic_core_schema__, fields))


def optional(types: Sequence[type]) -> "ModelField":
    """Return a field that may be missing, and is of one of these types: str, int, dict or that of None."""
    from pydantic_core import core_schema as core

    schemas = {
        str: core.str_schema(),
        int: core.int_schema(),
        dict: core.dict_schema(),
        type(None): core.none_schema(),
    }
    return core.model_field(core.with_default_schema(core.union_schema([schemas[each] for each in types]), default=None))


def audio() -> "ModelField":
    """Return a field that holds base64, or what a recording keeps of it (see `conformance.wire.folding`)."""
    from pydantic_core import core_schema as core

    kept = core.typed_dict_schema({name: core.typed_dict_field(core.any_schema(), required=False) for name in _KEPT})
    return core.model_field(core.union_schema([core.str_schema(), kept]))


def _bare(schema: Any, fields: Sequence[Field]) -> Any:
    """Return a core schema without instances: each model becomes its fields, each union takes what fits first."""
    if isinstance(schema, list | tuple):
        return type(schema)(_bare(part, fields) for part in schema)
    if not isinstance(schema, dict):
        return schema
    match schema.get("type"):
        case "model-fields":
            own = {name: _bare(field, _below(name, fields)) for name, field in schema["fields"].items()}
            return {**schema, "fields": own | {path[0]: field for path, field in fields if len(path) == 1}}
        case "list":
            return {key: _bare(part, _below("*", fields)) for key, part in schema.items()}
        case "definitions":  # shared by several places, so what is further at one of them is not said here
            return {**schema, "schema": _bare(schema["schema"], fields), "definitions": _bare(schema["definitions"], ())}
    bare = {key: _bare(part, fields) for key, part in schema.items()}
    match schema.get("type"):
        case "model":
            return {**bare["schema"], "ref": bare["ref"]} if "ref" in bare else bare["schema"]
        case "union":
            return {**bare, "mode": "left_to_right"}
        case _:
            return bare


def _below(name: str, fields: Sequence[Field]) -> Sequence[Field]:
    return [(path[1:], field) for path, field in fields if path[0] == name and len(path) > 1]
