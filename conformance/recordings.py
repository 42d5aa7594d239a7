"""A recorded session, in whichever form it was kept: a recording of ours, or a cassette."""

from pathlib import Path
from typing import Final

from conformance.cassette import load_cassette
from conformance.wire.recording import Recording, load

_OURS: Final = b'{"recording":'
"""How our own begin."""
_CASSETTES: Final = frozenset({".yaml", ".yml", ".json"})
_COMPRESSED: Final = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"PK\x03\x04")
"""How gzip, bzip2, xz, zstd and zip files begin."""


def read_any(path: Path) -> Recording:
    """Read a recording (JSON lines, by whatever name) or a cassette (``.yaml``, ``.yml``, ``.json``).

    Raises:
        ScenarioError: it is no cassette.
        ValueError: it is no recording.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(len(_OURS))
    if start.startswith(_COMPRESSED):
        raise ValueError(f"{path} is compressed; unpack it first")
    return load_cassette(path) if path.suffix in _CASSETTES and start != _OURS else load(path)
