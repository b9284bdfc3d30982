"""Sampling token ids from a finished model."""

from __future__ import annotations

import torch

from trainer.errors import TrainerError
from trainer.model import Model

# Below this the likeliest token is as good as certain, and dividing by it would overflow.
_COLDEST = 1e-6


@torch.inference_mode()
def generate(
    model: Model,
    prompt: list[int],
    tokens: int,
    *,
    eos_id: int,
    temperature: float = 0.8,
    top_k: int = 50,
    seed: int = 1,
    stop_at_eos: bool = True,
) -> list[int]:
    """Up to `tokens` new ids after the prompt, without it; an end-of-text id ends them and is left out.

    The prompt is put behind an end-of-text id, as documents stand in the shards. Each id is drawn from the
    `top_k` likeliest (0: all) at `temperature` (0: always the likeliest), given the last `seq_len` ids.
    Raises TrainerError for ids outside the vocabulary.
    """
    vocab_size = model.config.vocab_size
    if any(not 0 <= token < vocab_size for token in prompt):
        raise TrainerError(f"the prompt holds ids outside 0 to {vocab_size - 1}; encode it with the model's tokenizer")
    device = model.embedding.weight.device
    generator = torch.Generator().manual_seed(seed)
    ids = [eos_id, *prompt]
    start = len(ids)
    while len(ids) < start + tokens:
        context = torch.tensor([ids[-model.config.seq_len :]], device=device)
        logits = model.head(model.hidden(context)[0, -1]).float().cpu()
        if temperature > _COLDEST:
            if 0 < top_k < vocab_size:
                logits[logits < logits.topk(top_k).values[-1]] = -torch.inf
            chosen = int(torch.multinomial((logits / temperature).softmax(dim=-1), 1, generator=generator))
        else:
            chosen = int(logits.argmax())
        if chosen == eos_id and stop_at_eos:
            break
        ids.append(chosen)
    return ids[start:]
