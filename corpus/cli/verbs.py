"""Every verb, in the order in which `corpus --help` lists them. A new verb is one file and one line here."""

from __future__ import annotations

from corpus.cli import (  # noqa: F401
    run,
    check,
    status,
    verify,
    fetch,
    extract,
    language,
    quality,
    dedup,
    tokenizer,
    pack,
    train,
    stats,
    sample,
    why,
    report,
    generate,
    export,
)  # isort: skip
