"""What the tests of the report share: runs on disk, and the installed browser."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import reports
from reports.tests.runs import Run

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write a run and its report, and return its folder."""
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)

    def write(run: Run, name: str = "run", baseline: Run | None = None) -> Path:
        folder = tmp_path / name
        results = run.write(folder)
        reports.write(folder, results, compare=baseline.results if baseline is not None else None)
        return folder

    return write


@contextmanager
def chromium() -> Iterator["Browser"]:
    """Start the installed Chromium.

    Raises:
        FileNotFoundError: none is installed.
    """
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        raise FileNotFoundError("no Chromium is installed; install the package chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_QUIET), timeout=200_000)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """The installed Chromium. Without one these tests are skipped, but in CI they fail: there the page must be proven.

    No longer than a module: while Playwright's synchronous interface lives, its event loop bars every other.
    """
    with ExitStack() as stack:
        try:
            yield stack.enter_context(chromium())
        except FileNotFoundError as error:
            if os.environ.get("CI"):
                pytest.fail(str(error))
            pytest.skip(str(error))
