"""The run's recordings, read when asked for; what cannot be read becomes a sentence, never a crash."""

from collections import OrderedDict
from os import SEEK_END
from pathlib import Path
from typing import Final

import orjson

from conformance.results import AttemptResult
from conformance.wire.durations import Micros
from conformance.wire.recording import Recording, load

from .text import printable

_KEPT: Final = 400
_TAIL: Final = 64 * 1024
"""Bytes read for a footer, which holds a subject's last log lines."""


class Library:
    """Recordings of a run folder. ``problems`` says, a sentence each, which ones could not be read as they should."""

    def __init__(self, run_dir: Path) -> None:
        """Read nothing yet."""
        self.run_dir = run_dir
        self._problems: dict[str, str] = {}
        self._kept: OrderedDict[str, Recording | None] = OrderedDict()

    @property
    def problems(self) -> tuple[str, ...]:
        """What was found wrong so far, by path."""
        return tuple(sentence for _, sentence in sorted(self._problems.items()))

    def of(self, attempt: AttemptResult) -> Recording | None:
        """Return the attempt's recording; None when it has none, or none that can be read."""
        name = attempt.recording
        if name is None:
            return None
        if name not in self._kept:
            self._kept[name] = self._read(name)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return self._kept[name]

    def lateness(self, attempt: AttemptResult) -> Micros | None:
        """Return the harness's worst lateness in an attempt, from the recording's last line; None if it says none."""
        name = attempt.recording
        path = None if name is None else self._path(name)
        if path is None:
            return None
        try:
            with path.open("rb") as stream:
                stream.seek(max(0, stream.seek(0, SEEK_END) - _TAIL))
                footer = orjson.loads(stream.read().rstrip(b"\n").rpartition(b"\n")[2])
        except (OSError, ValueError):
            return None
        found = footer.get("lateness") if isinstance(footer, dict) and "end" in footer else None
        return found if isinstance(found, int) else None

    def _path(self, name: str) -> Path | None:
        """Return where a recording lies; None outside the run folder."""
        path = (self.run_dir / name).resolve()
        return path if path.is_relative_to(self.run_dir.resolve()) else None

    def _read(self, name: str) -> Recording | None:
        shown = printable(name)
        path = self._path(name)
        if path is None:
            self._problems[name] = f"{shown} lies outside the run folder and was not read."
            return None
        try:
            recording = load(path)
        except FileNotFoundError:
            self._problems[name] = f"{shown} is missing; its attempt is shown without events."
            return None
        except (OSError, ValueError) as error:
            reason = printable(str(error)).removeprefix(f"{printable(str(path))}:").strip()
            self._problems[name] = f"{shown} cannot be read ({reason}); its attempt is shown without events."
            return None
        if recording.footer is None:
            self._problems[name] = f"{shown} breaks off after {len(recording.frames)} frames; the attempt was killed there."
        return recording
