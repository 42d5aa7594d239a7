"""Puts the page together: the view for the templates, the data for the script, the policy that lets nothing else run."""

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from conformance.results import AttemptResult

from ..analysis import Analysis
from ..clusters import Cluster
from ..opening import ACTS, openings
from ..sentence import Tone
from ..statistics.power import PRESETS, reach
from ..story import title
from ..text import clip, few, label_of, p_value, percent, plural, printable, seconds
from . import rows
from .curves import WIDTH, survival_chart
from .detail import Details, choose, link

_TEMPLATES: Final = Path(__file__).parent / "templates"
_WORDS: Final = {Tone.GREEN: "PASS", Tone.RED: "FAIL", Tone.GREY: "ERROR"}
_CLUSTERS: Final = 24
_FILTERS: Final = ("flow", "target", "verdict", "blame")
_SECTIONS: Final = (
    ("verdict", "Verdict"),
    ("matrix", "Matrix"),
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
    environment = _environment()
    style, script = _asset("style.css"), _asset("page.js")
    details = _details(analysis)
    attempt_rows = rows.attempt_rows(analysis.results.attempts)
    chart = survival_chart(analysis.cells if len(analysis.cells) <= 200 else analysis.flows)
    view: dict[str, Any] = {
        "a": analysis,
        "badge_word": _WORDS[analysis.sentence.tone],
        "sections": _SECTIONS,
        "style": Markup(style),  # noqa: S704 - our own file
        "script": Markup(script),  # noqa: S704 - our own file
        "style_hash": _hash(style),
        "script_hash": _hash(script),
        "several_targets": len(analysis.targets) > 1,
        "matrix": rows.flow_rows(analysis.flows, analysis.cells),
        "openings": openings(analysis.cells, analysis.library)[:60],
        "acts": ACTS,
        "filters": _filters(analysis),
        "strips": rows.strips(analysis.cells, analysis.flows),
        "rows": attempt_rows,
        "rows_left_out": len(analysis.results.attempts) - len(attempt_rows),
        "comparison": analysis.comparison,
        "reaches": [reach(n) for n in PRESETS],
        "chart": chart,
        "width": WIDTH,
        "clusters": [_ClusterView(cluster) for cluster in analysis.clusters[:_CLUSTERS]],
        "clusters_left_out": max(0, len(analysis.clusters) - _CLUSTERS),
        "data": _script_data(details.data()),
        "fault": printable(str(analysis.run.get("fault") or "")),
        "made_by": _made_by(analysis.run),
        "divergences": analysis.divergences,
        "changes": analysis.changes,
        "requirements": analysis.requirements,
        "lateness": analysis.lateness,
        "virtual": analysis.run.get("clock") == "virtual",
        "notes": analysis.notes,
    }
    return environment.get_template("report.html.j2").render(view)


class _ClusterView:
    """A cluster with what the filters need."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.targets = sorted({attempt.target for attempt in cluster.attempts})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cluster, name)


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
    ]
    return printable(", ".join(filter(None, said)))


def _asset(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _script_data(data: Any) -> Markup:
    """Write JSON that no HTML parser can see the end of: ``<``, ``>`` and ``&`` are escaped."""
    text = orjson.dumps(data).decode()
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - escaped above


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "printable": lambda value: printable(str(value)),
        "percent": percent,
        "seconds": seconds,
        "after": lambda value: f"after {seconds(value)}" if value >= 0.0005 else "at once",
        "points": lambda value: f"{100 * value:+.0f} pp",
        "p": lambda value: p_value(value).removeprefix("= "),
        "thousands": lambda value: f"{value:,}",
        "counted": plural,
        "event": title,
        "clock": lambda t: f"{t / 1e6:.3f} s",
        "clip": clip,
        "tone": rows.tone,
        "standing_tone": rows.standing_tone,
        "standing_word": rows.standing_word,
        "link": link,
        "attempt_label": _attempt_label,
        "fold_labels": _fold_labels,
        "fold_words": lambda words: few(list(words), 5, "more"),
    }
    return environment


def _attempt_label(attempt: AttemptResult) -> str:
    label = label_of(attempt.cell)
    parts = [attempt.scenario, "" if label == "-" else label, f"attempt {attempt.attempt}"]
    return " · ".join(filter(None, parts)) + (f" (rerun {attempt.rerun})" if attempt.rerun else "")


def _fold_labels(labels: tuple[str, ...]) -> str:
    """Join labels, without repeating a key they share: ``idle_timeout_ms 10000, 30000``."""
    heads = {label.partition(" ")[0] for label in labels}
    if len(labels) > 1 and len(heads) == 1 and all(" " in label and " · " not in label for label in labels):
        return f"{heads.pop()} {few([label.partition(' ')[2] for label in labels], 5, 'values')}"
    return few(list(labels), 4, "cells")
