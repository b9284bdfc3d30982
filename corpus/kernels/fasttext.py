"""Inference of fastText classifiers (Joulin et al. 2016, arXiv:1607.01759) over whole batches of texts.

Words are runs between ASCII white space, hashed with fastText's FNV-1a on signed bytes; a word stands for its own row
and those of its character n-grams, an unknown one for its n-grams alone. A text is the mean of the rows, then a
hierarchical or plain softmax or sigmoids. The rows of a word are summed first and remembered, since few words make up
most of a text: sums are grouped the same way whether remembered or not, so labels do not depend on other texts.
"""

from __future__ import annotations

import numpy as np

from corpus.kernels.jit import njit

HIERARCHICAL, NEGATIVE_SAMPLING, SOFTMAX, ONE_VS_ALL = 1, 2, 3, 4
# fastText adds this inside every logarithm of a probability.
_EPSILON = np.float32(1e-5)
_FNV_BASIS, _FNV_PRIME = np.uint32(2166136261), np.uint32(16777619)
_TOGETHER = 256  # rows that are added at a time
_LONGEST_REMEMBERED = 32  # bytes of a word
# After the bytes of an entry of the dictionary: a zero byte, int64 count, int8 type (0 word, 1 label).
TRAILER = 10


@njit
def _step(state, byte):  # type: ignore[no-untyped-def]
    """One byte of fastText's FNV-1a; bytes above 127 are sign-extended."""
    wide = np.uint32(byte) if byte < 128 else np.uint32(byte) | np.uint32(0xFFFFFF00)
    return np.uint32((state ^ wide) * _FNV_PRIME)


@njit
def _remainder(state, bucket, inverse):  # type: ignore[no-untyped-def]
    """state % bucket by a multiplication: the quotient of two 32-bit integers as a double is off by one at most."""
    rest = np.int64(state) - np.int64(np.float64(state) * inverse) * bucket
    if rest < 0:
        rest += bucket
    elif rest >= bucket:
        rest -= bucket
    return rest


@njit
def scan_dictionary(data, at, word_offsets, counts, kinds):  # type: ignore[no-untyped-def]
    """Where the entries of a model file's dictionary begin in `data` (int64[n + 1]), their counts and types.

    False where the file ends before they do.
    """
    for entry in range(len(counts)):
        word_offsets[entry] = at
        while at < len(data) and data[at] != 0:
            at += 1
        if at + TRAILER > len(data):
            return False
        count = np.uint64(0)
        for i in range(8):
            count |= np.uint64(data[at + 1 + i]) << np.uint64(8 * i)
        counts[entry] = np.int64(count)
        kinds[entry] = data[at + 9]
        at += TRAILER
    word_offsets[len(counts)] = at
    return True


@njit
def find_word(data, start, end, state, table, word_offsets, word_bytes):  # type: ignore[no-untyped-def]
    """Index of the dictionary entry `data[start:end]`, or -1."""
    slots = len(table)
    slot = int(state) % slots
    size = end - start
    while table[slot] >= 0:
        entry = table[slot]
        at = word_offsets[entry]
        if word_offsets[entry + 1] - at - TRAILER == size:
            same = True
            for i in range(size):
                if word_bytes[at + i] != data[start + i]:
                    same = False
                    break
            if same:
                return np.int64(entry)
        slot = slot + 1 if slot + 1 < slots else 0
    return np.int64(-1)


@njit
def fill_table(word_offsets, word_bytes, table):  # type: ignore[no-untyped-def]
    """Open addressing over the entries of a dictionary: int32[slots] of -1 becomes entry numbers."""
    for entry in range(len(word_offsets) - 1):
        state = _FNV_BASIS
        for i in range(word_offsets[entry], word_offsets[entry + 1] - TRAILER):
            state = _step(state, word_bytes[i])
        slot = int(state) % len(table)
        while table[slot] >= 0:
            slot = slot + 1 if slot + 1 < len(table) else 0
        table[slot] = entry


