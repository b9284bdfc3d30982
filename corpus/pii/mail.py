"""E-mail addresses: RFC 5321's dot-strings at a domain with a top level, and RFC 6531's letters of Latin alphabets;
domains in Greek and Cyrillic too."""

from __future__ import annotations

import re

_ASCII_LOCAL = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._%+'-"
_NEXT = bytes(range(0x80, 0xC0))  # later bytes of a character
_LOCAL = _ASCII_LOCAL + bytes(range(0xC3, 0xCA)) + _NEXT  # U+00C0 to U+024F, once a cut character is off its front
# Also part of the local part, where nothing else explains them: `sales&co@`, `a/b@`, `bounce+user=example.com@`.
_JOINED = re.compile(
    rb"(?<![^\s<(\"'\[,;:])(?:[A-Za-z0-9._+-]{1,32}\+[A-Za-z0-9.+_-]{1,48}=|[A-Za-z0-9_-]{1,32}/|[A-Za-z0-9._-]{1,32}&)$"
)
# `{alice, bob}@example.edu` of papers.
_GROUP = re.compile(rb"\{[A-Za-z0-9._%+'\-,;| ]{1,80}\}$")
# What an escape leaves at the front: `\njane@`, `mailto=%20jane@`.
_ESCAPE = re.compile(rb".*%(?:20|22|26|2C|3A|3C|3D|3F|40|0[AD])", re.DOTALL | re.IGNORECASE)
_L = rb"(?:[A-Za-z0-9]|[\xc3-\xd4][\x80-\xbf])"
_DOMAIN = re.compile(
    rb"((?:" + _L + rb"++(?:-++" + _L + rb"++)*+\.)+)"
    rb"(xn--[A-Za-z0-9-]{2,59}(?<!-)|[A-Za-z]{2,24}|(?:[\xcd-\xd4][\x80-\xbf]){2,24})"
    rb"(?![A-Za-z0-9]|_+[A-Za-z0-9])(?!-+[A-Za-z0-9])"
)
# `logo@2x.png`: names of files, which are no top-level domains.
_SUFFIXES = frozenset(b"png jpg jpeg gif svg webp bmp ico css js mjs ts jsx tsx html htm php json xml yaml yml".split())
_LONGEST_LOCAL, _LONGEST_DOMAIN = 64, 253


def email(data: bytes, at: int, floor: int) -> tuple[str, tuple[int, int]] | None:
    """The address around the `@` at `at`; nothing before `floor` belongs to it."""
    found = _DOMAIN.match(data, at + 1, at + 2 + _LONGEST_DOMAIN)
    if not found or found[2].lower() in _SUFFIXES:
        return None
    first = found[1].partition(b".")[0]
    if first.isdigit() and len(first) < 3:  # `left-pad@1.3.0-rc.x`
        return None
    local = _local(data, at, floor)
    if not local or local == b"git":  # `git@host:path`
        return None
    if data[found.end() : found.end() + 1] == b"_":  # _jane@example.org_
        local = local.lstrip(b"_") or local
    return "email", (at - len(local), found.end())


def _local(data: bytes, at: int, floor: int) -> bytes:
    """What stands before the `@` and belongs to the address; nothing, if it is none."""
    window = data[max(floor, at - _LONGEST_LOCAL - 1) : at]
    if window.endswith(b"}") and (group := _GROUP.search(data, max(floor, at - 82), at)):
        return group.group()
    local = window[len(window.rstrip(_LOCAL)) :]
    if len(local) > _LONGEST_LOCAL or local.endswith(b"."):
        return b""
    local = local[local.rfind(b"..") + 2 if b".." in local else 0 :]
    if b"%" in local and (escape := _ESCAPE.match(local)):
        local = local[escape.end() :]
    local = local.lstrip(b".%+'-" + _NEXT)
    start = at - len(local)
    if len(local) > 1 and local[:1] in (b"n", b"r", b"t") and data[max(floor, start - 1) : start] == b"\\":
        return local[1:]
    if local and data[start - 1 : start] in (b"=", b"/", b"&") and start > floor:
        joined = _JOINED.search(data, max(floor, start - 83), start)
        return data[joined.start() : at] if joined else local
    return local
