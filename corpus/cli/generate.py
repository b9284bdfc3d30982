"""`corpus generate FOLDER`: text from the trained model."""

from __future__ import annotations

import math
import sys
from typing import Annotated

import typer

from corpus.cli.app import app
from corpus.cli.options import Folder
from corpus.errors import CorpusError
from corpus.store import MANIFEST


@app.command("generate")
def generate_verb(
    folder: Folder,
    prompt: Annotated[str, typer.Option(help="Beginning of the text.")] = "The",
    tokens: Annotated[int, typer.Option(min=1, help="Tokens to add.")] = 120,
    temperature: Annotated[float, typer.Option(min=0, max=100, help="0 takes the likeliest token.")] = 0.8,
    top_k: Annotated[int, typer.Option(min=1, help="Sample among so many tokens.")] = 50,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of the sampling.")] = 1,
) -> None:
    """Let the model of a folder write."""
    from corpus.report.text import plain
    from corpus.tokenizer.stage import MODEL
    from corpus.training.stage import generate

    if not (folder / "train" / MANIFEST).is_dir():
        raise CorpusError(f"{folder}: holds no trained model; run `corpus train {folder}` first")
    if not prompt.strip():
        raise CorpusError("generate: the prompt is empty; give at least one letter")
    if math.isnan(temperature):  # which passes min and max
        raise CorpusError("generate: --temperature nan: not a number; give 0 to 100")
    model = folder / "tokenizer" / MODEL
    text = generate(folder / "train", model, prompt, tokens, seed=seed, temperature=temperature, top_k=top_k)
    encoding = sys.stdout.encoding or "utf-8"
    print(plain(text).encode(encoding, "replace").decode(encoding))
