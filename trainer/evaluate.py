"""Held-out loss in nats a token and bits a byte of raw text."""

from __future__ import annotations

import math
from typing import Any

import torch

from trainer.data import Stream, held_out
from trainer.errors import TrainerError
from trainer.model import Model
from trainer.system import autocast

# Tokens of one forward pass.
_BATCH_TOKENS = 16384


@torch.inference_mode()
def evaluate(model: Model, stream: Stream, eos_id: int, dtype: torch.dtype) -> dict[str, Any]:
    """Every token of the stream is predicted once, end-of-text tokens included, from at most `seq_len` before it.

    Context starts anew every `seq_len` tokens. Bits a byte divides the same nats by the bytes of the raw text
    that the shards were packed from, so it compares models of different tokenizers.
    Returns {"loss", "bits_per_byte", "tokens", "bytes"}. Raises TrainerError for a stream without text.
    """
    if not stream.bytes:
        raise TrainerError("the held-out split counts no bytes of text: shards.json says 0; pack the corpus again")
    seq_len, device = model.config.seq_len, model.embedding.weight.device
    nats, tokens = 0.0, 0
    for batch in held_out(stream, seq_len, max(1, _BATCH_TOKENS // seq_len), eos_id):
        ids = torch.from_numpy(batch).to(device)
        with autocast(device, dtype):
            nats += model.loss_sum(ids[:, :-1], ids[:, 1:]).item()
        tokens += ids[:, 1:].numel()
    return {
        "loss": nats / tokens,
        "bits_per_byte": nats / math.log(2) / stream.bytes,
        "tokens": tokens,
        "bytes": stream.bytes,
    }
