"""A target in a run's manifest: written when the run opens, read when its recordings are judged again."""

from collections.abc import Mapping
from typing import Any

from conformance.scenario.model import Speaks
from conformance.targets.model import Target, Upstream


def describe_target(target: Target) -> dict[str, Any]:
    """Return what judging needs of a target, and what readers want to know of it; never its environment."""
    return {
        "name": target.name,
        "upstream": target.upstream,
        "url": target.url,
        "mock_port": target.mock_port,
        "command": target.command,
        "speaks": sorted(target.speaks),
        "settings": target.settings,
        "rules_off": target.rules_off,
        "rules_on": target.rules_on,
        "client_rate": target.client_rate,
        "first_commit_min": target.first_commit_min,
    }


def read_target(value: Mapping[str, Any]) -> Target:
    """Read a target from a manifest; what an older run did not note has its default."""
    known = {name: value[name] for name in Target.__slots__ if value.get(name) is not None}
    if "upstream" in known:
        known["upstream"] = Upstream(known["upstream"])
    # An attempt that was recorded was spoken to, whatever an older manifest leaves out.
    known["speaks"] = frozenset(map(Speaks, known.get("speaks", Speaks)))
    return Target(**known)
