"""Bytes of a page to its blocks of text and the elements around them, in one pass.

No DOM is built. The pass keeps a stack of the block-level elements alone, with the implied end tags of HTML's tree
construction (p, li, dd, dt, table parts, headings) and its scopes; inline elements are counters. What would make that
quadratic (looking for an open element) is kept in the stack's rows: time is linear in the bytes whatever a page holds.

Unlike a browser it does not move misplaced table content nor reconstruct formatting across blocks, and ends a quoted
attribute, a title or a text area that never ends.
"""

from __future__ import annotations

import numpy as np

from corpus.kernels import html_names as names
from corpus.kernels.html_scan import (
    ALT,
    HIDDEN,
    HIDES,
    HREF,
    TYPE,
    attributes,
    behind_declaration,
    find,
    find_byte,
    has,
    is_xhtml,
    last_quotes,
    raw_end,
    reference,
    tag_name,
    token_hashes,
)
from corpus.kernels.jit import inlined, njit

_KIND = names.KIND
_T = names.TAG
_BLOCK, _VOID, _SKIP, _RAW, _BREAK = names.BLOCK, names.VOID, names.SKIP, names.RAW, names.BREAK

# Columns of a block: where its text lies, the element that holds it, characters (all, in links, in bold, in code), and
# how many links, line breaks, images and form controls it has.
START, END, NODE, CHARS, LINK_CHARS, BOLD_CHARS, CODE_CHARS, LINKS, BREAKS, IMAGES, CONTROLS = range(11)
BLOCK_COLUMNS = 11
# Columns of an element: number of its parent, its name, where its class tokens lie, flags, where its content begins.
PARENT, TAG, TOKENS, TOKENS_END, FLAGS, SOURCE = range(6)
NODE_COLUMNS = 6

# Stand around inline code; text itself holds no control characters but line ends and tabs.
CODE_BEGIN, CODE_END = 1, 2

MAX_BLOCKS, MAX_NODES, MAX_TOKENS = 200_000, 400_000, 24

# Columns of the stack: element, name, the next lower one of that name, nearest open p, li, dd or dt, row, cell and
# table section in scope, the lowest place that an end tag may close, what is inherited: skipping, preformatted.
_NODE, _NAME, _BELOW, _P, _LI, _DD, _ROW, _CELL, _SECTION, _FLOOR, _SKIPS, _PRE = range(12)
_STACK_COLUMNS = 12

# State: all numbers that the helpers share.
(
    _OUT, _BLOCKS, _NODES, _TOKENS, _TOP, _BEGIN, _SPACE, _LINK, _LINK_AT, _BOLD, _CODE, _N_CHARS, _N_LINK, _N_BOLD,
    _N_CODE, _N_LINKS, _N_BREAKS, _N_IMAGES, _N_CONTROLS, _FULL, _HIDE_TAG, _HIDE_COUNT, _BODY, _MARKDOWN, _QUOTE,
    _HIDE_AT,
) = range(26)  # fmt: skip
_STATE = 26
_BODY_TAG, _BUTTON, _TABLE, _CAPTION, _P_TAG, _LI_TAG = (
    _T[name] for name in ("body", "button", "table", "caption", "p", "li")
)
_TR, _TD, _TH, _THEAD, _TBODY, _TFOOT, _DD_TAG, _DT_TAG, _H1, _H6 = (
    _T[name] for name in ("tr", "td", "th", "thead", "tbody", "tfoot", "dd", "dt", "h1", "h6")
)
_PRE_TAG, _LISTING, _XMP, _PLAINTEXT = (_T[name] for name in ("pre", "listing", "xmp", "plaintext"))
_A, _B, _STRONG, _CODE_TAG, _KBD, _SAMP, _TT = (_T[name] for name in ("a", "b", "strong", "code", "kbd", "samp", "tt"))
# What no implied end tag stops at.
_TRANSPARENT = tuple(_T[name] for name in ("custom-element", "div", "address", "audio", "canvas", "datalist", "video"))
_APPLET, _NOSCRIPT, _SELECT, _TEMPLATE = (_T[name] for name in ("applet", "noscript", "select", "template"))
_BR, _IMG, _INPUT, _TEXTAREA, _HR, _SCRIPT, _MATH, _SVG, _RUBY, _RT, _RP = (
    _T[name] for name in "br img input textarea hr script math svg ruby rt rp".split()
)
_TEX, _MATH_TEX = np.frombuffer(b"application/x-tex", np.uint8), np.frombuffer(b"math/tex", np.uint8)
_MATH_END, _ANNOTATION, _ANNOTATION_END = (
    np.frombuffer(mark, np.uint8) for mark in (b"</math", b"<annotation", b"</annotation")
)


