"""The house stands as it was drawn: imports go one way, pure cores stay pure, modules stay small."""

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("conformance", "mock_upstream", "reports")
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
    if "tests" not in path.parts
}
DATA_TYPES = ("conformance.results", "conformance.verdicts", "conformance.wire")
DOORS = ("conformance.plugin", "conformance.cli", "conformance.doors")
PURE = (
    "conformance.judge",
    "conformance.rules",
    "conformance.wire",
    "conformance.reference_proxy.translator",
    "mock_upstream.session",
    "mock_upstream.conversation",
    "mock_upstream.responses",
    "mock_upstream.vad",
    "mock_upstream.audio_buffer",
)


def imports(module: str) -> Iterator[str]:
    """Yield the full names a module imports, wherever in it, relative ones resolved."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parent = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parent, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def is_in(name: str, *packages: str) -> bool:
    """Tell whether a dotted name lies in one of the packages."""
    return any(name == package or name.startswith(package + ".") for package in packages)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_one_way(module: str) -> None:
    for name in imports(module):
        if not is_in(name, *PACKAGES):
            continue
        if is_in(module, "conformance.wire"):
            assert is_in(name, "conformance.wire"), f"{module} imports {name}: the ground floor stands on nothing"
        elif is_in(module, "mock_upstream"):
            assert is_in(name, "mock_upstream", "conformance.wire"), f"{module} imports {name}: the mock is usable alone"
        elif is_in(module, "reports"):
            assert is_in(name, "reports", *DATA_TYPES), f"{module} imports {name}: reports read data types only"
        if is_in(name, "reports"):
            assert is_in(module, "reports", *DOORS), f"{module} imports {name}: only the doors know the reports"
        if is_in(name, "conformance.plugin", "conformance.cli"):
            door = ".".join(name.split(".")[:2])
            assert is_in(module, door), f"{module} imports {name}: nothing imports a door"


def test_reports_imports_itself_by_relative_names_only() -> None:
    for module in MODULES:
        if is_in(module, "reports"):
            tree = ast.parse(MODULES[module].read_text())
            absolute = [
                node.module
                for node in ast.walk(tree)
                if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module
            ]
            assert not [name for name in absolute if is_in(name, "reports")], (
                f"{module}: the wheel carries reports by another name"
            )


def test_the_ground_floors_door_imports_nothing() -> None:
    assert list(imports("conformance.wire")) == []


@pytest.mark.parametrize("module", [module for module in MODULES if is_in(module, *PURE)])
def test_pure_cores_know_no_sockets_and_no_clock(module: str) -> None:
    forbidden = [name for name in imports(module) if is_in(name, "asyncio", "socket", "time", "websockets", "threading")]
    assert forbidden == []


def test_modules_stay_small() -> None:
    lengths = {path: len(path.read_text().splitlines()) for name in PACKAGES for path in (ROOT / name).rglob("*.py")}
    assert {path: length for path, length in lengths.items() if length > 400} == {}
    assert median(lengths[path] for path in MODULES.values()) <= 150
