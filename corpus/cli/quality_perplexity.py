"""`corpus quality perplexity`: train an n-gram model."""

from __future__ import annotations

import json as jsonlib
import math
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from corpus.cli.options import Json
from corpus.cli.quality import quality_app
from corpus.errors import CorpusError


@quality_app.command("perplexity")
def perplexity_verb(
    reference: Annotated[
        list[str],
        typer.Option(
            metavar="PATH",
            help="Good text: a JSONL, Parquet, CSV or Arrow file (each row a document), a plain text file (one "
            "document; its lines with --lines), a folder or glob of these, or a folder that `corpus` wrote. Repeat.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    order: Annotated[int, typer.Option(min=1, max=8, help="Words of the longest n-gram.")] = 5,
    prune: Annotated[
        str, typer.Option(help="Leave out n-grams that occur at most so often, by length; the last holds on.")
    ] = "0,0,1",
    vocabulary: Annotated[
        int, typer.Option(min=4, max=1 << 24, help="Keep so many of the most frequent words.")
    ] = 500_000,
    tokenizer: Annotated[Path | None, typer.Option(help="A sentencepiece model: its pieces are the tokens.")] = None,
    normalise: Annotated[str, typer.Option(help="ccnet or none.")] = "ccnet",
    unit: Annotated[str, typer.Option(help="words (and marks apart), or spaces (what stands between them).")] = "words",
    sentence: Annotated[str, typer.Option(help="line or document: what stands between <s> and </s>.")] = "line",
    text_column: Annotated[str, typer.Option("--text-column", "--column", help="Column of the text.")] = "text",
    lines: Annotated[bool, typer.Option("--lines", help="Take each line of a plain text file as a document.")] = False,
    sample_mb: Annotated[
        int, typer.Option(min=1, max=1 << 16, help="Train on so much text at most; takes about 20 times the memory.")
    ] = 128,
    arpa: Annotated[bool, typer.Option("--arpa", help="Write model.arpa too, which KenLM reads.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a model that is there.")] = False,
    json: Json = False,
) -> None:
    """Train the n-gram model that measures signal `perplexity`; prints the section for a recipe."""
    from corpus.cli.console import err, warn
    from corpus.quality.perplexity.folder import MODEL, require_free, write
    from corpus.quality.perplexity.reference import Sample, texts
    from corpus.quality.perplexity.tokens import Pieces, Reading
    from corpus.quality.perplexity.train import Plan, train
    from corpus.quality.snippet import FEW, FEWEST, place, snippet

    def tell(text: str) -> None:
        err.print(f"perplexity: {text}", markup=False)

    for name, value, allowed in (
        ("normalise", normalise, ("ccnet", "none")),
        ("unit", unit, ("words", "spaces")),
        ("sentence", sentence, ("line", "document")),
    ):
        if value not in allowed:
            raise CorpusError(f"--{name} {value}: is none of {', '.join(allowed)}")
    require_free(out, force)
    pieces = Pieces(tokenizer) if tokenizer else None
    reading = Reading(normalise, "pieces" if pieces else unit, sentence, pieces.sha256 if pieces else None)  # type: ignore[arg-type]
    plan = Plan(order, _prune(prune), vocabulary)
    sample, skipped = Sample(sample_mb << 20), Counter[str]()
    for batch in texts(reference, text_column, skipped, lines):
        sample.add(batch)
    for reason, count in sorted(skipped.items()):
        hint = f" in column `{text_column}`, --text-column names it" if reason == "no_text" else ""
        warn(f"{count:,} {'record' if count == 1 else 'records'} of the references left out: {reason}{hint}")
    model = train(sample, reading, plan, pieces, tell)
    digest = write(model, out, [Path(path).name for path in reference], with_arpa=arpa, force=force)
    section = {"model_path": place(out / MODEL), "model_sha256": digest}
    if pieces and tokenizer:
        section |= {"tokenizer_path": place(tokenizer), "tokenizer_sha256": pieces.sha256}
    if cropped := model.facts["cropped_documents"]:
        warn(
            f"{cropped:,} {'document was' if cropped == 1 else 'documents were'} cut to a 16th of --sample-mb each; "
            "where each line of a text file is a document, add --lines"
        )
    held_out = model.facts["held_out"]
    count = held_out["documents"]
    shown = f"{count:,} held-out {'document' if count == 1 else 'documents'}"
    if count < FEW:
        warn(
            f"{shown} (one of fifty of {sample.documents:,}) say little about a bound, and so small a model says "
            f"little about a text; give more references, {50 * FEW:,} documents at least"
        )
    if json:
        print(jsonlib.dumps({"perplexity": section, "ngrams": model.counts, "facts": model.facts}))
        return
    if count < FEWEST:
        bound, why = None, f"{shown}: too few, {FEWEST} are needed"
    else:
        bound = {"max": math.ceil(held_out["document_quantiles"]["95"])}
        why = f"95% of the {shown} are at or below"
    print(snippet({"perplexity": section}, "perplexity", bound, why), end="")


def _prune(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.strip().isascii() and part.strip().isdigit() for part in parts):
        raise CorpusError(f"--prune {text}: write counts by length, for example 0,0,1")
    counts = tuple(int(part) for part in parts)
    if list(counts) != sorted(counts) or counts[0]:
        raise CorpusError(f"--prune {text}: begins with 0 and never falls: a shorter n-gram is part of a longer one")
    return counts