def parse(data: np.ndarray, markdown: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, bool]:
    """(text, blocks, nodes, tokens, whole) of a page in UTF-8, uint8[n].

    text: uint8, white space collapsed and references resolved; blocks: int32[n, 11] and nodes: int32[m, 6], columns
    as above, both in document order, node 0 the root; tokens: uint32 hashes of the words in class, id, role and
    itemprop. `whole` is False when the page has more blocks or elements than MAX_BLOCKS or MAX_NODES. With `markdown`
    inline code stands between CODE_BEGIN and CODE_END. Formulas (MathML with TeX, MathJax scripts) become `$TeX$`.
    """
    tags = int(np.count_nonzero(data == 60))
    rows = min(tags, MAX_NODES) + 2
    text = np.empty(len(data) + len(data) // 4 + 64, np.uint8)
    blocks = np.empty((min(tags, MAX_BLOCKS) + 2, BLOCK_COLUMNS), np.int32)
    nodes = np.empty((rows, NODE_COLUMNS), np.int32)
    tokens = np.empty(min(len(data) // 2 + 16, rows * MAX_TOKENS), np.uint32)
    stack = np.empty((rows, _STACK_COLUMNS), np.int32)
    state = np.zeros(_STATE, np.int64)
    state[_MARKDOWN] = markdown
    _parse(data, text, blocks, nodes, tokens, stack, state)
    counts = (state[_BLOCKS], state[_NODES], state[_TOKENS])
    return text[: state[_OUT]], blocks[: counts[0]], nodes[: counts[1]], tokens[: counts[2]], not state[_FULL]


@njit
def _parse(data, text, blocks, nodes, tokens, stack, state):  # type: ignore[no-untyped-def]
    size = data.size
    last = np.full(_KIND.size, -1, np.int32)
    endless = np.zeros(_KIND.size, np.bool_)
    found = np.zeros((8, 2), np.int64)
    quotes = last_quotes(data, size)
    xml = is_xhtml(data, size)
    state[_TOP] = -1
    _push(0, 0, 0, 0, 0, nodes, stack, last, state)
    i = 0
    while i < size and state[_FULL] == 0:
        if data[i] != 60:
            i = _text(data, i, size, text, stack, state)
            continue
        at = i + 1
        if at >= size:
            break
        if data[at] == 33 or data[at] == 63:  # ! ?
            i = behind_declaration(data, at, size)
            continue
        closing = data[at] == 47
        if closing:
            at += 1
        if at >= size or not (65 <= data[at] <= 90 or 97 <= data[at] <= 122):
            if closing:
                i = find_byte(data, at, size, 62) + 1
            else:
                if stack[state[_TOP], _SKIPS] == 0 and state[_HIDE_COUNT] == 0:
                    _emit(60, text, state)
                i += 1
            continue
        tag, at = tag_name(data, at, size)
        kind = _KIND[tag]
        if closing:
            i = find_byte(data, at, size, 62) + 1
            _end(tag, kind, text, blocks, stack, last, state)
            continue
        i = attributes(data, at, size, found, quotes)
        if state[_HIDE_COUNT] and state[_HIDE_TAG] in (_RT, _RP) and tag in (_RT, _RP):
            state[_HIDE_TAG] = tag  # the end tags of both may be left out
        elif state[_HIDE_COUNT] and tag == state[_HIDE_TAG]:
            state[_HIDE_COUNT] += 1
        skipping = stack[state[_TOP], _SKIPS] != 0 or state[_HIDE_COUNT] > 0
        if tag in (_INPUT, _TEXTAREA) and last[_SELECT] > 0:
            _end(_SELECT, _SKIP, text, blocks, stack, last, state)
        if kind == _RAW:
            if data[i - 2] == 47 and (xml or stack[state[_TOP], _NAME] == _SVG):
                continue
            end = -1 if endless[tag] else raw_end(data, i, size, tag)
            if end < 0:
                endless[tag] = True
                i = size if tag == _SCRIPT else i
                continue
            if tag == _SCRIPT and not skipping and has(data, found[TYPE, 0], found[TYPE, 1], _MATH_TEX):
                _formula(data, i, end, text, state)
            i = end
        elif tag == _MATH:
            end = -1 if endless[tag] else find(data, i, size, _MATH_END)
            if end < 0:
                endless[tag] = True
                continue
            if not skipping:
                _math(data, i, end, found, text, state)
            i = end
        elif kind in (_BLOCK, _SKIP):
            if tag == _BODY_TAG and state[_BODY]:
                continue
            if kind == _SKIP and data[i - 2] == 47:
                continue
            if tag == _SELECT and last[_SELECT] > 0:
                _end(tag, kind, text, blocks, stack, last, state)
                continue
            state[_BODY] |= tag == _BODY_TAG
            if kind == _BLOCK and stack[state[_TOP], _NAME] == _SVG:
                _pop_to(state[_TOP], text, blocks, stack, last, state)
            _flush(text, blocks, stack, state)
            _imply(tag, kind, text, blocks, stack, last, state)
            first = state[_TOKENS]
            state[_TOKENS] = token_hashes(data, found, tokens, first, MAX_TOKENS)
            _push(tag, kind, first, found[HIDES, 0], i, nodes, stack, last, state)
        elif skipping:
            continue
        elif kind == _BREAK:
            _flush(text, blocks, stack, state)
        elif kind == _VOID:
            _void(tag, text, blocks, stack, state)
        else:
            _inline(tag, found, stack, state)
            # Readings stand beside what they are readings of: in a line of text they would double it.
            if tag in (_RT, _RP):
                found[HIDES, 0] = HIDDEN
            if found[HIDES, 0] and tag and data[i - 2] != 47:
                state[_HIDE_TAG], state[_HIDE_COUNT] = tag, 1
                # aria-hidden is not seen when it is never closed: it ends with the next block.
                state[_HIDE_AT] = state[_TOP] if found[HIDES, 0] & HIDDEN else size
    _flush(text, blocks, stack, state)


@njit
def _push(tag, kind, first_token, flags, source, nodes, stack, last, state):  # type: ignore[no-untyped-def]
    top, node = state[_TOP], state[_NODES]
    if node >= nodes.shape[0] or top + 1 >= stack.shape[0]:
        state[_FULL] = 1
        return
    nodes[node, PARENT] = stack[top, _NODE] if top >= 0 else -1
    nodes[node, TAG], nodes[node, TOKENS], nodes[node, TOKENS_END] = tag, first_token, state[_TOKENS]
    nodes[node, FLAGS], nodes[node, SOURCE] = flags, source
    at = top + 1
    row = stack[at]
    if top >= 0:
        row[:] = stack[top]
    else:
        row[:] = -1
        row[_FLOOR] = row[_SKIPS] = row[_PRE] = 0
    row[_NODE], row[_NAME], row[_BELOW] = node, tag, last[tag]
    last[tag] = at
    state[_TOP], state[_NODES] = at, node + 1
    row[_SKIPS] |= kind == _SKIP
    if tag in _TRANSPARENT:
        return
    if tag == _P_TAG:
        row[_P] = at
    elif tag == _TABLE:
        row[_P] = row[_LI] = row[_DD] = row[_ROW] = row[_CELL] = row[_SECTION] = -1
        row[_FLOOR] = at
    elif tag == _TR:
        row[_ROW], row[_CELL] = at, -1
    elif tag in (_TD, _TH, _CAPTION):
        row[_P] = row[_LI] = row[_DD] = -1
        row[_CELL] = row[_FLOOR] = at
    elif tag in (_THEAD, _TBODY, _TFOOT):
        row[_SECTION], row[_ROW], row[_CELL] = at, -1, -1
    elif tag == _LI_TAG:
        row[_LI] = at
    elif tag in (_DD_TAG, _DT_TAG):
        row[_DD] = at
    else:
        row[_LI] = row[_DD] = -1
        if tag in (_BUTTON, _SELECT):
            row[_P] = -1
        elif tag in (_APPLET, _NOSCRIPT, _TEMPLATE):
            row[_P] = row[_ROW] = row[_CELL] = row[_SECTION] = -1
        elif tag in (_PRE_TAG, _LISTING, _XMP, _PLAINTEXT):
            row[_PRE] = 1


@njit
def _pop_to(index, text, blocks, stack, last, state):  # type: ignore[no-untyped-def]
    """Close every element from the top down to the one at `index`, and what was open inside it."""
    _flush(text, blocks, stack, state)
    for at in range(state[_TOP], index - 1, -1):
        last[stack[at, _NAME]] = stack[at, _BELOW]
    state[_TOP] = index - 1
    if state[_LINK_AT] > state[_TOP]:
        state[_LINK] = 0
    if state[_HIDE_AT] > state[_TOP]:
        state[_HIDE_COUNT] = 0
    state[_BOLD] = state[_CODE] = state[_QUOTE] = 0


@njit
def _imply(tag, kind, text, blocks, stack, last, state):  # type: ignore[no-untyped-def]
    """Close what the start tag of a block closes without an end tag."""
    row = stack[state[_TOP]]
    target = np.int32(-1)
    if tag in (_TD, _TH):
        target = row[_CELL]
    elif tag == _TR:
        target = row[_ROW] if row[_ROW] >= 0 else row[_CELL]
    elif tag in (_THEAD, _TBODY, _TFOOT):
        target = row[_SECTION] if row[_SECTION] >= 0 else row[_ROW]
    elif tag == _LI_TAG and row[_LI] >= 0:
        target = row[_LI]
    elif (tag in (_DD_TAG, _DT_TAG)) and row[_DD] >= 0:
        target = row[_DD]
    elif kind == _BLOCK and tag != _BUTTON:
        target = row[_P]
    if target >= 0:
        _pop_to(target, text, blocks, stack, last, state)
    if _H1 <= tag <= _H6 and _H1 <= stack[state[_TOP], _NAME] <= _H6:
        _pop_to(state[_TOP], text, blocks, stack, last, state)


@njit
def _end(tag, kind, text, blocks, stack, last, state):  # type: ignore[no-untyped-def]
    if kind in (_BLOCK, _SKIP):
        at = last[tag]
        if _H1 <= tag <= _H6:
            for other in range(_H1, _H6 + 1):
                at = max(at, last[other])
        if at < 1 or tag == _BODY_TAG or (at < stack[state[_TOP], _FLOOR] and not _leaves_cell(tag, at, last)):
            _flush(text, blocks, stack, state)
        else:
            _pop_to(at, text, blocks, stack, last, state)
    elif state[_HIDE_COUNT]:
        if tag == state[_HIDE_TAG] or (tag == _RUBY and state[_HIDE_TAG] in (_RT, _RP)):
            state[_HIDE_COUNT] -= 1
    elif tag == _A:
        state[_LINK] = 0
    elif tag in (_B, _STRONG):
        state[_BOLD] = max(0, state[_BOLD] - 1)
    elif tag in (_CODE_TAG, _KBD, _SAMP, _TT):
        state[_CODE] = max(0, state[_CODE] - 1)
        if state[_CODE] == 0:
            _close_quote(text, state)
    elif tag == _BR:
        _void(tag, text, blocks, stack, state)
    elif kind == _BREAK:
        _flush(text, blocks, stack, state)


@njit
def _leaves_cell(tag, at, last):  # type: ignore[no-untyped-def]
    """Whether an end tag may close an element outside the innermost cell: the table itself, and its own parts."""
    part = tag in (_TR, _TD, _TH, _THEAD, _TBODY, _TFOOT, _CAPTION)
    return tag == _TABLE or (part and at > last[_TABLE])


@njit
def _inline(tag, found, stack, state):  # type: ignore[no-untyped-def]
    if tag == _A:
        if found[HREF, 0]:
            state[_LINK], state[_LINK_AT] = 1, state[_TOP]
            state[_N_LINKS] += 1
    elif tag in (_B, _STRONG):
        state[_BOLD] += 1
    elif tag in (_CODE_TAG, _KBD, _SAMP, _TT):
        state[_CODE] += 1
        if state[_MARKDOWN] and state[_QUOTE] == 0 and stack[state[_TOP], _PRE] == 0:
            state[_QUOTE] = 1  # due at the next character


@njit
def _close_quote(text, state):  # type: ignore[no-untyped-def]
    if state[_QUOTE] == 2:
        text[state[_OUT]] = CODE_END
        state[_OUT] += 1
    state[_QUOTE] = 0


@njit
def _void(tag, text, blocks, stack, state):  # type: ignore[no-untyped-def]
    if tag == _BR:
        out = state[_OUT]
        if out == state[_BEGIN] or stack[state[_TOP], _SKIPS]:
            return
        if text[out - 1] == 10 and not stack[state[_TOP], _PRE]:
            # Two line breaks are how pages without paragraphs part them.
            _flush(text, blocks, stack, state)
        else:
            text[out] = 10
            state[_OUT] += 1
            state[_SPACE] = 0
            state[_N_BREAKS] += 1
    elif tag == _HR:
        _flush(text, blocks, stack, state)
    elif tag == _IMG:
        state[_N_IMAGES] += 1
    elif tag == _INPUT:
        state[_N_CONTROLS] += 1


@njit
def _flush(text, blocks, stack, state):  # type: ignore[no-untyped-def]
    """End the current run of text; a block of it, when it has any."""
    if state[_QUOTE] == 2:
        _close_quote(text, state)
        state[_QUOTE] = 1
    out, begin = state[_OUT], state[_BEGIN]
    while out > begin and (text[out - 1] == 32 or text[out - 1] == 10 or text[out - 1] == 9):
        out -= 1
    if out > begin:
        number = state[_BLOCKS]
        if number >= blocks.shape[0]:
            state[_FULL] = 1
            return
        row = blocks[number]
        row[START], row[END], row[NODE] = begin, out, stack[state[_TOP], _NODE]
        row[CHARS], row[LINK_CHARS], row[BOLD_CHARS] = state[_N_CHARS], state[_N_LINK], state[_N_BOLD]
        row[CODE_CHARS], row[LINKS], row[BREAKS] = state[_N_CODE], state[_N_LINKS], state[_N_BREAKS]
        row[IMAGES], row[CONTROLS] = state[_N_IMAGES], state[_N_CONTROLS]
        state[_BLOCKS] = number + 1
        state[_N_IMAGES] = state[_N_CONTROLS] = 0
    state[_OUT] = state[_BEGIN] = out
    state[_SPACE] = state[_N_LINKS] = state[_N_BREAKS] = 0
    state[_N_CHARS] = state[_N_LINK] = state[_N_BOLD] = state[_N_CODE] = 0


@njit
def _text(data, i, size, text, stack, state):  # type: ignore[no-untyped-def]
    """Append the characters up to the next `<`; returns its position."""
    if stack[state[_TOP], _SKIPS] or state[_HIDE_COUNT]:
        return find_byte(data, i, size, 60)
    return _characters(data, i, size, 60, text, state, stack[state[_TOP], _PRE] != 0)


@inlined
def _characters(data, i, end, stop, text, state, keep):  # type: ignore[no-untyped-def]
    """Append up to `end` or the byte `stop`, references resolved; returns where it ended."""
    resolved = np.empty(8, np.uint8)
    while i < end and data[i] != stop:
        byte = data[i]
        i += 1
        if byte == 38:
            length, behind = reference(data, i - 1, end, resolved)
            if length:
                i = behind
                _emit_bytes(resolved, length, text, state, keep)
                continue
        if byte <= 32:
            _space(byte, text, state, keep)
        elif byte == 0xC2 and i < end and (data[i] == 0xA0 or data[i] == 0xAD):
            if data[i] == 0xA0:
                _space(32, text, state, keep)
            i += 1
        else:
            _emit(byte, text, state)
    return i


@njit
def _emit_bytes(resolved, length, text, state, keep):  # type: ignore[no-untyped-def]
    if resolved[0] <= 32:
        _space(resolved[0], text, state, keep)
    elif resolved[0] == 0xC2 and resolved[1] == 0xA0:
        _space(32, text, state, keep)
    elif not (resolved[0] == 0xC2 and resolved[1] == 0xAD):
        for k in range(length):
            _emit(resolved[k], text, state)


@njit
def _space(byte, text, state, keep):  # type: ignore[no-untyped-def]
    """White space: one space before the next character, or as it is where it is preformatted."""
    if not keep:
        state[_SPACE] = 1
    elif byte != 13 and (byte != 10 or state[_OUT] > state[_BEGIN]):
        text[state[_OUT]] = byte if byte == 10 or byte == 9 else 32
        state[_OUT] += 1


@njit
def _emit(byte, text, state):  # type: ignore[no-untyped-def]
    out = state[_OUT]
    if state[_SPACE]:
        state[_SPACE] = 0
        if out > state[_BEGIN] and text[out - 1] != 10:
            text[out] = 32
            out += 1
    if state[_QUOTE] == 1:
        state[_QUOTE] = 2
        text[out] = CODE_BEGIN
        out += 1
    text[out] = byte
    state[_OUT] = out + 1
    if byte & 0xC0 != 0x80:
        state[_N_CHARS] += 1
        state[_N_LINK] += state[_LINK]
        state[_N_BOLD] += state[_BOLD] > 0
        state[_N_CODE] += state[_CODE] > 0


@njit
def _formula(data, at, end, text, state):  # type: ignore[no-untyped-def]
    """`$TeX$`, references resolved."""
    while at < end and data[at] <= 32:
        at += 1
    while end > at and data[end - 1] <= 32:
        end -= 1
    if at < end:
        _emit(36, text, state)
        _characters(data, at, end, -1, text, state, False)
        _emit(36, text, state)


@njit
def _math(data, at, end, found, text, state):  # type: ignore[no-untyped-def]
    """A formula's TeX: its annotation, else its alternative text, else the text between its tags."""
    tex = find(data, at, end, _TEX)
    if tex >= 0:
        begin = find_byte(data, tex, end, 62) + 1
        stop = find(data, begin, end, _ANNOTATION_END)
        _formula(data, begin, end if stop < 0 else stop, text, state)
        return
    if found[ALT, 1] > found[ALT, 0]:
        _formula(data, found[ALT, 0], found[ALT, 1], text, state)
        return
    annotation = find(data, at, end, _ANNOTATION)
    if annotation >= 0:
        end = annotation
    while at < end:
        at = _characters(data, at, end, 60, text, state, False)
        at = find_byte(data, at, end, 62) + 1
