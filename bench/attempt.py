"""CPU per attempt on the virtual clock, recorded and judged: both legs over WebSockets, with the recording in a file; and
in memory, without and with that file.

Run ``python -m bench.attempt [ROUNDS]``; ``--profile`` shows where the time of the text turn goes.
"""

import cProfile
import pstats
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.telling import misses, tell
from conformance.judge import judge
from conformance.runner import AttemptPlan, InMemory, InProcess, Subject, record
from conformance.scenario.model import Audio, Cell, Close, Connect, Hold, Send, Speaks, Step, Wait
from conformance.targets.model import Target
from conformance.wire.durations import SECOND
from conformance.wire.frames import Leg
from conformance.wire.script import Script

SETTINGS = Send(message={"type": "Settings", "agent": {"think": {"prompt": "Be brief."}}})
READY = Wait(leg=Leg.CLIENT, pattern="SettingsApplied", within=5 * SECOND)
DONE = Wait(leg=Leg.CLIENT, pattern="AgentAudioDone", within=10 * SECOND)
HELLO = Send(message={"type": "InjectUserMessage", "content": "Hi"})
TONE = Audio(source="tone", duration=SECOND)
TEXT: tuple[Step, ...] = (Connect(), SETTINGS, READY, HELLO, DONE, Close())
AUDIO: tuple[Step, ...] = (Connect(), SETTINGS, READY, TONE, DONE, Hold(duration=SECOND), Close())
GOALS_MS = {"text turn": (15.0, 2.0), "firm audio, 1 s in 20 ms frames": (35.0, 6.0)}


def cell_of(steps: tuple[Step, ...]) -> Cell:
    """Return a cell that plays these steps against the faithful mock."""
    return Cell("bench/attempt", "bench", "", Path("bench"), {}, Speaks.VOICE_AGENT, (), (), steps, Script(), (), ())


def cpu_ms(work: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Return the median and the least CPU time of one call, in milliseconds."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append((time.process_time() - start) * 1000)
    return statistics.median(times), min(times)


def main() -> None:
    """Print one line for each kind of attempt."""
    rounds = next((int(argument) for argument in sys.argv[1:] if argument.isdigit()), 50)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "recording.jsonl"
        for (name, goals), steps in zip(GOALS_MS.items(), (TEXT, AUDIO), strict=True):
            plan = AttemptPlan(cell=cell_of(steps))
            recording = record(plan)
            judging, _ = cpu_ms(partial(judge, plan.cell, recording, Target()), rounds)
            print(f"{name}: {len(recording.frames)} frames; judging {judging:.1f} ms CPU")  # noqa: T201
            over_sockets, in_memory = goals
            for wiring, subject, file, goal in (
                ("over WebSockets", InProcess(), path, over_sockets),
                ("in memory", InMemory(), None, in_memory),
                ("in memory, into a file", InMemory(), path, None),
            ):
                attempt = partial(recorded_and_judged, plan, file, subject)
                cpu_ms(attempt, 3)
                median, least = cpu_ms(attempt, rounds)
                result = f"{median:.1f} ms CPU, at least {least:.1f} (goal {f'≤ {goal:g}' if goal else 'none'})"
                tell(f"{name} {wiring}", result, reached=goal is None or median <= goal)
                if "--profile" in sys.argv:
                    with cProfile.Profile() as profile:
                        cpu_ms(attempt, 20)
                    pstats.Stats(profile).sort_stats("tottime").print_stats(45)

    sys.exit(bool(misses))


def recorded_and_judged(plan: AttemptPlan, path: Path | None, subject: Subject) -> object:
    """Make an attempt and judge it."""
    return judge(plan.cell, record(plan, path=path, subject=subject), Target())


if __name__ == "__main__":
    main()