@njit
def _add(total, table, row):  # type: ignore[no-untyped-def]
    for d in range(len(total)):
        total[d] += table[row, d]


@njit
def find_entry(word, table, word_offsets, word_bytes):  # type: ignore[no-untyped-def]
    """Index of the dictionary entry `word` (uint8), or -1."""
    state = _FNV_BASIS
    for i in range(len(word)):
        state = _step(state, word[i])
    return find_word(word, np.int64(0), len(word), state, table, word_offsets, word_bytes)


@njit
def _add_rows(total, table, ids, count):  # type: ignore[no-untyped-def]
    """Add `count` rows to `total`, eight columns at a time: their sums stay in registers."""
    columns = len(total)
    for d in range(0, columns - 7, 8):
        a, b, c, e = total[d], total[d + 1], total[d + 2], total[d + 3]
        f, g, h, j = total[d + 4], total[d + 5], total[d + 6], total[d + 7]
        for i in range(count):
            row = ids[i]
            a += table[row, d]
            b += table[row, d + 1]
            c += table[row, d + 2]
            e += table[row, d + 3]
            f += table[row, d + 4]
            g += table[row, d + 5]
            h += table[row, d + 6]
            j += table[row, d + 7]
        total[d], total[d + 1], total[d + 2], total[d + 3] = a, b, c, e
        total[d + 4], total[d + 5], total[d + 6], total[d + 7] = f, g, h, j
    for d in range(columns - columns % 8, columns):
        for i in range(count):
            total[d] += table[ids[i], d]


@njit
def _add_subwords(data, start, end, shape, inverse, kept, rows, ids, total):  # type: ignore[no-untyped-def]
    """Add the rows of the character n-grams of `<word>` to `total`; how many rows."""
    bucket, shortest, longest, words = shape[0], shape[1], shape[2], shape[3]
    added = 0
    count = 0
    pruned = len(kept) > 0
    size = end - start
    for i in range(-1, size + 1):
        first = np.uint8(60) if i < 0 else np.uint8(62) if i == size else data[start + i]
        if first & 0xC0 == 0x80:
            continue
        if count + longest > len(ids):
            # A bare count is first taken for the literal 0, for which numba would compile the callee too.
            _add_rows(total, rows, ids, np.int64(count))
            added += count
            count = 0
        state = _FNV_BASIS
        j = i
        n = 1
        while j <= size and n <= longest:
            byte = np.uint8(60) if j < 0 else np.uint8(62) if j == size else data[start + j]
            state = _step(state, byte)
            j += 1
            while 0 <= j < size and data[start + j] & 0xC0 == 0x80:
                state = _step(state, data[start + j])
                j += 1
            if n >= shortest and not (n == 1 and (i < 0 or j > size)):
                row = _remainder(state, bucket, inverse)
                if pruned:
                    row = np.int64(kept[row])
                if row >= 0:
                    ids[count] = words + row
                    count += 1
            n += 1
    _add_rows(total, rows, ids, np.int64(count))
    return added + count


@njit
def _starts_with(data, start, end, prefix):  # type: ignore[no-untyped-def]
    if end - start < len(prefix):
        return False
    size = 0
    while size < len(prefix) and data[start + size] == prefix[size]:
        size += 1
    return size == len(prefix)


