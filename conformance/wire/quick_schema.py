"""Validators that only say yes or no, at a third of the cost: for the many events that are as they should be.

Theory. What an SDK class spends on a valid event is mostly the making of instances, at every depth and, in a union, for
every member that is tried. Its schema without the ``model`` layers asks the same of the fields and makes none; and in a
union the first member that fits is proof enough. So what these validators accept, the class accepts; what they refuse is
for the class to explain.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic_core import SchemaValidator


def quick_validator(class_: Any) -> "SchemaValidator":
    """Return the validator of one of the SDK's classes, which has been built."""
    from pydantic_core import SchemaValidator

    return SchemaValidator(_bare(class_.__pydantic_core_schema__))


def _bare(schema: Any) -> Any:
    """Return a core schema without instances: each model becomes its fields, each union takes what fits first."""
    if isinstance(schema, list | tuple):
        return type(schema)(_bare(part) for part in schema)
    if not isinstance(schema, dict):
        return schema
    bare = {key: _bare(part) for key, part in schema.items()}
    match schema.get("type"):
        case "model":
            return {**bare["schema"], "ref": bare["ref"]} if "ref" in bare else bare["schema"]
        case "union":
            return {**bare, "mode": "left_to_right"}
        case _:
            return bare
