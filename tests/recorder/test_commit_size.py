"""Commits get smaller where their bytes take long, and not where a disk takes long for anything at all."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from realtape.recorder.commit_size import LEAST_BYTES, MOST_BYTES, SLOW_SECONDS, CommitSize


def commits(disk: Callable[[int], float], bytes_a_second: int, count: int = 60) -> tuple[list[float], float]:
    """What commits to a disk take while so much comes; and what share of it was written in the second half
    of the time."""
    size, waiting, now = CommitSize(), 0.0, 0.0
    took, written, half = list[float](), 0, 0.0
    for number in range(count):
        now += 0.1
        waiting += 0.1 * bytes_a_second
        taken = min(int(waiting), size.limit_bytes)
        seconds = disk(taken)
        size.took(taken, seconds)
        now += seconds
        waiting += seconds * bytes_a_second - taken
        took.append(seconds)
        if number == count // 2:
            half = now
        if number > count // 2:
            written += taken
    return took, written / ((now - half) * bytes_a_second)


@pytest.mark.parametrize("latency", [0.05, 0.51, 0.6, 2.0])
@pytest.mark.parametrize("bytes_a_second", [50_000, 500_000, 1_000_000])
def test_a_disk_that_is_slow_to_sync_takes_all_that_comes(latency: float, bytes_a_second: int):
    jitter = iter(range(1000))
    _, share = commits(lambda size: latency * (1 + next(jitter) % 3 / 50) + size / 100e6, bytes_a_second)
    assert share > 0.95


@pytest.mark.parametrize("disk_bytes_a_second", [200_000, 1_000_000])
@pytest.mark.parametrize("latency", [0.0, 0.02])
def test_where_each_byte_takes_long_a_commit_does_not(disk_bytes_a_second: int, latency: float):
    """More comes than the disk takes: the rest is lost, but what is taken lands."""
    took, share = commits(lambda size: latency + size / disk_bytes_a_second, 2 * disk_bytes_a_second)
    assert max(took[20:]) <= 2.1 * SLOW_SECONDS
    assert share > 0.35  # of twice as much as it takes, with pauses


def test_it_stays_between_its_bounds():
    size = CommitSize()
    for number in range(100):
        size.took(1 << number % 23, number % 7)
        assert LEAST_BYTES <= size.limit_bytes <= MOST_BYTES


def test_a_disk_that_is_well_again_takes_large_ones():
    size = CommitSize()
    for _ in range(10):
        size.took(size.limit_bytes, size.limit_bytes / 100_000)
    assert size.limit_bytes == LEAST_BYTES
    for _ in range(6):
        size.took(size.limit_bytes, 0.01)
    assert size.limit_bytes == MOST_BYTES
