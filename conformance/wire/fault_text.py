"""Faults as people name them on a command line: ``NAME[,k=v]``."""

from difflib import get_close_matches
from typing import Any

from conformance.wire.durations import parse_duration
from conformance.wire.script import FAULTS, Fault


def read_fault(text: str) -> Fault:
    """Read ``NAME[,k=v]``, such as ``idle-error,after=3s``.

    Raises:
        ValueError: no such fault or parameter, or a value that is none; the message offers the nearest name.
    """
    name, *pairs = text.split(",")
    spec = FAULTS.get(name)
    if spec is None:
        close = get_close_matches(name, list(FAULTS), n=1)
        advice = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(sorted(FAULTS))}"
        raise ValueError(f"there is no fault {name!r}; {advice}")
    params: dict[str, Any] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or key not in spec.params:
            known = ", ".join(spec.params) or "none"
            raise ValueError(f"{name} has no parameter {key!r}; it takes {known}, written k=v")
        params[key] = _like(spec.params[key], key, value)
    return Fault(name, params)


def _like(default: Any, key: str, value: str) -> Any:
    """Read a value as what its default is: a number, a duration or a text."""
    if isinstance(default, int):
        if not value.isdigit():
            raise ValueError(f"{key} is a whole number, not {value!r}")
        return int(value)
    if default and default[0].isdigit():
        parse_duration(value)
    return value
