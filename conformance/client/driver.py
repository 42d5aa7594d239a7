"""The client driver: plays a cell's steps on the client leg, each at its instant, and records that leg.

Time is nominal where a step has one. A step with ``at``, and every `hold`, is due at its base plus an offset; the base is
the nominal instant of the step before (or an anchor's), so that lateness never adds up. A step without ``at`` takes effect
at once, and a `wait` when its event comes. Audio runs in the background, each chunk due at the first one's instant plus
its place in the stream.

A step that cannot be done (a connection that is closed, a variable that no wait saved) is marked ``skipped`` and the
script goes on: what the checks then miss, they say themselves.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

import orjson
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import WebSocketException

from conformance.client.connection import Line, describe_failure
from conformance.client.listening import Listening, anchored, event_on
from conformance.client.python_steps import Message, find_step
from conformance.client.sound import chunks
from conformance.clock import sleep_until
from conformance.scenario.model import Anchor, Audio, Cell, Close, Connect, Hold, Run, Send, Speaks, Step, Wait
from conformance.scenario.variables import Unfillable, resolver, substitute
from conformance.wire import base64
from conformance.wire.audio import PCM_24K, AudioFormat, Encoding, realtime_format, voice_agent_format
from conformance.wire.durations import MILLISECOND, SECOND, Micros
from conformance.wire.frames import Direction, Frame, Kind, Leg
from conformance.wire.patterns import look_up
from conformance.wire.recording import Recorder, session_format

Dial = Callable[[Connect], Awaitable[ClientConnection]]
"""Opens a connection to the subject; its exceptions are recorded as a failed connect."""

LATE_WINDOW: Final[Micros] = 5 * SECOND
"""How long after a finished turn the driver listens before it closes: errors have come seconds after the turn."""

ANCHOR_LIMIT: Final[Micros] = 30 * SECOND
"""How long a step waits for the anchor it comes ``after``."""

_CLOSED: Final = "the connection is closed"


async def drive(
    cell: Cell,
    *,
    dial: Dial,
    recorder: Recorder,
    now: Callable[[], Micros],
    settings: Mapping[str, Any] | None = None,
    client_rate: int | None = None,
) -> None:
    """Play the steps of a cell and return when every connection is closed.

    ``now`` gives the microseconds since the attempt's start. ``settings`` is merged into each ``Settings`` sent;
    ``client_rate`` (Hz) is the rate of audio where Settings name none. If cancelled, connections are cut off.

    Raises:
        NoSuchSound: an audio file is missing or unusable.
        NoSuchStep: a `run` step names a Python step that is not registered.
    """
    driver = _Driver(cell, dial, recorder, now, settings or {}, client_rate)
    try:
        await driver.play(cell.steps)
        await driver.leave()
    finally:
        driver.drop()


class _Driver:
    def __init__(
        self,
        cell: Cell,
        dial: Dial,
        recorder: Recorder,
        now: Callable[[], Micros],
        settings: Mapping[str, Any],
        client_rate: int | None,
    ) -> None:
        self.saved: dict[str, Any] = {}
        self._cell = cell
        self._dial = dial
        self._recorder = recorder
        self._sink = recorder.leg(Leg.CLIENT)
        self._listening = Listening(recorder)
        self._now = now
        self._loop = asyncio.get_running_loop()
        self._origin = self._loop.time() - now() / SECOND
        self._settings = settings
        self._format = AudioFormat(Encoding.PCM16, client_rate or PCM_24K.rate)
        self._lines: list[Line] = []
        self._left: set[Line] = set()
        """Connections whose `close` step has been played."""
        self._connects = 0
        self._playing: dict[str, asyncio.Task[None]] = {}
        self._heard = 0
        """Waits match frames from this ``seq`` on."""

    async def play(self, steps: Sequence[Step]) -> None:
        """Play the steps in order."""
        instant = 0
        for index, step in enumerate(steps):
            try:
                due = await self._until_due(index, step, instant)
                instant = await self._do(index, step, due)
            except Unfillable as unfillable:
                instant = self._skip(index, step, str(unfillable))

    async def leave(self) -> None:
        """Let background audio end, close what the script left open, and wait for the closing handshakes."""
        await asyncio.gather(*self._playing.values())
        for line in self._lines:
            if line.is_open:
                line.close(1000, "")
            await line.wait_closed()

    def drop(self) -> None:
        """Stop at once: nothing more is sent, heard or recorded by us."""
        self._listening.stop()
        for task in self._playing.values():
            task.cancel()
        for line in self._lines:
            line.drop()

    def send(self, message: Message) -> bool:
        """Send one message on the open connection; False if there is none."""
        line = self._line
        if line is not None:
            line.send(self._prepare(message))
        return line is not None

    async def ping(self) -> bool:
        """Send a WebSocket ping on the open connection; False if there is none."""
        line = self._line
        return line is not None and await line.ping()

    @property
    def _line(self) -> Line | None:
        """The connection that was opened last, of those that the script has not closed; None if the subject closed it.

        What is meant for a session that its proxy has ended must not reach the one beside it.
        """
        line = self._meant
        return line if line is not None and line.is_open else None

    @property
    def _meant(self) -> Line | None:
        return next((line for line in reversed(self._lines) if line not in self._left), None)

    async def _until_due(self, index: int, step: Step, previous: Micros) -> Micros:
        """Wait for the step's anchor and offset; return the instant it is due (now, if the anchor is long past)."""
        offset = step.at or 0
        base = previous
        if step.after is not None:
            seen = await self._seen(step.after)
            if seen is None:
                self._mark("wait-timeout", index, step, pattern=str(step.after))
            base = self._now() if seen is None else seen.t
        is_timed = step.at is not None or step.after is not None or isinstance(step, Hold)
        if not is_timed:
            return self._now()
        due = base + offset + (step.duration if isinstance(step, Hold) else 0)
        if due > self._now():
            await self._sleep_until(due)
            self._note_lateness(index, self._now() - due)
            return due
        return due if step.after is None else self._now()

    async def _seen(self, anchor: Anchor) -> Frame | None:
        """Wait for an anchor's first instant. A step is over, or will be when its audio is; an event may never come."""
        if anchor.step is None:
            limit = self._now() + ANCHOR_LIMIT
        else:
            limit = self._now()
            playing = self._playing.get(anchor.step.removesuffix(".end"))
            if playing is not None and anchor.step.endswith(".end"):
                await playing
        wanted = anchored(replace(anchor, pattern=self._fill(anchor.pattern)))
        return await self._listening.first(wanted, until=self._loop_time(limit))

    async def _do(self, index: int, step: Step, due: Micros) -> Micros:
        """Carry a step out and return its instant."""
        match step:
            case Connect():
                return await self._connect(index, step)
            case Send():
                return self._send(index, step, due)
            case Audio():
                return self._start_audio(index, step, due)
            case Wait():
                return await self._wait(index, step, due)
            case Close():
                return await self._close(index, step, due)
            case Run():
                await find_step(step.name)(self, self._fill(step.args))
                self._mark_step(index, step)
                return self._now()
            case _:
                self._mark_step(index, step)
                return due

    async def _connect(self, index: int, step: Connect) -> Micros:
        headers, query = self._fill(step.headers), self._fill(step.query)
        conn = self._connects
        self._connects += 1
        since = len(self._recorder.frames)  # a proxy may dial its upstream before it answers us
        try:
            connection = await self._dial(Connect(id=step.id, headers=headers, query=query))
        except (OSError, WebSocketException) as error:
            status, message = describe_failure(error)
            if status is not None:
                self._sink(conn, Direction.UP, Kind.OPEN, {"status": status})
            self._mark("connect-failed", index, step, status=status, message=message)
            return self._now()
        self._lines.append(Line(connection, conn, self._sink))
        self._mark_step(index, step)
        self._heard = since
        return self._now()

    def _send(self, index: int, step: Send, due: Micros) -> Micros:
        if not self.send(self._fill(step.message)):
            return self._skip(index, step, _CLOSED)
        self._mark_step(index, step)
        return due

    async def _wait(self, index: int, step: Wait, due: Micros) -> Micros:
        event = event_on(step.leg, self._fill(step.pattern), received=True)

        def wanted_and_whole(frame: Frame) -> bool:
            return event(frame) and all(_has(frame, path) for path in step.save.values())

        def take(frame: Frame) -> None:
            self._heard = frame.seq + 1
            self.saved.update({name: look_up(frame.data, path) for name, path in step.save.items()})
            self._mark_step(index, step, event=frame.seq)

        until = due + step.within
        wanted = wanted_and_whole if step.save else event
        seen = await self._listening.first(wanted, since=self._heard, until=self._loop_time(until), taken=take)
        if seen is None:
            self._mark("wait-timeout", index, step, pattern=_describe(step.pattern))
            return until
        return max(seen.t, due)

    def _start_audio(self, index: int, step: Audio, due: Micros) -> Micros:
        line = self._line
        if line is None:
            return self._skip(index, step, _CLOSED)
        parts = chunks(step, self._cell, self._format)
        if not parts:
            return self._skip(index, step, "the audio is empty")
        line.send(self._wrap(parts[0]))
        self._mark_step(index, step)
        rest = self._send_rest(index, step, due, line, parts)
        self._playing[step.id or f"step {index}"] = asyncio.create_task(rest, name=f"audio of step {index}")
        return due

    async def _send_rest(self, index: int, step: Audio, start: Micros, line: Line, parts: Sequence[bytes]) -> None:
        late = 0
        for number, part in enumerate(parts[1:], start=1):
            if step.realtime:
                due = start + number * step.chunk
                await self._sleep_until(due)
                late = max(late, self._now() - due)
            if not line.is_open:
                break
            line.send(self._wrap(part))
        else:
            self._mark_step(index, step, edge="end")
        self._note_lateness(index, late)

    async def _close(self, index: int, step: Close, due: Micros) -> Micros:
        line = self._meant
        if line is None:
            return self._skip(index, step, _CLOSED)
        self._left.add(line)
        turn_end = self._listening.last_turn_end() if line.is_open else None
        if turn_end is not None:
            window = turn_end.t + (LATE_WINDOW if step.late is None else step.late) - due
            if window > 0:
                self._mark("late-window", index, step, ms=window / MILLISECOND)
                await line.listen(self._loop_time(due + window))
                due = self._now()
        if not line.is_open:
            return self._skip(index, step, _CLOSED)
        if step.abort:
            line.abort()
        else:
            line.close(step.code, step.reason)
        self._mark_step(index, step)
        return due

    def _fill(self, value: Any) -> Any:
        """Put in what earlier waits saved.

        Raises:
            Unfillable: something was not saved, so that the step cannot be done.
        """
        try:
            return substitute(value, resolver(self.saved))
        except KeyError as missing:
            raise Unfillable(f"no wait saved ${{{missing.args[0]}}}") from None

    def _prepare(self, message: Message) -> Message:
        """Merge the target's settings into Settings, and note the audio format that the message declares."""
        if not isinstance(message, Mapping):
            return message
        if self._cell.speaks is Speaks.VOICE_AGENT and message.get("type") == "Settings":
            message = _merge(message, self._settings)
            audio = message.get("audio")
            self._format = voice_agent_format(audio.get("input") if isinstance(audio, Mapping) else None, self._format)
        elif message.get("type") == "session.update" and isinstance(message.get("session"), Mapping):
            self._format = realtime_format(session_format(message["session"], "input")) or self._format
        return message

    def _wrap(self, audio: bytes) -> Message:
        """Put audio into the frame that carries it in the client's protocol."""
        if self._cell.speaks is Speaks.VOICE_AGENT:
            return audio
        return {"type": "input_audio_buffer.append", "audio": base64.encode(audio)}

    async def _sleep_until(self, t: Micros) -> None:
        if t > self._now():
            await sleep_until(self._loop_time(t), self._loop)

    def _loop_time(self, t: Micros) -> float:
        return self._origin + t / SECOND

    def _skip(self, index: int, step: Step, reason: str) -> Micros:
        self._mark("skipped", index, step, reason=reason)
        return self._now()

    def _mark_step(self, index: int, step: Step, edge: str = "start", **more: Any) -> None:
        self._mark("step", index, step, verb=type(step).__name__.lower(), edge=edge, **more)

    def _note_lateness(self, index: int, late: Micros) -> None:
        if late > 0:
            self._sink(self._conn, Direction.UP, Kind.MARK, {"mark": "lateness", "index": index, "us": late})

    def _mark(self, name: str, index: int, step: Step, **facts: Any) -> None:
        self._sink(self._conn, Direction.UP, Kind.MARK, {"mark": name, "index": index, "id": step.id, **facts})

    @property
    def _conn(self) -> int:
        return max(0, self._connects - 1)


def _merge(message: Mapping[str, Any], more: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the message with ``more`` laid over it, mapping by mapping."""
    merged = dict(message)
    for key, value in more.items():
        ours = merged.get(key)
        merged[key] = _merge(ours, value) if isinstance(ours, Mapping) and isinstance(value, Mapping) else value
    return merged


def _has(frame: Frame, path: str) -> bool:
    with suppress(KeyError):
        look_up(frame.data, path)
        return True
    return False


def _describe(pattern: Any) -> str:
    return pattern if isinstance(pattern, str) else orjson.dumps(pattern).decode()
