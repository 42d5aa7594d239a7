"""Golden reports: the digests of every file of six runs. ``python -m reports.tests.golden`` renews them, once looked at."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import reports
from reports.tests import runs
from reports.tests.runs import Run

DIGESTS: Final = Path(__file__).with_name("golden.json")
FILES: Final = ("report.html", "summary.md", "junit.xml", "ctrf.json")
GOLDEN: Final[Mapping[str, tuple[Callable[[], Run], Callable[[], Run] | None]]] = {
    "all green": (runs.green_run, None),
    "flaky": (runs.flaky_run, None),
    "idle error only in greeting and idle": (runs.seeds_run, None),
    "harness errors": (runs.harness_error_run, None),
    "two runs compared": (lambda: runs.seeds_run(5), runs.green_run),
    "known failures and a stale one": (runs.known_run, None),
}


def digests(name: str, folder: Path) -> dict[str, str]:
    """Write a golden run's report and return the digest of each file."""
    make, baseline = GOLDEN[name]
    results = make().write(folder)
    reports.write(folder, results, compare=baseline().results if baseline is not None else None)
    return {file: hashlib.sha256((folder / file).read_bytes()).hexdigest() for file in FILES}


def main() -> None:
    """Renew the digests."""
    with TemporaryDirectory() as name:
        found = {title: digests(title, Path(name) / str(index)) for index, title in enumerate(GOLDEN)}
    DIGESTS.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
