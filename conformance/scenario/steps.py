"""The steps of the client, read."""

from binascii import Error as HexError
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any, Final

from conformance.scenario import grammar
from conformance.scenario.context import Context
from conformance.scenario.grammar import SOUNDS
from conformance.scenario.mistakes import did_you_mean
from conformance.scenario.model import Audio, Close, Connect, Hold, Run, Send, Step, Wait
from conformance.scenario.structure import read_part
from conformance.scenario.values import FORMS, parse_size
from conformance.scenario.yaml_source import Path
from conformance.wire.durations import parse_duration

_CLIENT_CODES: Final = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)})


class StepReader:
    """Reads steps; audio files are looked for below ``roots``: the scenario's own root, then the shipped library."""

    def __init__(self, context: Context, roots: tuple[FilePath, ...]) -> None:
        """Take what steps are read with."""
        self._context = context
        self._report = context.report
        self._roots = roots

    def read(self, steps: Any) -> tuple[Step, ...]:
        """Read all steps whose shape is right."""
        if not isinstance(steps, list):
            return ()
        verbs = [grammar.verbs_of(step) for step in steps]
        first = next((number for number, verb in enumerate(verbs) if verb not in (["hold"], ["run"])), 0)
        if verbs and verbs[first] not in ([], ["connect"], ["hold"], ["run"]):
            self._report(("client", first), "nothing is connected yet; the client begins with `connect:`")
        read = (self._step(step, number) for number, step in enumerate(steps))
        return tuple(step for step in read if step is not None)

    def _step(self, raw: Any, number: int) -> Step | None:
        verbs = grammar.verbs_of(raw)
        part = read_part(grammar.STEPS[verbs[0]], raw) if len(verbs) == 1 else None
        if part is None:
            return None
        path: Path = ("client", number)
        after = self._context.anchor(part.after, (*path, "after"), earlier_than=number) if part.after is not None else None
        return self._verb(part, path, {"id": part.id, "after": after, "at": part.at})

    def _verb(self, part: grammar.StepPart, path: Path, common: dict[str, Any]) -> Step | None:
        match part:
            case grammar.ConnectStep(connect=options):
                options = options or grammar.ConnectOptions()
                return Connect(headers=options.headers, query=options.query, **common)
            case grammar.SendStep(send=message):
                return Send(message=self._message(message, (*path, "send")), **common)
            case grammar.AudioStep():
                return self._audio(part, (*path, "audio"), common)
            case grammar.WaitStep():
                leg, pattern = self._context.wait_pattern(part.wait, (*path, "wait"))
                return Wait(leg=leg, pattern=pattern, within=part.within, save=part.save or {}, **common)
            case grammar.HoldStep(hold=duration):
                return Hold(duration=duration, **common)
            case grammar.CloseStep(close=options):
                if options.code not in _CLIENT_CODES:
                    self._report((*path, "close"), f"a client cannot close with {options.code}; use 1000 or 3000 to 4999")
                return Close(code=options.code, reason=options.reason, late=options.late, abort=options.abort, **common)
            case grammar.RunStep(run=options):
                return Run(name=options.name, args=options.args, **common)
            case _:  # pragma: no cover
                raise AssertionError(part)

    def _message(self, message: Any, path: Path) -> Mapping[str, Any] | str | bytes:
        if not isinstance(message, Mapping) or len(message) != 1 or not next(iter(message)).startswith("$"):
            sent: Mapping[str, Any] | str = message
            return sent
        form, value = next(iter(message.items()))
        path = (*path, form)
        try:
            match form, value:
                case "$binary", str():
                    return value.encode()
                case "$hex", str() | int():
                    return bytes.fromhex(str(value))
                case "$bytes", _:
                    return bytes(parse_size(value))
        except (HexError, ValueError) as error:
            self._report(path, str(error).replace("non-hexadecimal", "$hex needs pairs of hex digits: non-hexadecimal"))
            return b""
        if form in FORMS:
            self._report(path, f"{form} needs text; quote it")
        else:
            self._report(path, f"unknown form {form!r}{did_you_mean(form, FORMS)}", key=True)
        return b""

    def _audio(self, part: grammar.AudioStep, path: Path, common: dict[str, Any]) -> Audio | None:
        common |= {"chunk": part.chunk, "realtime": part.pace == "realtime"}
        match part.audio:
            case str() as name if name in SOUNDS:
                self._report(path, f"{name} needs a duration: audio: {{{name}: 1s}}")
            case str() as name:
                for root in self._roots:
                    if (root / name).is_file():
                        return Audio(source=name if root == self._roots[0] else str(root / name), **common)
                self._report(path, f"there is no {name!r} below {self._roots[0]}")
            case Mapping() as sounds if len(sounds) == 1:
                sound, duration = next(iter(sounds.items()))
                return self._sound(sound, duration, (*path, sound), common)
            case _:
                self._report(path, "expected a WAV file, {silence: 1s} or {tone: 1s}")
        return None

    def _sound(self, sound: str, duration: Any, path: Path, common: dict[str, Any]) -> Audio | None:
        if sound not in SOUNDS:
            self._report(path, f"unknown sound {sound!r}{did_you_mean(sound, SOUNDS)}", key=True)
            return None
        try:
            length = parse_duration(duration) if isinstance(duration, str) else 0
        except ValueError as error:
            self._report(path, str(error))
            return None
        if length == 0:
            self._report(path, f"{sound} needs a duration longer than 0, with a unit")
            return None
        return Audio(source=sound, duration=length, **common)
