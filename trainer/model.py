"""A decoder-only transformer in the shape of Llama and Qwen3.

RoPE (Su et al. 2021), RMSNorm before each block (Zhang & Sennrich 2019), SwiGLU (Shazeer 2020), grouped-query
attention (Ainslie et al. 2023), RMSNorm of queries and keys as in Qwen3, no biases. Linear layers that read the
same input are one matrix. Shapes in the docstrings: B rows, T positions, D width, V vocabulary.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_EPSILON = 1e-6


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a model; everything that is needed to build it before its weights are loaded."""

    vocab_size: int
    layers: int = 4
    width: int = 256
    heads: int = 4
    kv_heads: int = 2
    hidden: int = 768
    seq_len: int = 256
    tied: bool = True
    rope_theta: float = 10000.0

    def __post_init__(self) -> None:
        if min(self.vocab_size, self.layers, self.width, self.heads, self.kv_heads, self.hidden, self.seq_len) < 1:
            raise ValueError("every size of a model must be at least 1")
        if self.heads % self.kv_heads:
            raise ValueError(f"{self.heads} heads cannot share {self.kv_heads} key-value heads evenly")
        if self.width % (2 * self.heads):
            raise ValueError(f"width {self.width} does not divide into {self.heads} heads of an even size")

    @property
    def head_width(self) -> int:
        return self.width // self.heads

    def matmul_parameters(self) -> int:
        """Weights that each token is multiplied with, the output head included (an embedding look-up is free)."""
        attention = 2 * self.width * self.head_width * (self.heads + self.kv_heads)
        return self.layers * (attention + 3 * self.width * self.hidden) + self.width * self.vocab_size

    def parameters(self) -> int:
        """All weights, as ``sum(p.numel() for p in Model(config).parameters())`` counts them."""
        norms = self.layers * 2 * (self.width + self.head_width) + self.width
        return self.matmul_parameters() + norms + (0 if self.tied else self.width * self.vocab_size)

    def flops_a_token(self) -> int:
        """Multiply-adds x 2, forward and backward (Kaplan et al. 2020, with causal attention counted half)."""
        return 6 * self.matmul_parameters() + 6 * self.layers * self.seq_len * self.width


