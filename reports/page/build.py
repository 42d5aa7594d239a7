"""Puts the page together: the view for the templates, the data for the script, the policy that lets nothing else run."""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from markupsafe import Markup

from ..analysis import Analysis
from ..opening import ACTS, openings
from ..sentence import Tone
from ..statistics.power import PRESETS, reach
from ..text import clip, printable
from . import rows
from .curves import WIDTH, survival_chart
from .detail import Details, choose
from .environment import render

_WORDS: Final = {Tone.GREEN: "PASS", Tone.RED: "FAIL", Tone.GREY: "ERROR"}
_CLUSTERS: Final = 24
_FILTERS: Final = ("flow", "target", "verdict", "blame")
_SECTIONS: Final[tuple[tuple[str, str], ...]] = (
    ("verdict", "Verdict"),
    ("matrix", "Matrix"),
    ("fidelity", "Mock and real"),
    ("attempts", "Attempts"),
    ("differences", "Differences"),
    ("survival", "Time to error"),
    ("clusters", "Failures"),
    ("attempt", "Both legs"),
    ("divergence", "Divergence"),
    ("coverage", "Coverage"),
    ("lateness", "Lateness"),
)


def build(analysis: Analysis) -> str:
    """Write the page."""
    details = _details(analysis)
    attempt_rows = rows.attempt_rows(analysis.results.attempts, details.attempts)
    chart = survival_chart(analysis.cells if len(analysis.cells) <= 200 else analysis.flows)
    view: dict[str, Any] = {
        "a": analysis,
        "badge_word": _WORDS[analysis.sentence.tone],
        "sections": [each for each in _SECTIONS if each[0] != "fidelity" or analysis.fidelity],
        "several_targets": len(analysis.targets) > 1,
        "matrix": rows.flow_rows(analysis.flows, analysis.cells),
        "openings": openings(analysis.cells, analysis.library)[:60],
        "acts": ACTS,
        "filters": _filters(analysis),
        "strips": rows.strips(analysis.cells, analysis.flows, details.attempts),
        "rows": attempt_rows,
        "unheld": sum(not row.link.startswith("#") for row in attempt_rows),
        "rows_left_out": len(analysis.results.attempts) - len(attempt_rows),
        "comparison": analysis.comparison,
        "reaches": [reach(n) for n in PRESETS],
        "chart": chart,
        "width": WIDTH,
        "clusters": analysis.clusters[:_CLUSTERS],
        "clusters_left_out": max(0, len(analysis.clusters) - _CLUSTERS),
        "data": _script_data(details.data()),
        "about": _about(analysis.run),
        "made_by": _made_by(analysis.run),
        "divergences": analysis.divergences,
        "changes": analysis.changes,
        "requirements": analysis.requirements,
        "lateness": analysis.lateness,
        "virtual": analysis.run.get("clock") == "virtual",
        "notes": analysis.notes,
    }
    return render("report.html.j2", view, script="page.js")


def _details(analysis: Analysis) -> Details:
    first = [cluster.representative for cluster in analysis.clusters]
    details = Details()
    for attempt in choose(analysis.results.attempts, first):
        if not details.add(attempt, analysis.library):
            break
    return details


def _filters(analysis: Analysis) -> list[tuple[str, list[str]]]:
    found: dict[str, set[str]] = {name: set() for name in _FILTERS}
    for attempt in analysis.results.attempts:
        found["flow"].add(printable(attempt.flow))
        found["target"].add(printable(attempt.target))
        found["verdict"].add(rows.verdict_name(attempt))
        found["blame"].add(rows.blame_of(attempt))
    return [(name, sorted(values - {""})) for name, values in found.items()]


def _about(run: Mapping[str, Any]) -> str:
    """Say what was unusual about the run: a fault of the mock, the real API's model."""
    real = run.get("real")
    model = real.get("model") if isinstance(real, Mapping) else None
    return ", ".join(filter(None, [f"fault {run['fault']}" if run.get("fault") else "", f"model {model}" if model else ""]))


def _made_by(run: Mapping[str, Any]) -> str:
    """Say what made the run, as far as its manifest knows."""
    versions = run.get("versions")
    version = versions.get("realtime-conformance") if isinstance(versions, Mapping) else None
    said = [
        f"Realtime conformance {version or ''}".strip(),
        f"Python {run['python']}" if run.get("python") else "",
        f"revision {clip(str(run['git']), 13)}" if run.get("git") else "",
        f"seed {run['seed']}" if run.get("seed") is not None else "",
        f"{run['clock']} clock" if run.get("clock") else "",
        f"{run['tokens']:,} tokens" if isinstance(run.get("tokens"), int) and run["tokens"] else "",
    ]
    return printable(", ".join(filter(None, said)))


def _script_data(data: Any) -> Markup:
    """Write JSON that no HTML parser can see the end of: ``<``, ``>`` and ``&`` are escaped."""
    text = orjson.dumps(data).decode()
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - escaped above
