"""A run, looked at from every side once; the writers share it and each side is worked out when first asked for."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from conformance.results import Results

from .clusters import Cluster, clusters
from .comparison import Comparison, compare
from .library import Library
from .sentence import Sentence, verdict_sentence
from .tally import Group, Tally, cells, flows, tally
from .text import printable


@dataclass(frozen=True)
class Analysis:
    """What there is to say about ``results``, whose recordings lie below ``run_dir``; ``baseline`` is an earlier run."""

    results: Results
    run_dir: Path
    baseline: Results | None = None

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

    @property
    def run(self) -> dict[str, Any]:
        """The manifest's facts."""
        return dict(self.results.run)

    @cached_property
    def title(self) -> str:
        """What the run is called: its targets and when it started."""
        started = str(self.run.get("started", ""))[:16].replace("T", " ")
        return printable(" and ".join(self.targets) + (f", {started} UTC" if started else "")) or "an empty run"
