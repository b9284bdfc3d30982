"""The rules that a document may fail, by name: which of them a question may be about though nothing failed it."""

from __future__ import annotations

from corpus.decontaminate.config import RULE as CONTAMINATED
from corpus.dedup.passages.config import RULES as PASSAGES
from corpus.pii.kinds import KINDS, RULE
from corpus.quality.rules import RULES
from corpus.recipe import Recipe

# Of records that gave no document: docs/sources.md says what each means.
_EXTRACT = (
    *("status", "content_type", "payload_duplicate", "damaged", "decode_error", "too_large"),
    *("url_blocked", "url_not_allowed"),
    *("opt_out_noindex", "opt_out_noai", "opt_out_noimageai", "opt_out_tdm"),
    *("bad_json", "bad_csv", "no_text", "encrypted", "vendored", "generated", "language", "unsafe_path"),
    *("binary", "unreadable", "not_html", "empty", "limit", "timeout", "memory", "crash", "exception"),
)
_LANGUAGE = ("language", "language_score", "language_script", "language_disagreement")
_DEDUP = ("exact_duplicate", "near_duplicate", *PASSAGES.values())


def rule_names(recipe: Recipe) -> tuple[str, ...]:
    """Every rule of the stages, whether the recipe has it on or not, with its own bounds and filters."""
    quality = recipe.quality
    own = [rule.name for rule in quality.active_rules] if quality else []
    filters = [one.name for one in quality.filters] if quality else []
    found = (*_EXTRACT, *_LANGUAGE, *(rule.name for rule in RULES), *own, *filters)
    return tuple(dict.fromkeys((*found, *(f"{RULE}{kind}" for kind in KINDS), *_DEDUP, CONTAMINATED)))
