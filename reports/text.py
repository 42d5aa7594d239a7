"""Words and numbers for people: figures without false precision, lists as one writes them, and text nobody has to trust."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson

_SECRETS: Final = (
    re.compile(r"(?:(?<!\w)|(?<=\\[bfnrt])|(?<=\\u[0-9a-f]{4}))(?:sk|ek|rk)[-_][A-Za-z0-9_\-*]{6,}"),
    re.compile(r"(?<=Bearer )[A-Za-z0-9._~+/=\-]{6,}"),
    re.compile(r"(?<=openai-insecure-api-key\.)[^\s,\"']+"),
    re.compile(r"(?<=://)[^/\s@:\"']{1,200}:[^/\s@\"']{1,200}(?=@)"),
    re.compile(r"(?i)(?<=[?&])((?:api[-_]?key|[a-z_\-]*token|secret|password)=)[^&\s\"'#]+"),
    re.compile(r"(?i)(?<!\w)([A-Z_][\w]*(?:KEY|TOKEN|SECRET|PASSWORD)=)[^\s\"']+"),
)
_HINTS: Final = ("k-", "k_", "bearer ", "api-key", "://", "key=", "token=", "secret=", "password=")
"""What any secret's pattern needs one of: most texts have none, and are let through without a pattern."""
_UNSAFE: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)


def scrub(text: str) -> str:
    """Replace whatever looks like a key. The recorder does so too; a page that is mailed around gets a second look."""
    lowered = text.lower()
    if not any(hint in lowered for hint in _HINTS):
        return text
    for pattern in _SECRETS:
        text = pattern.sub(lambda match: f"{match[1] if match.re.groups else ''}[secret]", text)
    return text


def printable(text: str) -> str:
    """Return the text with keys scrubbed and every character shown that would otherwise act.

    Control characters become their pictures (U+2400), direction marks, surrogates and noncharacters ``⟨U+202E⟩``: they
    could turn a line around in a browser, or make XML unreadable. Newlines and tabs stay.
    """
    return _UNSAFE.sub(_shown, scrub(text))


def _shown(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"⟨U+{code:04X}⟩"


def clip(text: str, limit: int) -> str:
    """Return at most ``limit`` characters, with an ellipsis for the rest; keys are scrubbed before they could be cut."""
    if len(text) <= limit:
        return text
    return scrub(text[: 2 * limit])[: limit - 1].rstrip() + "…"


def value_of(value: Any) -> str:
    """Write a matrix value as scenarios do."""
    if isinstance(value, str):
        return value
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def node_value(value: Any) -> str:
    """Write a matrix value as node ids do."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def label_of(cell: Mapping[str, Any]) -> str:
    """Write a cell with its names: ``idle_timeout_ms 10000 · role user``; ``-`` without a matrix."""
    return " · ".join(f"{name} {value_of(value)}" for name, value in cell.items()) or "-"


def words(items: Iterable[str], last: str = "and") -> str:
    """Join as one writes: ``a, b and c``."""
    listed = list(items)
    return f" {last} ".join([", ".join(listed[:-1]), listed[-1]]) if len(listed) > 1 else "".join(listed)


def few(items: Sequence[str], most: int, noun: str, last: str = "and") -> str:
    """Join the first ``most`` and count the rest: ``a, b and 4 more flows``."""
    if len(items) <= most:
        return words(items, last)
    return words([*items[: most - 1], f"{len(items) - most + 1} more {noun}"], last)


def plural(n: int, noun: str, many: str | None = None) -> str:
    """Count: ``1 attempt``, ``2 attempts``, ``10,000 attempts``."""
    return f"{n:,} {noun if n == 1 else many or noun + 's'}"


def percent(share: float) -> str:
    """Write a share in 0..1: no decimals from 10 % on, two significant digits below; nearly none or all is not 0 or 100."""
    value = 100 * share
    if value < 0.95:
        return f"{value:.2g} %" if value >= 0.0005 else "0 %"
    return f"{value:.1f} %" if value < 9.95 or 99.5 <= value < 99.95 else f"{value:.0f} %"


def p_value(p: float) -> str:
    """Write a p-value with its relation: ``= 0.013``, ``< 0.0001``."""
    if p < 0.0001:
        return "< 0.0001"
    return "= 1" if p > 0.995 else f"= {p:.2g}" if p < 0.1 else f"= {p:.2f}"


def seconds(value: float) -> str:
    """Write a time in seconds to 0.1 s, to 1 ms below a second."""
    return f"{value * 1000:.0f} ms" if 0 < value < 0.9995 else f"{value:.1f} s"
