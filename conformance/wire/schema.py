"""Schema: has an event the shape that the official `openai` package declares for its type?

The SDK's union of all events takes 54 µs to validate and its classes accept any extra field. Here the class is chosen
by the event's ``type``, types are checked strictly and undeclared fields are refused at every depth. What the API documents
or really sends and the SDK does not declare stands in a table with its source. `openai` takes half a second to
import, so it is imported with the first event.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from conformance.wire.folding import AUDIO_FIELDS
from conformance.wire.quick_schema import Field, audio, optional, quick_validator

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails, SchemaValidator

Side = Literal["client", "server"]
Dialect = Literal["ga", "beta"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an event. ``path`` is dotted, such as ``session.tools[0].name``; empty: the event itself."""

    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Undeclared:
    """A field that the API sends or documents and the SDK's types lack.

    ``events`` is a glob over event types, ``path`` the way to the field (``*``: each element of a list).
    """

    events: str
    path: tuple[str, ...]
    types: tuple[type, ...]
    source: str


_RECORDED: Final = "in every GA recording of 2025-12 to 2026-09"
_PHASE: Final = "assistant items of gpt-realtime-2.x, recordings of 2026-09: final_answer"
UNDECLARED: Final[Sequence[Undeclared]] = (
    Undeclared("session.[cu]*ed", ("session", "id"), (str,), _RECORDED),
    Undeclared("session.[cu]*ed", ("session", "object"), (str,), _RECORDED),
    Undeclared("session.[cu]*ed", ("session", "expires_at"), (int,), _RECORDED),
    Undeclared("response.*.delta", ("obfuscation",), (str,), f"text, transcript and arguments deltas {_RECORDED}"),
    Undeclared("conversation.*.delta", ("obfuscation",), (str,), f"transcription deltas {_RECORDED}"),
    Undeclared("conversation.item.*", ("item", "phase"), (str,), _PHASE),
    Undeclared("response.output_item.*", ("item", "phase"), (str,), _PHASE),
    Undeclared("response.done", ("response", "output", "*", "phase"), (str,), _PHASE),
    Undeclared(
        "response.done",
        ("response", "usage", "output_token_details", "reasoning_tokens"),
        (int,),
        "gpt-realtime-2.x, a timed recording of 2026-09",
    ),
)
"""Removed, its type checked, before the SDK's class looks at a GA server event."""

_BETA_SESSION: Final = "beta recordings of 2025 (ground truth §1.4)"
UNDECLARED_IN_BETA: Final[Sequence[Undeclared]] = (
    Undeclared("session.[cu]*ed", ("session", "object"), (str,), _BETA_SESSION),
    Undeclared("session.[cu]*ed", ("session", "expires_at"), (int,), _BETA_SESSION),
    Undeclared("session.[cu]*ed", ("session", "client_secret"), (type(None), dict), _BETA_SESSION),
)
"""The same for the beta dialect."""


def problems(event: Mapping[str, Any], side: Side, dialect: Dialect = "ga") -> list[Problem]:
    """Return what is wrong with an event that ``side`` sent; an empty list when nothing is.

    An audio body may be folded, as in a recording. Required fields, types, allowed values and undeclared fields are
    checked; messages go on from the path: ``session.voice`` "is not a field of this event".
    """
    type_ = event.get("type")
    if not isinstance(type_, str):
        return [Problem("type", "must be a string that names the event")]
    class_ = _classes(side, dialect).get(type_)
    if class_ is None:
        return [Problem("type", f"{type_!r} is no {dialect} {side} event")]
    if _quick(type_, side, dialect).isinstance_python(event, strict=True, extra="forbid"):
        return []
    return _explain(class_, type_, event, side, dialect)


def _explain(class_: Any, type_: str, event: Mapping[str, Any], side: Side, dialect: Dialect) -> list[Problem]:
    """Say what is wrong with an event: take out of it what the class does not know, and ask the class."""
    found: list[Problem] = []
    field = AUDIO_FIELDS.get(type_)
    if field is not None and isinstance(event.get(field), dict):
        event = _unfold(event, field, found)
    if side == "server":
        for known in _undeclared(type_, dialect):
            event = _without(event, known.path, known.types, found, known.path)
    if type_ == "response.create" and dialect == "ga":
        event = _without_references(event, found)
    return [*found, *_check(class_, event)]


def _unfold(event: Mapping[str, Any], field: str, found: list[Problem]) -> Mapping[str, Any]:
    """Put a string back in place of a folded audio body, so that the SDK's class accepts it."""
    if "invalid" in event[field]:
        found.append(Problem(field, "must be base64"))
    return {**event, field: ""}


@cache
def _undeclared(type_: str, dialect: Dialect) -> Sequence[Undeclared]:
    table = UNDECLARED if dialect == "ga" else UNDECLARED_IN_BETA
    return [known for known in table if fnmatchcase(type_, known.events)]


def _without(
    value: Any, path: tuple[str, ...], types: tuple[type, ...], found: list[Problem], whole: tuple[str, ...]
) -> Any:
    """Return the value without the field at a path, and note it if it is of another type."""
    key, *rest = path
    if key == "*":
        return [_without(each, tuple(rest), types, found, whole) for each in value] if isinstance(value, list) else value
    if not isinstance(value, dict) or key not in value:
        return value
    if rest:
        inner = _without(value[key], tuple(rest), types, found, whole)
        return value if inner is value[key] else {**value, key: inner}
    if type(value[key]) not in types:
        found.append(Problem(".".join(whole), f"must be {' or '.join(each.__name__ for each in types)}"))
    return {name: each for name, each in value.items() if name != key}


