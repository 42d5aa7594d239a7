"""One run: from the options to attempts, results and the run folder."""

import asyncio
import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from conformance.plugin.items import AttemptItem
from conformance.plugin.lookahead import LookAhead
from conformance.plugin.options import Options
from conformance.results import AttemptResult, Results, load
from conformance.run_folder import RunFolder, describe, digests
from conformance.scenario.model import Cell
from conformance.targets.manifest import describe_target
from conformance.targets.model import Target, Upstream
from conformance.verdicts import Verdict
from conformance.wire.durations import to_seconds
from conformance.wire.frames import Leg

if TYPE_CHECKING:
    from conformance.known import Known
    from conformance.plugin.proofs import ScenarioProof
    from conformance.real.preflight import Found
    from conformance.runner import AttemptPlan
    from conformance.targets.external import ExternalSubject, ExternalSubjects
    from conformance.wire.recording import Recording


_ROOM: Final = 16
"""How many times the concurrency may be done ahead of pytest, which asks in order and may be waiting for a long attempt."""


@dataclass(frozen=True, slots=True)
class Key:
    """Which attempt, which try; known by its name."""

    name: str
    target: Target = field(compare=False)
    cell: Cell = field(compare=False)
    attempt: int = field(compare=False)
    rerun: int = field(compare=False, default=0)


def _key(item: AttemptItem, rerun: int = 0) -> Key:
    name = item.nodeid if rerun == 0 else f"{item.nodeid} (rerun {rerun})"
    return Key(name, item.target, item.cell, item.attempt, rerun)


