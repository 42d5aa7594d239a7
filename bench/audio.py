"""Two hundred concurrent audio sessions at 50 frames a second in real time: how late the mock is.

The load client is one ticker over all sessions. Its own lateness is measured, too: what it cannot keep up with is not the
mock's.
"""

import asyncio
from base64 import b64encode
from collections import deque
from time import perf_counter
from typing import Final

import orjson

from bench.load import END, Wire, close, connect, percentile, text_frame
from bench.processes import AT_ONCE, server
from bench.telling import tell

SESSIONS: Final = 200
FRAME_S: Final = 0.02
GOAL_S: Final = 0.010
_GROUPS: Final = 20
"""Sessions are staggered over a frame's 20 ms, as independent callers are."""
_TURN: Final = text_frame({"type": "response.create", "response": {"output_modalities": ["audio"]}})
_SILENCE: Final = text_frame({"type": "input_audio_buffer.append", "audio": b64encode(bytes(960)).decode()})
_ASK: Final = text_frame({"type": "input_audio_buffer.clear"})
_ANSWER: Final = b'"input_audio_buffer.cleared"'
_ASK_EVERY: Final = 25


class Caller(Wire):
    """A session that notes when each audio delta came, and how long each answer took."""

    def __init__(self) -> None:
        super().__init__()
        self.deltas: list[float] = []
        self.asked: deque[float] = deque()
        self.delays: list[float] = []

    def data_received(self, data: bytes) -> None:
        """Note what came when."""
        now = perf_counter()
        self.deltas += [now] * data.count(b'"response.output_audio.delta"')
        for _ in range(data.count(_ANSWER)):
            self.delays.append(now - self.asked.popleft())
        super().data_received(data)


async def speaking(seconds: float) -> None:
    """Let the mock speak in 200 sessions; lateness counts from the session's earliest frame, less its 20 ms per frame."""
    transcript = "x" * round(seconds * 1_000 / 65)
    settings = {"latency": 0, "pace": "realtime", "chunk_ms": 20, "transcript": [transcript]}
    async with server("mock", orjson.dumps(settings).decode()) as mock:
        callers = [await connect(mock.port, Caller) for _ in range(SESSIONS)]
        before, began = await mock.cpu(), perf_counter()
        lags = await _tick(callers, 1, _TURN)
        await asyncio.gather(*(caller.until(END) for caller in callers))
        busy = (await mock.cpu() - before) / (perf_counter() - began)
        lateness: list[float] = []
        for caller in callers:
            offsets = [at - number * FRAME_S for number, at in enumerate(caller.deltas[2:])]
            lateness += [offset - min(offsets) for offset in offsets]
            await close(caller)
    _report(f"lateness of {len(lateness)} audio frames from {SESSIONS} sessions at 50/s", lateness, lags, busy)


async def listening(seconds: float) -> None:
    """Let 200 clients speak; the delay of an answer amid them is how late the mock is."""
    async with server("mock", orjson.dumps(dict(AT_ONCE)).decode()) as mock:
        callers = [await connect(mock.port, Caller) for _ in range(SESSIONS)]
        before, began = await mock.cpu(), perf_counter()
        lags = await _tick(callers, round(seconds / FRAME_S), _SILENCE)
        busy = (await mock.cpu() - before) / (perf_counter() - began)
        await asyncio.sleep(0.2)
        delays = [delay for caller in callers for delay in caller.delays]
        for caller in callers:
            await close(caller)
    _report(f"delay of {len(delays)} answers amid {SESSIONS} microphones at 50 frames/s", delays, lags, busy)


async def _tick(callers: list[Caller], frames: int, payload: bytes) -> list[float]:
    """Send each caller a frame every 20 ms, now and then with a question; return how late the ticks were."""
    lags: list[float] = []
    loop = asyncio.get_running_loop()
    began = loop.time() + 0.01
    for tick in range(frames * _GROUPS):
        due = began + tick * FRAME_S / _GROUPS
        await asyncio.sleep(max(0.0, due - loop.time()))
        lags.append(max(0.0, loop.time() - due))
        frame, group = divmod(tick, _GROUPS)
        for number, caller in enumerate(callers[group::_GROUPS]):
            asks = frames > 1 and (frame + number) % _ASK_EVERY == _ASK_EVERY - 1
            if asks:
                caller.asked.append(perf_counter())
            caller.transport.write(payload + _ASK if asks else payload)
    return lags


def _report(what: str, late: list[float], lags: list[float], busy: float) -> None:
    p99 = percentile(late, 99)
    tell(
        what,
        f"p50 {percentile(late, 50) * 1e3:.2f} ms, p99 {p99 * 1e3:.2f} ms (goal ≤ {GOAL_S * 1e3:.0f} ms); "
        f"the client's own p99 {percentile(lags, 99) * 1e3:.2f} ms; server {busy:.0%} of a core",
        reached=p99 <= GOAL_S,
    )
