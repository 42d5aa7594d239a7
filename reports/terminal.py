"""The summary on the terminal: the verdict, the failing cells, where to look. 80 columns; colour is the console's."""

from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from .analysis import Analysis
from .evidence import first_failure
from .factor import failing
from .runs import sentence as changed
from .sentence import Part, Tone
from .tally import BROKEN, Group, Standing
from .text import clip, node_value, percent, plural, printable, seconds

_STYLES = {Part.PLAIN: "", Part.FAIL: "bold red", Part.PASS: "green", Part.STRONG: "bold"}
_BADGES = {
    Tone.GREEN: ("PASS", "black on green"),
    Tone.RED: ("FAIL", "white on red"),
    Tone.GREY: ("ERROR", "black on yellow"),
}
_MOST = 6


def print_summary(analysis: Analysis, console: Console, run_dir: Path) -> None:
    """Print the summary."""
    sentence = analysis.sentence
    badge, style = _BADGES[sentence.tone]
    verdict = Text.assemble(
        (f" {badge} ", style), " ", *((printable(text), _STYLES[part]) for text, part in sentence.parts)
    )
    console.print(verdict, soft_wrap=False)
    for question, answer in (*sentence.facts, ("Next", sentence.next)):
        console.print(Padding(Text.assemble((f"{question}: ", "dim"), printable(answer)), (0, 0, 0, 2)))
    console.print(Padding(Text.assemble(("Repeat: ", "dim"), sentence.command), (0, 0, 0, 2)))
    console.print()
    console.print(_table(analysis))
    if analysis.changes is not None:
        console.print(Text(f"since the baseline: {changed(analysis.changes)}", "red" if analysis.changes.regressed else ""))
    for problem in analysis.library.problems[:3]:
        console.print(Text(problem, "yellow"))
    console.print(Text.assemble(("report ", "dim"), str(run_dir / "report.html")), soft_wrap=True)


def _table(analysis: Analysis) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("flow", overflow="ellipsis", no_wrap=True, max_width=26)
    table.add_column("passed", justify="right", no_wrap=True, min_width=7)
    table.add_column("95 %", justify="right", no_wrap=True, min_width=8)
    table.add_column("what fails first", overflow="ellipsis", no_wrap=True)
    several = len(analysis.targets) > 1
    broken = [cell for cell in analysis.cells if cell.tally.failed or cell.tally.errors]
    for flow in analysis.flows:
        name = f"{flow.flow} on {flow.target}" if several else flow.flow
        table.add_row(Text(printable(name), "bold"), *_figures(flow), "" if _broken_of(flow, broken) else _what(flow))
        inside = _broken_of(flow, broken)
        for cell in inside[:_MOST]:
            table.add_row(Text(f"  {_name(cell)}"), *_figures(cell), _what(cell))
        if len(inside) > _MOST:
            table.add_row(Text(f"  and {plural(len(inside) - _MOST, 'more cell')}"), "", "", "")
    return table


def _name(cell: Group) -> str:
    """Name a cell as its node id does, so that it can be selected, less the flow above it."""
    values = "-".join(map(node_value, cell.attempts[0].cell.values()))
    name = cell.scenario.removeprefix(f"{cell.flow}/")
    return printable(f"{name}[{values}]" if values else name)


def _broken_of(flow: Group, broken: list[Group]) -> list[Group]:
    return [cell for cell in broken if (cell.flow, cell.target) == (flow.flow, flow.target)]


def _figures(group: Group) -> tuple[Text, Text]:
    counted = group.tally
    style = {Standing.STABLE_PASS: "green", Standing.FLAKY: "yellow", Standing.STABLE_FAIL: "red"}.get(
        counted.standing, "dim"
    )
    interval = counted.interval
    spread = "" if interval is None else f"{percent(interval.low).removesuffix(' %')}-{percent(interval.high)}"
    return Text(f"{counted.passed}/{counted.n}", style), Text(spread, "dim")


def _what(group: Group) -> Text:
    """Say what fails first in a group, in one line."""
    said = []
    bad = failing(group.attempts) or [attempt for attempt in group.attempts if attempt.verdict in BROKEN]
    if bad:
        check = first_failure(bad[0])
        if check is not None:
            at = f" at {seconds(check.t / 1e6)}" if check.t is not None else ""
            said.append(f"{printable(check.id)}{at}, {check.blame or 'nobody'}" + (" (known)" if bad[0].known else ""))
    if group.tally.errors:
        said.append(f"{group.tally.errors} not carried out")
    return Text(clip("; ".join(said), 120))
