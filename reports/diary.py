"""A regression diary's entry from a failing run: Outcome, Key evidence, Diagnosis, Remediation, Next steps, Status.

What the recording knows is filled in; what only a person can know is left as a question.
"""

from .analysis import Analysis
from .clusters import Cluster
from .divergence import Divergence
from .evidence import decisive_error, first_failure, session_id
from .factor import failing
from .sentence import Tone
from .story import title
from .text import clip, plural, printable, seconds, words

_MOST = 3


def to_entry(analysis: Analysis) -> str | None:
    """Write the entry as Markdown; None when nothing failed, so that there is nothing to enter."""
    if analysis.sentence.tone is not Tone.RED:
        return None
    found = [cluster for cluster in analysis.clusters if not cluster.known][:_MOST]
    started = str(analysis.run.get("started", ""))[:16].replace("T", " ")
    heading = f"## {started} UTC: {_title(analysis, found)}" if started else f"## {_title(analysis, found)}"
    sections = {
        "Outcome": [str(analysis.sentence), *_outcome(analysis)],
        "Key evidence": [line for cluster in found for line in _evidence(analysis, cluster)],
        "Diagnosis": _diagnosis(analysis),
        "Remediation": _remediation(analysis),
        "Next steps": [analysis.sentence.next, f"Repeat it: `{analysis.sentence.command}`"],
        "Status": ["Open. (Closed by which change?)"],
    }
    blocks = [f"- **{name}**\n" + "\n".join(f"  - {printable(line)}" for line in lines) for name, lines in sections.items()]
    return "\n\n".join([printable(heading), *blocks]) + "\n"


def _title(analysis: Analysis, found: list[Cluster]) -> str:
    flows = sorted({attempt.flow for attempt in failing(analysis.results.attempts)})
    checks = words(dict.fromkeys(cluster.signature.check for cluster in found))
    return f"{words(flows)}: {checks}"


def _outcome(analysis: Analysis) -> list[str]:
    counted = analysis.tally
    said = f"{counted.passed} of {plural(counted.n, 'attempt')} passed on {words(analysis.targets)}"
    return [said + (f"; {counted.errors} could not be carried out" if counted.errors else "") + "."]


def _evidence(analysis: Analysis, cluster: Cluster) -> list[str]:
    signature, attempt = cluster.signature, cluster.representative
    when = f" at {seconds(cluster.first)}" if cluster.first is not None else ""
    blame = signature.blame or "nobody known"
    count = plural(len(cluster.attempts), "attempt")
    lines = [f"{signature.check} broke in {count}{when}; blame {blame}: {clip(cluster.message, 300)}"]
    recording = analysis.library.of(attempt)
    if recording is not None:
        error = decisive_error(recording, first_failure(attempt))
        if error is not None:
            lines.append(f"`{error.code}` on the {error.leg} leg at {error.t / 1e6:.3f} s: {clip(error.message, 300)}")
        session = session_id(recording)
        if session:
            lines.append(f"Session `{session}`")
    ends = [
        signature.last_client and f"client leg `{signature.last_client}`",
        signature.last_upstream and f"upstream leg `{signature.last_upstream}`",
    ]
    if any(ends):
        lines.append(
            f"Last events: {', '.join(filter(None, ends))}"
            + (f"; closed with {signature.close}" if signature.close else "")
        )
    return [*lines, f"Recording: `{attempt.recording}`"] if attempt.recording else lines


def _diagnosis(analysis: Analysis) -> list[str]:
    lines = [f"{question}: {answer}" for question, answer in analysis.sentence.facts if question == "How sure"]
    for divergence in analysis.divergences[:_MOST]:
        lines += _parting(divergence)
    return [*lines, "(Root cause?)"]


def _parting(divergence: Divergence) -> list[str]:
    first = divergence.first
    if first is None:
        return []
    line = first.failing or first.passing
    if line is None:
        return []
    if divergence.passing is None:
        return [f"The check broke at `{title(line)}` on the {divergence.leg} leg, at {line.t / 1e6:.3f} s."]
    what = f"`{title(line)}`" + (" comes" if first.failing is not None else " never comes")
    where = f"on the {divergence.leg} leg at {line.t / 1e6:.3f} s"
    return [f"The failing attempt leaves the path of one of {divergence.related} {where}: {what}."] + [
        f"Before that, `{change.event}` differs in `{change.path}`: `{change.failing}`, passing: `{change.passing}`."
        for change in divergence.changes[:_MOST]
    ]


def _remediation(analysis: Analysis) -> list[str]:
    known = [attempt.known for attempt in analysis.results.attempts if attempt.known is not None]
    return [*(f"Known: {reason}" for reason in dict.fromkeys(known)), "(What was changed, and where?)"]
