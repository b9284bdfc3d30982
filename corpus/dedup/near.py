"""Near duplicates among ranked documents: candidates, verified pairs, a second look at long runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from corpus.dedup import hubs, lsh, verify
from corpus.dedup.candidates import Candidates, Pairs
from corpus.dedup.clusters import Links
from corpus.dedup.config import DedupConfig
from corpus.dedup.room import Room
from corpus.dedup.rowstore import Spill
from corpus.dedup.verify import Comparison, Source


def link(
    source: Source,
    rank: np.ndarray,
    taking: np.ndarray,
    settled: int,
    comparison: Comparison,
    links: Links,
    heads: np.ndarray,
    config: DedupConfig,
    room: Room,
    beat: Callable[[int], object],
) -> None:
    """Find the near duplicates among the documents of `rank` int32[n] whose rank is `taking` part (bool[n]).

    Those of the first ranks, up to `settled`, are not compared with each other: that was done. Each document is in one
    cluster with its `heads` int32[n] already, whose estimate may be asked for later.

    With `verify`, pairs whose signatures rule `threshold` out are skipped (`verify.floor`), of the others the exact
    similarity has the word; long runs get a second look (`_again`). Without it, all pairs that agree in a band stand,
    with the estimate as their value.
    """

    def unsettled(blocks: Iterable[np.ndarray]) -> Iterable[np.ndarray]:
        # The greater rank is in the lower half.
        return (pairs[(pairs & np.uint64(0xFFFFFFFF)) >= np.uint64(settled)] for pairs in blocks)

    shift = lsh.shift_of(len(rank))
    # Where not all signatures fit in memory, those that a candidate pair asks for are read again.
    at_once = comparison.fits(int(taking.sum()))
    with Candidates(int(taking.sum()), shift, config.banding, room) as candidates:
        for ranks, signatures in _ranked(source, rank):
            candidates.add(signatures, np.where(taking[ranks], ranks, np.int32(-1)))
            if at_once:
                comparison.keep(ranks, signatures, taking)
        suspects = Spill(room.folder, np.uint64, room.share(0.05))
        wanted = np.zeros(len(rank), bool)
        for pairs in unsettled(candidates.blocks()):
            beat(0)
            _mark(pairs, wanted)
            suspects.append(pairs)
        if config.verify:
            for members, _ in _unsettled_runs(candidates, settled, comparison.memory):
                wanted[members] = True
        else:
            wanted[heads[wanted]] = True
        for ranks, signatures in _ranked(source, rank) if not at_once else ():
            comparison.keep(ranks, signatures, wanted)
        # Blocks of a share of the memory that the block and what is made of it are.
        blocks = suspects.blocks(room.share(0.05) // 32)
        if not config.verify:
            for pairs in blocks:
                beat(0)
                pairs = pairs[comparison.agree(pairs)]
                links.add(pairs, comparison.estimate(pairs))
            return
        least = verify.floor(config.threshold, config.permutations, config.measure)
        plausible = (pairs[comparison.estimate(pairs) >= least] for pairs in blocks) if least > 0 else blocks
        _confirm(plausible, comparison, links, config, room, beat)
        with Pairs(room, len(rank)) as more:
            _again(candidates, settled, comparison, links.labels(), config, more, beat)
            _confirm(unsettled(more.blocks()), comparison, links, config, room, beat)


def _ranked(source: Source, rank: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(int32[m] ranks, uint32[m, permutations] signatures) of all documents."""
    start = 0
    for signatures in source.signatures():
        yield rank[start : start + len(signatures)], signatures
        start += len(signatures)


def _mark(pairs: np.ndarray, wanted: np.ndarray) -> None:
    wanted[pairs >> np.uint64(32)] = True
    wanted[pairs & np.uint64(0xFFFFFFFF)] = True


def _confirm(
    blocks: Iterable[np.ndarray],
    comparison: Comparison,
    links: Links,
    config: DedupConfig,
    room: Room,
    beat: Callable[[int], object],
) -> None:
    """Link those of the pairs whose similarity reaches the threshold."""
    wanted = np.zeros(len(links.parent), bool)
    plausible = Spill(room.folder, np.uint64, room.share(0.05))
    for pairs in blocks:
        beat(0)
        _mark(pairs, wanted)
        plausible.append(pairs)
    comparison.shingle(wanted)
    for pairs in plausible.blocks(room.share(0.05) // 32):
        beat(0)
        values = comparison.exact(pairs)
        near = values >= config.threshold
        links.add(pairs[near], values[near])


def _unsettled_runs(candidates: Candidates, settled: int, memory: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """`Candidates.long_runs` without those that have but `settled` documents."""
    for members, lengths in candidates.long_runs(memory):
        # Ranks ascend in a run.
        new = members[np.cumsum(lengths) - 1] >= settled
        yield members[np.repeat(new, lengths)], lengths[new]


def _again(
    candidates: Candidates,
    settled: int,
    comparison: Comparison,
    labels: np.ndarray,
    config: DedupConfig,
    more: Pairs,
    beat: Callable[[int], object],
) -> None:
    """What to compare next where the star of a long run failed, into `more`.

    Of a run that verified pairs (`labels` int32[n] of their components) do not connect, the hub is compared with all
    that are not yet connected with it (`hubs`), unless their estimate rules the threshold out. And the documents that
    are not connected with the first of their run are compared by the first `lsh.LOOK` values of their signatures, each
    with the `lsh.WINDOW` that follow it in the run; the `lsh.BEST` of these that are not yet connected with it and
    whose estimate is at most two standard deviations below the threshold are its pairs.
    """
    count = min(config.permutations, lsh.LOOK)
    spread = float(np.sqrt(config.threshold * (1 - config.threshold) / count))
    likely = (config.threshold - 2 * spread) * count if config.measure == "jaccard" else 0.0
    possible = max(verify.floor(config.threshold, count, config.measure), 0.0) * count
    step = max(comparison.memory // (4 * config.permutations + 64), 4 * lsh.WINDOW)

    for members, lengths in _unsettled_runs(candidates, settled, comparison.memory // 16):
        beat(0)
        members, lengths = hubs.mixed(members, lengths, labels)
        if not len(lengths):
            continue
        # Those that were compared with something: to read the texts of others would be another pass over all.
        known, many, enough = hubs.at_least(members, lengths, comparison.shingled)
        if enough.any():
            centres = hubs.hubs(known, many, comparison.signatures, comparison.shingles, count, step)
            whole = members[np.repeat(enough, lengths)], lengths[enough]
            for pairs in hubs.star(*whole, centres, labels, comparison.signatures, count, possible, step):
                beat(0)
                more.add(pairs)
        left, ends = lsh.unconnected(members, lengths, labels)
        for first in range(0, len(left), step):
            beat(0)
            last = min(first + step, len(left))
            flat, starts, _ = comparison.signatures.gather(left[first : last + lsh.WINDOW])
            more.add(lsh.second_look(left, ends, first, last, labels, flat, starts, count, likely))
