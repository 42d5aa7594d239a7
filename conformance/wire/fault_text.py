"""Faults as people name them on a command line: ``NAME[,k=v]``."""

from difflib import get_close_matches
from typing import Any, Final

from conformance.wire.closing import can_close_with
from conformance.wire.durations import parse_duration
from conformance.wire.script import FAULTS, Fault

LARGEST: Final = 2**30
"""Bytes of an oversize event."""
_ALL: Final = 100


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
        if problem := problem_of(key, params[key]):
            raise ValueError(problem)
    return Fault(name, params)


def problem_of(key: str, value: Any) -> str | None:
    """Return what is wrong with a parameter of the right type; None if nothing is."""
    if key == "code" and not can_close_with(value):
        return f"a server cannot close with {value}; use 1000 to 1003, 1007 to 1014, 3000 to 4999, or 1005 for no code"
    if key == "percent" and value > _ALL:
        return f"percent is at most {_ALL}, not {value}"
    if key == "size" and value > LARGEST:
        return f"size is at most {LARGEST} bytes, not {value}"
    return None


def _like(default: Any, key: str, value: str) -> Any:
    """Read a value as what its default is: a number, a duration or a text."""
    if isinstance(default, int):
        if not value.isdigit():
            raise ValueError(f"{key} is a whole number, not {value!r}")
        return int(value)
    if default and default[0].isdigit():
        parse_duration(value)
    return value
