"""Variables: ``${x}`` in a scenario stands for a matrix value, a constant of ``vars``, or what a ``wait`` saved.

``${x}`` alone keeps the value's type; inside a longer string it is written out. ``${x.y}`` goes into a mapping. The loader
fills in matrix and vars; the driver fills in what was saved when the message goes out.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

from conformance.wire.patterns import look_up

REFERENCE: Final = re.compile(r"\$\{([^{}]*)\}")
Resolve = Callable[[str], Any]
"""Returns the value of a variable, raises KeyError where there is none."""


class Unfillable(ValueError):  # noqa: N818
    """A reference cannot be filled in: undefined, in a circle, or a mapping inside a longer string."""


def resolver(variables: Mapping[str, Any], left: Collection[str] = ()) -> Resolve:
    """Return a resolver over variables that may refer to each other; dotted names go into mappings and lists.

    References to names in ``left`` stay as they are: somebody fills them in later.
    """

    def resolve(name: str, seen: tuple[str, ...] = ()) -> Any:
        head, _, rest = name.partition(".")
        if head in left:
            return f"${{{name}}}"
        if head in seen:
            raise Unfillable(f"the variables {', '.join(sorted(seen))} refer to each other in a circle")
        value = substitute(variables[head], lambda inner: resolve(inner, (*seen, head)))
        return look_up(value, rest) if rest else value

    return resolve


def references(value: Any) -> Iterator[str]:
    """Yield the names of all variables that a value refers to, dotted ones whole."""
    if isinstance(value, str):
        yield from REFERENCE.findall(value)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from references(each)


def substitute(value: Any, resolve: Resolve) -> Any:
    """Return the value with every reference filled in.

    Raises:
        KeyError: a variable is not defined.
        Unfillable: a mapping or list stands inside a longer string.
    """
    if isinstance(value, str):
        return fill(value, resolve)
    if isinstance(value, Mapping):
        return {key: substitute(each, resolve) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [substitute(each, resolve) for each in value]
    return value


def fill(text: str, resolve: Resolve) -> Any:
    """Fill in one string; a reference alone keeps its type.

    Raises:
        KeyError: a variable is not defined.
        Unfillable: a mapping or list stands inside a longer string.
    """
    if "${" not in text:
        return text
    alone = REFERENCE.fullmatch(text)
    if alone is not None:
        return resolve(alone[1])
    return REFERENCE.sub(lambda match: _written(match[1], resolve(match[1])), text)


def _written(name: str, value: Any) -> str:
    if isinstance(value, Mapping | list | tuple):
        raise Unfillable(f"${{{name}}} is a {'mapping' if isinstance(value, Mapping) else 'list'}; it must stand alone")
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
