"""A run, looked at from every side once; the writers share it and each side is worked out when first asked for."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from conformance.results import Results

from .clusters import Cluster, clusters
from .comparison import Comparison, compare
from .coverage import Requirement, requirements
from .divergence import Divergence, diverge
from .fidelity import CellFidelity, fidelity
from .lateness import Lateness, lateness
from .library import Library
from .runs import RunComparison, compare_runs
from .sentence import Sentence
from .tally import BROKEN, Group, Tally, cells, flows, tally
from .text import clip, plural, printable
from .verdict import verdict_sentence

_DIVERGENCES: Final = 4
_PROBLEMS: Final = 8


@dataclass(frozen=True)
class Analysis:
    """What there is to say about ``results``, whose recordings lie below ``run_dir``; ``baseline`` is an earlier run.

    ``problems`` are sentences about what could not be read before the analysis began.
    """

    results: Results
    run_dir: Path
    baseline: Results | None = None
    problems: tuple[str, ...] = ()

    @cached_property
    def library(self) -> Library:
        """The recordings."""
        return Library(self.run_dir)

    @cached_property
    def sentence(self) -> Sentence:
        """The verdict."""
        return verdict_sentence(self.results, self.library)

    @cached_property
    def tally(self) -> Tally:
        """The counts of the whole run."""
        return tally(self.results.attempts)

    @cached_property
    def cells(self) -> tuple[Group, ...]:
        """Cells by target."""
        return cells(self.results.attempts)

    @cached_property
    def flows(self) -> tuple[Group, ...]:
        """Flows by target."""
        return flows(self.results.attempts)

    @cached_property
    def targets(self) -> tuple[str, ...]:
        """Targets in the order they were driven: the real one first."""
        return tuple(dict.fromkeys(attempt.target for attempt in self.results.attempts))

    @cached_property
    def comparison(self) -> Comparison:
        """Group against group."""
        return compare(self.results.attempts)

    @cached_property
    def clusters(self) -> tuple[Cluster, ...]:
        """Failures that look alike."""
        return clusters(self.results.attempts, self.library)

    @cached_property
    def divergences(self) -> tuple[Divergence, ...]:
        """Where the representatives of the largest clusters leave the path of passing attempts."""
        told: dict[tuple[object, ...], Divergence] = {}
        for cluster in self._telling():
            found = diverge(cluster.representative, self.results.attempts, self.library)
            if found is not None and len(told) < _DIVERGENCES:
                told.setdefault(found.outline, found)
        return tuple(told.values())

    def _telling(self) -> list[Cluster]:
        return [cluster for cluster in self.clusters if cluster.signature.verdict in BROKEN][: 2 * _DIVERGENCES]

    @cached_property
    def changes(self) -> RunComparison | None:
        """What changed since the baseline, if there is one."""
        return None if self.baseline is None else compare_runs(self.results, self.baseline)

    @cached_property
    def fidelity(self) -> tuple[CellFidelity, ...]:
        """Mock against real; empty when the run did not drive both."""
        return fidelity(self.results.attempts, self.library)

    @cached_property
    def requirements(self) -> tuple[Requirement, ...]:
        """Requirements coverage."""
        return requirements(self.results.attempts, self.results.run)

    @cached_property
    def lateness(self) -> Lateness | None:
        """The harness's own lateness; the virtual clock has none."""
        return None if self.run.get("clock") == "virtual" else lateness(self.results.attempts, self.library)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know about how the run went: how it ended, and what could not be read."""
        said = ["This run was interrupted; it shows what it has."] if self.run.get("interrupted") else []
        cancelled = self.run.get("cancelled") or ()
        if isinstance(cancelled, list) and cancelled:
            said.append(f"{plural(len(cancelled), 'attempt')} started ahead and then cancelled; not counted.")
        problems = [*self.problems, *self.library.problems]
        if len(problems) > _PROBLEMS:
            more = plural(len(problems) - _PROBLEMS, "more recording")
            problems = [*problems[:_PROBLEMS], f"{more} cannot be read as they should."]
        return tuple(printable(sentence) for sentence in [*said, *problems])

    @property
    def run(self) -> dict[str, Any]:
        """The manifest's facts."""
        return dict(self.results.run)

    @cached_property
    def title(self) -> str:
        """What the run is called: its targets and when it started."""
        started = str(self.run.get("started", ""))[:16].replace("T", " ")
        return printable(clip(" and ".join(self.targets), 200) + (f", {started} UTC" if started else "")) or "an empty run"
