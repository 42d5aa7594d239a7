"""Which event types a scenario may name, and whether a pattern or a scripted reply is well formed."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any, Final

from conformance.scenario.mistakes import did_you_mean, shown
from conformance.scenario.model import Speaks
from conformance.scenario.yaml_source import Path
from conformance.wire.events import CLIENT_EVENTS, SERVER_EVENTS
from conformance.wire.frames import Leg
from conformance.wire.patterns import OPERATORS
from conformance.wire.voice_agent import CLIENT_MESSAGES, MESSAGES

REALTIME: Final = CLIENT_EVENTS | SERVER_EVENTS
FRAME_WORDS: Final = frozenset({"binary", "close", "open"})
"""Patterns for what is no message: a binary frame, the end of a connection, a handshake."""
KNOWN: Final = REALTIME | MESSAGES | FRAME_WORDS

_NEAR: Final = 0.8
"""How alike (0 to 1) two names are of which one is probably meant for the other."""

Findings = Iterator[tuple[Path, str]]
"""Mistakes as (path inside the value, sentence)."""


def is_known(type_: str, known: frozenset[str]) -> bool:
    """Tell whether a type, or at least one that a glob means, is known."""
    return type_ in known or (any(sign in type_ for sign in "*?[") and any(fnmatchcase(name, type_) for name in known))


def leg_of(type_: str) -> Leg | None:
    """Return the leg on which a voice-agent scenario sees events of this type; None if the type is unknown."""
    if is_known(type_, MESSAGES):
        return Leg.CLIENT
    return Leg.UPSTREAM if is_known(type_, REALTIME) else None


def check_pattern(pattern: Any, known: frozenset[str] = KNOWN, where: str = "") -> Findings:
    """Yield what is wrong with a pattern: unknown types, unknown operators, broken regular expressions.

    ``where`` says whose vocabulary ``known`` is.
    """
    if isinstance(pattern, str):
        yield from _check_type(pattern, (), known, where)
    elif isinstance(pattern, Mapping):
        type_ = pattern.get("type", "*")
        if isinstance(type_, str):
            yield from _check_type(type_, ("type",), known, where)
        elif not isinstance(type_, Mapping):
            yield ("type",), f"a type is a word, such as {min(known)!r}, not {shown(type_)}"
        yield from _check_operators(pattern, ())


def _check_type(type_: str, path: Path, known: frozenset[str], where: str) -> Findings:
    if not is_known(type_, known):
        yield path, f"unknown event {type_!r}{where}{did_you_mean(type_, known)}"


def _check_operators(value: Any, path: Path) -> Findings:
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from _check_operators(each, (*path, index))
    elif isinstance(value, Mapping):
        for key, each in value.items():
            if key.startswith("$"):
                yield from _check_operator(key, each, (*path, key))
            else:
                yield from _check_operators(each, (*path, key))
        if any(key.startswith("$") for key in value) and not all(key.startswith("$") for key in value):
            yield path, "operators ($re, $any …) and fields cannot stand side by side"


def _check_operator(operator: str, operand: Any, path: Path) -> Findings:
    if operator not in OPERATORS:
        yield path, f"unknown operator {operator!r}{did_you_mean(operator, OPERATORS)}"
    elif operator == "$re":
        try:
            re.compile(operand)
        except (re.error, TypeError) as error:
            yield path, f"$re needs a regular expression: {error}"
    elif operator in ("$any", "$absent"):
        if not isinstance(operand, bool):
            yield path, f"{operator} is true or false"
    elif not isinstance(operand, int | float) or isinstance(operand, bool):
        yield path, f"{operator} needs a number"


def doubtful_message(message: Any, speaks: Speaks) -> str | None:
    """Return what is odd about a client's message: a type that is nearly a known one. A hostile client may mean it."""
    type_ = message.get("type") if isinstance(message, Mapping) else None
    known = CLIENT_MESSAGES if speaks is Speaks.VOICE_AGENT else sorted(CLIENT_EVENTS)
    if not isinstance(type_, str) or type_ in known:
        return None
    near = get_close_matches(type_, known, n=1, cutoff=_NEAR)
    return f"{type_!r} goes out as it is, though no proxy knows it; did you mean {near[0]!r}?" if near else None


def check_reply(event: Any, *, raw: bool, dialect: str) -> Findings:
    """Yield what is wrong with a scripted reply: an unknown event, or fields that its event does not have."""
    type_ = event if isinstance(event, str) else event.get("type")
    if raw:
        return
    if not isinstance(type_, str):
        yield (), "a reply needs a type, or raw: true"
    elif type_ not in SERVER_EVENTS:
        hint = "" if type_ in CLIENT_EVENTS else did_you_mean(type_, SERVER_EVENTS)
        where: Path = ("type",) if isinstance(event, Mapping) else ()
        yield where, f"{type_!r} is no server event (raw: true sends it all the same){hint}"
    elif isinstance(event, Mapping) and len(event) > 1:
        yield from _check_fields(event, dialect)


def _check_fields(event: Mapping[str, Any], dialect: str) -> Findings:
    from conformance.wire.schema import problems

    for problem in problems(event, "server", "beta" if dialect == "beta" else "ga"):
        path: Path = tuple(
            int(part[1:-1]) if part.startswith("[") else part for part in re.findall(r"\[\d+\]|[^.\[\]]+", problem.path)
        )
        if problem.message == "is not a field of this event":
            yield path, f"unknown field {problem.path!r} in {event['type']} (raw: true sends it all the same)"
        elif problem.message != "is required":  # what is missing is filled in
            yield path, f"{problem.path!r} in {event['type']} {problem.message} (raw: true sends it all the same)"
