"""Absurd sizes are refused in a line before anything is read."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

import corpus.cli.verbs  # noqa: F401 - registers the verbs
from corpus.cli.app import app
from corpus.errors import CorpusError

GIVEN = ("quality", "train", "--positive", "none.jsonl", "--negative", "none.jsonl", "--out", "m")


@pytest.mark.parametrize(
    "option", [("--buckets", 10**12), ("--epochs", 10**9), ("--dim", 10**6), ("--min-count", 10**12)]
)
def test_a_size_that_fasttext_cannot_hold(option: tuple[str, int]) -> None:
    done = CliRunner().invoke(app, [*GIVEN, *map(str, option)])
    assert done.exit_code == 2
    assert f"Error: Invalid value for '{option[0]}': " in done.output


def test_a_model_larger_than_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"SC_PHYS_PAGES": 1000, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr("os.sysconf", lambda name: sizes[name])
    done: Any = CliRunner().invoke(app, [*GIVEN, "--buckets", "200000", "--dim", "64"])
    assert isinstance(done.exception, CorpusError)
    assert str(done.exception) == (
        "--buckets 200000 x --dim 64: take 51.2 MB of memory, and this machine has 4.1 MB; lower one of them"
    )