@njit
def _hidden(  # type: ignore[no-untyped-def]
    data, start, end, dictionary, shape, inverse, kept, rows, memory, hashes, ids, word_sum, hidden
):
    """Mean of the rows of one text into `hidden`; how many rows (0: fastText says nothing about such a text)."""
    table, word_offsets, word_bytes, eos, label_prefix = dictionary
    memory_keys, memory_counts, memory_sums = memory
    longest, words, word_ngrams, eos_row = shape[2], shape[3], shape[4], shape[5]
    slots = np.uint64(len(memory_keys) - 1)
    hidden[:] = 0
    count = 0
    word_count = 0
    ended = False
    i = start
    while i < end and not ended:
        byte = data[i]
        if byte == 32 or 9 <= byte <= 13 or byte == 0:
            i += 1
            continue
        begin = i
        state = _FNV_BASIS
        key = np.uint64(0xCBF29CE484222325)
        while i < end:
            byte = data[i]
            if byte == 32 or 9 <= byte <= 13 or byte == 0:
                break
            state = _step(state, byte)
            key = (key ^ np.uint64(byte)) * np.uint64(0x100000001B3)
            key ^= key >> np.uint64(29)
            i += 1
        if word_ngrams > 1:
            hashes[word_count] = np.int32(state)
        word_count += 1
        remembered = i - begin <= _LONGEST_REMEMBERED
        slot = np.int64((key >> np.uint64(7)) & slots)
        key |= np.uint64(1)
        if remembered and memory_keys[slot] == key:
            rows_added = memory_counts[slot]
            if rows_added < 0:  # a label: no word of the text
                word_count -= 1
                continue
            _add(hidden, memory_sums, slot)
            count += rows_added
            continue
        if _starts_with(data, begin, i, eos) and i - begin == len(eos):
            ended = True
            word_count -= 1
            break
        entry = find_word(data, begin, i, state, table, word_offsets, word_bytes)
        word_sum[:] = 0
        rows_added = 0
        if entry >= words or (entry < 0 and _starts_with(data, begin, i, label_prefix)):
            rows_added = -1
        else:
            if entry >= 0:
                _add(word_sum, rows, entry)
                rows_added = 1
            if longest > 0:
                rows_added += _add_subwords(data, begin, i, shape, inverse, kept, rows, ids, word_sum)
        if remembered:
            memory_keys[slot] = key
            memory_counts[slot] = rows_added
            # Not assigned as a row: numba then compiles the text of a shape error too, a quarter of all its time here.
            for d in range(len(word_sum)):
                memory_sums[slot, d] = word_sum[d]
        if rows_added < 0:
            word_count -= 1
            continue
        for d in range(len(hidden)):
            hidden[d] += word_sum[d]
        count += rows_added
    if word_ngrams > 1:
        # The end of the line is a word too.
        state = _FNV_BASIS
        for i in range(len(eos)):
            state = _step(state, eos[i])
        hashes[word_count] = np.int32(state)
        count += _add_word_ngrams(hashes, word_count + 1, shape, kept, rows, hidden)
    if eos_row >= 0:
        _add(hidden, rows, eos_row)
        count += 1
    if count:
        share = np.float32(1.0 / count)
        for d in range(len(hidden)):
            hidden[d] *= share
    return count


@njit
def _add_word_ngrams(hashes, size, shape, kept, rows, hidden):  # type: ignore[no-untyped-def]
    bucket, words, longest = shape[0], shape[3], shape[4]
    count = 0
    for i in range(size):
        state = np.uint64(np.int64(hashes[i]))
        for j in range(i + 1, min(size, i + longest)):
            state = state * np.uint64(116049371) + np.uint64(np.int64(hashes[j]))
            row = np.int64(state % np.uint64(bucket))
            if len(kept):
                row = np.int64(kept[row])
                if row < 0:
                    continue
            _add(hidden, rows, words + row)
            count += 1
    return count


@njit
def _insert(best, best_scores, label, score):  # type: ignore[no-untyped-def]
    """Keep the highest scores in falling order; of equal ones the lower label."""
    at = len(best)
    while at > 0 and (
        best[at - 1] < 0 or score > best_scores[at - 1] or (score == best_scores[at - 1] and label < best[at - 1])
    ):
        at -= 1
    if at < len(best):
        for k in range(len(best) - 1, at, -1):
            best[k] = best[k - 1]
            best_scores[k] = best_scores[k - 1]
        best[at] = label
        best_scores[at] = score


@njit
def _dot(row, hidden):  # type: ignore[no-untyped-def]
    total = np.float32(0)
    for d in range(len(hidden)):
        total += row[d] * hidden[d]
    return total


