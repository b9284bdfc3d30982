"""Look-ups with back-off in an n-gram model: a trie in one open-addressed table, exact keys, links to suffixes.

A node is an n-gram, a context: the unigrams come first, by word id, then the higher orders. A slot is a pair of
uint64: (context << 32 | word, probability's float32 bits << 32 | the next context). The next context is the longest
suffix of what was matched that can still matter: one with words behind it, or with a weight.
"""

from __future__ import annotations

import numpy as np

from corpus.kernels.jit import inlined, njit
from corpus.kernels.ngrams import BEGIN, NONE, STOP

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_LANES = 16
_FREE = np.uint64(0xFFFFFFFFFFFFFFFF)


@inlined
def _key(context, word):  # type: ignore[no-untyped-def]
    return (np.uint64(context) << np.uint64(32)) | np.uint64(word)


@inlined
def _home(key, mask):  # type: ignore[no-untyped-def]
    """The slot where the search for a key begins."""
    h = key * _GOLDEN
    return (h ^ (h >> np.uint64(32))) & mask


@inlined
def _find(slots, key):  # type: ignore[no-untyped-def]
    """The slot of a key, or the free one where it would be."""
    mask = np.uint64(len(slots) - 1)
    slot = _home(key, mask)
    while slots[slot, 0] != key and slots[slot, 0] != _FREE:
        slot = (slot + np.uint64(1)) & mask
    return slot


@njit
def insert(slots, first, prefix, word, link, nodes_below):  # type: ignore[no-untyped-def]
    """Add an order's n-grams as nodes from `first` on, and find the link of each: its longest suffix that is a node.

    `prefix` counts from the order below, whose first node is `nodes_below`. The slots hold node numbers until
    `finish`. Returns -1, or the first n-gram that is there twice.
    """
    for i in range(len(word)):
        context = np.uint32(nodes_below + prefix[i])
        slot = _find(slots, _key(context, word[i]))
        if slots[slot, 0] != _FREE:
            return i
        slots[slot, 0] = _key(context, word[i])
        slots[slot, 1] = first + i
        at = link[context]
        while at != NONE:
            slot = _find(slots, _key(at, word[i]))
            if slots[slot, 0] != _FREE:
                break
            at = link[at]
        link[first + i] = word[i] if at == NONE else np.uint32(slots[slot, 1])
    return -1


@njit
def finish(slots, probability, backoff, link, parents, nodes, unigram_next):  # type: ignore[no-untyped-def]
    """Put probabilities and next contexts into the slots; links of contexts that do not matter are passed over.

    `parents[node]`: it has words behind it. Nodes from `nodes` on are of the highest order: no contexts.
    """
    following = np.empty(len(link), np.uint32)
    for node in range(len(link)):
        at = link[node]  # lower orders come first, so theirs is known
        if node < nodes and (parents[node] or backoff[node] != 0):
            following[node] = node
        else:
            following[node] = NONE if at == NONE else following[at]
        link[node] = NONE if at == NONE else following[at]
    for word in range(len(unigram_next)):
        unigram_next[word] = following[word]
    bits = probability.view(np.uint32)
    for slot in range(len(slots)):
        if slots[slot, 0] != _FREE:
            node = slots[slot, 1]
            slots[slot, 1] = (np.uint64(bits[node]) << np.uint64(32)) | np.uint64(following[node])


@njit
def score(ids, sentences, slots, probability, unigram_next, backoff, link, out):  # type: ignore[no-untyped-def]
    """out[k] = log10 of the probability of token k after those before it in its sentence.

    Sentence s is `ids[sentences[s]:sentences[s + 1]]`, at least its STOP; `probability` is that of the unigrams.
    Several sentences go on side by side, a probe each in turn, so that one waits for memory while the others work.
    """
    mask = np.uint64(len(slots) - 1)
    bits = np.empty(1, np.uint32)
    value = bits.view(np.float32)
    lanes = min(_LANES, len(sentences) - 1)
    begun = lanes
    at = sentences[:lanes].copy()
    context = np.full(lanes, unigram_next[BEGIN])
    total = np.zeros(lanes)
    key, slot = np.empty(lanes, np.uint64), np.empty(lanes, np.uint64)
    for n in range(lanes):
        key[n] = _key(context[n], ids[at[n]])
        slot[n] = _home(key[n], mask)
    busy = lanes
    while busy > 0:
        for n in range(lanes):
            k = at[n]
            if k < 0:
                continue
            after = context[n]
            known = after == NONE
            if known:
                total[n] += probability[ids[k]]
                after = unigram_next[ids[k]]
            else:
                found = slots[slot[n], 0]
                if found == key[n]:
                    known = True
                    bits[0] = np.uint32(slots[slot[n], 1] >> np.uint64(32))
                    total[n] += value[0]
                    after = np.uint32(slots[slot[n], 1])
                elif found == _FREE:
                    total[n] += backoff[after]
                    after = link[after]
                else:
                    slot[n] = (slot[n] + np.uint64(1)) & mask
                    continue
            if known:
                out[k] = total[n]
                total[n] = 0.0
                k += 1
                if ids[k - 1] == STOP:
                    if begun == len(sentences) - 1:
                        at[n] = -1
                        busy -= 1
                        continue
                    k = sentences[begun]
                    begun += 1
                    after = unigram_next[BEGIN]
                at[n] = k
            context[n] = after
            key[n] = _key(after, ids[k])
            slot[n] = _home(key[n], mask)
