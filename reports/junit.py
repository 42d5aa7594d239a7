"""junit.xml: one case per attempt; a failure is the subject's, an error the harness's; known and unsupported: skipped."""

from typing import Final
from xml.etree import ElementTree as ET

from conformance.results import AttemptResult, Results
from conformance.verdicts import Verdict

from .evidence import broken, first_failure
from .tally import BROKEN
from .text import clip, printable

_LONGEST: Final = 300


def to_junit(results: Results) -> bytes:
    """Write the file; a suite per flow and target."""
    root = ET.Element("testsuites", name="realtime-conformance")
    suites: dict[tuple[str, str], ET.Element] = {}
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for attempt in results.attempts:
        key = (attempt.flow, attempt.target)
        if key not in suites:
            suites[key] = ET.SubElement(root, "testsuite", name=_short(f"{attempt.flow} on {attempt.target}"))
            counts[key] = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
        counts[key]["tests"] += 1
        outcome = _add_case(suites[key], attempt)
        if outcome:
            counts[key][outcome] += 1
    for key, suite in suites.items():
        for name, count in counts[key].items():
            suite.set(name, str(count))
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(count[name] for count in counts.values())))
    ET.indent(root)
    body: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return body + b"\n"


def _add_case(suite: ET.Element, attempt: AttemptResult) -> str:
    name = attempt_name(attempt)
    case = ET.SubElement(suite, "testcase", classname=_short(attempt.scenario), name=name, time=f"{attempt.wall_s:.3f}")
    text = "\n".join(describe(attempt))
    if attempt.verdict in BROKEN and attempt.known is not None:
        ET.SubElement(case, "skipped", type="known", message=_short(f"known failure: {attempt.known}")).text = text
        return "skipped"
    if attempt.verdict is Verdict.UNSUPPORTED:
        ET.SubElement(case, "skipped", type="unsupported", message=message_of(attempt)).text = text
        return "skipped"
    if attempt.verdict is Verdict.ERROR:
        ET.SubElement(case, "error", type="harness", message=message_of(attempt)).text = text
        return "errors"
    if attempt.verdict in BROKEN:
        ET.SubElement(case, "failure", type=attempt.verdict.value, message=message_of(attempt)).text = text
        return "failures"
    if text:
        ET.SubElement(case, "system-out").text = text
    return ""


def attempt_name(attempt: AttemptResult) -> str:
    """Return the attempt's own name: what follows the file in its node id."""
    name = attempt.nodeid.rpartition("::")[2] or f"{attempt.scenario}[{attempt.attempt}]"
    return printable(clip(name, _LONGEST) + (f" rerun {attempt.rerun}" if attempt.rerun else ""))


def message_of(attempt: AttemptResult) -> str:
    """Return one line that says what broke."""
    check = first_failure(attempt)
    said = f"{check.id}: {check.message}" if check is not None else attempt.message or attempt.verdict.value
    return printable(clip(said, 500))


def describe(attempt: AttemptResult) -> list[str]:
    """Return a line per check that does not pass, and where the recording is."""
    lines = [
        printable(
            f"{check.verdict} {clip(check.id, _LONGEST)}"
            + (f" at {check.t / 1e6:.3f}s" if check.t is not None else "")
            + (f", blame {check.blame}" if check.blame is not None else "")
            + f": {clip(check.message, 2000)}"
        )
        for check in broken(attempt)
    ]
    return [*lines, _short(f"recording: {attempt.recording}")] if lines and attempt.recording else lines


def _short(text: str) -> str:
    return printable(clip(text, _LONGEST))
