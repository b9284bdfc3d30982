"""The names of all signals, without anything heavy: recipes are checked against them.

A new signal is a line here and a column of its kernel, in the same order.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Signal:
    """A figure of a document: what thresholds are compared with."""

    name: str
    doc: str
    """What it measures, and its unit."""


_GOPHER_QUALITY = (  # Rae et al. 2021, arXiv:2112.11446, section A1.1
    Signal("words", "words that hold more than punctuation"),
    Signal("mean_word_length", "characters a word, over those words"),
    Signal("hash_ratio", "# signs a word, symbols counted as words"),
    Signal("ellipsis_ratio", "ellipses (... or …) a word, symbols counted as words"),
    Signal("bullet_lines", "share of lines that begin with • or -"),
    Signal("ellipsis_lines", "share of lines that end in an ellipsis"),
    Signal("alpha_words", "share of words, symbols included, with a letter"),
    Signal("stop_words", "how many of the, be, to, of, and, that, have, with occur"),
)
_GOPHER_REPETITION = (  # the same, table A1; characters as a share of all characters of the text
    Signal("dup_lines", "share of lines that repeat an earlier one; lines stand between runs of new lines"),
    Signal("dup_paragraphs", "share of paragraphs that repeat an earlier one"),
    Signal("dup_line_chars", "characters in repeated lines"),
    Signal("dup_paragraph_chars", "characters in repeated paragraphs"),
    *(Signal(f"top_{n}gram", f"characters in the commonest {n}-gram, all its occurrences") for n in (2, 3, 4)),
    *(Signal(f"dup_{n}gram", f"characters in repeated {n}-grams, each counted once") for n in range(5, 11)),
)
_C4 = (  # Raffel et al. 2020, arXiv:1910.10683, section 2.2
    Signal("sentences", "sentences, counted line by line"),
    Signal("lorem_ipsum", "lines with 'lorem ipsum'"),
    Signal("curly_brackets", "lines with {"),
    Signal("javascript_lines", "share of lines with 'javascript'"),
    Signal("policy_lines", "share of lines with a phrase of cookie and privacy notices"),
    Signal("unpunctuated_lines", "share of lines that do not end in . ? ! \" or ', or end in three stops"),
)
_FINEWEB = (  # Penedo et al. 2024, arXiv:2406.17557, section 3.6
    Signal("line_punctuation", "share of lines, blank ones apart, that end in a terminal mark of any script"),
    Signal("short_lines", "share of lines, blank ones apart, of at most 30 characters"),
    Signal("char_duplicates", "characters in repeated lines, of all that are not new lines"),
    Signal("newline_ratio", "new lines a word, symbols counted as words"),
)
_REDPAJAMA = (  # Weber et al. 2024, arXiv:2411.12372, appendix; words are in lower case, symbols left out
    Signal("characters", "characters"),
    Signal("lines", "lines that are not blank"),
    Signal("unique_words", "different words a word"),
    Signal("word_entropy", "entropy of the distribution of words, in nats"),
    Signal("all_caps_words", "share of words, symbols included, that are all in capitals"),
    Signal("stop_word_share", "share of words, symbols included, that are English function words"),
    Signal("simple_sentences", "runs between . ! and ? with a letter or digit"),
    Signal("curly_share", "{ and } of all characters"),
    Signal("lorem_share", "'lorem ipsum', times a character of the words joined by spaces"),
    Signal("javascript_words", "how often the word 'javascript' occurs"),
    Signal("words_per_line", "words a line, blank lines apart"),
    Signal("punctuated_lines", "share of lines, blank ones apart, that end in . ! ? or ”"),
    Signal("bullet_point_lines", "share of lines, blank ones apart, that begin with one of • ‣ ▶ ◀ ◦ ■ □ ▪ ▫ –"),
    Signal("line_upper", "capitals of a line's characters, mean of the lines, blank ones apart"),
    Signal("line_numeric", "numeric characters of a line's, mean of the lines, blank ones apart"),
    *(Signal(f"common_{n}gram", f"letters in the commonest {n}-gram, if it is repeated, of all") for n in (2, 3, 4)),
    *(Signal(f"repeated_{n}gram", f"letters in {n}-grams that occur twice and more, of all") for n in range(5, 11)),
)
_REMOVED = (  # what the recipe's line rules did; shares of the text before, 0 without line rules
    Signal("removed_lines", "share of lines, blank ones apart, that line rules drop or edit"),
    Signal("removed_words", "share of words between white space in those lines"),
    Signal("refinedweb_words", "the same, of the lines that RefinedWeb's rules alone drop or edit"),
)

MEASURED: tuple[Signal, ...] = (*_GOPHER_QUALITY, *_GOPHER_REPETITION, *_C4, *_FINEWEB, *_REDPAJAMA)
"""Of a text alone, in the order of the kernel's columns."""

TEXT: tuple[Signal, ...] = (*MEASURED, *_REMOVED)
"""Of every document: the fields of column `signals`."""

CODE: tuple[Signal, ...] = (  # The Stack, StarCoder and StarCoder2 (docs/quality.md); ratios over all characters
    Signal("code_lines", "lines"),
    Signal("code_longest_line", "characters of the longest line; null where a line is a paragraph (Markdown)"),
    Signal("code_mean_line", "characters a line; null where a line is a paragraph"),
    Signal("code_alphanumeric", "letters and digits"),
    Signal("code_alphabetic", "letters; null for machine languages (assembly of the 68000, WebAssembly)"),
    Signal("code_digits", "decimal digits"),
    Signal("code_non_ascii", "characters beyond ASCII"),
    Signal("code_longest_run", "characters of the longest run without white space"),
    Signal("code_comments", "characters in comments; null where the language's syntax is not known"),
    Signal("code_generated", "1 when one of the first five lines says that a tool wrote the file, else 0"),
    Signal("code_encoded", "characters in long runs of base64, of hexadecimal bytes or of Unicode escapes"),
)
"""Of source files only: the fields of column `code_signals`."""

PERPLEXITY = Signal("perplexity", "of the words under an n-gram model (`quality.perplexity`)")
SCORE = "score_"
"""`score_NAME`: a signal a classifier of `quality.classifiers`."""

IS_CODE = "programming_language"
"""The document column that source files have, and nothing else."""

_CODE_NAMES = frozenset(signal.name for signal in CODE)
_TEXT_NAMES = frozenset(signal.name for signal in TEXT)


def is_code(signal: str) -> bool:
    """Whether it is a signal of source files."""
    return signal in _CODE_NAMES


def column(signal: str) -> tuple[str, str | None]:
    """The document column that holds a signal, and the field in it (None: the column itself).

    Raises ValueError for a name that no signal has.
    """
    if signal in _TEXT_NAMES:
        return "signals", signal
    if signal in _CODE_NAMES:
        return "code_signals", signal
    if signal == PERPLEXITY.name:
        return signal, None
    if signal.startswith(SCORE):
        return "scores", signal.removeprefix(SCORE)
    import difflib

    near = difflib.get_close_matches(signal, (*_TEXT_NAMES, *_CODE_NAMES, PERPLEXITY.name), n=1)
    raise ValueError(
        f"{signal} is no signal" + (f"; did you mean {near[0]}?" if near else "; docs/quality.md lists them")
    )
