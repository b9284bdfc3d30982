"""Train a byte-pair encoding that gives back every text (Sennrich et al. 2016; Kudo and Richardson 2018)."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from corpus.errors import CorpusError
from corpus.tokenizer.config import TokenizerConfig
from corpus.tokenizer.encode import Encoder
from corpus.tokenizer.sample import Sample
from corpus.tokenizer.segments import segments

EOS = "<|endoftext|>"
# sentencepiece leaves out a longer line without a word.
LINE_BYTES = 4096
# Line ends, and three characters that sentencepiece keeps for itself: it would leave out a line that holds
# U+2585 or NUL, and take U+2581 for a space. The tokenizer spells the three in bytes, so nothing is to be
# learned from them.
_SEPARATOR = re.compile("[\n\0\u2581\u2585]")
_HELD_OUT = 50


def train(batches: Iterable[pa.RecordBatch], config: TokenizerConfig, model_path: Path) -> dict[str, Any]:
    """Train on a sample of the documents (columns `id`, `text`) and write the model to `model_path`.

    The same documents give the same bytes, in whatever order and batches they come. One document of 50, the
    last ones in the order of the sample, is held out to measure. Returns the statistics that `card` prints.

    Raises CorpusError when there is no text, too little for the vocabulary, or more characters than it can
    hold.
    """
    import sentencepiece

    sample = Sample(config.sample_bytes, config.seed)
    for batch in batches:
        sample.add(batch)
    texts = sample.texts()
    kept = len(texts) - len(texts) // _HELD_OUT
    lines = _Lines(texts[:kept])
    if not any(text.strip() for text in texts):
        raise CorpusError(
            f"tokenizer: no text to train on in {sample.documents:,} documents; "
            "loosen the filters before it or add input"
        )
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_writer=model,
            model_type="bpe",
            vocab_size=config.vocab_size,
            character_coverage=config.character_coverage,
            split_digits=config.split_digits,
            # The text is taken as it is.
            normalization_rule_name="identity",
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            allow_whitespace_only_pieces=True,
            byte_fallback=True,
            user_defined_symbols=["\n"],
            unk_id=0,
            eos_id=1,
            eos_piece=EOS,
            bos_id=-1,
            pad_id=-1,
            max_sentence_length=LINE_BYTES,
            # The model records this number: fixed, the same input gives the same bytes on any machine.
            num_threads=4,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise _explain(str(error), config, kept, lines.bytes) from None
    model_path.write_bytes(model.getvalue())
    encoder = Encoder(model_path)
    return {
        "vocab_size": encoder.vocab_size,
        "model_sha256": encoder.sha256,
        "documents": sample.documents,
        "bytes": sample.bytes,
        "cropped_bytes": sample.cropped_bytes,
        "sample_documents": kept,
        "sample_bytes": lines.bytes,
        "split_lines": lines.split,
        "reserved_characters": lines.reserved,
        **_measure(encoder, texts[kept:] or texts, held_out=kept < len(texts)),
    }


class _Lines:
    """The lines of the texts, each of at most LINE_BYTES, and what it took to make them so."""

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts
        self.bytes = sum(len(text.encode()) for text in texts)
        self.split = self.reserved = 0

    def __iter__(self) -> Iterator[str]:
        for text in self.texts:
            self.reserved += sum(text.count(char) for char in "\0\u2581\u2585")
            for line in _SEPARATOR.split(text):
                if len(line) <= LINE_BYTES // 4 or len(line.encode()) <= LINE_BYTES:
                    yield line
                else:
                    self.split += 1
                    # A character has at most 4 bytes.
                    for part in segments(line, LINE_BYTES // 8):
                        for start in range(0, len(part), LINE_BYTES // 4):
                            yield part[start : start + LINE_BYTES // 4]


def _explain(message: str, config: TokenizerConfig, documents: int, size: int) -> CorpusError:
    if found := re.search(r"too high \(\d+\).* <= (\d+)", message):
        most = int(found[1])
        return CorpusError(
            f"tokenizer: {documents:,} documents with {size:,} bytes of text yield only {most:,} tokens, "
            f"{config.vocab_size - most:,} short of vocab_size={config.vocab_size:,}; "
            f"set tokenizer.vocab_size to at most {most:,} or give more text"
        )
    if found := re.search(r"smaller than required_chars\. \d+ vs (\d+)", message):
        return CorpusError(
            f"tokenizer: vocab_size={config.vocab_size:,} is too small: bytes, special tokens and the "
            f"characters of this text take {int(found[1]):,}; raise tokenizer.vocab_size or lower "
            "tokenizer.character_coverage"
        )
    return CorpusError(f"tokenizer: sentencepiece could not train: {' '.join(message.split())}")


def _measure(encoder: Encoder, texts: list[str], *, held_out: bool) -> dict[str, Any]:
    tokens, _ = encoder.encode(pa.array(texts, pa.large_string()))
    count = len(tokens) - len(texts)
    size = sum(len(text.encode()) for text in texts)
    words = sum(len(text.split()) for text in texts)
    return {
        "held_out": held_out,
        "measured_documents": len(texts),
        "measured_bytes": size,
        "bytes_per_token": round(size / count, 4) if count else None,
        "tokens_per_word": round(count / words, 4) if words else None,
    }


def card(stats: dict[str, Any], config: TokenizerConfig, corpus_digest: str) -> str:
    """A card in Markdown: what the tokenizer is, what it was trained on and how well it packs.

    Fertility is tokens per word, words being what white space separates (Rust et al. 2021).
    """
    where = "held-out documents" if stats["held_out"] else "the training text (too little to hold some out)"
    rows = [
        ("kind", "byte-pair encoding, sentencepiece, byte fallback; every text round-trips"),
        ("vocabulary", f"{stats['vocab_size']:,}, end of text `{EOS}`"),
        ("model sha256", f"`{stats['model_sha256']}`"),
        ("corpus digest", f"`{corpus_digest}`"),
        ("corpus", f"{stats['documents']:,} documents, {stats['bytes']:,} bytes"),
        (
            "trained on",
            f"{stats['sample_documents']:,} documents, {stats['sample_bytes']:,} bytes, seed {config.seed}",
        ),
        ("character coverage", f"{config.character_coverage}"),
        ("digits split", "yes" if config.split_digits else "no"),
        ("bytes per token", f"{stats['bytes_per_token']} on {stats['measured_bytes']:,} bytes of {where}"),
        ("fertility", f"{stats['tokens_per_word']} tokens per word"),
    ]
    # A list: the end-of-text token would break the rows of a table.
    return "# Tokenizer\n\n" + "".join(f"- **{key}**: {value}\n" for key, value in rows)
