"""The templates' surroundings: escaping always on, undefined names are errors, and filters for figures."""

import hashlib
from base64 import b64encode
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from conformance.results import AttemptResult

from ..runs import sentence as changed
from ..story import title
from ..text import clip, few, label_of, p_value, percent, plural, printable, seconds
from . import rows
from .detail import link

_LONGEST: Final = 2_000
"""Characters of any one text on the page; the recordings hold the rest."""
_TEMPLATES: Final = Path(__file__).parent / "templates"


def render(template: str, view: dict[str, Any], *, script: str | None = None) -> str:
    """Render a page with the house style inlined; its policy allows that style, the file ``script``, and nothing else."""
    style = _asset("style.css")
    code = "" if script is None else _asset(script)
    page = {
        "style": Markup(style),  # noqa: S704 - our own file
        "script": Markup(code),  # noqa: S704 - our own file
        "style_hash": _hash(style),
        "script_hash": _hash(code),
    }
    return _environment().get_template(template).render({**page, **view})


def _asset(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "after": lambda value: f"after {seconds(value)}" if value >= 0.0005 else "at once",
        "attempt_label": attempt_label,
        "changed": changed,
        "clip": clip,
        "clock": lambda t: f"{t / 1e6:.3f} s",
        "counted": plural,
        "event": title,
        "cell_label": label_of,
        "fold_words": _fold_words,
        "link": link,
        "p": lambda value: p_value(value).removeprefix("= "),
        "percent": percent,
        "points": lambda value: f"{100 * value:+.0f} pp",
        "seconds": seconds,
        "spread": lambda interval: f"{percent(interval.low).removesuffix(' %')} to {percent(interval.high)}",
        "standing_tone": rows.standing_tone,
        "standing_word": rows.standing_word,
        "thousands": lambda value: f"{value:,}",
        "tone": rows.tone,
    }
    return environment


def _finalize(value: Any) -> Any:
    """Make every text harmless on its way into the page; escaping follows. Markup is our own."""
    return printable(clip(value, _LONGEST)) if isinstance(value, str) and not isinstance(value, Markup) else value


def attempt_label(attempt: AttemptResult) -> str:
    """Name an attempt with its matrix: ``greeting/idle · idle_timeout_ms null · attempt 3``."""
    label = label_of(attempt.cell)
    parts = [attempt.scenario, "" if label == "-" else label, f"attempt {attempt.attempt}"]
    return " · ".join(filter(None, parts)) + (f" (rerun {attempt.rerun})" if attempt.rerun else "")


def _fold_words(words: Iterable[str]) -> str:
    return few(list(words), 5, "more")
