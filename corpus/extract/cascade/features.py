"""What the classifier sees of a block: its text, its place, the elements around it, its neighbours.

Nothing here knows a language: characters are counted by class, words only as runs between white space, and the words
of class and id attributes by weights that training found (`weights`).
"""

from __future__ import annotations

import numpy as np

from corpus.kernels import html as h
from corpus.kernels import html_names as names
from corpus.kernels.jit import njit
from corpus.kernels.unicode import decode

_T = names.TAG
# Groups of element names, as one ordinal feature.
_GROUPS = (
    ("p",), ("li",), ("td", "th"), ("h1",), ("h2",), ("h3",), ("h4", "h5", "h6"), ("div", "body", ""), ("section",),
    ("pre", "listing", "xmp", "plaintext"), ("blockquote",), ("dd",), ("dt",), ("figcaption", "caption"), ("button",),
    ("article",), ("main",), ("form", "fieldset", "legend"), ("header", "hgroup"), ("footer",), ("nav", "menu"),
    ("aside",), ("custom-element",),
)  # fmt: skip
_GROUP = np.zeros(len(names.NAMES), np.float32)
for _number, _group in enumerate(_GROUPS):
    for _name in _group:
        _GROUP[_T[_name]] = _number
# Elements that say something about all that is inside them: a bit each.
_AROUND = (
    ("article",), ("main",), ("nav", "menu"), ("header",), ("footer",), ("aside",), ("form",), ("table",),
    ("ul", "ol", "dir"), ("blockquote",), ("figure",), ("dl",), ("details",), ("custom-element",), ("section",),
    ("p",),
)  # fmt: skip
_BIT = np.zeros(len(names.NAMES), np.int64)
for _number, _group in enumerate(_AROUND):
    for _name in _group:
        _BIT[_T[_name]] = 1 << _number
_HIDDEN_BIT, _ARIA_BIT = 1 << 20, 1 << 21

# Of a block's text.
_TEXT = """chars words word_length digits upper stops commas marks link_share links bold_share code_share breaks images
controls ends_stop ends_colon starts_upper copyright repeated""".split()
# Of its place on the page.
_PLACE = (
    "index index_back chars_before chars_after page_chars page_blocks page_links depth since_heading heading".split()
)
# Of the elements around it; `near_` is the element that holds it, `up_` the one above, `over_` the next.
_ELEMENT = (
    """group near_chars near_links near_blocks near_share up_chars up_links up_blocks up_share up_group over_chars
over_links over_blocks over_share hidden aria_hidden""".split()
    + [f"in_{group[0].replace('-', '_')}" for group in _AROUND]
)
# Of what classes and ids say, and of the element that looks most like the body of an article.
_LEARNED = "token_near token_up token_path token_low token_high best_in best_score best_share best_distance".split()
_SIDES = ("previous", "next", "previous2", "next2")
_NEIGHBOUR = [f"{name}_{side}" for side in _SIDES for name in ("chars", "links", "stops", "same_node", "group")]
FEATURES = (*_TEXT, *_PLACE, *_ELEMENT, *_LEARNED, *_NEIGHBOUR)
_AT = {name: number for number, name in enumerate(FEATURES)}
N_TEXT, N_PLACE, N_ELEMENT, N_LEARNED = len(_TEXT), len(_PLACE), len(_ELEMENT), len(_LEARNED)
_PLACE_AT, _ELEMENT_AT = N_TEXT, N_TEXT + N_PLACE
_IN_AT = _ELEMENT_AT + N_ELEMENT - len(_AROUND)
_LEARNED_AT = _ELEMENT_AT + N_ELEMENT
_NEIGHBOUR_AT = _LEARNED_AT + N_LEARNED
N_FEATURES, _N_AROUND = len(FEATURES), len(_AROUND)
_LINKS_AT, _STOPS_AT = _AT["link_share"], _AT["stops"]
_H1, _H6 = _T["h1"], _T["h6"]


