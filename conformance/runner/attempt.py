"""One attempt, from its plan to its recording, on whatever subject its target names."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack
from pathlib import Path
from typing import Any, Protocol

from conformance.client import Dial, NoSuchSound, NoSuchStep, drive
from conformance.clock import Clock, stopwatch
from conformance.runner.failures import HarnessError, RefusedError, SubjectError
from conformance.runner.length import bound
from conformance.runner.pacing import Pacing
from conformance.runner.plan import SETTLE, VIRTUAL_EPOCH, AttemptPlan
from conformance.runner.punctuality import Absence, watching
from conformance.targets.model import Upstream
from conformance.wire.audio import PCM_24K, AudioFormat, Encoding
from conformance.wire.durations import SECOND, Micros, format_duration
from conformance.wire.folding import KeepAudio
from conformance.wire.frames import CLIENT, MARK, UP, UPSTREAM, Direction, Kind
from conformance.wire.recording import Footer, Outcome, Recorder, Recording
from mock_upstream.assignment import Assignment, Handshake


class Attempt:
    """An attempt under way: its clock, its recorder, and the connections of its upstream leg.

    A subject uses it: `assign` is what the mock asks of each connection, `upstream_sink` records one that is not the
    mock's, `fail` says that the attempt cannot go on for a reason that is not the subject's.
    """

    def __init__(self, plan: AttemptPlan, *, epoch: int, recorder: Recorder, now: Callable[[], Micros]) -> None:
        """Take over the recorder; time 0 is now."""
        self.plan = plan
        self.epoch = epoch
        self.recorder = recorder
        self.now = now
        self._sink = recorder.leg(UPSTREAM)
        self._connections = 0
        self._open = 0
        self._is_over = False
        self.ended: Micros = 0
        self.notes: list[str] = []
        """What a reader of the recording should know of this attempt; kept in its footer."""
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def assign(self, _: Handshake | None = None) -> Assignment:
        """Take a new connection to the mock into this attempt."""
        conn = self.opened()
        plan = self.plan
        return Assignment(
            plan.script, plan.seed, self.epoch, self.now, self.upstream_sink, conn, plan.fault, done=self.closed
        )

    def opened(self) -> int:
        """Count a connection of the upstream leg and return its number; call `closed` when it has ended."""
        self._connections += 1
        self._open += 1
        self._quiet.clear()
        return self._connections - 1

    def closed(self) -> None:
        """Note that a connection of the upstream leg has ended."""
        self._open -= 1
        if self._open == 0:
            self._quiet.set()

    def upstream_sink(
        self,
        conn: int,
        direction: Direction,
        kind: Kind,
        body: str | bytes | Mapping[str, Any],
        scripted: str | None = None,
    ) -> None:
        """Record a frame of the upstream leg, unless the attempt is over."""
        if not self._is_over:
            self._sink(conn, direction, kind, body, scripted)

    def was_away(self, late: Micros) -> None:
        """Record that the loop, and with it all of ours, has been away for ``late`` µs until now."""
        if not self._is_over:
            self.recorder.leg(CLIENT)(0, UP, MARK, {"mark": "away", "us": late})

    def fail(self, message: str) -> None:
        """End the attempt with the outcome ``error``; the first reason given stands."""
        self.break_off(HarnessError(message))

    def break_off(self, error: HarnessError | SubjectError) -> None:
        """End the attempt through the harness's fault or the subject's; the first reason given stands."""
        if not self._failure.done():
            self._failure.set_exception(error)

    async def play(self, dial: Dial) -> None:
        """Play the steps, then give the upstream leg time to end.

        Raises:
            HarnessError: the attempt failed, or took longer than its steps can take.
            SubjectError: it ended through the subject's own fault.
            NoSuchSound: the scenario names audio that cannot be read.
        """
        target, limit = self.plan.target, bound(self.plan.cell)
        driving = asyncio.create_task(
            drive(
                self.plan.cell,
                dial=dial,
                recorder=self.recorder,
                now=self.now,
                settings=target.settings,
                client_rate=target.client_rate,
            ),
            name="client driver",
        )
        try:
            async with asyncio.timeout(limit / SECOND):
                await asyncio.wait({driving, self._failure}, return_when=asyncio.FIRST_COMPLETED)
                if self._failure.done():
                    self._failure.result()
                await driving
        except TimeoutError:
            raise HarnessError(
                f"the attempt took longer than its steps can take ({format_duration(limit)}): "
                "the last frames of its recording show where it stood still"
            ) from None
        finally:
            self._failure.cancel()
            driving.cancel()
            await asyncio.gather(driving, return_exceptions=True)
        try:
            async with asyncio.timeout(SETTLE / SECOND):
                await self._quiet.wait()
        except TimeoutError:
            return

    def end(self) -> None:
        """Record nothing more: what follows is the harness taking itself down."""
        if not self._is_over:
            self._is_over = True
            self.ended = self.now()
            if not self._failure.cancel() and not self._failure.cancelled():
                self._failure.exception()  # one that came when nobody asked any more is no complaint of the loop's


class Subject(Protocol):
    """What an attempt drives, and how it is reached. ``secrets`` must never reach the recording."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return keys and tokens to blot out."""

    def join(self, attempt: Attempt) -> AbstractAsyncContextManager[Dial]:
        """Make the subject ready for an attempt and give the driver its dial.

        Raises:
            HarnessError: it cannot be made ready.
            SubjectError: it cannot be made ready through its own fault.
        """


