"""How a benchmark says what it found: one line per figure, judged against its goal."""

from collections.abc import Mapping

misses: list[str] = []
"""What missed its goal."""


def tell(what: str, result: str, *, reached: bool) -> None:
    """Print one line."""
    if not reached:
        misses.append(what)
    print(f"{'ok  ' if reached else 'MISS'} {what}: {result}", flush=True)  # noqa: T201


def tell_ratio(what: str, figures: Mapping[str, float], relation: str, goal: float) -> None:
    """Print the mock's figure and its ratio to the bare server's."""
    ratio = figures["mock"] / figures["bare"]
    tell(
        what,
        f"mock {figures['mock']:,.1f}, bare {figures['bare']:,.1f}: {ratio:.2f}× (goal {relation} {goal}×)",
        reached=ratio >= goal if relation == "≥" else ratio <= goal,
    )
