"""A folder for a while is gone afterwards, and those of killed processes with it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

from corpus.scratch import scratch

HOLD = """
import sys
from pathlib import Path
from corpus.scratch import scratch
with scratch(Path(sys.argv[1]), "work") as folder:
    (folder / "big").write_text("x")
    print(folder, flush=True)
    sys.stdin.read()
"""


def test_it_is_there_and_gone(tmp_path: Path) -> None:
    with contextlib.suppress(ValueError), scratch(tmp_path / "new", "work") as folder:
        assert folder.is_dir()
        assert folder.name.startswith(".tmp-work-")
        (folder / "a").write_text("a")
        raise ValueError
    assert list((tmp_path / "new").iterdir()) == []


def test_the_folders_of_the_dead_go_and_those_of_the_living_stay(tmp_path: Path) -> None:
    for name in (".tmp-other-1", "mine"):
        (tmp_path / name).mkdir()
    (tmp_path / ".tmp-work-file").touch()
    (tmp_path / ".tmp-work-link").symlink_to(tmp_path / "mine")
    begin = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(begin, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        theirs = Path(other.stdout.readline().strip())
        with scratch(tmp_path, "work") as folder:
            assert theirs.is_dir()
            assert folder.is_dir()
        assert (theirs / "big").is_file()
        other.kill()
        other.wait()
        assert theirs.is_dir()
        with scratch(tmp_path, "work") as folder:
            assert not theirs.exists()
    assert {path.name for path in tmp_path.iterdir()} == {".tmp-other-1", ".tmp-work-file", ".tmp-work-link", "mine"}
