"""The reader: a filled document becomes a `Cell`; every mistake on the way is reported, none stops it."""

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path as FilePath
from typing import Any, Final

from pydantic import ValidationError

from conformance.rules.model import RULES
from conformance.scenario import grammar
from conformance.scenario.context import Context, Report
from conformance.scenario.mistakes import did_you_mean
from conformance.scenario.model import Cell, Check, Mutant, Speaks
from conformance.scenario.script_reader import ScriptReader, dialect_of
from conformance.scenario.steps import StepReader
from conformance.scenario.structure import STAND_IN, read_part, structural_mistakes
from conformance.scenario.yaml_source import Path
from conformance.verdicts import Level
from conformance.wire.frames import Leg

FLOWS: Final = (
    "firm-audio",
    "greeting",
    "idle",
    "text",
    "function-call",
    "transcription",
    "vad",
    "error",
    "close",
    "session-config",
    "context",
    "reconnect",
    "barge-in",
    "hostile-client",
    "long-session",
    "experiment",
)
"""The library's flows. Another scenario may have a flow of its own; one that is nearly a known flow is a typing mistake."""


def read_cell(
    data: Mapping[str, Any],
    values: Mapping[str, Any],
    path: FilePath,
    roots: tuple[FilePath, ...],
    saved: frozenset[str],
    report: Report,
) -> Cell | None:
    """Read one cell of a filled document; None when it has mistakes, which were reported."""
    mistakes = 0

    def note(path: Path, sentence: str, *, key: bool = False) -> None:
        nonlocal mistakes
        mistakes += 1
        report(path, sentence, key=key)

    for where, sentence, key in structural_mistakes(grammar.ScenarioPart, data, saved):
        note(where, sentence, key=key)
    speaks = Speaks.REALTIME if data.get("speaks") == "realtime" else Speaks.VOICE_AGENT
    context = Context(data, note, speaks, saved)
    context.note_steps(data.get("client"))
    steps = StepReader(context, roots).read(data.get("client"))
    scripts = ScriptReader(context, dialect_of(data.get("upstream")), folder=path.parent)
    script = scripts.script(data.get("upstream", {}))
    checks = tuple(_checks(context, data))
    mutants = tuple(_mutants(context, data, scripts, [check.id for check in checks]))
    _check_words(context, data)
    try:
        part = grammar.ScenarioPart.model_validate(data)
    except ValidationError:
        return None
    if mistakes:
        return None
    return Cell(
        scenario=part.scenario,
        flow=part.flow,
        title=part.title,
        path=path,
        values=values,
        speaks=speaks,
        refs=tuple(part.refs),
        tags=tuple(part.tags),
        steps=steps,
        script=script,
        checks=checks,
        mutants=mutants,
    )


def _check_words(context: Context, data: Mapping[str, Any]) -> None:
    flow = data.get("flow")
    if isinstance(flow, str) and flow not in FLOWS and (hint := did_you_mean(flow, FLOWS)):
        context.report(("flow",), f"unknown flow {flow!r}{hint}")
    refs = data.get("refs")
    for index, ref in enumerate(refs if isinstance(refs, list) else []):
        _check_rule_id(context, ref, ("refs", index))


def _is_rule(name: str) -> bool:
    """Tell whether there is a rule of this id."""
    import_module("conformance.rules")  # which registers them; only a scenario that names one needs them
    return name in RULES


def _check_rule_id(context: Context, ref: Any, path: Path) -> None:
    if isinstance(ref, str) and not _is_rule(ref):
        context.report(path, f"there is no rule {ref!r}{did_you_mean(ref, RULES)}")


def _checks(context: Context, data: Mapping[str, Any]) -> Iterator[Check]:
    seen: set[str] = set()
    for word in ("expect", "forbid"):
        raws = data.get(word)
        for index, raw in enumerate(raws if isinstance(raws, list) else []):
            part = read_part(grammar.CheckPart, raw)
            path: Path = (word, index)
            if part is None:
                continue
            if part.id in seen - {STAND_IN}:
                context.report((*path, "id"), f"the id {part.id!r} stands twice")
            seen.add(part.id)
            if part.ref is not None:
                _check_rule_id(context, part.ref, (*path, "ref"))
            yield _check(context, part, path, forbid=word == "forbid")


def _check(context: Context, part: grammar.CheckPart, path: Path, *, forbid: bool) -> Check:
    if part.client is None and part.upstream is None:
        context.report(path, "a check needs `client:` or `upstream:`, the leg that sees it")
    elif part.client is not None and part.upstream is not None:
        context.report((*path, "upstream"), "a check looks at one leg; make two of it", key=True)
    leg = Leg.CLIENT if part.client is not None else Leg.UPSTREAM
    pattern = part.client if part.client is not None else part.upstream
    anchors = {
        key: context.anchor(value, (*path, key)) if value is not None else None
        for key, value in (("after", part.after), ("before", part.before))
    }
    return Check(
        id=part.id,
        forbid=forbid,
        leg=leg,
        pattern=context.pattern(pattern, (*path, str(leg)), leg) if pattern is not None else "*",
        after=anchors["after"],
        before=anchors["before"],
        within=part.within,
        count=part.count,
        level=Level(part.level),
        ref=part.ref,
    )


def _mutants(context: Context, data: Mapping[str, Any], scripts: ScriptReader, checks: Sequence[str]) -> Iterator[Mutant]:
    seen: set[str] = set()
    raws = data.get("mutants")
    for index, raw in enumerate(raws if isinstance(raws, list) else []):
        path: Path = ("mutants", index)
        name = raw.get("id") if isinstance(raw, Mapping) else None
        rules = scripts.rules(raw.get("rules") if isinstance(raw, Mapping) else None, (*path, "rules"), f"{name}/")
        part = read_part(grammar.MutantPart, raw)
        if part is None:
            continue
        if part.id in seen - {STAND_IN}:
            context.report((*path, "id"), f"the id {part.id!r} stands twice")
        seen.add(part.id)
        for key, names in (("fails", part.fails), ("also", part.also)):
            for number, check in enumerate(names):
                if check not in checks and not _is_rule(check):
                    context.report((*path, key, number), f"there is no check {check!r}{did_you_mean(check, checks)}")
        yield Mutant(part.id, rules, tuple(part.fails), tuple(part.also))