class FewPassRMSNorm(torch.autograd.Function):
    """``F.rms_norm``, which on a CPU is a chain of small operations and takes up to twice as long."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
        scale = norm.square_().div_(x.shape[-1]).add_(_EPSILON).rsqrt_().to(x.dtype)
        ctx.save_for_backward(x, weight, scale)
        return (x * scale).mul_(weight)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, Tensor]:
        x, weight, scale = ctx.saved_tensors
        normed = x * scale
        product = upstream[0] * normed
        weight_grad = product.flatten(0, -2).sum(0)
        along = (product @ weight[:, None]) / x.shape[-1]
        return (upstream[0] * weight).sub_(normed.mul_(along)).mul_(scale), weight_grad


class RMSNorm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.to(x.dtype)
        if x.is_cuda:
            return F.rms_norm(x, weight.shape, weight, eps=_EPSILON)
        return FewPassRMSNorm.apply(x, weight)


def rope_table(length: int, head_width: int, theta: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines, float32 (length, head_width / 2)."""
    frequencies = theta ** (-torch.arange(0, head_width, 2, dtype=torch.float64) / head_width)
    angles = torch.outer(torch.arange(length, dtype=torch.float64), frequencies)
    return angles.cos().float(), angles.sin().float()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate pairs (i, i + half) of the last axis by their position. x: (B, T, heads, head width)."""
    cos, sin = cos.to(x.dtype), sin.to(x.dtype)
    left, right = x.chunk(2, dim=-1)
    return torch.cat((left * cos - right * sin, right * cos + left * sin), dim=-1)


class Attention(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_width = config.heads, config.kv_heads, config.head_width
        self.qkv = nn.Linear(config.width, (self.heads + 2 * self.kv_heads) * self.head_width, bias=False)
        self.out = nn.Linear(config.width, config.width, bias=False)
        self.q_norm = RMSNorm(self.head_width)
        self.k_norm = RMSNorm(self.head_width)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, length, width = x.shape
        qkv = self.qkv(x).view(batch, length, -1, self.head_width)
        q, k, v = qkv.split((self.heads, self.kv_heads, self.kv_heads), dim=2)
        q, k = rotate(self.q_norm(q), cos, sin), rotate(self.k_norm(k), cos, sin)
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=self.heads != self.kv_heads)
        return self.out(y.transpose(1, 2).reshape(batch, length, width))


class SwiGLU(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate_up = nn.Linear(config.width, 2 * config.hidden, bias=False)
        self.out = nn.Linear(config.hidden, config.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        return self.out(F.silu(gate) * up)


class Block(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention_norm, self.attention = RMSNorm(config.width), Attention(config)
        self.mlp_norm, self.mlp = RMSNorm(config.width), SwiGLU(config)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x), cos, sin)
        return x + self.mlp(self.mlp_norm(x))


class ChunkedCrossEntropy(torch.autograd.Function):
    """Summed cross-entropy of ``hidden @ weight.T`` without ever holding the logits of a whole batch.

    The gradients of a chunk are taken while its logits are at hand, so the backward pass has nothing to compute
    again (as Liger-Kernel's fused linear cross-entropy does, Hsu et al. 2024).
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, chunk: int) -> Tensor:
        cast = weight.to(hidden.dtype)
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        wanted = any(ctx.needs_input_grad[:2])
        if wanted:
            hidden_grad, weight_grad = torch.empty_like(hidden), torch.zeros_like(weight)
        for start in range(0, len(hidden), chunk):
            rows, goal = hidden[start : start + chunk], targets[start : start + chunk, None]
            # The softmax by hand and in place: torch's log_softmax alone takes longer on a CPU than all of this.
            logits = (rows @ cast.T).float()
            logits -= logits.amax(dim=1, keepdim=True)
            of_goal = logits.gather(1, goal)
            weights = logits.exp_()
            norm = weights.sum(dim=1, keepdim=True)
            total += (norm.log() - of_goal).sum()
            if wanted:
                grad = weights.div_(norm).scatter_add_(1, goal, -torch.ones_like(of_goal)).to(hidden.dtype)
                hidden_grad[start : start + chunk] = grad @ cast
                weight_grad += grad.T @ rows
        if wanted:
            ctx.save_for_backward(hidden_grad, weight_grad)
        return total

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, Tensor, None, None]:
        hidden_grad, weight_grad = ctx.saved_tensors
        return hidden_grad * upstream[0].to(hidden_grad.dtype), weight_grad * upstream[0], None, None


class Model(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = RMSNorm(config.width)
        self.head = nn.Linear(config.width, config.vocab_size, bias=False)
        if config.tied:
            self.head.weight = self.embedding.weight
        cos, sin = rope_table(config.seq_len, config.head_width, config.rope_theta)
        self.cos: Tensor
        self.sin: Tensor
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def initialise(self, generator: torch.Generator) -> Model:
        """Normal weights, std 0.02; matrices that write into the residual stream are scaled down as in GPT-2."""
        for name, parameter in self.named_parameters():
            if parameter.dim() < 2:
                nn.init.ones_(parameter)
            else:
                scale = 1 / math.sqrt(2 * self.config.layers) if name.endswith("out.weight") else 1.0
                nn.init.normal_(parameter, std=0.02 * scale, generator=generator)
        return self

    def hidden(self, tokens: Tensor) -> Tensor:
        """(B, T) ids -> (B, T, D), the normed output of the last block. T <= config.seq_len."""
        length = tokens.shape[1]
        x = self.embedding(tokens)
        cos, sin = self.cos[:length, None], self.sin[:length, None]
        for block in self.blocks:
            x = block(x, cos, sin)
        return self.norm(x)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T) ids -> (B, T, V) logits."""
        return self.head(self.hidden(tokens))

    def loss_sum(self, tokens: Tensor, targets: Tensor, chunk: int = 256) -> Tensor:
        """Summed nats (float32 scalar) of the targets (B, T) given the tokens (B, T)."""
        hidden = self.hidden(tokens).flatten(0, 1)
        if torch.is_autocast_enabled(hidden.device.type):
            hidden = hidden.to(torch.get_autocast_dtype(hidden.device.type))
        with torch.autocast(hidden.device.type, enabled=False):
            return ChunkedCrossEntropy.apply(hidden, self.head.weight, targets.flatten(), chunk)
