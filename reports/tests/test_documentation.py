"""What the documentation promises about numbers is what the code computes."""

from pathlib import Path

from reports.statistics.power import PRESETS, reach
from reports.text import percent

PAGE = Path(__file__).parents[2] / "docs/report.md"


def test_the_table_of_counts_is_what_the_statistics_say() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    for n in PRESETS:
        found = reach(n)
        assert found.seen is not None
        assert found.true is not None
        row = f"| {n} | {percent(found.none_proves)} | {percent(found.seen)} | {percent(found.true)} |"
        assert row in lines
