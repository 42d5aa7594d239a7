"""Subjects in Node: each is a folder with a package.json and a lock."""

import os
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest

from conformance.targets.pairing import Pairing
from conformance.wire.durations import SECOND

HERE = Path(__file__).parents[2] / "tests"


def install(folder: Path) -> None:
    """Install a subject's dependencies once; without Node, or without a network, its tests are skipped, but fail in CI."""
    give_up = pytest.fail if os.environ.get("CI") else pytest.skip
    if shutil.which("node") is None or shutil.which("npm") is None:
        give_up("node and npm are not installed")
    if not (folder / "node_modules").exists():
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode != 0:
            give_up(f"the dependencies of {folder.name} cannot be installed: {done.stderr[-200:]}")


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may keep a proxy from dialling its upstream for a while; that is no finding here."""
    monkeypatch.setattr("conformance.targets.external.Pairing", partial(Pairing, patience=60 * SECOND))


@pytest.fixture(scope="session")
def node() -> str:
    """Return the command of the small voice-agent proxy."""
    install(HERE / "node_proxy")
    return f"exec node {HERE / 'node_proxy' / 'proxy.js'}"


@pytest.fixture(scope="session")
def gateway() -> str:
    """Return the command of a pass-through gateway that others wrote."""
    install(HERE / "gateway")
    return f"exec node {HERE / 'gateway' / 'gateway.js'}"
