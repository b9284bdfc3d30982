"""What a person watching sees, on stderr: a line that moves on a terminal, else a line every ten seconds."""

from __future__ import annotations

import os
import sys
import time


class Progress:
    def __init__(self, steps: int, batch_tokens: int, start: int, quiet: bool = False) -> None:
        self.steps, self.batch_tokens, self.start, self.quiet = steps, batch_tokens, start, quiet
        self.began = self.shown = time.monotonic()
        self.terminal = sys.stderr.isatty()
        self.colour = self.terminal and "NO_COLOR" not in os.environ

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def tokens_a_second(self, step: int) -> float:
        return (step - self.start) * self.batch_tokens / max(self.seconds, 1e-9)

    def show(self, step: int, loss: float) -> None:
        now = time.monotonic()
        last = step == self.steps
        if self.quiet or (now - self.shown < (0.2 if self.terminal else 10) and not last):
            return
        self.shown = now
        left = self.seconds / max(1, step - self.start) * (self.steps - step)
        text = (
            f"step {step:,}/{self.steps:,}  loss {loss:.3f}  {self.tokens_a_second(step):,.0f} tokens/s  "
            f"{left // 60:.0f}:{left % 60:02.0f} left"
        )
        if self.terminal:
            filled = 24 * step // self.steps
            bar = "━" * filled + " " * (24 - filled)
            bar = f"\033[32m{bar}\033[0m" if self.colour else bar
            print(f"\r\033[K{bar} {text}", end="\n" if last else "", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)

    def say(self, line: str) -> None:
        if not self.quiet:
            print(("\r\033[K" if self.terminal else "") + line, file=sys.stderr, flush=True)
