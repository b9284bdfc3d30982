"""Compiled kernels are kept until anything that they compute with changes, and compiled by one process at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

OUTER = """
from corpus.kernels.jit import njit
from {package}.inner import LIMIT, TABLE, step

@njit
def outer(n):
    total = 0
    for k in range(n):
        total += step(k) + TABLE[k % 3] + LIMIT
    return total
"""
INNER = """
import numpy as np
from corpus.kernels.jit import inlined, njit

LIMIT = 5
TABLE = np.array([1, 2, 3])

@inlined
def twice(k):
    return 2 * k

@njit
def step(k):
    return twice(k) + 1 if k in {{1, 2, 3}} else 0
"""
CALL = """
import sys
from corpus.kernels import compiling
from {package}.outer import outer
print(outer(4), compiling.take() > 0, sum(outer.stats.cache_hits.values()))
"""

# numba has written the index then, and not the machine code.
KILL = """
import os
from numba.core.caching import IndexDataCacheFile
save = IndexDataCacheFile._save_data
IndexDataCacheFile._save_data = lambda *given: os._exit(9) if given[1].startswith("outer.outer") else save(*given)
"""


@pytest.fixture
def package(tmp_path: Path) -> str:
    """A package of two modules with kernels; its name."""
    folder = tmp_path / "kernels_of_a_test"
    folder.mkdir()
    (folder / "__init__.py").touch()
    for name, text in (("outer", OUTER), ("inner", INNER)):
        (folder / f"{name}.py").write_text(text.format(package=folder.name))
    return folder.name


def start(package: str, folder: Path, code: str = CALL, **settings: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA")}
    root = Path(__file__).parent.parent
    environment |= {"PYTHONPATH": os.pathsep.join([str(folder), str(root)]), "PYTHONDONTWRITEBYTECODE": "1", **settings}
    command = [sys.executable, "-c", code.format(package=package)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def call(package: str, folder: Path, **settings: str) -> list[str]:
    """What `outer(4)` is, whether anything was compiled, and how many variants came from disk."""
    out, error = start(package, folder, **settings).communicate()
    assert error == ""
    return out.split()


def edit(path: Path, old: str, new: str) -> None:
    """Without a trace in size and time, by which numba knows a file that changed."""
    text, state = path.read_text(), path.stat()
    assert old in text
    assert len(old) == len(new)
    path.write_text(text.replace(old, new))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def test_what_is_kept_is_loaded_and_compiled_again_when_anything_behind_it_changes(
    package: str, tmp_path: Path
) -> None:
    inner = tmp_path / package / "inner.py"
    # 3 + 5 + 7 of steps, 1 + 2 + 3 + 1 of the table, 4 x 5.
    assert call(package, tmp_path) == ["42", "True", "0"]
    assert call(package, tmp_path) == ["42", "False", "1"]
    edit(inner, "+ 1 if", "+ 2 if")
    assert call(package, tmp_path) == ["45", "True", "0"]
    edit(inner, "return 2 *", "return 3 *")
    assert call(package, tmp_path) == ["51", "True", "0"]
    edit(inner, "[1, 2, 3]", "[1, 2, 9]")
    assert call(package, tmp_path) == ["57", "True", "0"]
    edit(inner, "LIMIT = 5", "LIMIT = 6")
    assert call(package, tmp_path) == ["61", "True", "0"]
    edit(inner, "{1, 2, 3}", "{1, 2, 4}")
    assert call(package, tmp_path) == ["50", "True", "0"]
    # The order of a set in memory is another one in each process; what else the file says does not matter.
    inner.write_text(inner.read_text() + "\nOTHER = 1\n")
    assert call(package, tmp_path, PYTHONHASHSEED="7") == ["50", "False", "1"]


def test_code_with_bounds_checks_is_not_taken_for_code_without(package: str, tmp_path: Path) -> None:
    assert call(package, tmp_path)[1:] == ["True", "0"]
    assert call(package, tmp_path, NUMBA_BOUNDSCHECK="1")[1:] == ["True", "0"]
    assert call(package, tmp_path, NUMBA_BOUNDSCHECK="1")[1:] == ["False", "1"]


def test_of_processes_that_want_a_kernel_one_compiles_it(package: str, tmp_path: Path) -> None:
    started = [start(package, tmp_path) for _ in range(4)]
    ends = [process.communicate() for process in started]
    assert [error for _, error in ends] == [""] * 4
    results = [out.split() for out, _ in ends]
    assert [result[0] for result in results] == ["42"] * 4
    assert sorted(result[2] for result in results) == ["0", "1", "1", "1"]


def test_what_a_killed_process_left_is_not_loaded_for_something_else(package: str, tmp_path: Path) -> None:
    assert call(package, tmp_path)[0] == "42"
    edit(tmp_path / package / "inner.py", "LIMIT = 5", "LIMIT = 6")
    killed = start(package, tmp_path, KILL + CALL)
    assert killed.communicate() == ("", "")
    assert killed.returncode == 9
    assert call(package, tmp_path) == ["46", "True", "0"]


def test_without_a_place_for_the_lock_kernels_are_compiled_all_the_same(package: str, tmp_path: Path) -> None:
    (tmp_path / package / "__pycache__").mkdir()
    assert call(package, tmp_path)[0] == "42"
    for lock in (tmp_path / package / "__pycache__").glob("*.lock"):
        lock.unlink()
        lock.mkdir()
    edit(tmp_path / package / "inner.py", "LIMIT = 5", "LIMIT = 6")
    assert call(package, tmp_path) == ["46", "True", "0"]