class Run:
    """What the plugin knows of a run; the controller owns the folder, workers write recordings into it."""

    def __init__(self, options: Options, root: Path, scenarios: Path) -> None:
        """Prepare a run; nothing is written yet. ``scenarios`` is the folder that known.yaml stands in."""
        self.options = options
        self.root = root
        self.scenarios = scenarios
        self.folder: RunFolder | None = None
        self.cancelled: list[str] = []
        self.leftover: list[AttemptResult] = []
        """What was made ahead and never asked for, because the run was stopped: it was paid for, so it counts."""
        self._ahead: LookAhead[Key, Recording] | None = None
        self._externals: ExternalSubjects | None = None
        self.is_planned = False
        self._order: list[Key] = []
        self._manifest: dict[str, Any] = {}
        self._proofs: list[Mapping[str, Any]] = []
        self._tokens = 0

    def real_api_line(self, items: Sequence[AttemptItem] | None = None) -> str:
        """Say what costs money, and of how many attempts as soon as they are selected."""
        api, most = self.options.api, f"at most {self.options.concurrency} at once"
        if api is None:
            raise RuntimeError("only a run of the real API says so")
        if items is not None:
            n = sum(item.target.upstream is Upstream.REAL and item.target.refuses(item.cell) is None for item in items)
            most = f"{n} attempt{'s' * (n != 1)}, {most}"
        return f"REAL API {api.shown} model {api.model}, {most}"

    def preflight(self) -> "Found | None":
        """Read what is known to fail and the run to compare with, and connect to the real API once, if it is driven.

        Raises:
            ValueError: one of them cannot be read, or the API cannot be used; nothing was run.
        """
        _ = self._known, self.baseline
        if self.options.api is None:
            return None
        from conformance.real.preflight import PreflightError, preflight

        try:
            return asyncio.run(preflight(self.options.api))
        except PreflightError as error:
            raise ValueError(f"{error} (nothing was run)") from None

    def note_preflight(self, found: "Found | None") -> None:
        """Add to the manifest what the first connection showed."""
        if found is not None and self.options.api is not None:
            self._note(real={"url": self.options.api.shown, "model": self.options.api.model, "found": asdict(found)})

    def plan(self, items: Sequence[AttemptItem]) -> str:
        """Say what a run of these would take."""
        from conformance.real.estimate import estimate

        tried = [item for item in items if item.target.refuses(item.cell) is None]
        if self.options.is_virtual:
            said = f"{len(tried)} attempt{'s' * (len(tried) != 1)} on the virtual clock"
        else:
            paid = [item.cell for item in tried if item.target.upstream is Upstream.REAL]
            said = str(estimate([item.cell for item in tried], self.options.concurrency, paid))
        left = len(items) - len(tried)
        return f"plan: {said}" + (f"; {left} more are nothing for the target" if left else "")

    @property
    def tokens_line(self) -> str:
        """Say what a run of the real API has cost."""
        budget = self.options.budget_tokens
        return f"tokens: the API counted {self._tokens:,}" + (f", the budget was {budget:,}" if budget else "")

    @property
    def proves_checks(self) -> bool:
        """True when mutants run: they test the scenarios, so only on the virtual clock and without a fault."""
        return self.options.is_virtual and self.options.fault is None

    def bound(self, cell: Cell) -> float:
        """Return the longest that an attempt may take, in seconds of real time."""
        from conformance.runner import bound

        waiting = 0.0 if self.options.is_virtual else to_seconds(bound(cell)) * 2
        return waiting + 30.0

    def join(self, shared: Mapping[str, Any]) -> None:
        """Take over what the controller fixed for its workers: the seed and the run folder."""
        self.options = replace(self.options, seed=shared["seed"])
        self.folder = RunFolder(Path(shared["folder"]))

    @property
    def shared(self) -> dict[str, Any]:
        """What workers must be told."""
        return {"seed": self.options.seed, "folder": str(self._folder_path)}

    def open_folder(self, argv: Sequence[str]) -> RunFolder:
        """Create the run folder and its manifest.

        Raises:
            OSError: it cannot be written.
        """
        options = self.options
        name = "-".join([*(target.name for target in options.targets), *([options.fault.name] if options.fault else [])])
        self.folder = RunFolder.create(options.run_dir, name, self.root)
        self._manifest = {
            **describe(argv, options.seed),
            "targets": [describe_target(target) for target in options.targets],
            "count": options.count,
            "clock": options.clock,
            "concurrency": options.concurrency,
            "fault": options.fault.name if options.fault else None,
        }
        self.folder.write_manifest(self._manifest)
        return self.folder

    def note_scenarios(self, scenarios: Sequence[Path]) -> None:
        """Add the digests of the scenarios to the manifest."""
        relative = [path.relative_to(self.root) if path.is_relative_to(self.root) else path for path in scenarios]
        self._note(scenarios=digests(relative, self.root))

    @property
    def has_proofs(self) -> bool:
        """True once a scenario's checks were proven."""
        return bool(self._proofs)

    def note_proof(self, proof: Mapping[str, Any]) -> None:
        """Take what a scenario's mutants showed."""
        self._proofs.append(proof)

    def finish(self, attempts: Sequence[AttemptResult], *, interrupted: bool) -> list[str]:
        """Add to the manifest how the run ended, and return what makes it red beyond its attempts."""
        from conformance.known import exceeded
        from conformance.plugin.proofs import coverage_of

        problems = [f"{proof['scenario']}: {problem}" for proof in self._proofs for problem in proof["problems"]]
        problems += exceeded(self._known, attempts)
        self._note(
            interrupted=interrupted,
            cancelled=self.cancelled,
            problems=problems,
            proofs=len(self._proofs),
            tokens=self._tokens,
            budget=self.spent_budget(),
            coverage=coverage_of(attempts, self._proofs),
        )
        return problems

    @cached_property
    def baseline(self) -> Results | None:
        """The results of the run to compare with."""
        if self.options.compare is None:
            return None
        path = self.options.compare / "results.json"
        try:
            return load(path)
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else "") or str(error)
            raise ValueError(f"--compare: {path} cannot be read: {reason.removeprefix(f'{path}: ')}") from None

    def plan_order(self, items: Sequence[AttemptItem]) -> None:
        """Remember the order in which attempts will be asked for: the selection is made."""
        self.is_planned = True
        self._order = [_key(item) for item in items if item.target.refuses(item.cell) is None]

    def attempt(self, item: AttemptItem, *, rerun: int) -> AttemptResult:
        """Record one attempt and judge it; what the target does not speak is not tried."""
        reason = item.target.refuses(item.cell)
        blank = self.without_recording(item, reason or "", Verdict.UNSUPPORTED)
        if reason is not None:
            return blank
        key = _key(item, rerun)
        path = self._path(key)
        started = time.monotonic()
        recording = self._record(key, path)
        return self._judge(key, recording, replace(blank, rerun=rerun, wall_s=round(time.monotonic() - started, 6)))

    def _settle(self, key: Key, made: "Recording | Exception") -> AttemptResult:
        """Return the result of an attempt that nobody asked for any more; one that raised says nothing of the subject."""
        blank = self._blank(key)
        if isinstance(made, Exception):
            return replace(blank, message=f"{type(made).__name__}: {made}".rstrip(": "))
        return self._judge(key, made, blank)

    def _judge(self, key: Key, recording: "Recording", blank: AttemptResult) -> AttemptResult:
        from conformance.judge import judge
        from conformance.known import weigh

        judgement = judge(key.cell, recording, key.target)
        result = replace(
            blank,
            verdict=judgement.verdict,
            checks=judgement.checks,
            duration_s=to_seconds(recording.end),
            recording=self._path(key).relative_to(self._folder_path).as_posix(),
            message=(recording.footer.message or "") if recording.footer is not None else "",
            observed=judgement.observed,
            faulted=judgement.faulted,
        )
        return result if self.options.fault is not None else weigh(self._known, result)

    @property
    def has_started_ahead(self) -> bool:
        """True while attempts that were paid for have not been asked for."""
        return self._ahead is not None and self._ahead.has_pending

    def spent_budget(self) -> str | None:
        """Return why no more attempts may start; None while they may."""
        budget = self.options.budget_tokens
        if budget is None or self._tokens < budget:
            return None
        return f"--budget-tokens {budget}: {self._tokens} tokens were used; attempts not run by then were left out"

    def without_recording(self, item: AttemptItem, reason: str, verdict: Verdict = Verdict.ERROR) -> AttemptResult:
        """Return the result of an attempt that was not recorded, or cut off before it could be judged."""
        blank = self._blank(_key(item))
        return replace(blank, rerun=item.tries, message=reason, verdict=verdict)

    def _blank(self, key: Key) -> AttemptResult:
        return AttemptResult(
            scenario=key.cell.scenario,
            flow=key.cell.flow,
            cell=key.cell.values,
            attempt=key.attempt,
            target=key.target.name,
            seed=attempt_seed(self.options.seed, key.cell, key.attempt),
            verdict=Verdict.ERROR,
            checks=(),
            duration_s=0.0,
            wall_s=0.0,
            recording=None,
            rerun=key.rerun,
            nodeid=key.name,
            title=key.cell.title,
        )

    def prove(self, cells: Sequence[Cell]) -> "ScenarioProof":
        """Run a scenario's mutants and spoil its recordings."""
        from conformance.plugin.proofs import prove_scenario

        return prove_scenario(cells, self.options.targets[0], self.options.seed)

    def close(self) -> None:
        """Cancel what was started ahead and stop the subjects."""
        if self._ahead is None:
            return
        self.cancelled = [key.name for key in self._ahead.stop()]
        finished = [(key, made) for key, made in self._ahead.finished() if key.name not in self.cancelled]
        self.leftover = [self._settle(key, made) for key, made in finished]
        if self._externals is not None:
            self._ahead.call(self._externals.stop)
        self._ahead.close()
        self._ahead = None

    def _record(self, key: Key, path: Path) -> "Recording":
        from conformance.runner import record

        if self.options.is_virtual:
            recording = record(self._plan(key), path=path, audio_dir=self._audio_dir)
            self._tokens += tokens_used(recording)
            return recording
        if self._ahead is None:
            many = self.options.concurrency
            room = many * (2 if self.options.may_stop_early else _ROOM)
            self._ahead = LookAhead(self._record_in_real_time, self._order, many, lambda: self.spent_budget() is None, room)
        return self._ahead.obtain(key)

    async def _record_in_real_time(self, key: Key) -> "Recording":
        from conformance.runner import record_async

        subject = self._external(key.target)
        plan = self._plan(key)
        recording = await record_async(plan, path=self._path(key), audio_dir=self._audio_dir, subject=subject)
        self._tokens += tokens_used(recording)
        return recording

    def _external(self, target: Target) -> "ExternalSubject | None":
        if not target.is_external:
            return None
        from conformance.targets.external import ExternalSubjects

        if self._externals is None:
            self._externals = ExternalSubjects(self._folder_path)
        return self._externals.of(target)

    def _plan(self, key: Key) -> "AttemptPlan":
        from conformance.runner import AttemptPlan

        return AttemptPlan(
            cell=key.cell,
            attempt=key.attempt,
            seed=attempt_seed(self.options.seed, key.cell, key.attempt),
            target=key.target,
            fault=self.options.fault if key.target.upstream is Upstream.MOCK else None,
            clock=self.options.clock,
        )

    @property
    def _folder_path(self) -> Path:
        if self.folder is None:
            raise RuntimeError("the run folder is opened before the first attempt")
        return self.folder.path

    @property
    def _audio_dir(self) -> Path | None:
        return self._folder_path / "audio" if self.options.keep_audio else None

    def _path(self, key: Key) -> Path:
        suffix = f"@{key.target.name}" if len(self.options.targets) > 1 else ""
        return RunFolder(self._folder_path).recording_path(key.cell, key.attempt, rerun=key.rerun, suffix=suffix)

    @cached_property
    def _known(self) -> "Known":
        from conformance.known import FILE_NAME
        from conformance.known import load as load_known

        return load_known(self.scenarios / FILE_NAME)

    def _note(self, **facts: Any) -> None:
        self._manifest.update(facts)
        if self.folder is not None:
            self.folder.write_manifest(self._manifest)


def attempt_seed(seed: int, cell: Cell, attempt: int) -> int:
    """Return an attempt's own seed, whatever the selection, the order or the worker."""
    identity = orjson.dumps([seed, cell.scenario, cell.values, attempt], option=orjson.OPT_SORT_KEYS)
    return int.from_bytes(hashlib.sha256(identity).digest()[:8]) >> 1


def tokens_used(recording: "Recording") -> int:
    """Return what the upstream says its responses used, in tokens."""
    used = 0
    for frame in recording.frames:
        match frame.type, frame.data:
            case "response.done", {"response": {"usage": {"total_tokens": int(tokens)}}}:
                used += tokens if frame.leg is Leg.UPSTREAM else 0
            case _:
                pass
    return used