def _without_references(event: Mapping[str, Any], found: list[Problem]) -> Mapping[str, Any]:
    """Check the item references in ``response.input``, which the SDK declares in a class of their own."""
    from openai.types.realtime.response_item_reference import ResponseItemReference

    response = event.get("response")
    items = response.get("input") if isinstance(response, Mapping) else None
    if not isinstance(items, list):
        return event
    others = []
    for index, item in enumerate(items):
        if isinstance(item, Mapping) and item.get("type") == "item_reference":
            place = f"response.input[{index}]"
            found += [Problem(f"{place}.{each.path}", each.message) for each in _check(ResponseItemReference, item)]
        else:
            others.append(item)
    return {**event, "response": {**event["response"], "input": others}}


def _check(class_: Any, event: Mapping[str, Any]) -> list[Problem]:
    from pydantic import ValidationError

    try:
        _validator(class_).validate_python(event, strict=True, extra="forbid")
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        faults = _choose([_read(detail, event) for detail in details])
        return list(dict.fromkeys(fault.problem for fault in faults))
    return []


@dataclass(frozen=True, slots=True)
class _Fault:
    """One of pydantic's complaints; ``trail`` still names the members of unions that were tried (marked True)."""

    trail: tuple[tuple[str | int, bool], ...]
    problem: Problem


def _read(detail: "ErrorDetails", event: Any) -> _Fault:
    """Tell in pydantic's location the event's own keys from the names of tried union members."""
    trail: list[tuple[str | int, bool]] = []
    path = ""
    value = event
    for index, key in enumerate(detail["loc"]):
        present = (isinstance(value, Mapping) and key in value) or (isinstance(value, Sequence) and isinstance(key, int))
        missing = detail["type"] == "missing" and index == len(detail["loc"]) - 1
        trail.append((key, not present and not missing))
        if present:
            value = value[key]
        if present or missing:
            path += f"[{key}]" if isinstance(key, int) else f".{key}" if path else key
    return _Fault(tuple(trail), Problem(path, _words(detail)))


def _words(detail: "ErrorDetails") -> str:
    match detail["type"]:
        case "extra_forbidden":
            return "is not a field of this event"
        case "missing":
            return "is required"
        case _:
            return detail["msg"].replace("Input should be", "must be").replace(" or instance of", " or")


def _choose(faults: list[_Fault], depth: int = 0) -> list[_Fault]:
    """Keep, of each union, the complaints of the one member that was meant.

    That is the member whose ``type`` and ``role`` fit, then the one whose kind of value fits, then the one with the
    fewest complaints.
    """
    chosen = [fault for fault in faults if len(fault.trail) == depth]
    groups: dict[tuple[str | int, bool], list[_Fault]] = {}
    for fault in faults:
        if len(fault.trail) > depth:
            groups.setdefault(fault.trail[depth], []).append(fault)
    members: list[list[_Fault]] = [_choose(group, depth + 1) for (_, is_member), group in groups.items() if is_member]
    for (_, is_member), group in groups.items():
        if not is_member:
            chosen += _choose(group, depth + 1)
    if members:
        meant: list[_Fault] = min(members, key=lambda member: _distance(member, depth + 1))
        chosen += meant
    return chosen


def _distance(faults: Sequence[_Fault], depth: int) -> tuple[int, int, int]:
    names = [fault.trail[depth:] for fault in faults]
    mistaken = sum(name in ((("type", False),), (("role", False),)) for name in names)
    return mistaken, names.count(()), len(faults)


@cache
def _classes(side: Side, dialect: Dialect) -> Mapping[str, Any]:
    """Return the SDK's class of each event type, from its union of all events."""
    if dialect == "beta":
        from openai.types.beta.realtime import RealtimeClientEvent as BetaClientEvent
        from openai.types.beta.realtime import RealtimeServerEvent as BetaServerEvent

        union = BetaClientEvent if side == "client" else BetaServerEvent
    else:
        from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent

        union = RealtimeClientEvent if side == "client" else RealtimeServerEvent
    members = get_args(get_args(union)[0])
    return {type_: class_ for class_ in members for type_ in get_args(class_.model_fields["type"].annotation)}


@cache
def _validator(class_: Any) -> "SchemaValidator":
    """Return the SDK's own validator of a class, which says what is wrong."""
    class_.model_rebuild()  # the SDK defers it, and has a stand-in for the validator until then
    validator: SchemaValidator = class_.__pydantic_validator__
    return validator


@cache
def _quick(type_: str, side: Side, dialect: Dialect) -> "SchemaValidator":
    """Return the validator that says yes to nearly every event: it knows folded audio and the undeclared fields."""
    class_ = _classes(side, dialect)[type_]
    _validator(class_)
    fields: list[Field] = [((AUDIO_FIELDS[type_],), audio())] if type_ in AUDIO_FIELDS else []
    if side == "server":
        fields += [(known.path, optional(known.types)) for known in _undeclared(type_, dialect)]
    return quick_validator(class_, fields)
