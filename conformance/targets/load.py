"""``[tool.conformance.targets.NAME]`` of a pyproject.toml: a target with what its owner declares about it."""

import re
import tomllib
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from conformance.scenario.model import Speaks
from conformance.targets.model import PORTS, Target, Upstream
from conformance.targets.urls import check_websocket_url
from conformance.wire.durations import Micros, parse_duration


def load_target(pyproject: Path, name: str) -> Target:
    """Read a target.

    Raises:
        ValueError: there is no such target, or it is wrong; the message is one sentence that names the key.
    """
    try:
        with pyproject.open("rb") as file:
            document = tomllib.load(file)
    except OSError as error:
        raise ValueError(f"{pyproject} cannot be read: {error.strerror or error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{pyproject} is not TOML: {error}") from None
    targets = _table(_table(_table(document, "tool", "tool"), "conformance", "tool.conformance"), "targets", "targets")
    if name not in targets:
        close = get_close_matches(name, list(targets), n=1)
        advice = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(targets) or 'none'}"
        raise ValueError(f"{pyproject}: there is no [tool.conformance.targets.{name}]; {advice}")
    return read_target_table(name, _table(targets, name, f"targets.{name}"), f"{pyproject}: targets.{name}")


def read_target_table(name: str, table: Mapping[str, Any], where: str) -> Target:
    """Read the table of one target; ``where`` begins every message.

    Raises:
        ValueError: a key is unknown or has the wrong type, or keys contradict each other.
    """
    for key in table:
        if key not in _READERS:
            close = get_close_matches(key, list(_READERS), n=1)
            advice = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(_READERS)}"
            raise ValueError(f"{where}: unknown key {key!r}; {advice}")
    values = {key: _READERS[key](table[key], f"{where}.{key}") for key in table}
    if "command" in values and "url" not in values:
        raise ValueError(f"{where}: a command needs a url beside it, such as ws://127.0.0.1:{{port}}/")
    if "url" in values and "command" not in values and "mock_port" not in values:
        raise ValueError(f"{where}: a url without a command needs mock_port, where the proxy finds our mock")
    if "url" in values:
        placeholders = ("port",) if "command" in values else ()
        check_websocket_url(values["url"], f"{where}.url", placeholders=placeholders)
    contradicting = sorted({*values.get("rules_off", ())} & {*values.get("rules_on", ())})
    if contradicting:
        raise ValueError(f"{where}: {contradicting[0]} is both in rules_off and in rules_on; leave one")
    for rule in values.get("rules_on", ()):
        if (other := _excluded_by(rule)) in values["rules_on"]:
            raise ValueError(f"{where}.rules_on: {rule} and {other} ask for opposite things; leave one")
    return Target(name=name, **values)


def _table(parent: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    value = parent.get(key, {})
    if not isinstance(value, Mapping):
        raise ValueError(f"{where} must be a table")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{where} must be a string that is not empty")
    return value


def _whole(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{where} must be a whole number above 0")
    return value


def _port(value: Any, where: str) -> int:
    if _whole(value, where) not in PORTS:
        raise ValueError(f"{where} must be a port, at most {PORTS[-1]}")
    return int(value)


def _strings(value: Any, where: str) -> Mapping[str, str]:
    if not isinstance(value, Mapping) or not all(isinstance(item, str) for item in value.values()):
        raise ValueError(f"{where} must be a table of strings")
    return value


def _excluded_by(rule: str) -> str | None:
    from conformance.rules.model import RULES

    return RULES[rule].excludes


def _reasons(value: Any, where: str) -> Mapping[str, str]:
    import conformance.rules  # noqa: F401  # registers every rule
    from conformance.rules.model import RULES

    for rule, reason in _strings(value, f"{where} (ID = reason)").items():
        if rule not in RULES:
            close = get_close_matches(rule, list(RULES), n=1)
            advice = f"did you mean {close[0]}?" if close else "see `conformance rules`"
            raise ValueError(f"{where}: there is no rule {rule}; {advice}")
        if not reason.strip():
            raise ValueError(f"{where}.{rule} needs a reason")
    return dict(value)


def _settings(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{where} must be a table that is merged into every Settings")
    return value


def _speaks(value: Any, where: str) -> frozenset[Speaks]:
    names = [value] if isinstance(value, str) else value
    known = [member.value for member in Speaks]
    if not isinstance(names, list) or not names or not all(name in known for name in names):
        raise ValueError(f"{where} must be {' or '.join(known)}, or a list of them")
    return frozenset(map(Speaks, names))


def _upstream(value: Any, where: str) -> Upstream:
    if value not in [member.value for member in Upstream]:
        raise ValueError(f"{where} must be {' or '.join(Upstream)}")
    return Upstream(value)


def _duration(value: Any, where: str) -> Micros:
    try:
        return parse_duration(_text(value, where))
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _paths(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(path, str) and path for path in value):
        raise ValueError(f"{where} must be a list of dotted paths, such as session.model")
    return tuple(value)


def _environment(value: Any, where: str) -> Mapping[str, str]:
    for name in _strings(value, where):
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise ValueError(f"{where}: {name!r} is no name of an environment variable")
    return dict(value)


_READERS: Final[Mapping[str, Callable[[Any, str], Any]]] = {
    "upstream": _upstream,
    "url": _text,
    "mock_port": _port,
    "command": _text,
    "env": _environment,
    "speaks": _speaks,
    "settings": _settings,
    "rules_off": _reasons,
    "rules_on": _reasons,
    "client_rate": _whole,
    "first_commit_min": _duration,
    "changes": _paths,
}
"""The keys of a target and how each is read."""
