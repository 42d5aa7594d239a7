"""ctrf.json: the run in the Common Test Report Format (https://ctrf.io), for tools that read no junit."""

from collections import Counter
from datetime import datetime
from typing import Any

import orjson

from conformance.results import AttemptResult, Results
from conformance.verdicts import Verdict

from .junit import attempt_name, describe, message_of
from .tally import BROKEN
from .text import clip, printable, value_of


def to_ctrf(results: Results) -> bytes:
    """Write the file. Known failures and what the target does not speak are skipped, harness errors are ``other``."""
    start = _epoch_ms(results.run.get("started"))
    tests = [_test(attempt) for attempt in results.attempts]
    counts = Counter(test["status"] for test in tests)
    spent = round(1000 * sum(attempt.wall_s for attempt in results.attempts))
    document = {
        "reportFormat": "CTRF",
        "specVersion": "0.0.0",
        "generatedBy": "realtime-conformance",
        "results": {
            "tool": {"name": "realtime-conformance"},
            "summary": {
                "tests": len(tests),
                **{status: counts[status] for status in ("passed", "failed", "skipped", "pending", "other")},
                "start": start,
                "stop": start + spent,
            },
            "tests": tests,
        },
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n"


def _test(attempt: AttemptResult) -> dict[str, Any]:
    test: dict[str, Any] = {
        "name": attempt_name(attempt),
        "status": _status(attempt),
        "duration": round(1000 * attempt.wall_s),
        "rawStatus": attempt.verdict.value,
        "suite": [_short(attempt.flow), _short(attempt.scenario)],
        "type": "conformance",
        "parameters": {
            printable(clip(key, 300)): printable(clip(value_of(value), 300)) for key, value in attempt.cell.items()
        },
        "extra": {"target": _short(attempt.target), "seed": attempt.seed, "attempt": attempt.attempt},
    }
    if attempt.rerun:
        test["retries"] = attempt.rerun
    lines = describe(attempt)
    if lines:
        test |= {"message": message_of(attempt), "trace": "\n".join(lines)}
    return test


def _short(text: str) -> str:
    return printable(clip(text, 300))


def _status(attempt: AttemptResult) -> str:
    if attempt.verdict is Verdict.UNSUPPORTED or (attempt.verdict in BROKEN and attempt.known is not None):
        return "skipped"
    if attempt.verdict is Verdict.ERROR:
        return "other"
    return "failed" if attempt.verdict in BROKEN else "passed"


def _epoch_ms(started: object) -> int:
    """Read the manifest's ISO time; 0 when it holds none, as the format wants a number."""
    try:
        return round(1000 * datetime.fromisoformat(str(started)).timestamp())
    except ValueError:
        return 0
