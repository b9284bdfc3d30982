"""The base of every stage's configuration.

Configuration modules (`corpus/<stage>/config.py`) import nothing heavy: `corpus check` and `corpus status` read
recipes without loading numba, pyarrow or a model.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Config(BaseModel):
    """Frozen; an unknown key is an error (the recipe reader adds file, line and "did you mean")."""

    model_config = ConfigDict(frozen=True, extra="forbid")
