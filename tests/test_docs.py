"""The docs cannot drift: every command in them exists with its options, every link leads somewhere, snippets run."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer.main

from corpus.cli.group import STAGE, StageGroup
from corpus.cli.verbs import app

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands() -> list[tuple[str, list[str]]]:
    """Every `corpus ...` line in a shell block or in backquotes."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
        lines += re.findall(r"`(corpus [^`\n]+)`", text)
        for line in lines:
            words = shlex.split(line, comments=True)
            if words[:1] == ["corpus"] and len(words) > 1:
                found.append((page.name, words[1:]))
    return found


def test_every_command_in_the_docs_exists() -> None:
    found = commands()
    assert len(found) > 20
    for page, words in found:
        command: Any = typer.main.get_command(app)
        rest = list(words)
        while hasattr(command, "commands"):
            if not rest or rest[0].startswith("-"):
                break
            if isinstance(command, StageGroup) and rest[0] not in command.commands:
                rest.insert(0, STAGE)
            assert rest[0] in command.commands, f"{page}: corpus {' '.join(words)}"
            command = command.commands[rest.pop(0)]
        options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        for word in rest:
            if word.startswith("-") and word not in ("--help", "--version"):
                assert word.partition("=")[0] in options, f"{page}: corpus {' '.join(words)}: no option {word}"


def test_the_recipe_page_lists_every_key() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "corpus", "keys"], capture_output=True, text=True, cwd=ROOT, check=True
    )
    page = (ROOT / "docs" / "recipe.md").read_text(encoding="utf-8")
    assert page.endswith(done.stdout), "run `make docs`"


def test_one_key_is_told_alone_and_a_wrong_one_is_mended(corpus_command: Callable[..., Any]) -> None:
    done = corpus_command("keys", "dedup.threshold")
    rows = [line for line in done.stdout.splitlines() if line.startswith("|")]
    meaning = "Similarity from which on two documents are near duplicates."
    assert rows == ["| key | default | meaning |", "|---|---|---|", f"| `threshold` | `0.8` | {meaning} |"]
    assert done.stdout.startswith("## dedup\n")
    assert corpus_command("keys", "output").stdout.count("\n| `") == 1
    for wrong, meant in (("threshold", "language.threshold or dedup.threshold"), ("dedup.thresold", "dedup.threshold")):
        done = corpus_command("keys", wrong)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"corpus: {wrong}: no such section or key; did you mean {meant}?\n"
    assert "no such section or key; sections: fetch, sources, " in corpus_command("keys", "nonsense").stderr


def test_every_relative_link_leads_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_python_of_the_readme_runs(
    recipe: Callable[..., Path], corpus_command: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    done = corpus_command("run", recipe(), "--set", f"output={tmp_path / 'data' / 'quickstart'}")
    assert done.returncode == 0, done.stderr
    snippets = blocks(ROOT / "README.md", "python")
    assert len(snippets) == 3
    # The first one is the promise: the shards open in ten lines.
    assert len([line for line in snippets[0].splitlines() if line.strip()]) <= 10
    for snippet in snippets:
        ran = subprocess.run([sys.executable, "-c", snippet], capture_output=True, text=True, cwd=tmp_path, check=False)
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout.strip()


@pytest.mark.parametrize("verb", ["", *typer.main.get_command(app).commands])  # type: ignore[attr-defined]
def test_help_is_there_for_every_verb(
    verb: str, corpus_command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    done = corpus_command(*verb.split(), "--help")
    assert done.returncode == 0
    assert len(done.stdout) > 100
