"""The run folder: where a run's manifest, recordings and results are written, as the run goes."""

import hashlib
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import orjson

from conformance import results
from conformance.results import AttemptResult, Results
from conformance.scenario.model import Cell

_WRITE_EVERY: Final = 2.0
"""Seconds between two writes of results.json during a run; a killed run lacks at most this much."""

_ENVIRONMENT: Final = re.compile(r"OPENAI_|USE_REAL|CONFORMANCE|CI$|GITHUB_(SHA|REF|RUN_ID)")
_SECRET: Final = re.compile(r"KEY|TOKEN|SECRET|PASSWORD", re.IGNORECASE)
_ASSIGNED: Final = re.compile(r"((?:KEY|TOKEN|SECRET|PASSWORD|AUTH|SIGNATURE)[\w-]*=)[^&\s]+", re.IGNORECASE)
"""``OPENAI_API_KEY=…`` of --proxy-env, and ``?api_key=…`` of an address."""
_KEY: Final = re.compile(r"\b(?:sk-|ek_)[\w-]{6,}")


class RunFolder:
    """One run on disk."""

    def __init__(self, path: Path, link: Path | None = None) -> None:
        """Take over an existing folder, to which ``link`` will point; `create` makes one."""
        self.path = path
        self._link = link
        self.manifest: dict[str, Any] = {}
        self.attempts: list[AttemptResult] = []
        self._written = 0.0

    @classmethod
    def create(cls, path: Path | None, name: str, root: Path) -> "RunFolder":
        """Make the folder: ``path`` if given, else ``<root>/runs/<utc>-<name>``; `write` lets ``runs/latest`` point to it.

        Raises:
            OSError: it cannot be written.
            FileExistsError: ``path`` holds another run already.
        """
        link = None
        if path is None:
            runs = root / "runs"
            link = runs / "latest"
            path = _unused(runs / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{_safe(name)}")
            path.mkdir(parents=True)
        else:
            path.mkdir(parents=True, exist_ok=True)
            if (path / "manifest.json").exists():
                raise FileExistsError(f"{path} holds another run already")
        (path / "recordings").mkdir(exist_ok=True)
        return cls(path, link)

    def discard(self) -> None:
        """Take the folder back: nothing was tried."""
        (self.path / "manifest.json").unlink(missing_ok=True)
        for folder in (self.path / "recordings", self.path):
            with suppress(OSError):  # what others put there stays
                folder.rmdir()

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Write manifest.json."""
        self.manifest = dict(manifest)
        _replace(self.path / "manifest.json", orjson.dumps(self.manifest, option=orjson.OPT_INDENT_2))

    def recording_path(self, cell: Cell, attempt: int, *, rerun: int = 0, suffix: str = "") -> Path:
        """Return where an attempt's recording goes; its folder exists afterwards."""
        label = _safe(cell.label) or "default"
        folder = self.path / "recordings" / cell.scenario / (label + suffix)
        folder.mkdir(parents=True, exist_ok=True)
        return folder / (f"{attempt}.r{rerun}.jsonl" if rerun else f"{attempt}.jsonl")

    def add(self, attempt: AttemptResult) -> None:
        """Take an attempt's result; results.json follows within two seconds."""
        self.attempts.append(attempt)
        if time.monotonic() - self._written >= _WRITE_EVERY:
            self.write()

    def results(self) -> Results:
        """Return what the run found so far."""
        return replace(results.summarise(self.attempts), run=self.manifest)

    def write(self) -> Results:
        """Write results.json now."""
        found = self.results()
        _replace(self.path / "results.json", results.dump(found))
        if self._link is not None:
            _point(self._link, self.path)
            self._link = None
        self._written = time.monotonic()
        return found


def digests(scenarios: Iterable[Path], root: Path) -> dict[str, str]:
    """Return the SHA-256 of each scenario file by its path as given; ``root`` is where relative ones begin."""
    return {path.as_posix(): hashlib.sha256((root / path).read_bytes()).hexdigest() for path in sorted(set(scenarios))}


def describe(argv: Sequence[str], seed: int) -> dict[str, Any]:
    """Return the facts a manifest holds about this machine and this checkout; secrets are masked."""
    return {
        "argv": [_masked_word(word) for word in argv],
        "seed": seed,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {name: version(name) for name in ("realtime-conformance", "websockets", "openai", "pytest")},
        "git": _git_revision(),
        "environment": {
            name: "[set]" if _SECRET.search(name) else masked(value)
            for name, value in sorted(os.environ.items())
            if _ENVIRONMENT.match(name)
        },
    }


def masked(text: str) -> str:
    """Blot out of a text the values of secret variables, what looks like a key, and what an address's query hides."""
    values = {value for name, value in os.environ.items() if _SECRET.search(name) and len(value) >= 6}
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, "[secret]")
    return _KEY.sub("[secret]", _ASSIGNED.sub(r"\1[secret]", text))


def _masked_word(word: str) -> str:
    """Mask a word of the command line; an option's own name is none of it (``--budget-tokens=9``)."""
    name, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
    return f"{name}{equals}{masked(value)}"


def _git_revision() -> str | None:
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None


def _safe(label: str) -> str:
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", label)
    if safe == label and len(label) <= 80 and label not in {".", ".."}:
        return safe
    return f"{safe[:60].strip('.')}~{hashlib.sha256(label.encode()).hexdigest()[:8]}"


def _unused(path: Path) -> Path:
    candidate, number = path, 2
    while candidate.exists():
        candidate, number = path.with_name(f"{path.name}-{number}"), number + 1
    return candidate


def _point(link: Path, path: Path) -> None:
    temporary = link.with_name(f".latest-{os.getpid()}")
    if sys.platform == "win32":
        return
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(path.name)
    temporary.replace(link)


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(data)
    temporary.replace(path)
