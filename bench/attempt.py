"""CPU per attempt on the virtual clock: recorded, both legs over WebSockets, then judged.

Run ``python bench/attempt.py [ROUNDS]``; ``--profile`` shows where the time of the text turn goes.
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

from conformance.judge import judge
from conformance.runner import AttemptPlan, InProcess, record
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
GOALS_MS = {"text turn": 15.0, "firm audio, 1 s in 20 ms frames": 35.0}


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
        for name, steps in zip(GOALS_MS, (TEXT, AUDIO), strict=True):
            plan = AttemptPlan(cell=cell_of(steps))

            def attempt(plan: AttemptPlan = plan) -> object:
                return judge(plan.cell, record(plan, path=path, subject=InProcess()), Target())

            for _ in range(3):
                attempt()
            median, least = cpu_ms(attempt, rounds)
            recording = record(plan)
            judging, _ = cpu_ms(partial(judge, plan.cell, recording, Target()), rounds)
            print(  # noqa: T201
                f"{name}: {median:.1f} ms CPU (least {least:.1f}, judging {judging:.1f}, {len(recording.frames)} frames); "
                f"goal {GOALS_MS[name]:g} ms"
            )
            if "--profile" in sys.argv:
                profile = cProfile.Profile()
                profile.enable()
                for _ in range(20):
                    attempt()
                profile.disable()
                pstats.Stats(profile).sort_stats("tottime").print_stats(45)


if __name__ == "__main__":
    main()
