"""Shapes: checks compiled from the SDK's pydantic classes that answer as the API does: the first problem, with its path.

The SDK's own validation reports all problems in its own words and ignores unknown fields; the API stops at the first,
names the parameter, and refuses what it does not know. Each class becomes a tree of `Check` functions, made once.
"""

from collections.abc import Callable, Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from mock_upstream.errors import (
    Refused,
    invalid_type,
    invalid_value,
    missing_parameter,
    unknown_parameter,
)

Check = Callable[[Any, str], None]
"""Takes a value and its path, such as ``session.tools[0].name``; raises `Refused`."""
Limits = Mapping[str, Sequence[Check]]
"""Further checks by path, ``[]`` standing for any index; they run when the shape is right."""
Extra = Mapping[str, Sequence[str]]
"""Fields the API needs though the SDK calls them optional, by path of their object, and by ``type`` where it depends."""

_EXPECTED: Final = {
    str: "a string",
    int: "an integer",
    float: "a decimal",
    bool: "a boolean",
    dict: "an object",
    list: "an array",
    NoneType: "null",
}


def name_of(value: Any) -> str:
    """Return what the API calls a value's type."""
    return _EXPECTED.get(type(value), "an object")


class Compiler:
    """Makes checks of classes under some limits."""

    def __init__(
        self, limits: Limits, required: Extra, others: Mapping[str, Sequence[type[BaseModel]]] | None = None
    ) -> None:
        """``others`` are classes that an object may be of as well, by its path, where the SDK declares them elsewhere."""
        self._limits = limits
        self._required = required
        self._others = others or {}

    def shape(self, class_: type[BaseModel], path: str) -> Check:
        """Return the check of an object that may have the class's fields and no others."""
        prefix = f"{path}." if path else ""
        fields = {
            field.alias or name: self._field(field.annotation, f"{prefix}{field.alias or name}")
            for name, field in class_.model_fields.items()
        }
        required = [field.alias or name for name, field in class_.model_fields.items() if field.is_required()]
        required += [name for name in self._required.get(path, ()) if name not in required]
        by_type = {
            key.removeprefix(f"{path}:"): names for key, names in self._required.items() if key.startswith(f"{path}:")
        }

        def check(value: Any, at: str) -> None:
            if type(value) is not dict:
                raise Refused(invalid_type(at, "an object", name_of(value)))
            start = f"{at}." if at else ""
            for key, given in value.items():
                test = fields.get(key)
                if test is None:
                    raise Refused(unknown_parameter(f"{start}{key}"))
                test(given, f"{start}{key}")
            for key in required:
                if key not in value:
                    raise Refused(missing_parameter(f"{start}{key}"))
            for key in by_type.get(str(value.get("type")), ()) if by_type else ():
                if key not in value:
                    raise Refused(missing_parameter(f"{start}{key}"))

        return self._limited(check, path)

    def _limited(self, check: Check, path: str) -> Check:
        limits = self._limits.get(path, ())
        if not limits:
            return check

        def limited(value: Any, at: str) -> None:
            check(value, at)
            if value is not None:
                for limit in limits:
                    limit(value, at)

        return limited

    def _field(self, annotation: Any, path: str) -> Check:
        return self._limited(self._check(annotation, path), path)

    def _check(self, annotation: Any, path: str) -> Check:
        options = _options(annotation)
        nullable = NoneType in options
        options = [option for option in options if option is not NoneType]
        checks = self._by_kind(options, path)

        def check(value: Any, at: str) -> None:
            if value is None and nullable:
                return
            test = checks.get(type(value)) or (checks.get(float) if type(value) is int else None)
            if test is None:
                raise Refused(invalid_type(at, _expected(list(checks)), name_of(value)))
            if test is not _anything:
                test(value, at)

        return _anything if not options or Any in options or object in options else check

    def _by_kind(self, options: Sequence[Any], path: str) -> dict[type, Check]:
        checks: dict[type, Check] = {}
        literals = [value for option in options if get_origin(option) is Literal for value in get_args(option)]
        classes = [option for option in options if isinstance(option, type) and issubclass(option, BaseModel)]
        classes += self._others.get(path, ())
        for option in options:
            if option in (str, int, float, bool):
                checks[option] = _anything
            elif get_origin(option) in (list, Sequence):
                checks[list] = self._array(get_args(option)[0], path)
            elif get_origin(option) is dict:
                checks[dict] = self._values(get_args(option)[1], path)
        words = [value for value in literals if isinstance(value, str)]
        if words and str not in checks:
            checks[str] = _one_of(words)
        if any(isinstance(value, int) for value in literals):
            checks.setdefault(int, _anything)  # its values are a matter of the limits, which say >= and <=
        if len(classes) == 1:
            checks[dict] = self.shape(classes[0], path)
        elif classes:
            checks[dict] = self._choice(classes, path, "type")
        return checks

    def _array(self, annotation: Any, path: str) -> Check:
        element = self._field(annotation, f"{path}[]")

        def check(value: Any, at: str) -> None:
            for index, given in enumerate(value):
                element(given, f"{at}[{index}]")

        return check

    def _values(self, annotation: Any, path: str) -> Check:
        element = self._field(annotation, f"{path}.*")

        def check(value: Any, at: str) -> None:
            for key, given in value.items():
                element(given, f"{at}.{key}")

        return check

    def _choice(self, classes: Sequence[type[BaseModel]], path: str, key: str) -> Check:
        """Return the check of an object that is one of several classes, told apart by a field's literal value."""
        by_value: dict[str, list[type[BaseModel]]] = {}
        for class_ in classes:
            for value in _literals(class_, key):
                by_value.setdefault(value, []).append(class_)
        chosen = {
            value: self.shape(among[0], path) if len(among) == 1 else self._choice(among, path, "role")
            for value, among in by_value.items()
        }

        def check(value: Any, at: str) -> None:
            if key not in value:
                raise Refused(missing_parameter(f"{at}.{key}"))
            given = value[key]
            if not isinstance(given, str):
                raise Refused(invalid_type(f"{at}.{key}", "a string", name_of(given)))
            if given not in chosen:
                raise Refused(invalid_value(given, list(chosen), f"{at}.{key}"))
            chosen[given](value, at)

        return check


def _options(annotation: Any) -> list[Any]:
    """Return the alternatives of an annotation, nested unions and aliases resolved."""
    if get_origin(annotation) is Annotated:
        return _options(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [option for part in get_args(annotation) for option in _options(part)]
    return [annotation]


def _literals(class_: type[BaseModel], key: str) -> list[str]:
    options = _options(class_.model_fields[key].annotation) if key in class_.model_fields else []
    return [value for option in options if get_origin(option) is Literal for value in get_args(option)]


def _expected(kinds: Sequence[type]) -> str:
    names = [_EXPECTED[kind] for kind in kinds]
    return names[0] if len(names) == 1 else f"one of {' or '.join(names)}"


def _one_of(words: Sequence[str]) -> Check:
    allowed = frozenset(words)

    def check(value: Any, at: str) -> None:
        if value not in allowed:
            raise Refused(invalid_value(value, words, at))

    return check


def _anything(value: Any, at: str) -> None:
    """Accept any value."""
