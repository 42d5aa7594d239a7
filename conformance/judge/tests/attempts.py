"""The seeds' attempt, and the result of one check on a timeline."""

from typing import Any

from conformance.judge import judge
from conformance.scenario.model import Check
from conformance.targets.model import Target
from conformance.tests.build import TARGET, cell, forbid, parse_timeline
from conformance.verdicts import CheckResult

IDLE = """
    header {"fault": "idle-error"}
    0.000 client   up   open {}
    0.001 client   up   Settings {"agent": {"greeting": "Hello"}}
    0.010 upstream up   open {}
    0.011 upstream down session.created {}
    0.012 upstream up   session.update {}
    0.013 upstream down session.updated {}
    0.014 client   down SettingsApplied {}
    0.015 client   down ConversationText {"role": "assistant", "content": "Hello"}
    5.011 upstream down error @--fault {"error": {"type": "server_error", "message": "The server had an error"}}
    5.012 client   down Error {"code": "server_error", "description": "The server had an error"}
    12.020 client  up   close 1000
    12.021 end
"""


QUIET = forbid("no-error-while-idle", "client", "Error", after="client:ConversationText", within="12s")


def result_of(
    check: Check | str, timeline: str, *, target: Target = TARGET, rules: Any = None, **options: Any
) -> CheckResult:
    checks = () if isinstance(check, str) else (check,)
    judgement = judge(cell(*checks, **options), parse_timeline(timeline), target, rules=rules or {})
    id_ = check if isinstance(check, str) else check.id
    return next(result for result in judgement.checks if result.id == id_)
