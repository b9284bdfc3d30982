"""The folder that a trained model lies in: the model, its card, an ARPA file."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from corpus.errors import CorpusError
from corpus.quality.perplexity import arpa, file
from corpus.quality.perplexity.model import SPECIALS, NgramModel
from corpus.quality.perplexity.tokens import Reading
from corpus.store import TEMPORARY, fsync

MODEL, CARD, ARPA = "model.ngram", "card.md", "model.arpa"


def require_free(folder: Path, force: bool) -> None:
    """Raises CorpusError when something lies there that is not to be replaced, or when nothing can be written there.

    Makes the folder above it, where there is none.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=folder.parent)).rmdir()
    except OSError as error:
        raise CorpusError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from error
    if not os.path.lexists(folder):
        return
    if not folder.is_dir() or folder.is_symlink():
        raise CorpusError(f"{folder}: is no folder; choose another name")
    if foreign := sorted({path.name for path in folder.iterdir()} - {MODEL, CARD, ARPA}):
        raise CorpusError(f"{folder}: holds {foreign[0]}, which is no part of a model; choose another folder")
    if not force and any(folder.iterdir()):
        raise CorpusError(f"{folder}: is there already; choose another name, or add --force to replace it")


def write(model: NgramModel, folder: Path, names: list[str], *, with_arpa: bool, force: bool) -> str:
    """Write the folder whole or not at all; the model's sha256. `names`: the references, for the card."""
    require_free(folder, force)
    data = file.dump(model)
    digest = hashlib.sha256(data).hexdigest()
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=folder.parent))
    try:
        (temporary / MODEL).write_bytes(data)
        (temporary / CARD).write_text(card(model, digest, len(data), names), encoding="utf-8")
        if with_arpa:
            with (temporary / ARPA).open("wb") as out:
                out.writelines(arpa.lines(model))
        for path in temporary.iterdir():
            path.chmod(0o644)
            fsync(path)
        temporary.chmod(0o755)
        fsync(temporary)
        if folder.exists():
            # The old one steps aside, so that there is no moment with half of each.
            aside = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=folder.parent))
            folder.replace(aside)
            try:
                temporary.replace(folder)
            except OSError:
                aside.replace(folder)
                raise
            shutil.rmtree(aside)
        else:
            temporary.replace(folder)
        fsync(folder.parent)
    except OSError as error:
        raise CorpusError(f"{folder}: cannot be written ({error.strerror or error}); nothing was left there") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return digest


def card(model: NgramModel, digest: str, size: int, names: list[str]) -> str:
    """What the model is and what it was trained on, in Markdown."""
    facts: Mapping[str, Any] = model.facts
    held_out = facts["held_out"]
    rows = [
        ("kind", f"{len(model.orders)}-gram model, interpolated modified Kneser-Ney"),
        ("tokens", (model.reading or Reading()).shown),
        ("model sha256", f"`{digest}`, {size:,} bytes"),
        ("references", ", ".join(names)),
        ("corpus", f"{facts['documents']:,} documents, {facts['bytes']:,} bytes"),
        (
            "trained on",
            f"{facts['sample_documents']:,} documents, {facts['sample_bytes']:,} bytes, "
            f"{facts['sentences']:,} sentences, {facts['tokens']:,} tokens",
        ),
        (
            "vocabulary",
            f"{len(model.vocabulary) - len(SPECIALS):,} of {facts['different_tokens']:,}; "
            f"{facts['unknown_tokens']:,} tokens are unknown",
        ),
    ]
    if (model.reading or Reading()).tokenizer_sha256:
        rows.insert(2, ("sentencepiece sha256", f"`{(model.reading or Reading()).tokenizer_sha256}`"))
    if facts["cropped_documents"]:
        rows.append(("cropped", f"{facts['cropped_documents']:,} documents, each to a 16th of the sample"))
    if held_out["documents"]:
        rows.append(
            (
                "held out",
                f"perplexity {held_out['perplexity']:,} over {held_out['tokens']:,} tokens of "
                f"{held_out['documents']:,} documents, {held_out['unknown_share']:.2%} unknown",
            )
        )
        shown = ", ".join(f"{q}%: {value:,}" for q, value in held_out["document_quantiles"].items())
        rows.append(("perplexity of a document held out", f"{shown} of the documents are at or below"))
    text = "# N-gram model\n\n" + "".join(f"- **{key}**: {value}\n" for key, value in rows)
    text += "\n| n | seen | kept | discounts of counts 1, 2, 3 and more |\n|---|---|---|---|\n"
    for n, (seen, kept, discounts) in enumerate(
        zip(facts["ngrams_seen"], model.counts, facts["discounts"], strict=True), 1
    ):
        text += f"| {n} | {seen:,} | {kept:,} | {', '.join(f'{value:.3f}' for value in discounts)} |\n"
    return text
