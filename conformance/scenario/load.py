"""The loader: scenario files become scenarios, or one error that lists every mistake with line and column."""

import os
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import conformance
from conformance.scenario import grammar
from conformance.scenario.cells import MAX_CELLS, Filled, choices, fill_document
from conformance.scenario.context import Context
from conformance.scenario.mistakes import Mistake, Place, ScenarioError, did_you_mean
from conformance.scenario.model import Cell, Scenario, Speaks
from conformance.scenario.reader import read_cell
from conformance.scenario.script_reader import ScriptReader, dialect_of
from conformance.scenario.structure import structural_mistakes
from conformance.scenario.variables import references, resolver
from conformance.scenario.vocabulary import doubtful_message
from conformance.scenario.yaml_source import MAX_SIZE, Document, read_yaml
from conformance.scenario.yaml_source import Path as KeyPath
from conformance.wire.script import Script

__all__ = ["Scenario", "ScenarioError", "is_scenario", "library", "load", "load_all", "load_script"]

_KEY: Final = re.compile(rb"^(?:\xef\xbb\xbf)?[\"']?scenario[\"']?[ \t]*:", re.MULTILINE)
_OTHER_KEYS: Final = (re.compile(rb"^flow[ \t]*:", re.MULTILINE), re.compile(rb"^client[ \t]*:", re.MULTILINE))
_ROOT: Final = "scenarios"


def library() -> Path:
    """Return the folder of the scenarios that come with the package: in the wheel its own, else the checkout's."""
    package = Path(conformance.__file__).parent
    shipped = package / "library"
    return shipped if shipped.is_dir() else package.parent / _ROOT


def is_scenario(path: Path) -> bool:
    """Tell whether a file has a top-level ``scenario:`` key, without reading all of it as YAML.

    One that has ``flow:`` and ``client:`` is meant as one, too: passed over in silence, a misspelt key would hide it.
    """
    with path.open("rb") as file:
        text = file.read(MAX_SIZE)
    if text.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        text = text[2:].replace(b"\0", b"")  # `load` will say what to do; passed over in silence, nobody would
    return _KEY.search(text) is not None or all(key.search(text) for key in _OTHER_KEYS)


def load(path: Path, root: Path | None = None) -> Scenario:
    """Read a scenario; its name is its path below ``root``, by default the nearest folder ``scenarios`` above it.

    Raises:
        ScenarioError: the file has mistakes; the message lists all of them as ``file:line:column: sentence``.
        OSError: the file cannot be read.
    """
    document = _read(path)
    reading = _Reading(path, document, root)
    cells = reading.cells()
    if document.mistakes:
        raise ScenarioError(_in_order(document.mistakes))
    return Scenario(path=path, matrix=reading.labels, cell_list=cells, doubts=tuple(_doubts(document, cells[0].speaks)))


def load_all(paths: Iterable[Path]) -> list[Scenario]:
    """Read several scenarios.

    Raises:
        ScenarioError: some have mistakes; the message lists those of all files.
        OSError: a file cannot be read.
    """
    scenarios: list[Scenario] = []
    mistakes: list[Mistake] = []
    for path in paths:
        try:
            scenarios.append(load(path))
        except ScenarioError as error:
            mistakes += error.mistakes
    if mistakes:
        raise ScenarioError(mistakes)
    return scenarios


def load_script(path: Path) -> Script:
    """Read an ``upstream:`` mapping that stands in a file of its own, with or without that key above it.

    Raises:
        ScenarioError: the file has mistakes.
        OSError: the file cannot be read.
    """
    document = _read(path)
    data = document.data if document.data is not None else {}
    prefix: KeyPath = ()
    if isinstance(data, Mapping) and set(data) == {"upstream"}:
        data, prefix = data["upstream"], ("upstream",)

    def report(path: KeyPath, sentence: str, *, key: bool = False) -> None:
        place = document.place((*prefix, *path), key=key)
        document.mistakes.append(Mistake(document.file, place, sentence))

    for where, sentence, key in structural_mistakes(grammar.UpstreamPart, data):
        report(where, sentence, key=key)
    for name in references(data):
        report((), f"${{{name}}} is not defined; a script of its own has no variables")
    reader = ScriptReader(Context({}, report, Speaks.REALTIME), dialect_of(data), folder=path.parent)
    script = reader.script(data if data is not None else {}, ())
    if document.mistakes:
        raise ScenarioError(_in_order(document.mistakes))
    return script


def _read(path: Path) -> Document:
    shown = str(path)
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        shown = os.path.relpath(path)
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        sentence = f"the file is not UTF-8: byte {error.start} cannot be read; save it as UTF-8"
        raise ScenarioError([Mistake(shown, Place(line), sentence)]) from None
    return read_yaml(text, shown)


def _in_order(mistakes: list[Mistake]) -> list[Mistake]:
    return sorted(dict.fromkeys(mistakes), key=lambda mistake: mistake.place)


def _doubts(document: Document, speaks: Speaks) -> Iterator[str]:
    steps = document.data["client"]
    for number, step in enumerate(steps if isinstance(steps, list) else []):
        sentence = doubtful_message(step.get("send"), speaks) if isinstance(step, Mapping) else None
        if sentence is not None:
            yield str(Mistake(document.file, document.place(("client", number, "send")), sentence))


