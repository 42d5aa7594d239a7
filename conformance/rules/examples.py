"""The examples of the rules: for each one recording that keeps it and one that breaks it, shipped as text.

A file ``examples/ID.txt`` holds ``keeps`` and ``breaks``, each an indented timeline (`conformance.rules.timeline`), and
before them, where the rule needs one, a line ``case {...}`` with what a target would declare. ``use NAME`` stands for a
beginning that many examples share.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import orjson

from conformance.rules.model import Case
from conformance.rules.timeline import parse_timeline
from conformance.wire.durations import parse_duration


@dataclass(frozen=True, slots=True)
class Example:
    """What a rule may look at in its two examples."""

    keeps: Case
    breaks: Case


def example(id_: str) -> Example:
    """Return the examples of a rule.

    Raises:
        FileNotFoundError: there is no rule of that id, or it has no examples.
    """
    text = files("conformance.rules").joinpath("examples", f"{id_}.txt").read_text("utf-8")
    first, _, rest = text.partition("\n")
    options = orjson.loads(first.removeprefix("case ")) if first.startswith("case ") else {}
    blocks = _blocks(rest if options else text)
    return Example(_case(blocks["keeps"], options), _case(blocks["breaks"], options))


def _case(lines: list[str], options: Mapping[str, Any]) -> Case:
    given = dict(options)
    if "first_commit_min" in given:
        given["first_commit_min"] = parse_duration(given["first_commit_min"])
    return Case(parse_timeline("\n".join(expand(lines))), **given)


def expand(lines: list[str]) -> list[str]:
    """Replace each ``use NAME`` by the beginning of that name."""
    expanded: list[str] = []
    for line in lines:
        name = line.removeprefix("use ")
        expanded += [line] if name == line else expand(_beginnings()[name])
    return expanded


@cache
def _beginnings() -> Mapping[str, list[str]]:
    return _blocks(files("conformance.rules").joinpath("examples", "beginnings.txt").read_text("utf-8"))


def _blocks(text: str) -> dict[str, list[str]]:
    """Return the indented lines below each heading."""
    blocks: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("    "):
            blocks[name].append(line.strip())
        elif line and not line.startswith("#"):
            name = line.strip()
            blocks[name] = []
    return blocks
