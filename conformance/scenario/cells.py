"""Cells: one choice of matrix values, filled into the document, with the way back to where each value stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Final

from conformance.scenario.grammar import FILLED
from conformance.scenario.variables import Resolve, Unfillable, fill
from conformance.scenario.yaml_source import Path

MAX_CELLS: Final = 500


def choices(matrix: Mapping[str, Any]) -> list[dict[str, tuple[Any, Any]]]:
    """Return every combination as name → (label, value); labels are the values themselves unless the matrix names them."""
    columns = [[(name, pair) for pair in _labelled(values)] for name, values in matrix.items()]
    return [dict(row) for row in product(*columns)]


def _labelled(values: Any) -> list[tuple[Any, Any]]:
    return list(values.items()) if isinstance(values, Mapping) else [(value, value) for value in values]


@dataclass(slots=True)
class Filled:
    """A document with its references filled in. ``origin`` maps paths in ``data`` to paths in the file."""

    data: dict[str, Any] = field(default_factory=dict)
    origin: dict[Path, Path] = field(default_factory=dict)
    undefined: list[tuple[Path, str]] = field(default_factory=list)
    """References nothing defines, as (path in the file, name)."""
    broken: list[tuple[Path, str]] = field(default_factory=list)
    """References that cannot stand where they stand, as (path in the file, sentence)."""

    def source(self, path: Path) -> tuple[Path, bool]:
        """Return where a path comes from in the file, and whether that is exact (else: the reference that brought it)."""
        if path[:1] and path[0] not in FILLED:
            return path, True
        tail: Path = ()
        while path and path not in self.origin:
            path, tail = path[:-1], path[-1:]
        return self.origin.get(path, ()), not tail


def fill_document(document: Mapping[str, Any], resolve: Resolve) -> Filled:
    """Fill in the references of a cell."""
    filler = _Filler(resolve)
    for key, value in document.items():
        filler.filled.origin[key,] = (key,)
        filler.filled.data[key] = filler.fill(value, (key,), (key,)) if key in FILLED else value
    return filler.filled


class _Filler:
    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self.filled = Filled()

    def fill(self, value: Any, path: Path, source: Path) -> Any:
        """Return the filled value, which will stand at ``path`` and comes from ``source``."""
        self.filled.origin[path] = source
        if isinstance(value, Mapping):
            return {key: self.fill(each, (*path, key), (*source, key)) for key, each in value.items()}
        if isinstance(value, list):
            return self._fill_list(value, path, source)
        if isinstance(value, str) and "${" in value:
            return _spliced(self._fill_text(value, source), path)
        return value

    def _fill_list(self, value: list[Any], path: Path, source: Path) -> list[Any]:
        filled: list[Any] = []
        for index, each in enumerate(value):
            one = self.fill(each, (*path, len(filled)), (*source, index))
            if isinstance(one, list) and isinstance(each, str) and _holds_parts(path):
                for part in _flat(one):
                    self.filled.origin[*path, len(filled)] = (*source, index)
                    filled.append(part)
            else:
                filled.append(one)
        return filled

    def _fill_text(self, text: str, source: Path) -> Any:
        try:
            return fill(text, self._resolve)
        except KeyError as error:
            self.filled.undefined.append((source, str(error.args[0])))
        except Unfillable as error:
            self.filled.broken.append((source, str(error)))
        return text


def _spliced(value: Any, path: Path) -> Any:
    """Splice the lists of parts inside what a reference brought."""
    if isinstance(value, Mapping):
        return {key: _spliced(each, (*path, key)) for key, each in value.items()}
    if not isinstance(value, list):
        return value
    parts = [_spliced(each, (*path, index)) for index, each in enumerate(value)]
    if not _holds_parts(path):
        return parts
    return _flat(parts)


def _flat(parts: list[Any]) -> list[Any]:
    return [part for each in parts for part in (_flat(each) if isinstance(each, list) else [each])]


def _holds_parts(path: Path) -> bool:
    """Tell whether a list at this path holds parts (steps, rules, replies …): a list filled in there is spliced."""
    match path:
        case (_,) | ("upstream", "rules") | ("mutants", _, "rules"):
            return True
        case ("upstream", "rules", _, "reply") | ("mutants", _, "rules", _, "reply"):
            return True
        case _:
            return False
