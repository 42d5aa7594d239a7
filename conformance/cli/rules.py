"""``conformance rules``: the protocol's law, rule by rule, with a recording that keeps it and one that breaks it."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated, Final

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from conformance.rules import CATALOGUE
from conformance.rules.examples import example
from conformance.rules.model import RULES, Case, Finding, Rule
from conformance.wire.durations import to_seconds
from conformance.wire.frames import Direction, Frame, Kind, Leg
from conformance.wire.recording import Outcome

_LEG_WIDTH: Final = 34
_BREAKS: Final = "bold red"


def command(
    id_: Annotated[str | None, typer.Argument(metavar="[ID]", help="A rule to explain; all are listed without it.")] = None,
) -> None:
    """List the rules, or explain one: its sentence, source and reason, what keeps it and what breaks it.

    Example: conformance rules RT-READY-AUDIO
    """
    console = Console(width=None if Console().is_terminal else 80, highlight=False)
    if id_ is None:
        console.print(_table())
        console.print(f"{len(RULES)} rules. One in detail: conformance rules {CATALOGUE[4]}")
        return
    wanted = id_.upper()
    if wanted not in RULES:
        typer.echo(f"conformance rules: no rule {id_!r}{_did_you_mean(wanted)}", err=True)
        raise typer.Exit(2)
    _explain(console, RULES[wanted])


def _did_you_mean(wanted: str) -> str:
    near = get_close_matches(wanted, CATALOGUE, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else "; conformance rules lists them all"


def _table() -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("rule", no_wrap=True)
    table.add_column("kind", no_wrap=True)
    table.add_column("what it asks", ratio=1)
    for rule in RULES.values():
        kind = rule.kind if rule.level == "must" else f"{rule.kind}, {rule.level}"
        table.add_row(Text(rule.id, style="bold"), kind, _plain(rule.sentence))
    return table


def _plain(words: str) -> str:
    return re.sub(r"`([^`]*)`", r"\1", words)


def _explain(console: Console, rule: Rule) -> None:
    console.print(Text(rule.id, style="bold"), Text(f"· {rule.kind} · {rule.level} · blame {rule.blame}"))
    for title, words in (("Rule", rule.sentence), ("Why", rule.why), ("Source", rule.source)):
        console.print(Text(f"{title}: ", style="bold"), _plain(words), sep="")
    if rule.excludes is not None:
        console.print(
            Text("Choice: ", style="bold"), f"{rule.excludes} asks for the opposite; turn on one of the two", sep=""
        )
    found = example(rule.id)
    console.print("\nA recording that keeps it", style="bold")
    _show(console, found.keeps, [])
    findings = list(rule.judge(found.breaks) or [])
    console.print("\nA recording that breaks it", style="bold")
    _show(console, found.breaks, findings)
    for finding in findings:
        console.print(Text(f"! at {to_seconds(finding.t):.3f}s: {finding.message}", style=_BREAKS))


def _show(console: Console, case: Case, findings: Iterable[Finding]) -> None:
    """Print a recording: the client's leg left, the upstream's right, ``!`` before the event that breaks the rule."""
    marked = {finding.event for finding in findings}
    detail = max(_LEG_WIDTH, (console.width - 12) // 2)
    console.print(f"  {'seconds':>8} {'client leg':<{detail}} upstream leg", style="dim")
    for frame in case.recording.frames:
        words = _words(frame, detail)
        left, right = (words, "") if frame.leg is Leg.CLIENT else ("", words)
        line = f"{'!' if frame.seq in marked else ' '} {to_seconds(frame.t):8.3f} {left:<{detail}} {right}".rstrip()
        console.print(Text(line, style=_BREAKS if frame.seq in marked else "", no_wrap=True, overflow="crop"))
    if case.recording.footer is not None:
        footer = case.recording.footer
        how = "the recording ends" if footer.outcome is Outcome.FINISHED else f"the proxy's process {footer.outcome}"
        console.print(f"  {to_seconds(footer.t):8.3f} {how}")


def _words(frame: Frame, width: int) -> str:
    arrow = "->" if frame.dir is Direction.UP else "<-"
    conn = f"#{frame.conn} " if frame.conn else ""
    words = f"{arrow} {conn}{_name(frame)}"
    return words if len(words) <= width else words[: width - 1] + "…"


def _name(frame: Frame) -> str:
    body = frame.data
    for field in ("audio", "delta"):
        folded = body.get(field)
        if isinstance(folded, dict):
            return f"{frame.type} {folded.get('ms', 0):g} ms"
    if frame.kind is Kind.BINARY:
        said = body.get("json", body.get("text"))
        return f"binary {body.get('ms', 0):g} ms" if said is None else f"binary {_json(said)}"
    if frame.kind is Kind.TEXT:
        rest = {key: value for key, value in body.items() if key not in ("type", "event_id")}
        return f"{frame.type} {_json(rest)}" if rest else frame.type
    if frame.kind is Kind.CLOSE:
        return f"close {body.get('code')} {body.get('reason') or ''}".rstrip()
    return f"{frame.kind} {frame.type}".rstrip()


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
