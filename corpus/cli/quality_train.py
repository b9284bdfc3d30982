"""`corpus quality train`: a classifier from good and bad texts."""

from __future__ import annotations

import json as jsonlib
import os
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from corpus.cli.options import Json
from corpus.cli.quality import quality_app
from corpus.errors import CorpusError
from corpus.quality.classifier.config import NAME, Preparation

_NARROW = 0.2  # a model that has learned spreads its scores from near 0 to near 1


@quality_app.command("train")
def train_verb(
    positive: Annotated[
        list[str],
        typer.Option(
            metavar="PATH",
            help="Good texts: a JSONL, Parquet, CSV or Arrow file (each row a text), a plain text file (one text; its "
            "lines with --lines), a folder or glob of these, or a folder that `corpus` wrote. Repeat.",
        ),
    ],
    negative: Annotated[list[str], typer.Option(metavar="PATH", help="Bad texts, or ordinary ones; as --positive.")],
    out: Annotated[Path, typer.Option(help="Folder for the model, its card and its figures.")],
    name: Annotated[str, typer.Option(help="Names the signal: `score_NAME`.")] = "quality",
    test: Annotated[
        str | None, typer.Option(metavar="LABELLED", help="Texts from elsewhere with a label, to evaluate on.")
    ] = None,
    text_column: Annotated[str, typer.Option(help="Column of the text.")] = "text",
    lines: Annotated[bool, typer.Option("--lines", help="Take each line of a plain text file as a text.")] = False,
    label_column: Annotated[str, typer.Option(help="Column of --test's label.")] = "label",
    good_label: Annotated[str, typer.Option(help="--test's label of good texts; else good, hq, positive, 1.")] = "",
    bad_label: Annotated[str, typer.Option(help="--test's label of bad texts; else bad, lq, negative, 0.")] = "",
    dim: Annotated[int, typer.Option(min=1, max=1 << 12, help="Size of a word's vector.")] = 64,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=10_000,
            show_default="5, more for small sets: 25,000 texts seen in all, 100 epochs at most",
            help="How often each text is seen.",
        ),
    ] = None,
    lr: Annotated[float, typer.Option(min=1e-6, max=10, help="Learning rate at the beginning.")] = 0.1,
    word_ngrams: Annotated[int, typer.Option(min=1, max=5, help="Longest run of words that is a feature.")] = 2,
    buckets: Annotated[
        int, typer.Option(min=1, max=1 << 28, help="Rows for runs of words; each takes 4 bytes x dim.")
    ] = 200_000,
    min_count: Annotated[int, typer.Option(min=1, max=1 << 30, help="A rarer word has no vector.")] = 3,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Orders the texts.")] = 1,
    held_out: Annotated[float, typer.Option(min=0.01, max=0.9, help="Share that is kept out to evaluate on.")] = 0.1,
    balance: Annotated[bool, typer.Option(help="Take equally many texts of both classes.")] = True,
    sample: Annotated[int | None, typer.Option(min=10, help="Take at most so many texts of a class.")] = None,
    max_chars: Annotated[
        int, typer.Option(min=16, max=1 << 30, help="Characters of a text that are looked at.")
    ] = 20_000,
    lower: Annotated[bool, typer.Option("--lower", help="Lower-case the texts.")] = False,
    quantize: Annotated[bool, typer.Option("--quantize", help="Write a smaller, slightly worse model (.ftz).")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a classifier that is there.")] = False,
    json: Json = False,
) -> None:
    """Train a fastText classifier and print the recipe section that uses it."""
    from corpus.cli.console import warn
    from corpus.quality.classifier.card import snippet
    from corpus.quality.classifier.train import Settings, Test, train
    from corpus.quality.snippet import FEW
    from corpus.report.text import size

    def say(line: str) -> None:
        print(line, file=sys.stderr)

    if not re.fullmatch(NAME, name):
        raise CorpusError(f"--name {name}: begins with a small letter, then small letters, digits and _")
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if word_ngrams > 1 and (asked := 4 * dim * buckets) > there:
        raise CorpusError(
            f"--buckets {buckets} x --dim {dim}: take {size(asked)} of memory, and this machine has {size(there)}; "
            "lower one of them"
        )
    settings = Settings(dim, epochs, lr, word_ngrams, buckets, min_count, seed, held_out, balance, sample, quantize)
    report = train(
        positive,
        negative,
        out,
        settings,
        Preparation(max_chars=max_chars, lower=lower),
        name=name,
        text_column=text_column,
        lines=lines,
        test=Test(test, label_column, good_label, bad_label) if test else None,
        force=force,
        say=say,
    )
    low, high = report["held_out"]["scores"]
    if high - low < _NARROW:
        warn(
            f"scores of the texts held out lie between {low:.4f} and {high:.4f}: the model has hardly learned; "
            "give more --epochs or a higher --lr"
        )
    source, good = ("--test", report["test"]) if report["test"] else ("held out", report["held_out"])
    if good["positive"] < FEW:
        warn(f"{good['positive']:,} good texts ({source}) say little about a bound; give more, {FEW} at least")
    if json:
        print(jsonlib.dumps(report, ensure_ascii=False))
        return
    for what in ("held_out", "test"):
        if found := report[what]:
            low, high = found["auc_interval"]
            say(
                f"{what.replace('_', ' ')}: AUC {found['auc']:.3f} ({low:.3f} to {high:.3f}), accuracy "
                f"{found['accuracy']:.3f}, the majority's label {found['majority']:.3f}"
            )
    say(f"{out / 'card.md'} tells the rest")
    print(snippet(report, out), end="")
