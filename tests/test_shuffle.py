"""Records in buckets on disk: all of them, in their buckets, in the order in which they came."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.shuffle import Shuffle


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(1, 5),
    st.integers(1, 3),
    st.lists(st.integers(0, 20_000), max_size=6),
    st.integers(0, 2**32),
    st.sampled_from([0, 1 << 17, 1 << 20]),
)
def test_every_record_comes_back_in_its_bucket(
    tmp_path: Path, buckets: int, width: int, counts: list[int], seed: int, memory: int
) -> None:
    rng = np.random.default_rng(seed)
    expected: list[list[np.ndarray]] = [[] for _ in range(buckets)]
    with Shuffle(tmp_path, buckets, width, memory) as shuffle:
        for count in counts:
            numbers = rng.integers(0, buckets, count)
            records = rng.integers(0, 2**64, (count, width), dtype=np.uint64)
            shuffle.add(numbers, records)
            for bucket in range(buckets):
                expected[bucket].append(records[numbers == bucket])
        whole = [np.concatenate([np.zeros((0, width), np.uint64), *parts]) for parts in expected]
        assert shuffle.sizes().tolist() == [len(part) for part in whole]
        for bucket in reversed(range(buckets)):
            assert np.array_equal(shuffle.bucket(bucket), whole[bucket])
        assert list(tmp_path.iterdir()) == []  # the file has no name: a killed process leaves nothing


def test_what_is_held_back_is_bounded(tmp_path: Path) -> None:
    records = np.arange(1 << 16, dtype=np.uint64)
    with Shuffle(tmp_path, 3, memory=1 << 20) as shuffle:
        for _ in range(40):
            shuffle.add(np.arange(1 << 16) % 3, records)
            assert shuffle._held <= 1 << 20
        assert os.fstat(shuffle._file.fileno()).st_size >= 40 * records.nbytes - (1 << 20)
        assert shuffle.sizes().sum() == 40 << 16


@pytest.mark.parametrize("cut", [0, 1000])
def test_a_file_that_was_cut_is_no_silent_loss(tmp_path: Path, cut: int) -> None:
    with Shuffle(tmp_path, 1) as shuffle:
        shuffle.add(np.zeros(500, int), np.arange(500, dtype=np.uint64))
        shuffle.sizes()
        os.ftruncate(shuffle._file.fileno(), cut)
        with pytest.raises(OSError, match="shorter than what was written"):
            shuffle.bucket(0)


def test_a_full_disk_says_so(tmp_path: Path) -> None:
    with Shuffle(tmp_path, 1, memory=0) as shuffle:
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, shuffle._file.fileno())
        os.close(full)
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            shuffle.add(np.zeros(1 << 16, int), np.arange(1 << 16, dtype=np.uint64))
