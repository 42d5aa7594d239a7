"""Structure: unknown and missing keys, wrong types and values, as pydantic finds them and people read them."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from conformance.scenario import grammar
from conformance.scenario.mistakes import did_you_mean, shown
from conformance.scenario.yaml_source import Path

PartT = TypeVar("PartT", bound=BaseModel)
STAND_IN: Final = "stand-in"
_STAND_INS: Final = {"within": "1s", "id": STAND_IN}
"""What takes the place of a required key that is missing or wrong."""
Found = tuple[Path, str, bool]
"""A mistake: the path in the filled document, the sentence, and whether the key is meant rather than its value."""


def structural_mistakes(part: type[BaseModel], data: Any, saved: Collection[str] = ()) -> Iterator[Found]:
    """Yield what is wrong with the shape of a document."""
    try:
        part.model_validate(data)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=True)
        found = [mistake for detail in details for mistake in _read(part, detail, data, saved)]
        guessed = {(path[:-1], _guess(sentence)) for path, sentence, _ in found}
        yield from (mistake for mistake in found if (mistake[0], mistake[1]) not in guessed)


def _guess(sentence: str) -> str:
    """Return what is said of the key that an unknown one stands for: the two are one mistake."""
    return f"missing key {sentence.partition('; did you mean ')[2].removesuffix('?')}"


def read_part(part: type[PartT], data: Any) -> PartT | None:
    """Read one part without what is wrong in it, so that the rest can be checked; None if its very verb is wrong."""
    try:
        return part.model_validate(data)
    except ValidationError as error:
        wrong = {detail["loc"][0] for detail in error.errors(include_url=False) if detail["loc"]}
    if not isinstance(data, Mapping):
        return None
    kept = {key: value for key, value in data.items() if key not in wrong}
    required = {key for key, field in part.model_fields.items() if field.is_required()}
    stand_ins = {key: value for key, value in _STAND_INS.items() if key in wrong & required}
    try:
        return part.model_validate(kept | stand_ins)
    except ValidationError:
        return None


def _read(part: type[BaseModel], detail: ErrorDetails, data: Any, saved: Collection[str]) -> Iterator[Found]:
    path, value = _path(detail, data)
    context = detail.get("ctx", {})
    match detail["type"]:
        case "mistake":
            yield path, context["sentence"], False
        case "unfilled":
            if context["name"].partition(".")[0] in saved:
                yield (
                    path,
                    f"${{{context['name']}}} is not known before the attempt runs; it cannot stand here",
                    False,
                )
        case "extra_forbidden":
            container = _look_up(data, path[:-1])
            yield path, _unknown_key(part, path, container), True
        case "missing":
            yield path, f"missing key {detail['loc'][-1]!r}", True
        case "verb":
            yield _verb_mistake(path, value)
        case "literal_error":
            expected = str(context.get("expected", "")).replace("'", "")
            yield path, f"expected {expected}, not {shown(value)}{did_you_mean(str(value), _words(expected))}", False
        case "too_short":
            yield path, "must not be empty", False
        case "dict_type" | "model_type" | "model_attributes_type":
            yield path, f"expected a mapping, not {_kind(value)}", False
        case "list_type":
            yield path, f"expected a list, not {_kind(value)}", False
        case "string_type":
            yield path, f"expected text, not {_kind(value)}", False
        case _:
            yield path, detail["msg"], False


def _path(detail: ErrorDetails, data: Any) -> tuple[Path, Any]:
    """Return where an error stands: pydantic's location without the tags of unions; a missing key ends at its container."""
    path: Path = ()
    value = data
    for key in detail["loc"]:
        if isinstance(value, list):
            if not isinstance(key, int) or key >= len(value):
                continue
            value = value[key]
        elif isinstance(value, Mapping) and key in value:
            value = value[key]
        else:
            continue
        path = (*path, key)
    return path, value


def _look_up(data: Any, path: Path) -> Any:
    for key in path:
        data = data[key]
    return data


def _unknown_key(part: type[BaseModel], path: Path, container: Any) -> str:
    key = str(path[-1])
    verbs = grammar.verbs_of(container) if len(path) == 3 and path[0] == "client" else []
    if verbs:
        anywhere = {name for step in grammar.STEPS.values() for name in step.model_fields} - set(grammar.VERBS)
        if key in anywhere:
            return f"{key!r} does not go with `{verbs[0]}`"
        return f"unknown key {key!r}{did_you_mean(key, set(grammar.STEPS[verbs[0]].model_fields))}"
    return f"unknown key {key!r}{did_you_mean(key, _keys_at(part, path[:-1]))}"


def _keys_at(part: type[BaseModel], path: Path) -> set[str]:
    """Return the keys the grammar knows at a path."""
    match path:
        case ():
            return set(part.model_fields)
        case ("upstream", "rules", _) | ("mutants", _, "rules", _) | ("rules", _):
            return set(grammar.RulePart.model_fields)
        case ("expect" | "forbid", _):
            return set(grammar.CheckPart.model_fields)
        case ("mutants", _):
            return set(grammar.MutantPart.model_fields)
        case (*_, "connect"):
            return set(grammar.ConnectOptions.model_fields)
        case (*_, "close"):
            return set(grammar.CloseOptions.model_fields)
        case _:
            return set(grammar.RunOptions.model_fields)


def _verb_mistake(path: Path, step: Any) -> Found:
    if not isinstance(step, Mapping):
        return path, f"a step is a mapping with one of {', '.join(grammar.VERBS)}, not {_kind(step)}", False
    verbs = grammar.verbs_of(step)
    if verbs:
        return (*path, verbs[1]), f"a step has one verb; {verbs[0]!r} stands here already", True
    known = {name for part in grammar.STEPS.values() for name in part.model_fields}
    for key in step:
        if key not in known:
            return (*path, key), f"unknown key {key!r}{did_you_mean(key, grammar.VERBS)}", True
    return path, f"a step needs one of {', '.join(grammar.VERBS)}", False


def _words(expected: str) -> list[str]:
    return expected.replace(" or ", ", ").split(", ")


def _kind(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case Mapping():
            return "a mapping"
        case list():
            return "a list"
        case _:
            return shown(value)
