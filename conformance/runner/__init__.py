"""From a plan to a recording: wires the driver, the subject and the upstream together for one attempt."""

from collections.abc import Callable
from pathlib import Path

from conformance.clock import run
from conformance.reference_proxy.translator import Translator
from conformance.runner.attempt import Attempt, Subject, make_attempt
from conformance.runner.failures import HarnessError, explain
from conformance.runner.in_memory import InMemory
from conformance.runner.in_process import InProcess
from conformance.runner.length import bound
from conformance.runner.plan import VIRTUAL_EPOCH, AttemptPlan
from conformance.runner.subjects import subject_of
from conformance.wire.recording import Recording

__all__ = [
    "VIRTUAL_EPOCH",
    "Attempt",
    "AttemptPlan",
    "HarnessError",
    "InMemory",
    "InProcess",
    "Subject",
    "bound",
    "explain",
    "record",
    "record_async",
    "subject_of",
]


def record(
    plan: AttemptPlan,
    *,
    path: Path | None = None,
    audio_dir: Path | None = None,
    translator: Callable[[], Translator] = Translator,
    subject: Subject | None = None,
) -> Recording:
    """Make one attempt on a fresh loop of the plan's clock; see `record_async`.

    On the virtual clock the same plan gives the same file, byte for byte.
    """
    attempt = record_async(plan, path=path, audio_dir=audio_dir, translator=translator, subject=subject)
    return run(attempt, clock=plan.clock)


async def record_async(
    plan: AttemptPlan,
    *,
    path: Path | None = None,
    audio_dir: Path | None = None,
    translator: Callable[[], Translator] = Translator,
    subject: Subject | None = None,
) -> Recording:
    """Make one attempt on the running loop; many may run at once, bounded by the caller.

    Args:
        plan: what to do.
        path: where to write the recording as it grows.
        audio_dir: where to keep the audio bodies by content, ``<sha256>.raw``; None keeps none.
        translator: makes the reference proxy's core, for one a proxy that is broken on purpose.
        subject: what to drive instead of what the plan's target names.

    Returns:
        The recording. A failure of the harness or its surroundings is the outcome ``error`` in its footer, with a message.

    Raises:
        HarnessError: the target cannot be driven at all.
        OSError: the recording cannot be written.
        asyncio.CancelledError: the attempt was cancelled; its recording, in ``path``, says so.
    """
    chosen = subject_of(plan.target, translator) if subject is None else subject
    return await make_attempt(plan, chosen, path=path, audio_dir=audio_dir)
