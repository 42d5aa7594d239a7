"""The wheel, installed in somebody else's repository, works there and breaks nothing."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
THEIRS = """
scenario: own
flow: own
title: Theirs
client:
  - connect:
  - close: {code: 1000, late: 0s}
expect:
  - {id: closed, client: {type: close, dir: up}}
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True, timeout=500
    )
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that has the wheel and our dependencies, and does not know this checkout."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=500)
    python = folder / "bin" / "python"
    site = next(folder.glob("lib/python*/site-packages"))
    # A path file inside a folder that is itself added by a path file is not read: the checkout stays unknown.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, "--force-reinstall", "--ignore-installed", str(wheel)], check=True, timeout=500)
    return python


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A repository that has its own ``reports`` package and its own ``scenarios`` folder."""
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "__init__.py").write_text("OURS = 'their reports'\n")
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "load.yaml").write_text("users: 5\nscenario_name: load\n")
    (tmp_path / "scenarios" / "test_theirs.py").write_text(
        "import reports\n\n\ndef test_ours():\n    assert reports.OURS\n"
    )
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\npythonpath = ['.']\n")
    return tmp_path


def run(python: Path, folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "PYTHONPATH"))}
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", *args]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=500, env=environment, check=False)


def test_the_wheel_carries_the_library_as_data_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert [name for name in names if "/tests/" in name] == []
    assert any(name.startswith("conformance/library/greeting/") for name in names)
    assert any(name.startswith("conformance/library/speech/") and name.endswith(".wav") for name in names)
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {
        "conformance",
        "conformance_reports",
        "mock_upstream",
    }


def test_the_library_runs_in_a_foreign_repository(python: Path, foreign: Path) -> None:
    found = run(python, foreign, "--library", "-k", "greeting", "--count", "2")
    assert found.returncode == 0, found.stdout + found.stderr
    report = foreign / "runs" / "latest" / "report.html"
    assert report.stat().st_size > 10_000
    command = [str(python), "-c", "import conformance; print(conformance.__file__)"]
    where = subprocess.run(command, cwd=foreign, capture_output=True, text=True, check=True)
    assert str(ROOT) not in where.stdout


def test_their_own_tests_and_folders_are_left_alone(python: Path, foreign: Path) -> None:
    found = run(python, foreign)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "1 passed" in found.stdout
    assert not (foreign / "runs").exists()


def test_their_scenarios_and_the_library_run_together(python: Path, foreign: Path) -> None:
    (foreign / "scenarios" / "own.yaml").write_text(THEIRS)
    found = run(python, foreign, "scenarios", "--library", "-k", "own or greeting/idle", "--count", "1")
    assert found.returncode == 0, found.stdout + found.stderr
    assert (foreign / "runs/latest/recordings/own/default/1.jsonl").exists()