class _Reading:
    """One file being read: its matrix is multiplied out and each cell is read."""

    def __init__(self, path: Path, document: Document, root: Path | None) -> None:
        self._given_root = None if root is None else root.resolve()
        self.labels: dict[str, tuple[Any, ...]] = {}
        self._path = path
        self._document = document

    def cells(self) -> tuple[Cell, ...]:
        """Read all cells; mistakes go to the document."""
        data = self._document.data
        if not isinstance(data, Mapping):
            self._note((), "a scenario is a mapping with the keys scenario, flow, client, expect …")
            return ()
        root = self._root(data.get("scenario"))
        matrix = self._mapping(data, "matrix")
        constants = self._mapping(data, "vars")
        self._check_names(matrix, constants, data)
        rows = self._rows(matrix)
        saved = _saved_names(data)
        cells: list[Cell] = []
        for row in rows:
            variables = {**constants, **{name: value for name, (_, value) in row.items()}}
            filled = fill_document(data, resolver(variables, saved))
            self._note_unfilled(filled, {*variables, *saved})
            values = {name: label for name, (label, _) in row.items()}
            cell = read_cell(filled.data, values, self._path, (root, library()), saved, self._reporter(filled))
            if cell is not None:
                cells.append(cell)
        return tuple(cells)

    def _root(self, name: Any) -> Path:
        """Return the scenario root, and check that the name is the path below it."""
        file = self._path.resolve()
        roots = [parent for parent in file.parents if parent.name == _ROOT or parent == library()]
        if self._given_root is not None and file.is_relative_to(self._given_root):
            roots = [self._given_root]
        below = file.with_suffix("").relative_to(roots[0]).as_posix() if roots else None
        if not isinstance(name, str):
            return roots[0] if roots else file.parent
        parts = tuple(name.split("/"))
        if below is None and file.with_suffix("").parts[-len(parts) :] == parts:
            return file.parents[len(parts) - 1]
        if below != name:
            expected = below or "/".join(file.with_suffix("").parts[-2:])
            self._note(("scenario",), f"the scenario is called {name!r}, its file {expected!r}; make them the same")
        return roots[0] if roots else file.parent

    def _mapping(self, data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        value = data.get(key)
        return value if isinstance(value, Mapping) else {}

    def _check_names(self, matrix: Mapping[str, Any], constants: Mapping[str, Any], data: Mapping[str, Any]) -> None:
        used = {name.partition(".")[0] for key in grammar.FILLED for name in references(data.get(key))}
        used |= {name.partition(".")[0] for name in references([matrix, constants])}
        for name in matrix:
            if name not in used:
                sentence = f"matrix key {name!r} is never used; write ${{{name}}} where it belongs"
                self._note(("matrix", name), sentence, key=True)
            if name in constants:
                self._note(("vars", name), f"{name!r} stands in matrix, too", key=True)

    def _rows(self, matrix: Mapping[str, Any]) -> list[dict[str, tuple[Any, Any]]]:
        usable = {name: values for name, values in matrix.items() if isinstance(values, list | Mapping) and values}
        size = 1
        for name, values in usable.items():
            size *= len(values)
            labels = list(values)
            self.labels[name] = tuple(labels)
            for index, label in enumerate(labels):
                if isinstance(label, Mapping | list):
                    self._note(
                        ("matrix", name, index), "a value that is no scalar needs a label: write `matrix` as label: value"
                    )
                elif (type(label), label) in [(type(other), other) for other in labels[:index]]:
                    self._note(("matrix", name, index), f"the value {label!r} stands twice")
        if size > MAX_CELLS:
            self._note(("matrix",), f"{size} cells are too many; at most {MAX_CELLS}", key=True)
            return []
        return choices(usable)

    def _note_unfilled(self, filled: Filled, known: set[str]) -> None:
        for path, name in filled.undefined:
            self._note(path, f"${{{name}}} is not defined{did_you_mean(name, known)}")
        for path, sentence in filled.broken:
            self._note(path, sentence)

    def _reporter(self, filled: Filled) -> "_Reporter":
        return _Reporter(self._document, filled)

    def _note(self, path: KeyPath, sentence: str, *, key: bool = False) -> None:
        self._document.mistakes.append(Mistake(self._document.file, self._document.place(path, key=key), sentence))


class _Reporter:
    """Takes mistakes in a filled document back to the file."""

    def __init__(self, document: Document, filled: Filled) -> None:
        self._document = document
        self._filled = filled

    def __call__(self, path: KeyPath, sentence: str, *, key: bool = False) -> None:
        source, exact = self._filled.source(path)
        if not exact:
            sentence = f"{sentence} (in the value filled in here, at {'.'.join(map(str, path))})"
        place = self._document.place(source, key=key and exact)
        self._document.mistakes.append(Mistake(self._document.file, place, sentence))


def _saved_names(data: Mapping[str, Any]) -> frozenset[str]:
    steps = data.get("client")
    saves = [step.get("save") for step in steps if isinstance(step, Mapping)] if isinstance(steps, list) else []
    return frozenset(str(name) for save in saves if isinstance(save, Mapping) for name in save)
