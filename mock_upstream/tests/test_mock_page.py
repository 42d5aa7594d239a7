"""The page about the mock names every setting and every fault, as the code has them."""

from pathlib import Path

from conformance.wire.script import FAULTS
from mock_upstream.profiles import KNOBS

PAGE = Path(__file__).parents[2] / "docs" / "mock.md"


def fault_table() -> str:
    """Write the table of faults as the page has it."""
    rows = ["| fault | acts on | parameters | what it does |", "|---|---|---|---|"]
    for spec in FAULTS.values():
        params = ", ".join(f"`{key}={value}`" for key, value in spec.params.items())
        rows.append(f"| `{spec.name}` | {spec.scope} | {params} | {spec.does} |")
    return "\n".join(rows) + "\n"


def test_the_page_has_the_table_of_faults() -> None:
    assert PAGE.read_text().endswith(fault_table()), f"end {PAGE} with:\n{fault_table()}"


def test_the_page_names_every_setting() -> None:
    page = PAGE.read_text()
    assert [knob for knob in KNOBS if f"`{knob}`" not in page] == []
