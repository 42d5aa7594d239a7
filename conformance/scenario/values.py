"""Typed values: durations, counts, patterns … as a scenario file writes them, with their JSON Schema."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from conformance.scenario.mistakes import shown
from conformance.scenario.variables import REFERENCE
from conformance.wire.durations import parse_duration

FORMS: Final = ("$binary", "$hex", "$bytes")
"""What a sent mapping's only key may be to mean a binary frame instead."""
_SIZES: Final = {"B": 1, "KiB": 1024, "MiB": 1024 * 1024}
_SIZE: Final = re.compile(r"(\d+)(B|KiB|MiB)")
DURATION_SHAPE: Final = {"type": "string", "pattern": r"^\d+(\.\d+)?(us|ms|s|m|h)$"}


def mistake(sentence: str) -> PydanticCustomError:
    """Make the error of a value; the sentence goes to the user as it is."""
    return PydanticCustomError("mistake", "{sentence}", {"sentence": sentence})


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """Gives a field a JSON Schema of its own, or beside its class's."""

    schema: Mapping[str, Any]
    beside: bool = False

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the schema."""
        return {"anyOf": [handler(core), dict(self.schema)]} if self.beside else dict(self.schema)


def refuse_unfilled(value: Any) -> None:
    """Refuse a reference that nothing filled in: it is undefined, or known only while the attempt runs."""
    name = REFERENCE.search(value) if isinstance(value, str) else None
    if name is not None:
        raise PydanticCustomError("unfilled", "{name}", {"name": name[1]})


def _duration(value: Any) -> int:
    refuse_unfilled(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise mistake(f"a duration needs a unit, such as {value}ms or {value}s")
    if not isinstance(value, str):
        raise mistake("expected a duration, such as 40ms, 1.5s or 2m")
    try:
        return parse_duration(value)
    except ValueError as error:
        raise mistake(str(error)) from None


def _positive(value: Any) -> int:
    duration = _duration(value)
    if duration == 0:
        raise mistake("must be longer than 0")
    return duration


def _whole(value: Any, least: int) -> int:
    refuse_unfilled(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise mistake(f"expected a whole number, not {shown(value)}")
    if value < least:
        raise mistake(f"must be at least {least}, not {value}")
    return value


def _count(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return _whole(value, 0)
    for key, bound in value.items():
        if key not in ("$gt", "$lt"):
            raise mistake(f"count is a number or holds $gt and $lt, not {key!r}")
        _whole(bound, 0)
    if not value:
        raise mistake("count is empty; give a number, or $gt and $lt")
    return dict(value)


def _probability(value: Any) -> float:
    refuse_unfilled(value)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= 1:
        raise mistake(f"a probability is above 0 and at most 1, not {shown(value)}")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise mistake(f"expected text, not {'nothing' if value is None else shown(value)}")
    if not value:
        raise mistake("must not be empty")
    return value


def _name(value: Any) -> str:
    text = _text(value)
    refuse_unfilled(value)
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", text) is None:
        raise mistake(f"{text!r} is no id; use letters, digits, - and _")
    return text


def _truth(value: Any) -> bool:
    refuse_unfilled(value)
    if not isinstance(value, bool):
        raise mistake(f"expected true or false, not {shown(value)}")
    return value


def _pattern(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if not isinstance(value, str) or not value:
        raise mistake("expected an event type or a partial message")
    return value


def _message(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if not isinstance(value, Mapping):
        raise mistake("expected a message, text that goes out as it is, or one of " + ", ".join(FORMS))
    return dict(value)


def _values(value: Any) -> Any:
    if not isinstance(value, list | Mapping) or not value:
        raise mistake("expected a list of values, or a mapping of label to value")
    return value


def parse_size(value: Any) -> int:
    """Read a size such as ``16MiB`` in bytes.

    Raises:
        ValueError: it is none.
    """
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None or (size := int(match[1]) * _SIZES[match[2]]) > 64 * 1024 * 1024:
        raise ValueError(f"{value!r} is no size; write 500B, 64KiB or 16MiB, at most 64MiB")
    return size


Duration = Annotated[int, BeforeValidator(_duration), Shape(DURATION_SHAPE)]
Span = Annotated[int, BeforeValidator(_positive), Shape({**DURATION_SHAPE, "not": {"pattern": r"^0+(\.0+)?\D"}})]
Times = Annotated[int, BeforeValidator(lambda value: _whole(value, 1)), Shape({"type": "integer", "minimum": 1})]
Number = Annotated[int, BeforeValidator(lambda value: _whole(value, 0)), Shape({"type": "integer", "minimum": 0})]
Text = Annotated[str, BeforeValidator(_text), Shape({"type": "string", "minLength": 1})]
Truth = Annotated[bool, BeforeValidator(_truth), Shape({"type": "boolean"})]
Probability = Annotated[
    float, BeforeValidator(_probability), Shape({"type": "number", "exclusiveMinimum": 0, "maximum": 1})
]
Name = Annotated[str, BeforeValidator(_name), Shape({"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]*$"})]
Count = Annotated[
    Any,
    BeforeValidator(_count),
    Shape(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {
                    "type": "object",
                    "properties": {key: {"type": "integer", "minimum": 0} for key in ("$gt", "$lt")},
                    "additionalProperties": False,
                    "minProperties": 1,
                },
            ]
        }
    ),
]
Pattern = Annotated[
    Any, BeforeValidator(_pattern), Shape({"anyOf": [{"type": "string", "minLength": 1}, {"type": "object"}]})
]
Message = Annotated[Any, BeforeValidator(_message), Shape({"anyOf": [{"type": "string"}, {"type": "object"}]})]
Values = Annotated[
    Any,
    BeforeValidator(_values),
    Shape({"anyOf": [{"type": "array", "minItems": 1}, {"type": "object", "minProperties": 1}]}),
]
Event = Pattern
Anchor = Pattern