async def make_attempt(plan: AttemptPlan, subject: Subject, *, path: Path | None, audio_dir: Path | None) -> Recording:
    """Make one attempt on the running loop and return its recording, written to ``path`` as it goes.

    A failure that is not the subject's becomes the outcome ``error``. If cancelled, the recording ends as ``cancelled``.
    On the real API an attempt starts with a little jitter, and one that is refused at the door is made again: see `pacing`.

    Raises:
        OSError: the recording cannot be written.
    """
    if plan.target.upstream is not Upstream.REAL:
        return await _Try(plan, subject, path, audio_dir).make()
    pacing = Pacing(plan.seed)
    pause: Micros | None = pacing.start()
    while pause is not None:
        await asyncio.sleep(pause / SECOND)
        one = _Try(plan, subject, path, audio_dir, pacing)
        recording = await one.make()
        pause = one.pause
    return recording


class _Try:
    """One go at an attempt. ``pause`` says after which time another is worth while; None: this one stands."""

    def __init__(
        self, plan: AttemptPlan, subject: Subject, path: Path | None, audio_dir: Path | None, pacing: Pacing | None = None
    ) -> None:
        self._plan = plan
        self._subject = subject
        self._path = path
        self._audio_dir = audio_dir
        self._pacing = pacing
        self.pause: Micros | None = None

    async def make(self) -> Recording:
        plan, subject = self._plan, self._subject
        virtual = Clock(plan.clock) is Clock.VIRTUAL
        now = stopwatch()

        def read_clock() -> Micros:
            return now()

        epoch = VIRTUAL_EPOCH if virtual else int(time.time())
        with ExitStack() as stack:
            # On the real clock each line reaches the file at once, so that a killed run keeps what it has.
            buffering = -1 if virtual else 0
            stream = None if self._path is None else stack.enter_context(self._path.open("wb", buffering=buffering))
            recorder = Recorder(
                plan.header(epoch),
                read_clock,
                client_format=AudioFormat(Encoding.PCM16, plan.target.client_rate or PCM_24K.rate),
                keep_audio=None if self._audio_dir is None else _keeper(self._audio_dir),
                secrets=subject.secrets,
                stream=stream,
            )
            attempt = Attempt(plan, epoch=epoch, recorder=recorder, now=read_clock)
            absence = Absence()
            outcome = Outcome.ERROR
            log: tuple[str, ...] = ()
            message: str | None = "the harness itself failed; please report it with this recording"
            try:
                async with subject.join(attempt) as dial:
                    now = stopwatch()  # time 0: a subject that had to be started, or waited for, is ready
                    if not virtual:  # how late the loop was before time 0 excuses nothing
                        absence = stack.enter_context(watching(attempt.was_away))
                    try:
                        await attempt.play(dial)
                    finally:
                        attempt.end()
                outcome, message = Outcome.FINISHED, "; ".join(attempt.notes) or None
            except (asyncio.CancelledError, KeyboardInterrupt):
                outcome, message = Outcome.CANCELLED, "the attempt was cancelled"
                raise
            except SubjectError as error:
                outcome, message, log = error.outcome, str(error), error.log
            except RefusedError as error:
                message = self._give_way(error, recorder)
            except (HarnessError, NoSuchSound, NoSuchStep) as error:
                message = str(error)
            finally:
                attempt.end()
                late = max(_lateness(recorder), absence.worst)
                recording = recorder.finish(Footer(attempt.ended, outcome, message, late, log))
        return recording

    def _give_way(self, refusal: RefusedError, recorder: Recorder) -> str:
        """Ask whether to try again, and return what the recording says of this try."""
        has_begun = any(frame.leg is UPSTREAM and frame.is_event for frame in recorder.frames)
        if self._pacing is None or has_begun:
            return str(refusal)
        self.pause = self._pacing.after(refusal, time.time())
        asked = f", it asks to wait {refusal.retry_after}" if refusal.retry_after else ""
        return f"{refusal} ({self._pacing.describe()}{asked})"


def _lateness(recorder: Recorder) -> Micros:
    marks = (frame for frame in recorder.frames if frame.kind is MARK and frame.type == "lateness")
    return max((mark.data["us"] for mark in marks), default=0)


def _keeper(folder: Path) -> KeepAudio:
    def keep(digest: str, body: bytes) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{digest}.raw"
        if not path.exists():
            path.write_bytes(body)

    return keep
