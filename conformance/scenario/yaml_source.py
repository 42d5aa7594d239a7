"""YAML with positions: a file becomes plain data plus the line and column of every key and value.

YAML 1.2's core schema, with one difference: a number with a leading zero is a string, so that ``on``, ``no`` and ``012``
all mean what they say. Duplicate keys, tags, several documents and oversized or over-nested input are mistakes, never
surprises: a scenario may come from anybody.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.scanner import Scanner, ScannerError

from conformance.scenario.mistakes import Mistake, Place, ScenarioError

Path = tuple[str | int, ...]
"""The way from the top of a document to a value: keys and indices."""

MAX_SIZE: Final = 512 * 1024
MAX_DEPTH: Final = 40
MAX_VALUES: Final = 50_000

_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_HEX: Final = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: Final = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_OWN_TAGS: Final = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("null", "bool", "int", "float", "str", "seq", "map", "timestamp", "merge", "value")
)
"""What the parser gives untagged values; which it gives scalars does not matter here."""


@dataclass(slots=True)
class Document:
    """A file as plain data. ``keys`` and ``values`` say where each key and each value stands, by its path."""

    file: str
    data: Any = None
    keys: dict[Path, Place] = field(default_factory=dict)
    values: dict[Path, Place] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Return where a path stands, or the nearest container of it that the file holds."""
        if key and path in self.keys:
            return self.keys[path]
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, Place())


def read_yaml(text: str, file: str, *, max_size: int = MAX_SIZE, max_values: int = MAX_VALUES) -> Document:
    """Read a document of at most ``max_size`` characters and ``max_values`` values; the defaults are for what people write.

    Raises:
        ScenarioError: it is no YAML, or beyond a bound. Duplicate keys are collected in ``mistakes`` instead.
    """
    if len(text) > max_size:
        raise _error(file, Place(), f"the file has {len(text)} characters; at most {max_size} are read")
    try:
        yaml = YAML(typ="safe", pure=True)
        yaml.Scanner = _BoundedScanner
        node = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark is not None else Place()
        raise _error(file, place, f"not valid YAML: {error.problem or error.context}{_hint(error.problem or '')}") from None
    except (YAMLError, ValueError) as error:
        raise _error(file, Place(), f"not valid YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise _error(file, Place(), f"nested too deeply; at most {MAX_DEPTH} levels are read") from None
    document = Document(file)
    document.data = _Builder(document, max_values).build(node, ()) if node is not None else None
    return document


class _BoundedScanner(Scanner):
    """Refuses deep flow collections before the scanner gets slow, which looks back over all of them: hours for 500 KB."""

    def fetch_flow_collection_start(self, token_class: Any, to_push: str) -> None:
        if len(self.flow_context) >= MAX_DEPTH:
            raise ScannerError(
                None, None, f"nested too deeply; at most {MAX_DEPTH} levels are read", self.reader.get_mark()
            )
        super().fetch_flow_collection_start(token_class, to_push)


class _Builder:
    """Turns composed nodes into data; counts what aliases expand to."""

    def __init__(self, document: Document, max_values: int) -> None:
        self._document = document
        self._max_values = max_values
        self._count = 0

    def build(self, node: Node, path: Path) -> Any:
        place = Place(node.start_mark.line + 1, node.start_mark.column + 1)
        self._document.values[path] = place
        self._count += 1
        if self._count > self._max_values:
            sentence = f"there are more than {self._max_values} values, aliases expanded"
            raise _error(self._document.file, place, sentence)
        if len(path) > MAX_DEPTH:
            raise _error(self._document.file, place, f"nested too deeply; at most {MAX_DEPTH} levels are read")
        if str(node.tag) not in _OWN_TAGS:
            self._note(place, f"the tag {node.tag} is not understood; scenarios are plain data")
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.build(each, (*path, index)) for index, each in enumerate(node.value)]
        assert isinstance(node, ScalarNode)  # noqa: S101  # the three are all there are
        return _scalar(node)

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            place = Place(key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            if not isinstance(key_node, ScalarNode):
                self._note(place, "a key must be a word; did you forget to quote '${…}' or '{…}'?")
                continue
            key = str(key_node.value)
            if key in data:
                first = self._document.keys[*path, key].line
                self._note(place, f"duplicate key {key!r}; it stands in line {first} already")
                continue
            self._document.keys[*path, key] = place
            data[key] = self.build(value_node, (*path, key))
            if isinstance(value_node, ScalarNode) and value_node.value == "" and value_node.style is None:
                self._document.values[*path, key] = place  # an absent value stands nowhere; its key does
        return data

    def _note(self, place: Place, sentence: str) -> None:
        self._document.mistakes.append(Mistake(self._document.file, place, sentence))


def _scalar(node: ScalarNode) -> Any:
    text = str(node.value)
    if node.style is not None:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) < 20 else text
    if _HEX.fullmatch(text):
        return int(text, 0) if len(text) < 20 else text
    return float(text) if _FLOAT.fullmatch(text) else text


def _hint(problem: str) -> str:
    """Return what to do about the mistakes that the parser names in its own terms only."""
    if "another document" in problem:
        return "; a file holds one, so take the second --- line away or make two files"
    if "<block end>" in problem:
        return "; indent this line like those beside it"
    return "; indent with spaces, not with tabs" if r"'\t'" in problem else ""


def _error(file: str, place: Place, sentence: str) -> ScenarioError:
    return ScenarioError([Mistake(file, place, sentence)])
