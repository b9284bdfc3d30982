"""Configuration of `train`."""

from __future__ import annotations

import math
import re
from typing import Any, Literal

from pydantic import Field, field_validator

from corpus.config import Config


class TrainConfig(Config):
    """What is handed to `python -m trainer train`; what is unset, the budget's plan decides."""

    budget: str | None = "3m"
    """Wall time to size model and steps for: `90s`, `3m`, `2h`. Null: `steps` says it all."""
    steps: int | None = Field(None, ge=1)
    """Optimizer steps."""
    layers: int | None = Field(None, ge=1)
    """Decoder layers."""
    width: int | None = Field(None, ge=16)
    """Residual width."""
    heads: int | None = Field(None, ge=1)
    """Attention heads."""
    kv_heads: int | None = Field(None, ge=1)
    """Key and value heads (grouped-query attention)."""
    seq_len: int | None = Field(None, ge=8)
    """Tokens a window."""
    batch_tokens: int | None = Field(None, ge=8)
    """Tokens a step."""
    lr: float | None = Field(None, gt=0, le=1, allow_inf_nan=False)
    """Peak learning rate."""
    seed: int = Field(1, ge=0, le=2**63 - 1)
    """Of weights and order."""
    threads: int = Field(0, ge=0, le=4096)
    """Threads of the CPU; 0 takes one a core. Another number may change the last bits."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto: on a GPU if there is one."""
    prompt: str = "The"
    """Beginning of the sample that is generated at the end."""

    @field_validator("budget", mode="before")
    @classmethod
    def _duration(cls, value: Any) -> Any:
        if value is not None:
            if not (isinstance(value, str) and re.fullmatch(r"[0-9]+(\.[0-9]+)?[smh]", value)):
                raise ValueError("a duration is a number and s, m or h, for example 90s, 3m or 2h")
            if not 0 < float(value[:-1]) < math.inf:
                raise ValueError("there is no time to train in; give for example 90s, 3m or 2h")
        return value

    @field_validator("prompt")
    @classmethod
    def _utf8(cls, value: str) -> str:
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("holds half of a surrogate pair, which no text has; write the character itself") from None
        return value
