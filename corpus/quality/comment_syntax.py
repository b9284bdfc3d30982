"""How comments and strings are written, by programming language, in GitHub Linguist's names.

Enough to find comments that are not inside strings; approximate where only a parser knows (nested comments, here
documents, regular expressions). A language that is not here has no comment ratio.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np

from corpus.kernels.code import (
    BLOCKS_AT_LINE_START,
    DOCSTRINGS,
    MARKERS,
    NO_ESCAPES,
    QUOTES_IN_NAMES,
    SPACE_BEFORE,
    TRIPLE,
    WIDTH,
)


@dataclass(frozen=True)
class Syntax:
    """What opens a comment to the end of the line, a block and its end, strings of one line and of several."""

    line: tuple[str, ...] = ()
    blocks: tuple[tuple[str, str], ...] = ()
    quotes: str = "\"'"
    long_quotes: str = ""
    flags: int = 0


_C = Syntax(("//",), (("/*", "*/"),))
_SCRIPT = replace(_C, long_quotes="`")
_HASH = Syntax(("#",), flags=SPACE_BEFORE)
_LISP = Syntax((";",), (("#|", "|#"),), '"')
_DASHES = Syntax(("--",), flags=NO_ESCAPES | QUOTES_IN_NAMES)
_MARKUP = Syntax((), (("<!--", "-->"),), "")
_STYLE = Syntax((), (("/*", "*/"),))
_TRIPLE = replace(_C, flags=TRIPLE)
_PYTHON = Syntax(("#",), flags=TRIPLE | DOCSTRINGS)
_ML = Syntax((), (("(*", "*)"),), '"')

SYNTAX: dict[str, Syntax] = {
    **dict.fromkeys(("C", "C++", "Cuda", "Objective-C", "Objective-C++"), replace(_C, flags=QUOTES_IN_NAMES)),
    **dict.fromkeys(("C#", "Solidity", "GLSL", "HLSL", "Protocol Buffer", "Vala"), _C),
    **dict.fromkeys(("JavaScript", "TypeScript", "TSX", "Go", "D"), _SCRIPT),
    **dict.fromkeys(("Java", "Kotlin", "Swift", "Groovy", "Dart"), _TRIPLE),
    "Scala": replace(_TRIPLE, flags=TRIPLE | QUOTES_IN_NAMES),
    "Rust": replace(_C, flags=QUOTES_IN_NAMES),
    "Zig": Syntax(("//",)),
    **dict.fromkeys(("Verilog", "SystemVerilog"), Syntax(("//",), (("/*", "*/"),), '"')),
    "PHP": Syntax(("//", "#"), (("/*", "*/"),)),
    **dict.fromkeys(("Python", "Cython", "Starlark"), _PYTHON),
    **dict.fromkeys(("Shell", "Tcl", "Awk", "Crystal", "YAML", "Nix", "GDScript"), _HASH),
    **dict.fromkeys(("CMake", "Dockerfile", "Makefile", "Perl", "R", "TOML"), _HASH),
    "Ruby": Syntax(("#",), (("=begin", "=end"),), flags=SPACE_BEFORE | BLOCKS_AT_LINE_START),
    "Elixir": Syntax(("#",), flags=SPACE_BEFORE | TRIPLE),
    "Julia": Syntax(("#",), (("#=", "=#"),), '"', flags=TRIPLE),
    "Nim": Syntax(("#",), (("#[", "]#"),), '"', flags=TRIPLE),
    "PowerShell": Syntax(("#",), (("<#", "#>"),), flags=SPACE_BEFORE | NO_ESCAPES),
    **dict.fromkeys(("HCL", "Terraform Template"), Syntax(("#", "//"), (("/*", "*/"),), '"')),
    **dict.fromkeys(("Common Lisp", "Scheme", "Racket"), _LISP),
    **dict.fromkeys(("Emacs Lisp", "Clojure", "WebAssembly"), Syntax((";",), (), '"')),
    **dict.fromkeys(("Ada", "VHDL"), _DASHES),
    "SQL": Syntax(("--",), (("/*", "*/"),), flags=NO_ESCAPES),
    "Lua": Syntax(("--",), (("--[[", "]]"), ("--[=[", "]=]"))),
    **dict.fromkeys(("Haskell", "Elm", "PureScript"), Syntax(("--",), (("{-", "-}"),), '"')),
    **dict.fromkeys(("OCaml", "Standard ML"), _ML),
    "F#": Syntax(("//",), (("(*", "*)"),), '"', flags=TRIPLE),
    "Pascal": Syntax(("//",), (("{", "}"), ("(*", "*)")), flags=NO_ESCAPES),
    "Erlang": Syntax(("%",)),
    "Prolog": Syntax(("%",), (("/*", "*/"),), flags=QUOTES_IN_NAMES),
    "MATLAB": Syntax(("%",), (("%{", "%}"),), flags=NO_ESCAPES | QUOTES_IN_NAMES),
    "TeX": Syntax(("%",), (), ""),
    "Fortran Free Form": Syntax(("!",), flags=NO_ESCAPES),
    **dict.fromkeys(("Visual Basic .NET", "VBA", "VBScript"), Syntax(("'",), (), '"', flags=NO_ESCAPES)),
    "Assembly": Syntax((";", "#", "//"), (("/*", "*/"),), '"', flags=SPACE_BEFORE),
    **dict.fromkeys(("HTML", "XML", "SVG", "Vue", "Svelte"), _MARKUP),
    "CSS": _STYLE,
    **dict.fromkeys(("SCSS", "Less"), Syntax(("//",), (("/*", "*/"),))),
}


@dataclass(frozen=True)
class Tables:
    """The syntaxes as the kernel takes them; the shapes are `corpus.kernels.code.comments`' with one more axis."""

    rows: dict[str, int]
    """Language in lower case -> row."""
    lines: np.ndarray
    openings: np.ndarray
    closings: np.ndarray
    quotes: np.ndarray
    long_quotes: np.ndarray
    flags: np.ndarray


@functools.cache
def tables() -> Tables:
    syntaxes = list(SYNTAX.values())
    return Tables(
        {name.lower(): row for row, name in enumerate(SYNTAX)},
        _markers([syntax.line for syntax in syntaxes]),
        _markers([tuple(pair[0] for pair in syntax.blocks) for syntax in syntaxes]),
        _markers([tuple(pair[1] for pair in syntax.blocks) for syntax in syntaxes]),
        _markers([tuple(syntax.quotes) for syntax in syntaxes])[:, :, 0].copy(),
        _markers([tuple(syntax.long_quotes) for syntax in syntaxes])[:, :, 0].copy(),
        np.array([syntax.flags for syntax in syntaxes], np.int64),
    )


def _markers(all_of_them: list[tuple[str, ...]]) -> np.ndarray:
    """uint32[len, MARKERS, WIDTH] of code points, zeros behind."""
    found = np.zeros((len(all_of_them), MARKERS, WIDTH), np.uint32)
    for row, markers in enumerate(all_of_them):
        for place, marker in enumerate(markers):
            found[row, place, : len(marker)] = [ord(character) for character in marker]
    return found
