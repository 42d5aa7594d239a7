"""Known failures: what is announced to fail, so that only news is red.

Known and failing is green, unknown and failing is red, known and passing is red (stale), and so is another error than the
known one. A failure known to be flaky is red once the interval's lower bound exceeds its ``max_rate``.
"""

from conformance.known.first import first_known
from conformance.known.load import FILE_NAME, load
from conformance.known.model import Entry, Expect, Known
from conformance.known.names import unknown_names
from conformance.known.weigh import exceeded, weigh

__all__ = ["FILE_NAME", "Entry", "Expect", "Known", "exceeded", "first_known", "load", "unknown_names", "weigh"]
