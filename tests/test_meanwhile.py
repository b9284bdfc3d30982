"""What readers say while a run replaces the files that they read."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from corpus.cli.main import main
from corpus.documents import DOCUMENT, LEDGER
from corpus.errors import StoredError
from corpus.run import LOCK, busy, lock
from corpus.store import StepFolder, Writer

RECIPE = "name: e\nsources: [{name: s, kind: text, path: nowhere}]\n"
ID = hashlib.blake2b(b"a", digest_size=16).digest()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An output folder of one document, from which a run has just taken a table."""
    row = {"id": ID, "text": "one", "source": "s", "locator": "a", "content_sha": bytes(32), "bytes": 3}
    table = pa.Table.from_pylist([row | {"extractor": "none"}], DOCUMENT)
    with Writer(StepFolder(tmp_path / "extract"), "p") as out:
        out.table(DOCUMENT).write(table)
        out.table(LEDGER, "ledger").write(LEDGER.empty_table())
        out.commit("k", "1", {}, {})
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    (tmp_path / LOCK).touch()
    (tmp_path / "extract" / "p.parquet").unlink()
    return tmp_path


def said(monkeypatch: pytest.MonkeyPatch, capfd: Any, *arguments: object) -> tuple[Any, str]:
    """(exit status, stderr) of `corpus ARGUMENTS`."""
    monkeypatch.setattr(sys, "argv", ["corpus", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code, capfd.readouterr().err


@pytest.mark.parametrize(
    "words", [("sample", "{}"), ("why", "{}", ID.hex()), ("export", "{}", "{}/e.jsonl"), ("diff", "{}", "{}")]
)
def test_a_missing_file_during_a_run_is_the_run_s(
    root: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    arguments = [word.format(root) for word in words]
    with lock(root):
        code, told = said(monkeypatch, capfd, *arguments)
    assert code == 75
    assert told == f"corpus: {root}: a run is going on and replaces what was to be read; try again when it has ended\n"
    code, told = said(monkeypatch, capfd, *arguments)
    assert code == 1
    assert "p.parquet: cannot be read" in told
    assert "`corpus verify` names every damaged file" in told


def test_other_errors_during_a_run_stay_what_they_are(root: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    with lock(root):
        code, told = said(monkeypatch, capfd, "sample", root, "--stage", "none")
    assert (code, told) == (1, f"corpus: {root}: has no stage none; it has extract\n")


def test_a_folder_is_busy_only_while_a_run_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "extract" / "p.parquet"
    assert busy(path) is None
    with lock(tmp_path):
        assert str(busy(path)).startswith(f"{tmp_path}: a run is going on")
    assert busy(path) is None
    # Looking takes no lock that would stop a run.
    with lock(tmp_path):
        assert (tmp_path / LOCK).stat().st_size > 0


def test_the_error_crosses_processes() -> None:
    kind, arguments = StoredError("gone", Path("a")).__reduce__()  # type: ignore[misc]
    again = kind(*arguments)  # type: ignore[operator]
    assert (type(again), str(again), again.path) == (StoredError, "gone", Path("a"))
