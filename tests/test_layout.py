"""The house stays as it was planned: what lies where, and who imports whom."""

from __future__ import annotations

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def modules(package: str) -> dict[str, Path]:
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path: Path) -> set[str]:
    """Every module that a file imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_no_python_where_none_belongs() -> None:
    stray = [path for folder in ("pipelines", "tokenizers") for path in (ROOT / folder).rglob("*.py")]
    stray += [path for path in (ROOT / "data").glob("*.py")]
    assert stray == []
    assert not (ROOT / "tests" / "__init__.py").exists()


@pytest.mark.parametrize(("package", "forbidden"), [("corpus", {"torch", "trainer"}), ("trainer", {"corpus"})])
def test_the_two_packages_do_not_import_each_other(package: str, forbidden: set[str]) -> None:
    found = modules(package)
    assert len(found) > 5
    guilty = {name for name, path in found.items() if {i.partition(".")[0] for i in imported(path)} & forbidden}
    assert guilty == set()


def test_the_command_line_loads_no_heavy_library() -> None:
    heavy = [
        "torch",
        "trainer",
        "numba",
        "trafilatura",
        "resiliparse",
        "fasttext",
        "sentencepiece",
        "datasets",
        "datatrove",
    ]
    assert loaded("corpus.cli.main, corpus.cli.verbs", heavy) == "[]"


def test_a_worker_loads_its_step_and_not_the_recipe() -> None:
    stages = ("extract", "language", "quality", "pii", "dedup", "decontaminate", "tokenizer", "pack", "training")
    names = ", ".join(f"corpus.{stage}.stage" for stage in stages)
    assert (
        loaded(f"corpus.engines.worker, corpus.execute, {names}", ["corpus.recipe", "yaml", "typer", "numba"]) == "[]"
    )


def loaded(modules: str, of: list[str]) -> str:
    """Which of these a fresh interpreter has after importing `modules`, as it prints them."""
    code = f"import sys, {modules}; print([name for name in {of!r} if name in sys.modules])"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.strip()


@pytest.mark.parametrize("package", ["corpus", "trainer"])
def test_no_import_circle(package: str) -> None:
    found = modules(package)
    edges = {name: {i for i in imported(path) if i in found and i != name} for name, path in found.items()}
    state: dict[str, int] = {}

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert state.get(name) != 1, " -> ".join([*way[way.index(name) :], name])
        if name not in state:
            state[name] = 1
            for other in sorted(edges[name]):
                visit(other, (*way, name))
            state[name] = 2

    for name in sorted(found):
        visit(name, ())


def test_no_file_is_too_long() -> None:
    for package in ("corpus", "trainer"):
        lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in modules(package).items()}
        assert max(lengths.values()) <= 500, max(lengths, key=lambda name: lengths[name])


def test_the_wheel_holds_the_two_packages_only(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    (wheel,) = tmp_path.glob("corpusmill-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {"corpus", "trainer"}
    assert "corpus/report/template.html" in names


def test_datatrove_is_the_version_that_was_measured() -> None:
    from importlib.metadata import version

    assert version("datatrove").startswith("0.10.")
