"""summary.md: the verdict and the tables behind it, for a pull request, a chat or a CI's own page."""

from pathlib import Path

from .analysis import Analysis
from .clusters import Cluster
from .runs import sentence
from .sentence import Part, Tone
from .tally import Group
from .text import clip, p_value, percent, plural, printable, seconds

_SIGNS = {Tone.GREEN: "✅", Tone.RED: "❌", Tone.GREY: "⚠️"}
_MOST = 30


def to_markdown(analysis: Analysis) -> str:
    """Write the summary."""
    verdict = analysis.sentence
    said = "".join(
        f"**{_text(text)}**" if style is not Part.PLAIN else _text(text) for text, style in _merged(verdict.parts)
    )
    lines = [f"# {_SIGNS[verdict.tone]} {_text(analysis.title)}", "", said, ""]
    lines += [f"- **{question}**: {_text(answer)}" for question, answer in verdict.facts]
    lines += [
        f"- **Next**: {_text(verdict.next)}",
        "",
        "```sh",
        printable(verdict.command).replace("```", "").replace("\n", " "),
        "```",
        "",
    ]
    lines += _changes(analysis)
    lines += _matrix(analysis)
    lines += _clusters(analysis)
    lines += _pairs(analysis)
    if analysis.library.problems:
        lines += ["## What could not be read", "", *(f"- {_text(problem)}" for problem in analysis.library.problems), ""]
    return "\n".join(lines)


def append_step_summary(path: Path, text: str) -> None:
    """Add the summary to the file a GitHub job shows."""
    with path.open("a", encoding="utf-8") as stream:
        stream.write(text + "\n")


def _merged(parts: tuple[tuple[str, Part], ...]) -> list[tuple[str, Part]]:
    """Move blanks out of emphasised parts: ``** x**`` is no emphasis in Markdown."""
    merged: list[tuple[str, Part]] = []
    for text, style in parts:
        bare = text.strip(" ")
        lead, tail = text[: len(text) - len(text.lstrip(" "))], text[len(text.rstrip(" ")) :]
        merged += [(lead, Part.PLAIN), (bare, style), (tail, Part.PLAIN)] if bare else [(text, Part.PLAIN)]
    return [(text, style) for text, style in merged if text]


def _changes(analysis: Analysis) -> list[str]:
    if analysis.changes is None:
        return []
    lines = ["## Since the baseline", "", f"{sentence(analysis.changes)}.", ""]
    for change in analysis.changes.changes[:_MOST]:
        before, now = (
            f"{tally.passed}/{tally.n}" if tally is not None else "none" for tally in (change.before, change.after)
        )
        doubt = "" if change.certain else ", may be chance"
        lines.append(f"- {change.direction}: {_cell(change.name)}, {before} before, {now} now{doubt}")
    return [*lines, ""]


def _matrix(analysis: Analysis) -> list[str]:
    lines = [
        "## Flow × cell × target",
        "",
        "| flow | cell | target | passed | 95 % interval | |",
        "|---|---|---|--:|--:|---|",
    ]
    shown = analysis.cells
    if len(shown) > _MOST:
        lines += [_row(flow, "all cells") for flow in analysis.flows]
        shown = tuple(cell for cell in shown if cell.tally.failed or cell.tally.errors)
    lines += [_row(cell, f"{cell.scenario} {cell.label}".removesuffix(" -")) for cell in shown[: 4 * _MOST]]
    if len(shown) > 4 * _MOST:
        lines.append(f"| and {plural(len(shown) - 4 * _MOST, 'more cell')} | | | | | |")
    return [*lines, ""]


def _row(group: Group, name: str) -> str:
    counted = group.tally
    interval = counted.interval
    spread = "" if interval is None else f"{percent(interval.low)} to {percent(interval.high)}"
    beside = [f"{counted.errors} errors" if counted.errors else "", f"{counted.known} known" if counted.known else ""]
    outcome = ", ".join(filter(None, [counted.standing.value, *beside]))
    where = f"| {_cell(group.flow)} | {_cell(name)} | {_cell(group.target)} |"
    return f"{where} {counted.passed}/{counted.n} | {spread} | {outcome} |"


def _clusters(analysis: Analysis) -> list[str]:
    if not analysis.clusters:
        return []
    rows = [_cluster(cluster) for cluster in analysis.clusters[:_MOST]]
    return [
        "## Failures that look alike",
        "",
        "| attempts | check | blame | error | since | flows |",
        "|--:|---|---|---|---|---|",
        *rows,
        "",
    ]


def _cluster(cluster: Cluster) -> str:
    signature = cluster.signature
    since = seconds(cluster.first) if cluster.first is not None else ""
    known = " (known)" if cluster.known else ""
    return (
        f"| {len(cluster.attempts)} | {_cell(signature.check)}{known} | {signature.blame or ''} | "
        f"{_cell(signature.code or cluster.message)} | {since} | {_cell(', '.join(cluster.flows))} |"
    )


def _pairs(analysis: Analysis) -> list[str]:
    telling = [pair for pair in analysis.comparison.pairs if pair.significant]
    if not telling:
        return []
    lines = [
        "## Differences that are real",
        "",
        "| within | | passed | against | passed | Fisher p | Holm p |",
        "|---|---|--:|---|--:|--:|--:|",
    ]
    for pair in telling:
        a, b = pair.a, pair.b
        lines.append(
            f"| {_cell(pair.within)} | {_cell(pair.a_name)} | {a.passed}/{a.n} | {_cell(pair.b_name)} | {b.passed}/{b.n} | "
            f"{p_value(pair.p).removeprefix('= ')} | {p_value(pair.holm).removeprefix('= ')} |"
        )
    return [*lines, ""]


def _cell(text: str) -> str:
    return _text(clip(text, 120)).replace("|", "\\|")


def _text(text: str) -> str:
    """Escape what Markdown and the HTML inside it would read as more than text."""
    shown = printable(text).replace("\n", " ").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for mark in "\\`*_[]":
        shown = shown.replace(mark, f"\\{mark}")
    return shown
