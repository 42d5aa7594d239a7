"""Reading known.yaml: a list of entries, every mistake with its line and column."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from conformance.known.model import Entry, Expect, Known
from conformance.scenario.mistakes import Mistake, Place, ScenarioError
from conformance.scenario.structure import structural_mistakes
from conformance.scenario.yaml_source import Document, read_yaml
from conformance.scenario.yaml_source import Path as KeyPath

FILE_NAME: Final = "known.yaml"


class EntryPart(BaseModel):
    """The keys of an entry."""

    model_config = ConfigDict(extra="forbid", strict=True)

    check: str = Field(min_length=1, description="the id of a check, of a wait (wait:…) or of a rule")
    reason: str = Field(min_length=1, description="why this is accepted, in a sentence")
    scenario: str | None = Field(None, min_length=1, description="the scenario it fails in, globs allowed; any unless said")
    when: dict[str, Any] = Field(default_factory=dict, description="matrix values of the cells it fails in")
    target: str | None = Field(None, min_length=1, description="the target it fails on; any unless said")
    expect: Literal["fails", "flaky"] = Field("fails", description="whether it always fails")
    max_rate: float | None = Field(None, gt=0, le=1, description="how often a flaky one may fail, above 0, at most 1")
    error: str | None = Field(None, min_length=1, description="a text the failure must hold")
    issue: str | None = Field(None, min_length=1, description="where it is followed")


def load(path: Path) -> Known:
    """Read a known.yaml; a file that does not exist knows nothing.

    Raises:
        ScenarioError: the file has mistakes; the message lists them as ``file:line:column: sentence``.
        OSError: the file cannot be read.
    """
    if not path.exists():
        return Known()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScenarioError([Mistake(str(path), Place(), f"the file is not UTF-8: {error.reason}")]) from None
    document = read_yaml(text, str(path))
    entries = document.data if document.data is not None else []
    if not isinstance(entries, list):
        raise ScenarioError([_mistake(document, (), "known.yaml is a list of entries, each with `check` and `reason`")])
    mistakes = [*document.mistakes]
    for number, entry in enumerate(entries):
        mistakes += _mistakes(document, number, entry)
    if mistakes:
        raise ScenarioError(sorted(mistakes, key=lambda mistake: mistake.place))
    return Known(tuple(_entry(document, number, entry) for number, entry in enumerate(entries)))


def _mistakes(document: Document, number: int, entry: Any) -> list[Mistake]:
    if not isinstance(entry, Mapping):
        return [_mistake(document, (number,), "an entry is a mapping with at least `check` and `reason`")]
    found = [
        _mistake(document, (number, *path), sentence, key=key)
        for path, sentence, key in structural_mistakes(EntryPart, entry)
    ]
    flaky = entry.get("expect") == Expect.FLAKY
    if flaky and "max_rate" not in entry:
        found.append(_mistake(document, (number, "expect"), "a flaky failure needs max_rate, such as 0.2", key=True))
    if not flaky and "max_rate" in entry:
        found.append(_mistake(document, (number, "max_rate"), "max_rate goes with expect: flaky only", key=True))
    return found


def _entry(document: Document, number: int, entry: Mapping[str, Any]) -> Entry:
    part = EntryPart.model_validate(entry)
    place = document.place((number,))
    return Entry(
        **{**part.model_dump(), "expect": Expect(part.expect)},
        place=f"{document.file}:{place.line}:{place.column}",
    )


def _mistake(document: Document, path: KeyPath, sentence: str, *, key: bool = False) -> Mistake:
    return Mistake(document.file, document.place(path, key=key), sentence)
