"""Pictures of the page for the build's artefacts: ``python -m reports.tests.screenshots FOLDER [RUN]``.

Without RUN, a folder that holds a run, the seeds' finding is made up and shown.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import reports
from reports.tests import runs
from reports.tests.conftest import chromium

VIEWS = (
    ("report-light", {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}}, False),
    ("report-dark", {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}}, False),
    ("report-whole", {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}}, True),
    ("report-narrow", {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}}, False),
)


def main() -> None:
    """Take the pictures."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as name, chromium() as browser:
        run = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(name)
        if len(sys.argv) <= 2:
            reports.write(run, runs.seeds_run().write(run))
        for title, options, whole in VIEWS:
            page = browser.new_page(**options)  # type: ignore[arg-type]
            page.goto((run / "report.html").resolve().as_uri())
            page.screenshot(path=folder / f"{title}.png", full_page=whole)
            page.close()


if __name__ == "__main__":
    main()
