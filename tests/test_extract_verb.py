"""`corpus extract` and `corpus sample` as a person meets them: what is said when there is nothing, and the way out."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

Command = Callable[..., CompletedProcess[str]]


def warnings(done: CompletedProcess[str]) -> list[str]:
    return [line for line in done.stderr.splitlines() if line.startswith("warning: ")]


def test_a_wrong_column_does_not_block_its_correction(corpus_command: Command, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,body\n1,Some text.\n")
    out = tmp_path / "out"
    wrong = corpus_command("extract", tmp_path / "t.csv", out)
    assert wrong.returncode == 1
    assert "--text-column NAME on the command line, to one of: id, body" in wrong.stderr
    right = corpus_command("extract", tmp_path / "t.csv", out, "--text-column", "body")
    assert right.returncode == 0, right.stderr
    assert warnings(right) == []
    assert corpus_command("sample", out, "--stage", "extract").stdout == "no document was dropped by stage extract\n"
    # What is committed is not replaced unasked.
    refused = corpus_command("extract", tmp_path / "t.csv", out, "--text-column", "id")
    assert (refused.returncode, "already holds other sources" in refused.stderr) == (2, True)


def test_no_document_at_all_is_said_with_its_reason(corpus_command: Command, tmp_path: Path) -> None:
    data = gzip.compress(b'{"text": "a"}\n' * 9000)
    (tmp_path / "cut.jsonl.gz").write_bytes(data[: len(data) // 2])
    (tmp_path / "bad.jsonl").write_text("no JSON\n" * 20_000)
    out = tmp_path / "an output"
    done = corpus_command("extract", tmp_path / "bad.jsonl", out)
    shown = f"'{os.path.relpath(out)}'"
    assert warnings(done) == [
        "warning: the sources gave no document: `bad_json` dropped 20,000 of 20,000 records; "
        f"`corpus sample {shown} --dropped bad_json` shows some"
    ]
    done = corpus_command("extract", tmp_path / "cut.jsonl.gz", out, "--replace")
    (damaged,) = warnings(done)
    assert damaged.endswith(f"`corpus sample {shown} --dropped damaged` shows where")
    (tmp_path / "void.jsonl").write_bytes(b"")
    done = corpus_command("extract", tmp_path / "void.jsonl", out, "--replace")
    assert warnings(done)[-1] == "warning: the sources gave no document: their files hold no record"


def test_a_checkout_is_told(corpus_command: Command, tmp_path: Path) -> None:
    checkout = tmp_path / "project"
    (checkout / ".git").mkdir(parents=True)
    (checkout / "README.md").write_text("What it is.\n")
    (checkout / "a.py").write_text("print()\n")
    done = corpus_command("extract", checkout, tmp_path / "out")
    assert warnings(done) == [
        f"warning: its text files are read: {checkout} is a git checkout, `--kind code` reads its source files"
    ]
    assert warnings(corpus_command("extract", checkout, tmp_path / "code", "--kind", "code")) == []


def test_a_column_that_we_have_not(corpus_command: Command, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text\na\n")
    done = corpus_command("extract", tmp_path / "t.csv", tmp_path / "out", "--columns", "foo=bar")
    assert done.returncode == 2
    assert "columns: has no column `foo` of ours; there are text, url, date," in done.stderr
    assert len(done.stderr.splitlines()) == 1