@njit
def _descend(outputs, tree, hidden, nodes, beliefs, best, best_scores):  # type: ignore[no-untyped-def]
    """Leaves of the highest probability; a branch below all of those found is left out."""
    left, right = tree
    labels = len(outputs)
    nodes[0], beliefs[0] = 2 * labels - 2, np.float32(1)
    depth = 1
    while depth:
        depth -= 1
        node, belief = nodes[depth], beliefs[depth]
        if best[-1] >= 0 and belief < best_scores[-1]:
            continue
        if node < labels:
            _insert(best, best_scores, node, belief)
            continue
        share = np.float32(1 / (1 + np.exp(-_dot(outputs[node - labels], hidden))))
        low, high = belief * (np.float32(1) - share + _EPSILON), belief * (share + _EPSILON)
        likely_right = high > low
        # The likelier branch is put last, so it is looked at first and the other may be left out.
        nodes[depth], beliefs[depth] = (left[node], low) if likely_right else (right[node], high)
        nodes[depth + 1], beliefs[depth + 1] = (right[node], high) if likely_right else (left[node], low)
        depth += 2


@njit
def _sigmoid(x):  # type: ignore[no-untyped-def]
    """As fastText's table has it: 512 steps from -8 to 8."""
    if x < -8:
        return np.float32(0)
    if x > 8:
        return np.float32(1)
    return np.float32(1 / (1 + np.exp(8 - np.float64(np.int64((x + np.float32(8)) * np.float32(32))) / 32)))


@njit
def _all_labels(outputs, loss, hidden, values, best, best_scores):  # type: ignore[no-untyped-def]
    """`outputs` is transposed here, [dim, labels]: whole vectors of labels, and no sum in another order."""
    values[:] = 0
    for d in range(len(hidden)):
        column, factor = outputs[d], hidden[d]
        for label in range(len(values)):
            values[label] += column[label] * factor
    if loss == SOFTMAX:
        most = np.float32(-np.inf)
        for label in range(len(values)):
            most = max(most, values[label])
        total = np.float32(0)
        for label in range(len(values)):
            values[label] = np.exp(values[label] - most)
            total += values[label]
        for label in range(len(values)):
            values[label] /= total
    else:
        for label in range(len(values)):
            values[label] = _sigmoid(values[label])
    for label in range(len(values)):
        _insert(best, best_scores, label, values[label] + _EPSILON)


@njit
def predict(  # type: ignore[no-untyped-def]
    data, starts, ends, dictionary, shape, kept, rows, outputs, tree, memory, best, best_scores
):
    """The likeliest labels of each text `data[starts[t]:ends[t]]`, by falling score.

    `shape`: int64[7] bucket, shortest and longest character n-gram, words, longest word n-gram, row of the end of
    line (or -1), loss. `kept`: int32[bucket] row of an n-gram after pruning (-1: none; empty: nothing was pruned).
    `outputs`: float32[labels, dim] with the tree of a hierarchical softmax, else float32[dim, labels].
    `best`: int32[texts, k], -1 where fastText has no answer; `best_scores`: float32[texts, k].
    """
    longest = 1
    for t in range(len(starts)):
        longest = max(longest, ends[t] - starts[t])
    hashes = np.empty(longest // 2 + 3 if shape[4] > 1 else 1, np.int32)
    ids = np.empty(_TOGETHER, np.int64)
    word_sum = np.empty(rows.shape[1], np.float32)
    hidden = np.empty(rows.shape[1], np.float32)
    values = np.empty(outputs.shape[1], np.float32)
    nodes, beliefs = np.empty(2 * len(outputs) + 2, np.int64), np.empty(2 * len(outputs) + 2, np.float32)
    inverse = 1.0 / max(shape[0], 1)
    for t in range(len(starts)):
        best[t], best_scores[t] = -1, 0
        if _hidden(
            data, starts[t], ends[t], dictionary, shape, inverse, kept, rows, memory, hashes, ids, word_sum, hidden
        ):
            if shape[6] == HIERARCHICAL:
                _descend(outputs, tree, hidden, nodes, beliefs, best[t], best_scores[t])
            else:
                _all_labels(outputs, shape[6], hidden, values, best[t], best_scores[t])
