"""Making a message that a pattern means: what the judge inserts to see whether a check notices."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from conformance.wire.patterns import OPERATORS, Pattern, matches

_GLOBS: Final = re.compile(r"\[(!?)([^\]]+)\]|[*?]")
_CLASSES: Final = {r"\d": "1", r"\w": "x", r"\s": " ", r"\S": "x", r"\W": " ", r"\D": "x", r"\b": "", r"\A": "", r"\Z": ""}
_TOKEN: Final = re.compile(
    r"\\(.)|\[(\^?)((?:\\.|[^\]\\])+)\]|\(\?[:=!<a-zA-Z][^)]*?[:)]|([()^$])|(\{(\d+)[^}]*\}|[*+?])|\."
)


def example(pattern: Pattern, known: Iterable[Mapping[str, Any]] = ()) -> Mapping[str, Any] | None:
    """Return a message the pattern means, None if none could be made; ``known`` messages serve where inventing fails."""
    made: dict[str, Any] = {"type": _of_glob(pattern)} if isinstance(pattern, str) else _of_mapping(pattern)
    if isinstance(pattern, Mapping) and isinstance(pattern.get("type"), str):
        made["type"] = _of_glob(pattern["type"])
    if matches(pattern, made):
        return made
    return next((message for message in known if matches(pattern, message)), None)


def _of_mapping(pattern: Mapping[str, Any]) -> dict[str, Any]:
    made = {key: _of_value(wanted) for key, wanted in pattern.items()}
    return {key: value for key, value in made.items() if value is not _ABSENT}


_ABSENT: Final = object()


def _of_value(wanted: Any) -> Any:
    if isinstance(wanted, Mapping):
        if wanted and all(key in OPERATORS for key in wanted):
            return _of_operators(wanted)
        return _of_mapping(wanted)
    if isinstance(wanted, Sequence) and not isinstance(wanted, str | bytes):
        return [_of_value(item) for item in wanted]
    return wanted


def _of_operators(wanted: Mapping[str, Any]) -> Any:
    if wanted.get("$absent") is True or wanted.get("$any") is False:
        return _ABSENT
    if "$re" in wanted:
        return _of_expression(str(wanted["$re"]))
    low, high = wanted.get("$gt"), wanted.get("$lt")
    if low is not None and high is not None:
        return (low + high) / 2
    if low is not None:
        return low + 1
    return "x" if high is None else high - 1


def _of_glob(type_: str) -> str:
    return _GLOBS.sub(lambda found: "" if found[0] == "*" else (found[2] or "x")[0], type_)


def _of_expression(expression: str) -> str:
    """Return a text the expression finds, of its alternatives the first that works; the expression itself if none does."""
    for alternative in (expression, *_alternatives(expression)):
        text = _simplify(alternative)
        if re.search(expression, text):
            return text
    return expression


def _alternatives(expression: str) -> list[str]:
    return re.sub(r"[()]", "", expression).split("|")


def _simplify(expression: str) -> str:
    """Write a plain expression out: classes by a member, repeats once or as often as they must, anchors not at all."""
    text = ""
    last = ""
    position = 0
    for found in _TOKEN.finditer(expression):
        text, last = text + expression[position : found.start()], expression[position : found.start()][-1:] or last
        position = found.end()
        if found[5]:
            text = text[: -len(last)] + last * int(found[6]) if found[6] and last else text
            continue
        if found[4] or found[0].startswith("(?"):
            continue
        last = _member(found)
        text += last
    return text + expression[position:]


def _member(found: re.Match[str]) -> str:
    if found[1]:
        return _CLASSES.get(f"\\{found[1]}", found[1])
    if found[3]:
        return "~" if found[2] else _CLASSES.get(found[3][:2], found[3][0])
    return "x"
