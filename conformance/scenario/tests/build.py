"""Writes scenario files for tests."""

from collections.abc import Callable
from pathlib import Path

import pytest

from conformance.scenario.load import ScenarioError, load
from conformance.scenario.model import Cell

BARE = """\
scenario: text/x
flow: text
client:
  - connect:
  - send: {type: Settings}
    id: settings
  - wait: SettingsApplied
    within: 5s
    id: ready
  - close: 1000
expect:
  - id: ready
    client: SettingsApplied
"""
"""A small valid scenario to which tests add."""

Write = Callable[..., Path]


def written(folder: Path, text: str, name: str = "text/x") -> Path:
    """Write a file below a scenario root and return its path."""
    path = folder / "scenarios" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def mistakes(folder: Path, text: str, name: str = "text/x") -> list[str]:
    """Return the mistakes of a file without its path: ``line:column: sentence``."""
    path = written(folder, text, name)
    with pytest.raises(ScenarioError) as caught:
        load(path)
    return [str(mistake).removeprefix(f"{path}:") for mistake in caught.value.mistakes]


def cell(folder: Path, text: str) -> Cell:
    """Return the first cell of a valid file."""
    return load(written(folder, text)).cells()[0]
