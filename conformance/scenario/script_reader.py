"""The ``upstream:`` mapping and the rules of mutants, read into a `Script`."""

from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any, Final

from conformance.recordings import read_any
from conformance.scenario import grammar
from conformance.scenario.context import Context
from conformance.scenario.mistakes import ScenarioError, did_you_mean, shown
from conformance.scenario.structure import read_part
from conformance.scenario.vocabulary import REALTIME, check_pattern, check_reply
from conformance.scenario.yaml_source import Path
from conformance.wire.durations import parse_duration
from conformance.wire.fault_text import problem_of
from conformance.wire.script import FAULTS, Fault, ReplaySource, Reply, Script, ScriptRule
from mock_upstream.profiles import KNOBS, PROFILES, read_knobs
from mock_upstream.replay import Replay

_OF_RULES: Final = {"on": "when", "percent": "probability", "times": "times"}
"""What `--fault` must say of an event's fault, and a rule says for itself."""
_STANDING: Final = frozenset({"session", "handshake"})
"""Scopes of the faults that need neither an event nor a time."""


class ScriptReader:
    """Reads rules in the dialect of the script they belong to."""

    def __init__(self, context: Context, dialect: str = "ga", *, folder: FilePath) -> None:
        """Take what rules are read with; paths are relative to ``folder``."""
        self._context = context
        self._folder = folder
        self._report = context.report
        self._dialect = dialect

    def rules(self, rules: Any, path: Path, prefix: str) -> tuple[ScriptRule, ...]:
        """Read all rules whose shape is right; ``prefix`` and a number name those without an id."""
        read: list[ScriptRule] = []
        for index, raw in enumerate(rules if isinstance(rules, list) else []):
            part = read_part(grammar.RulePart, raw)
            if part is not None:
                acts = not {"reply", "delay", "fault"}.isdisjoint(raw)
                read.append(self._rule(part, (*path, index), f"{prefix}{index + 1}", acts=acts))
        ids = [rule.id for rule in read]
        for index, rule in enumerate(read):
            if rule.id in ids[:index]:
                self._report((*path, index, "id"), f"the id {rule.id!r} stands twice")
        return tuple(read)

    def _rule(self, part: grammar.RulePart, path: Path, name: str, *, acts: bool) -> ScriptRule:
        stands = part.fault is not None and part.fault.name in FAULTS and FAULTS[part.fault.name].scope in _STANDING
        if part.when is None and part.at is None and not stands:
            self._report(path, "a rule needs `when` or `at`")
        elif part.when is not None and part.at is not None:
            self._report((*path, "at"), "a rule has `when` or `at`, not both", key=True)
        if not acts:
            self._report(path, "a rule needs `reply`, `delay` or `fault`")
        if part.when is not None:
            for inner, sentence in check_pattern(part.when, REALTIME):
                self._report((*path, "when", *inner), sentence)
        reply = None
        if part.reply is not None:
            reply = tuple(self._reply(event, (*path, "reply", index)) for index, event in enumerate(part.reply))
        return ScriptRule(
            id=part.id or name,
            when=part.when,
            at=part.at,
            delay=part.delay,
            times=part.times,
            reply=reply,
            fault=self._fault(part.fault, part, (*path, "fault")) if part.fault is not None else None,
            probability=part.probability,
            conn=part.conn,
        )

    def _reply(self, event: Any, path: Path) -> Reply:
        raw = isinstance(event, Mapping) and event.get("raw") is True
        if raw:
            event = {key: value for key, value in event.items() if key != "raw"}
        for inner, sentence in check_reply(event, raw=raw, dialect=self._dialect):
            self._report((*path, *inner), sentence)
        return Reply({"type": event} if isinstance(event, str) else event, raw)

    def _fault(self, fault: grammar.FaultPart, rule: grammar.RulePart, path: Path) -> Fault:
        params = dict(fault.model_extra or {})
        spec = FAULTS.get(fault.name)
        if spec is None:
            self._report(path, f"unknown fault {fault.name!r}{did_you_mean(fault.name, FAULTS)}")
            return Fault(fault.name, params)
        if spec.scope == "event" and rule.when is None:
            self._report(path, f"the fault {fault.name!r} acts on an event; name it with `when`")
        if spec.scope == "handshake" and (rule.when is not None or rule.at is not None):
            sentence = f"the fault {fault.name!r} acts on the handshake, before any event; leave `when` and `at` out"
            self._report(path, sentence)
        for key, value in params.items():
            if key in _OF_RULES:
                self._report((*path, key), f"in a script this is the rule's own `{_OF_RULES[key]}`", key=True)
            elif key not in spec.params:
                hint = did_you_mean(key, spec.params)
                self._report((*path, key), f"{fault.name} has no parameter {key!r}{hint}", key=True)
            else:
                self._parameter(key, spec.params[key], value, (*path, key))
        return Fault(fault.name, params)

    def _parameter(self, key: str, default: Any, value: Any, path: Path) -> None:
        """Check a parameter against its default: durations are text with a unit, numbers are numbers."""
        if isinstance(default, int):
            if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
                self._report(path, f"expected a positive whole number, not {shown(value)}")
            elif problem := problem_of(key, value):
                self._report(path, problem)
        elif not isinstance(value, str):
            self._report(path, f"expected text such as {default!r}, not {shown(value)}")
        elif default[:1].isdigit():
            try:
                parse_duration(value)
            except ValueError as error:
                self._report(path, str(error))

    def script(self, upstream: Any, path: Path = ("upstream",)) -> Script:
        """Read an ``upstream:`` mapping."""
        if not isinstance(upstream, Mapping):
            return Script()
        read = self.rules(upstream.get("rules"), (*path, "rules"), "rule-")
        part = read_part(grammar.UpstreamPart, {key: value for key, value in upstream.items() if key != "rules"})
        if part is None:
            return Script(rules=read)
        settings = dict(part.model_extra or {})
        if part.profile not in PROFILES:
            self._report((*path, "profile"), f"unknown profile {part.profile!r}{did_you_mean(part.profile, PROFILES)}")
        for key, value in settings.items():
            if key not in KNOBS:
                known = {*KNOBS, *grammar.UpstreamPart.model_fields}
                self._report((*path, key), f"unknown key {key!r}{did_you_mean(key, known)}", key=True)
                continue
            if key == "expiry" and not isinstance(value, str):
                self._report((*path, key), "a duration needs a unit, such as 5ms or 5s")
                continue
            try:
                read_knobs({key: value})
            except ValueError as error:
                self._report((*path, key), str(error))
        if part.replay is None:
            return Script(profile=part.profile, rules=read, settings=settings)
        for key in upstream.keys() - {"replay", "strict"}:
            self._report((*path, key), f"a replay follows its recording; leave `{key}` out", key=True)
        return Script(replay=self._replay(part.replay, settings.get("strict") is True, (*path, "replay")))

    def _replay(self, name: str, strict: bool, path: Path) -> ReplaySource | None:
        file = self._folder / name
        try:
            source = ReplaySource(read_any(file), strict)
            Replay(source.recording)
        except OSError as error:
            self._report(path, f"{name} cannot be read ({error.strerror or error}); the path is relative to this file")
        except (ValueError, ScenarioError) as error:
            self._report(path, f"{name} cannot be replayed: {error}")
        else:
            return source
        return None


def dialect_of(upstream: Any) -> str:
    """Return the dialect an ``upstream:`` mapping asks for."""
    if not isinstance(upstream, Mapping):
        return "ga"
    profile = PROFILES.get(str(upstream.get("profile")))
    return "beta" if upstream.get("dialect") == "beta" or (profile is not None and profile.beta) else "ga"
