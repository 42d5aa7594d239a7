"""Run against run: what got worse, what got better, what is new and what is gone, and whether that can be chance."""

from dataclasses import dataclass
from enum import StrEnum

from conformance.results import Results

from .statistics.differences import barnard_worse, holm
from .tally import Group, Standing, Tally, cells
from .text import plural


class Direction(StrEnum):
    """How a cell changed."""

    WORSE = "regression"
    BETTER = "improvement"
    NEW = "new"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Change:
    """A cell that changed. ``p`` is Barnard's, one-sided against the baseline, corrected by Holm over all changed cells.

    ``certain`` is True where p is below 5 %, and where both runs are the same deterministic experiment: any change is real.
    """

    direction: Direction
    name: str
    flow: str
    before: Tally | None
    after: Tally | None
    p: float | None
    certain: bool


@dataclass(frozen=True, slots=True)
class RunComparison:
    """What changed since the baseline, most telling first; ``same`` cells did not."""

    changes: tuple[Change, ...]
    same: int
    deterministic: bool

    def of(self, direction: Direction) -> tuple[Change, ...]:
        """Return the changes of a kind."""
        return tuple(change for change in self.changes if change.direction == direction)

    @property
    def regressed(self) -> bool:
        """True when a cell got worse, and not by chance."""
        return any(change.certain for change in self.of(Direction.WORSE))


def compare_runs(current: Results, baseline: Results) -> RunComparison:
    """Compare a run with an earlier one, cell by cell and target by target."""
    across = _one_target_each(current, baseline)
    before, after = _by_key(baseline, across), _by_key(current, across)
    deterministic = not across and _deterministic(current, baseline)
    worse: list[tuple[Direction, Group, Tally, Tally, float]] = []
    changes: list[Change] = []
    for key, group in after.items():
        now = group.tally
        if key not in before:
            changes.append(Change(Direction.NEW, _name(group), group.flow, None, now, None, True))
            continue
        then = before[key].tally
        if not now.n or not then.n or now.failures.rate == then.failures.rate:
            continue
        direction = Direction.WORSE if now.failures.rate > then.failures.rate else Direction.BETTER
        p = (
            barnard_worse(now.failures, then.failures)
            if direction is Direction.WORSE
            else barnard_worse(then.failures, now.failures)
        )
        worse.append((direction, group, then, now, p))
    for (direction, group, then, now, _), p in zip(worse, holm([row[-1] for row in worse]), strict=True):
        flipped = then.standing is not now.standing and Standing.FLAKY not in {then.standing, now.standing}
        certain = p < 0.05 or (deterministic and flipped)
        changes.append(Change(direction, _name(group), group.flow, then, now, p, certain))
    gone = [group for key, group in before.items() if key not in after]
    changes += [Change(Direction.GONE, _name(group), group.flow, group.tally, None, None, True) for group in gone]
    order = list(Direction)
    changes.sort(key=lambda change: (order.index(change.direction), not change.certain, change.p or 0.0, change.name))
    moved = sum(change.direction in {Direction.WORSE, Direction.BETTER} for change in changes)
    return RunComparison(tuple(changes), len(set(before) & set(after)) - moved, deterministic)


def _by_key(results: Results, across: bool) -> dict[tuple[str, ...], Group]:
    return {group.attempts[0].cell_key[: 2 if across else 3]: group for group in cells(results.attempts)}


def _one_target_each(current: Results, baseline: Results) -> bool:
    """True when each run drove one target and not the same: then proxy A is compared with proxy B, cell by cell."""
    now, then = ({attempt.target for attempt in run.attempts} for run in (current, baseline))
    return len(now) == len(then) == 1 and now != then


def _name(group: Group) -> str:
    label = "" if group.label == "-" else f" {group.label}"
    return f"{group.scenario}{label} on {group.target}"


def _deterministic(*runs: Results) -> bool:
    """True when both runs played the same seeds on the virtual clock: what differs then is the code, not the weather."""
    facts = {(run.run.get("clock"), run.run.get("seed")) for run in runs}
    return len(facts) == 1 and next(iter(facts))[0] == "virtual"


def sentence(comparison: RunComparison) -> str:
    """Count the changes, as in ``2 regressions, 0 improvements, 0 new cells, 0 cells gone, 7 cells unchanged``."""
    counts = [len(comparison.of(direction)) for direction in Direction]
    said = (plural(counts[0], "regression"), plural(counts[1], "improvement"), plural(counts[2], "new cell"))
    return f"{', '.join(said)}, {plural(counts[3], 'cell')} gone, {plural(comparison.same, 'cell')} unchanged"
