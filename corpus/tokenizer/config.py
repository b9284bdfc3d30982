from __future__ import annotations

from pydantic import Field

from corpus.config import Config


class TokenizerConfig(Config):
    """How the tokenizer is trained: byte-pair encoding by sentencepiece, with flags that lose nothing."""

    vocab_size: int = Field(8192, ge=260, le=1_000_000)
    """Number of token ids, the 256 bytes and three special ones included. Up to 65,536 the shards are
    uint16."""
    sample_bytes: int = Field(64_000_000, ge=64_000)
    """Text to train on at most, in UTF-8 bytes; a larger corpus is sampled by document id. Memory grows with
    it: about 8 bytes for each of these."""
    character_coverage: float = Field(0.9995, ge=0.9, le=1.0)
    """Share of the sample's characters that become tokens of their own; rarer ones are spelled in bytes."""
    split_digits: bool = True
    """Each digit is a token of its own (as in Llama 2 and PaLM), so that numbers of one length split
    alike."""
    seed: int = Field(1, ge=0)
    """Of the sample."""
