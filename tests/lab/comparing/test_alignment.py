"""Aligning two sequences of keys: partners are alike, stand in order unless they moved, and are found."""

from __future__ import annotations

import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realtape.lab.comparing.alignment import align, matches

keys = st.lists(st.integers(0, 3) | st.integers(0, 60), max_size=60)


@given(keys, keys)
def test_matches_are_equal_in_order_and_nothing_can_be_added_beside_them(a: list[int], b: list[int]) -> None:
    found = matches(a, b)
    assert all(a[i] == b[j] for i, j in found)
    assert all(before[0] < after[0] and before[1] < after[1] for before, after in pairwise(found))
    for (i, j), (k, m) in pairwise([(-1, -1), *found, (len(a), len(b))]):
        assert not set(a[i + 1 : k]) & set(b[j + 1 : m])


@given(keys, keys)
def test_every_entry_is_stepped_on_once_and_partners_are_each_others(a: list[int], b: list[int]) -> None:
    loose_a, loose_b = [key % 4 for key in a], [key % 4 for key in b]
    alignment = align([a, a, loose_a], [b, b, loose_b])
    steps = list(alignment.steps())
    assert [i for i, _ in steps if i is not None] == list(range(len(a)))
    assert [j for _, j in steps if j is not None] == list(range(len(b)))
    for i, partner in enumerate(alignment.to_b):
        assert partner < 0 or alignment.to_a[partner] == i
        assert partner < 0 or loose_a[i] == loose_b[partner]
        assert i not in alignment.moved or a[i] == b[partner]
    mirrored = align([b, b, loose_b], [a, a, loose_a])
    assert (mirrored.to_a, mirrored.to_b) == (alignment.to_b, alignment.to_a)
    assert {alignment.to_b[i] for i in alignment.moved} == mirrored.moved


@pytest.mark.parametrize("period", [1, 2, 7, sys.maxsize])
def test_a_long_stretch_that_is_missing_is_bridged(period: int) -> None:
    """Longer than any search goes, in a log that repeats itself, or does not."""
    a = [number % period for number in range(20_000)]
    b = [*a[:3000], *a[8000:]]
    assert len(matches(a, b)) == len(b)


def test_what_is_shuffled_beyond_help_is_aligned_as_far_as_a_bounded_search_goes() -> None:
    a = [number * number % 61 for number in range(4000)]
    b = [(number * number * number + 7) % 61 for number in range(4000)]
    found = matches(a, b)
    assert all(a[i] == b[j] for i, j in found)
    assert len(found) > 400
