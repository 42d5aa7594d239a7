"""Patterns: how scenarios and scripts name the messages they mean.

A pattern is an event type, which may be a glob (``response.*``), or a partial message. In a partial message every key
must match; lists match by index (``functions.0.id`` addresses work alike) and may be longer in the message. A scalar
matches its equal; null matches null, not absence. The operators are mappings: ``{$re: "^Hello"}`` searches a string,
``{$any: true}`` needs presence, ``{$absent: true}`` absence, ``{$gt: 1}`` and ``{$lt: 2}`` compare numbers.
"""

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

Pattern = str | Mapping[str, Any]
"""An event type (globs allowed) or a partial message."""

OPERATORS: Final = ("$re", "$any", "$absent", "$gt", "$lt")
_MISSING: Final = object()


def matches(pattern: Pattern, message: Mapping[str, Any]) -> bool:
    """Tell whether the message is one the pattern means."""
    if isinstance(pattern, str):
        return fnmatchcase(str(message.get("type", "")), pattern)
    for key, wanted in pattern.items():
        if key == "type" and isinstance(wanted, str):
            if not fnmatchcase(str(message.get("type", "")), wanted):
                return False
        elif not _matches(wanted, message.get(key, _MISSING)):
            return False
    return True


def pattern_type(pattern: Pattern) -> str:
    """Return the event type (or glob) that a pattern asks for; ``*`` when it asks for none."""
    if isinstance(pattern, str):
        return pattern
    kind = pattern.get("type", "*")
    return kind if isinstance(kind, str) else "*"


def look_up(message: Any, path: str) -> Any:
    """Return the value at a dotted path such as ``functions.0.id``.

    Raises:
        KeyError: nothing is there; the message names the path.
    """
    value = message
    for part in path.split("."):
        try:
            value = value[int(part)] if isinstance(value, Sequence) and not isinstance(value, str) else value[part]
        except (KeyError, IndexError, TypeError, ValueError):
            raise KeyError(path) from None
    return value


def _matches(wanted: Any, value: Any) -> bool:
    if isinstance(wanted, Mapping) and wanted and all(key in OPERATORS for key in wanted):
        return all(_operate(operator, operand, value) for operator, operand in wanted.items())
    if value is _MISSING:
        return False
    if isinstance(wanted, Mapping):
        return isinstance(value, Mapping) and all(_matches(w, value.get(k, _MISSING)) for k, w in wanted.items())
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        return (
            isinstance(value, Sequence)
            and not isinstance(value, str)
            and len(wanted) <= len(value)
            and all(_matches(w, v) for w, v in zip(wanted, value, strict=False))
        )
    return (type(wanted) is type(value) and bool(wanted == value)) or _equal_numbers(wanted, value)


def _operate(operator: str, operand: Any, value: Any) -> bool:
    match operator:
        case "$any":
            return (value is not _MISSING) is bool(operand)
        case "$absent":
            return (value is _MISSING) is bool(operand)
        case "$re":
            return isinstance(value, str) and re.search(operand, value) is not None
        case "$gt":
            return _is_number(value) and value > operand
        case _:
            return _is_number(value) and value < operand


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _equal_numbers(wanted: Any, value: Any) -> bool:
    return _is_number(wanted) and _is_number(value) and wanted == value
