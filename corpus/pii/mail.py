"""E-mail addresses (RFC 5321's dot-strings at a domain with a top level), in ASCII."""

from __future__ import annotations

import re

_LOCAL = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._%+'-"
_DOMAIN = re.compile(
    rb"((?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+)([A-Za-z]{2,24}|xn--[A-Za-z0-9-]{2,59})"
    rb"(?![A-Za-z0-9_])(?!-[A-Za-z0-9])"
)
# `logo@2x.png`: names of files, which are no top-level domains.
_SUFFIXES = frozenset(b"png jpg jpeg gif svg webp bmp ico css js mjs ts jsx tsx html htm php json xml yaml yml".split())
_LONGEST_LOCAL, _LONGEST_DOMAIN = 64, 253


def email(data: bytes, at: int, floor: int) -> tuple[str, tuple[int, int]] | None:
    """The address around the `@` at `at`; nothing before `floor` belongs to it."""
    window = data[max(floor, at - _LONGEST_LOCAL - 1) : at]
    local = window[len(window.rstrip(_LOCAL)) :]
    if len(local) > _LONGEST_LOCAL or local.endswith(b"."):
        return None
    local = local[local.rfind(b"..") + 2 if b".." in local else 0 :].lstrip(b".%+'-")
    found = _DOMAIN.match(data[at + 1 : at + 2 + _LONGEST_DOMAIN])
    if not local or not found or found[2].lower() in _SUFFIXES:
        return None
    first = found[1].partition(b".")[0]
    if (first.isdigit() and len(first) < 3) or local == b"git":  # `left-pad@1.3.0-rc.x`, `git@host:path`
        return None
    return "email", (at - len(local), at + 1 + found.end())
