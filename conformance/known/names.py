"""Do the entries of a known.yaml name what exists? A misspelt check is never found failing, nor stale."""

from collections.abc import Collection, Iterable, Iterator
from fnmatch import fnmatchcase

from conformance.known.model import Entry, Known
from conformance.scenario.mistakes import Mistake, Place, did_you_mean
from conformance.scenario.model import Cell

_ACCIDENTS = ("wait:", "connect:", "subject")


def unknown_names(known: Known, cells: Iterable[Cell], rules: Collection[str]) -> Iterator[Mistake]:
    """Yield what entries name and neither the scenarios nor the rules have: scenarios, matrix names, checks."""
    cells = tuple(cells)
    for entry in known.entries:
        meant = [cell for cell in cells if entry.scenario is None or fnmatchcase(cell.scenario, entry.scenario)]
        if not meant:
            names = {cell.scenario for cell in cells}
            yield _mistake(entry, f"no scenario is called {entry.scenario!r}{did_you_mean(entry.scenario or '', names)}")
            continue
        if not any(all(name in cell.values for name in entry.when) for cell in meant):
            yield _mistake(entry, f"no cell there has all of {', '.join(entry.when)}")
        checks = {check.id for cell in meant for check in cell.checks} | set(rules)
        if entry.check not in checks and not entry.check.startswith(_ACCIDENTS):
            yield _mistake(entry, f"no check or rule there is called {entry.check!r}{did_you_mean(entry.check, checks)}")


def _mistake(entry: Entry, sentence: str) -> Mistake:
    file, line, column = entry.place.rsplit(":", 2)
    return Mistake(file, Place(int(line), int(column)), sentence)
