"""The names of `dedup.keep`'s criteria, without anything heavy: recipes are checked against them."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Sequence

from corpus.quality import names

DATES, LENGTHS, SIGNALS = ("newest", "oldest"), ("longest", "shortest"), ("highest", "lowest")
# The smallest id, which decides in the end anyway: alone, or last.
FIRST_ID = "first_id"


def check(criterion: str) -> str:
    """The criterion. Raises ValueError for what is none, with the nearest that is, and all."""
    kind, colon, signal = criterion.partition(":")
    if kind in SIGNALS and signal:
        names.column(signal)
        return criterion
    if not colon and kind in (*DATES, *LENGTHS, FIRST_ID):
        return criterion
    if kind in SIGNALS:
        raise ValueError(f"{criterion} needs a signal: `{kind}:words`, for example; docs/quality.md lists them")
    near = difflib.get_close_matches(kind, (*SIGNALS, *DATES, *LENGTHS, FIRST_ID), n=1)
    known = "highest:SIGNAL, lowest:SIGNAL, newest, oldest, longest, shortest or first_id"
    meant = f"{near[0]}:{signal or 'SIGNAL'}" if near and near[0] in SIGNALS else near[0] if near else None
    raise ValueError(f"{criterion} is no criterion; " + (f"did you mean {meant}? " if meant else "") + f"give {known}")


def check_all(keep: tuple[str, ...]) -> tuple[str, ...]:
    """The criteria. Raises ValueError where one could never decide."""
    for criterion, after in itertools.pairwise(keep):
        if criterion == FIRST_ID:
            raise ValueError(f"{after} comes after {FIRST_ID}, which leaves nothing to decide; put {FIRST_ID} last")
    return keep


def scores(keep: Sequence[str]) -> tuple[str, ...]:
    """The names of the classifiers whose scores the criteria look at."""
    signals = [criterion.partition(":")[2] for criterion in keep]
    return tuple(names.column(signal)[1] or "" for signal in signals if signal.startswith(names.SCORE))


def columns(keep: Sequence[str]) -> tuple[str, ...]:
    """The document columns that the criteria look at, each once; `longest` and `shortest` look at none."""
    found = []
    for criterion in keep:
        kind, _, signal = criterion.partition(":")
        if kind in SIGNALS:
            found.append(names.column(signal)[0])
        elif kind in DATES:
            found.append("date")
    return tuple(dict.fromkeys(found))
