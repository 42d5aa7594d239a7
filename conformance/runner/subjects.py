"""Which subject a target means."""

from collections.abc import Callable

from conformance.reference_proxy.translator import Translator
from conformance.runner.attempt import Subject
from conformance.runner.failures import HarnessError
from conformance.runner.in_process import InProcess
from conformance.runner.real import Real
from conformance.targets.model import Target, Upstream


def subject_of(target: Target, translator: Callable[[], Translator] = Translator) -> Subject:
    """Return what an attempt on this target drives.

    Raises:
        HarnessError: the target cannot be driven.
    """
    if target.is_external:
        raise HarnessError(f"the target {target.name} is not in this process; this version drives in-process targets only")
    return Real(translator) if target.upstream is Upstream.REAL else InProcess(translator)
