"""AdamW (Loshchilov & Hutter 2019) and the warmup-stable-decay schedule (Hu et al. 2024, MiniCPM)."""

from __future__ import annotations

import torch
from torch import nn


def adamw(model: nn.Module, lr: float, betas: tuple[float, float], weight_decay: float) -> torch.optim.AdamW:
    """Weight decay acts on matrices alone, not on the gains of norms."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=lr, betas=betas, fused=True)


def wsd(step: int, steps: int, warmup: int, decay: int) -> float:
    """The learning rate of step 0, 1, .. `steps` - 1 as a share of the peak.

    Rises linearly over `warmup` steps, stays at 1, falls linearly over the last `decay` steps towards 0, which
    it would reach at `steps`.
    """
    return min(1.0, (step + 1) / max(1, warmup), (steps - step) / max(1, decay))


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = lr