def features(
    text: np.ndarray, blocks: np.ndarray, nodes: np.ndarray, tokens: np.ndarray, keys: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """float32[blocks, FEATURES] of a page as `corpus.kernels.html.parse` gives it.

    `keys` (uint32[2**k], 0 for a free place) and `weights` (float32) are an open-addressing table of token weights.
    """
    return _features(text, blocks, nodes, tokens, keys, weights)


@njit
def token_weight(token, keys, weights):  # type: ignore[no-untyped-def]
    """The weight of a token, 0 for one that training did not see often enough."""
    slot = np.int64(token) & (keys.size - 1)
    while keys[slot] != 0:
        if keys[slot] == token:
            return weights[slot]
        slot = (slot + 1) & (keys.size - 1)
    return np.float32(0)


@njit
def _features(text, blocks, nodes, tokens, keys, weights):  # type: ignore[no-untyped-def]
    n, m = blocks.shape[0], nodes.shape[0]
    out = np.zeros((n, N_FEATURES), np.float32)
    hashes = np.zeros(n, np.uint64)
    for i in range(n):
        hashes[i] = _of_text(text, blocks[i], out[i])
    _repeated(hashes, out)
    around = np.zeros(m, np.int64)
    depth = np.zeros(m, np.int32)
    token = np.zeros((m, 4), np.float32)  # own, along the path, lowest, highest
    _down(nodes, tokens, keys, weights, around, depth, token)
    sums = np.zeros((m, 4), np.float64)  # characters, in links, blocks, score
    behind = np.arange(1, m + 1).astype(np.int32)
    best = _up(blocks, nodes, out, sums, behind)
    _of_page(blocks, nodes, depth, out)
    total = max(sums[0, 0], 1.0)
    for i in range(n):
        node = blocks[i, h.NODE]
        _of_elements(node, nodes, around, sums, total, out[i])
        row = out[i]
        row[_LEARNED_AT] = token[node, 0]
        row[_LEARNED_AT + 1] = token[max(nodes[node, h.PARENT], 0), 0]
        row[_LEARNED_AT + 2], row[_LEARNED_AT + 3], row[_LEARNED_AT + 4] = (
            token[node, 1],
            token[node, 2],
            token[node, 3],
        )
        inside = best <= node < behind[best]
        row[_LEARNED_AT + 5] = inside
        holder = max(nodes[node, h.PARENT], 0)
        row[_LEARNED_AT + 6] = max(sums[node, 3], sums[holder, 3]) / max(sums[best, 3], 1.0)
        row[_LEARNED_AT + 7] = sums[best, 0] / total
        row[_LEARNED_AT + 8] = depth[node] - depth[best] if inside else -1 - _gap(node, best, behind, nodes, depth)
    for i in range(n):
        for side in range(4):
            other = i + (-1, 1, -2, 2)[side]
            at = _NEIGHBOUR_AT + 5 * side
            if 0 <= other < n:
                out[i, at], out[i, at + 1] = out[other, 0], out[other, _LINKS_AT]
                out[i, at + 2] = out[other, _STOPS_AT]
                out[i, at + 3] = blocks[other, h.NODE] == blocks[i, h.NODE]
                out[i, at + 4] = out[other, _ELEMENT_AT]
            else:
                out[i, at] = out[i, at + 1] = out[i, at + 2] = out[i, at + 3] = out[i, at + 4] = -1
    return out


@njit
def _of_text(text, block, row):  # type: ignore[no-untyped-def]
    """Fills the features of a block's text; returns a hash of it."""
    start, end = block[h.START], block[h.END]
    words = digits = upper = stops = commas = marks = sign = 0
    inside = False
    value = np.uint64(14695981039346656037)
    last = first = np.uint32(0)
    i = start
    while i < end:
        point, width = decode(text, i, end)
        i += width
        if point == h.CODE_BEGIN or point == h.CODE_END:
            continue
        value = (value ^ np.uint64(point)) * np.uint64(1099511628211)
        if point <= 32:
            inside = False
            continue
        if not inside:
            inside = True
            words += 1
        if first == 0:
            first = point
        last = point
        if point < 128:
            if 97 <= point <= 122:
                continue
            if 65 <= point <= 90:
                upper += 1
            elif 48 <= point <= 57:
                digits += 1
            elif point == 46 or point == 33 or point == 63:
                stops += 1
            elif point == 44 or point == 59:
                commas += 1
            else:
                marks += 1
        elif (
            point == 0x3002 or point == 0xFF01 or point == 0xFF1F or point == 0x61F or point == 0x964 or point == 0x2026
        ):
            stops += 1
        elif point == 0x3001 or point == 0xFF0C or point == 0x60C or point == 0x61B or point == 0xFF1B:
            commas += 1
        elif point == 0xA9:
            sign += 1
        elif 0xA0 <= point <= 0xBF or 0x2010 <= point <= 0x27BF or 0x3000 <= point <= 0x303F:
            marks += 1
    chars = max(block[h.CHARS], 1)
    row[0], row[1], row[2] = chars, words, chars / max(words, 1)
    row[3], row[4], row[5], row[6], row[7] = digits / chars, upper / chars, stops, commas, marks / chars
    row[8], row[9] = block[h.LINK_CHARS] / chars, block[h.LINKS]
    row[10], row[11] = block[h.BOLD_CHARS] / chars, block[h.CODE_CHARS] / chars
    row[12], row[13], row[14] = block[h.BREAKS], block[h.IMAGES], block[h.CONTROLS]
    row[15] = last == 46 or last == 33 or last == 63 or last == 0x3002 or last == 0xFF01 or last == 0xFF1F \
        or last == 0x61F or last == 0x964 or last == 0x201D or last == 34 or last == 0xBB or last == 0x2026  # fmt: skip
    row[16] = last == 58 or last == 0xFF1A
    row[17] = 65 <= first <= 90
    row[18] = sign
    return value


@njit
def _repeated(hashes, out):  # type: ignore[no-untyped-def]
    order = np.argsort(hashes)
    for k in range(order.size):
        same = (k and hashes[order[k - 1]] == hashes[order[k]]) or (
            k + 1 < order.size and hashes[order[k + 1]] == hashes[order[k]]
        )
        out[order[k], 19] = same


@njit
def _down(nodes, tokens, keys, weights, around, depth, token):  # type: ignore[no-untyped-def]
    """What elements inherit: parents come before their children."""
    for k in range(nodes.shape[0]):
        parent = nodes[k, h.PARENT]
        own = np.float32(0)
        for t in range(nodes[k, h.TOKENS], nodes[k, h.TOKENS_END]):
            own += token_weight(tokens[t], keys, weights)
        token[k, 0] = own
        bits = _BIT[nodes[k, h.TAG]]
        if nodes[k, h.FLAGS] & 1:
            bits |= _HIDDEN_BIT
        if nodes[k, h.FLAGS] & 2:
            bits |= _ARIA_BIT
        if parent >= 0:
            around[k], depth[k] = around[parent] | bits, depth[parent] + 1
            token[k, 1] = own + np.float32(0.8) * token[parent, 1]
            token[k, 2], token[k, 3] = min(own, token[parent, 2]), max(own, token[parent, 3])
        else:
            token[k, 1] = token[k, 2] = token[k, 3] = own


@njit
def _up(blocks, nodes, out, sums, behind):  # type: ignore[no-untyped-def]
    """What elements sum up of their content; returns the element that looks most like the body of an article.

    Its score is Readability's (Arc90 2010): text with commas counts for the element above it, half for the next.
    """
    for i in range(blocks.shape[0]):
        node = blocks[i, h.NODE]
        chars = blocks[i, h.CHARS]
        sums[node, 0] += chars
        sums[node, 1] += blocks[i, h.LINK_CHARS]
        sums[node, 2] += 1
        if chars >= 25 and out[i, _LINKS_AT] < 0.5:
            score = (1 + out[i, 5] + out[i, 6] + min(chars / 100.0, 3.0)) * (1 - out[i, _LINKS_AT])
            parent = nodes[node, h.PARENT]
            sums[node, 3] += score * (0.5 if parent >= 0 else 1)
            if parent >= 0:
                sums[parent, 3] += score
                above = nodes[parent, h.PARENT]
                if above >= 0:
                    sums[above, 3] += score / 2
    for k in range(nodes.shape[0] - 1, 0, -1):
        parent = nodes[k, h.PARENT]
        for column in range(3):
            sums[parent, column] += sums[k, column]
        behind[parent] = max(behind[parent], behind[k])
    best = 0
    high = -1.0
    for k in range(nodes.shape[0]):
        score = sums[k, 3] * (1 - sums[k, 1] / max(sums[k, 0], 1.0))
        if score > high:
            best, high = k, score
    return best


@njit
def _of_page(blocks, nodes, depth, out):  # type: ignore[no-untyped-def]
    n = blocks.shape[0]
    total = links = 0
    for i in range(n):
        total += blocks[i, h.CHARS]
        links += blocks[i, h.LINK_CHARS]
    before = 0
    since, level = -1, 0
    for i in range(n):
        row = out[i]
        tag = nodes[blocks[i, h.NODE], h.TAG]
        if _H1 <= tag <= _H6:
            since, level = 0, tag - _H1 + 1
        elif since >= 0:
            since += 1
        row[_PLACE_AT], row[_PLACE_AT + 1] = i / n, n - i
        row[_PLACE_AT + 2] = before / max(total, 1)
        before += blocks[i, h.CHARS]
        row[_PLACE_AT + 3] = total - before
        row[_PLACE_AT + 4], row[_PLACE_AT + 5], row[_PLACE_AT + 6] = total, n, links / max(total, 1)
        row[_PLACE_AT + 7] = depth[blocks[i, h.NODE]]
        row[_PLACE_AT + 8], row[_PLACE_AT + 9] = since, level


@njit
def _of_elements(node, nodes, around, sums, total, row):  # type: ignore[no-untyped-def]
    at = _ELEMENT_AT
    row[at] = _GROUP[nodes[node, h.TAG]]
    _of_element(node, sums, total, row, at + 1)
    parent = max(nodes[node, h.PARENT], 0)
    _of_element(parent, sums, total, row, at + 5)
    row[at + 9] = _GROUP[nodes[parent, h.TAG]]
    _of_element(max(nodes[parent, h.PARENT], 0), sums, total, row, at + 10)
    bits = around[node]
    row[at + 14], row[at + 15] = (bits & _HIDDEN_BIT) != 0, (bits & _ARIA_BIT) != 0
    for k in range(_N_AROUND):
        row[_IN_AT + k] = (bits >> k) & 1


@njit
def _of_element(node, sums, total, row, at):  # type: ignore[no-untyped-def]
    row[at], row[at + 1] = sums[node, 0], sums[node, 1] / max(sums[node, 0], 1.0)
    row[at + 2], row[at + 3] = sums[node, 2], sums[node, 0] / total


@njit
def _gap(node, best, behind, nodes, depth):  # type: ignore[no-untyped-def]
    """How far above `best` the nearest element is that holds both, 30 at most."""
    at = best
    for steps in range(30):
        if at <= node < behind[at] or at == 0:
            return steps
        at = nodes[at, h.PARENT]
    return 30
