"""Memory on the virtual clock: flat over ten thousand sessions, and over an hour of audio in one, all recorded."""

import gc
import resource
import tempfile
from base64 import b64encode
from pathlib import Path
from typing import BinaryIO, Final

import orjson
from websockets.asyncio.client import unix_connect

from bench.load import END
from bench.telling import tell
from conformance.clock import run
from conformance.wire.durations import MILLISECOND, SECOND
from conformance.wire.frames import Direction, Kind, Leg
from conformance.wire.recording import Header, Recorder
from conformance.wire.script import Script
from mock_upstream.actions import Setup
from mock_upstream.assignment import Assignment, Handshake
from mock_upstream.server import MockUpstream
from mock_upstream.session import Session

_FLAT_MIB: Final = 6
"""What may be added after the first fifth: what an allocator does not give back."""
_BUFFER_MIB: Final = 24
"""The same beside an input buffer, which keeps up to 32 MiB of audio, 16 of them by then."""
_TURN: Final = '{"type":"response.create","response":{"output_modalities":["text"]}}'


def over_sessions(count: int) -> None:
    """Play sessions one after another."""

    async def scene(folder: str, null: BinaryIO) -> tuple[float, float]:
        early = 0.0
        script = Script(settings={"latency": 0, "pace": "burst"})
        headers = {"Authorization": "Bearer sk-any"}

        def assign(_: Handshake) -> Assignment:
            sink = Recorder(Header(), lambda: 0, stream=null, keep_frames=False).leg(Leg.UPSTREAM)
            return Assignment(script, 0, 1_790_000_000, lambda: 0, sink)

        async with MockUpstream(assign, unix_path=f"{folder}/mock") as mock:
            for number in range(count):
                uri = f"{mock.url}?model=gpt-realtime"
                async with unix_connect(f"{folder}/mock", uri, additional_headers=headers) as client:
                    await client.send(_TURN)
                    while END.decode() not in str(await client.recv()):
                        pass
                if number == count // 5:
                    early = _resident_mib()
        return early, _resident_mib()

    with tempfile.TemporaryDirectory() as folder, Path("/dev/null").open("wb") as null:
        early, late = run(scene(folder, null))
    _report(f"memory over {count:,} sessions", early, late, _FLAT_MIB)


def over_an_hour() -> None:
    """Hear an hour of audio in one session."""
    frame = orjson.dumps({"type": "input_audio_buffer.append", "audio": b64encode(bytes(4_800)).decode()}).decode()
    session = Session(Setup(model="gpt-realtime", key="sk-any", script=Script(settings={"expiry": "2h"})))
    now, early = 0, 0.0
    count = 3_600 * SECOND // (100 * MILLISECOND)
    with Path("/dev/null").open("wb") as null:
        record = Recorder(Header(), lambda: now, stream=null, keep_frames=False).leg(Leg.UPSTREAM)
        session.open(now)
        for number in range(count):
            now += 100 * MILLISECOND
            record(0, Direction.UP, Kind.TEXT, frame)
            session.wake(now)
            session.receive(frame, now)
            if number == count // 5:
                early = _resident_mib()
    _report("memory over an hour of audio in one session", early, _resident_mib(), _BUFFER_MIB)


def _resident_mib() -> float:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def _report(what: str, early: float, late: float, most: int) -> None:
    result = f"{early:.1f} MiB at a fifth, {late:.1f} MiB at the end (goal: at most {most} MiB more)"
    tell(what, result, reached=late - early <= most)
