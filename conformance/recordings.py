"""A recorded session, in whichever form it was kept: a recording of ours, or a cassette."""

from pathlib import Path

from conformance.cassette import load_cassette
from conformance.wire.recording import Recording, load


def read_any(path: Path) -> Recording:
    """Read a recording (JSON lines) or a cassette (``.yaml``, ``.yml``).

    Raises:
        ScenarioError: it is no cassette.
        ValueError: it is no recording.
        OSError: it cannot be read.
    """
    return load_cassette(path) if path.suffix in {".yaml", ".yml"} else load(path)
