"""Two sequences of keys held against each other: which entry of one recording is which of the other.

Pure: keys in, partners out. Long runs of what is equal on both sides cost next to nothing; where the
same keys come again and again in another order, the search is cut off, and what it has by then counts.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

MAX_EDITS = 256
"""Insertions and removals that one search takes into account; it costs their square."""

MAX_DEPTH = 24
"""Anchors within stretches between anchors: beyond this, the search goes on without them."""

MOVED_WITHIN = 256
"""Entries: what turns up again within so many is at another place; further away it is another one."""

Pair = tuple[int, int]
_Range = tuple[int, int, int, int]


@dataclass(frozen=True)
class Alignment:
    """Who is whose partner.

    Attributes:
        to_b: for each place in A its partner in B, or -1.
        to_a: for each place in B its partner in A, or -1.
        moved: places in A whose partners stand in another order.
    """

    to_b: array[int]
    to_a: array[int]
    moved: frozenset[int]

    def steps(self) -> Iterator[tuple[int | None, int | None]]:
        """Both sequences in their own order: partners together, unless they moved; others alone."""
        a = b = 0
        while a < len(self.to_b) or b < len(self.to_a):
            if a < len(self.to_b) and (self.to_b[a] < 0 or a in self.moved):
                yield a, None
                a += 1
            elif b < len(self.to_a) and (self.to_a[b] < 0 or self.to_a[b] in self.moved):
                yield None, b
                b += 1
            else:
                yield a, b
                a, b = a + 1, b + 1


def align(a: Sequence[Sequence[int]], b: Sequence[Sequence[int]]) -> Alignment:
    """Align by several sequences of keys, from the strictest to the loosest.

    Args:
        a, b: of each side, tiers of keys: `a[t][i]` is the key of entry i in tier t. What no stricter
            tier has paired is paired by the next one, without crossing what is paired already. The
            tier before the last one also tells what has moved.

    Swapping the sides swaps the answer, and changes nothing else.
    """
    if [list(keys) for keys in b] < [list(keys) for keys in a]:
        mirrored = align(b, a)
        moved_in_a = frozenset(mirrored.to_b[place] for place in mirrored.moved)
        return Alignment(mirrored.to_a, mirrored.to_b, moved_in_a)
    length_a, length_b = len(a[0]), len(b[0])
    pairs: list[Pair] = []
    for keys_a, keys_b in zip(a[:-1], b[:-1], strict=True):
        pairs = _refined(pairs, keys_a, keys_b)
    to_b, to_a = array("q", [-1]) * length_a, array("q", [-1]) * length_b
    _note(pairs, to_b, to_a)
    moved = _moved(a[-2], b[-2], to_b, to_a)
    # What has moved is spoken for: to the loosest tier it is nothing that it could pair.
    free_a = [key if to_b[i] < 0 else ~i for i, key in enumerate(a[-1])]
    free_b = [key if to_a[j] < 0 else ~(length_a + j) for j, key in enumerate(b[-1])]
    _note(_refined(pairs, free_a, free_b), to_b, to_a)
    return Alignment(to_b, to_a, frozenset(i for i, _ in moved))


def _note(pairs: Iterable[Pair], to_b: array[int], to_a: array[int]) -> None:
    for i, j in pairs:
        to_b[i], to_a[j] = j, i


def _refined(pairs: list[Pair], a: Sequence[int], b: Sequence[int]) -> list[Pair]:
    """The pairs, and those that further keys make in the stretches between them."""
    refined: list[Pair] = []
    begin_a = begin_b = 0
    for i, j in [*pairs, (len(a), len(b))]:
        if begin_a < i and begin_b < j:
            refined += matches(a, b, (begin_a, i, begin_b, j))
        if i < len(a):
            refined.append((i, j))
        begin_a, begin_b = i + 1, j + 1
    return refined


def matches(a: Sequence[int], b: Sequence[int], within: _Range | None = None) -> list[Pair]:
    """A long common subsequence of two sequences, as pairs of places in ascending order."""
    found: list[Pair] = []
    todo: list[tuple[_Range, int]] = [(within or (0, len(a), 0, len(b)), 0)]
    while todo:
        (a0, a1, b0, b1), depth = todo.pop()
        while a0 < a1 and b0 < b1 and a[a0] == b[b0]:
            found.append((a0, b0))
            a0, b0 = a0 + 1, b0 + 1
        while a0 < a1 and b0 < b1 and a[a1 - 1] == b[b1 - 1]:
            a1, b1 = a1 - 1, b1 - 1
            found.append((a1, b1))
        if a0 == a1 or b0 == b1:
            continue
        anchors = _anchors(a, b, (a0, a1, b0, b1)) if depth < MAX_DEPTH else []
        if not anchors:
            found += _searched(a, b, (a0, a1, b0, b1))
            continue
        found += anchors
        for i, j in [*anchors, (a1, b1)]:
            todo.append(((a0, i, b0, j), depth + 1))
            a0, b0 = i + 1, j + 1
    found.sort()
    return found


def _anchors(a: Sequence[int], b: Sequence[int], within: _Range) -> list[Pair]:
    """What stands once on each side, as far as it is in the same order: patience, as sorting cards."""
    a0, a1, b0, b1 = within
    once_a, once_b = Counter(a[a0:a1]), Counter(b[b0:b1])
    place_b = {b[j]: j for j in range(b0, b1) if once_b[b[j]] == 1}
    common = [(i, place_b[a[i]]) for i in range(a0, a1) if once_a[a[i]] == 1 and a[i] in place_b]
    tops: list[int] = []
    piles: list[int] = []  # of each pile, which of `common` lies on top
    below: list[int] = []
    for index, (_, j) in enumerate(common):
        pile = bisect_left(tops, j)
        below.append(piles[pile - 1] if pile else -1)
        if pile == len(tops):
            tops.append(j)
            piles.append(index)
        else:
            tops[pile], piles[pile] = j, index
    longest: list[Pair] = []
    index = piles[-1] if piles else -1
    while index >= 0:
        longest.append(common[index])
        index = below[index]
    return longest[::-1]


def _searched(a: Sequence[int], b: Sequence[int], within: _Range) -> list[Pair]:
    """What the shortest edit leaves as it is, where nothing stands once."""
    a0, a1, b0, b1 = within
    known = set(a[a0:a1]) & set(b[b0:b1])
    places_a = [i for i in range(a0, a1) if a[i] in known]
    places_b = [j for j in range(b0, b1) if b[j] in known]
    keys_a, keys_b = [a[i] for i in places_a], [b[j] for j in places_b]
    found: list[Pair] = []
    here = (0, 0)
    while here[0] < len(keys_a) and here[1] < len(keys_b):
        run, here = _shortest_edit(keys_a, keys_b, *here)
        found += [(places_a[i], places_b[j]) for i, j in run]
    return found


def _shortest_edit(a: list[int], b: list[int], begin_a: int, begin_b: int) -> tuple[list[Pair], Pair]:
    """Myers' greedy search (An O(ND) Difference Algorithm, 1986), as far as it comes in MAX_EDITS.

    Returns the pairs, and where it came to: always further than it began.
    """
    length_a, length_b = len(a) - begin_a, len(b) - begin_b
    furthest = {1: 0}  # for each diagonal, how far in A
    trace: list[dict[int, int]] = []
    best, end = (-1, 0), (0, 0, 0)
    for edits in range(MAX_EDITS + 1):
        trace.append(dict(furthest))
        for k in range(-edits, edits + 1, 2):
            x = _start(furthest, edits, k)
            y = x - k
            while x < length_a and y < length_b and a[begin_a + x] == b[begin_b + y]:
                x, y = x + 1, y + 1
            furthest[k] = x
            if x <= length_a and y <= length_b and (x + y, -abs(k)) > best:
                best, end = (x + y, -abs(k)), (edits, k, x)
        if best[0] == length_a + length_b:
            break
    edits, k, x = end
    came_to = (begin_a + x, begin_b + x - k)
    pairs: list[Pair] = []
    while edits >= 0:
        start = _start(trace[edits], edits, k)
        while x > start:
            x -= 1
            pairs.append((begin_a + x, begin_b + x - k))
        down = _goes_down(trace[edits], edits, k)
        x, k, edits = (start, k + 1, edits - 1) if down else (start - 1, k - 1, edits - 1)
    return pairs[::-1], came_to


def _goes_down(furthest: dict[int, int], edits: int, k: int) -> bool:
    """Whether diagonal k is reached by an insertion, and not by a removal."""
    return k == -edits or (k != edits and furthest[k - 1] < furthest[k + 1])


def _start(furthest: dict[int, int], edits: int, k: int) -> int:
    """How far in A diagonal k is entered, by the last of so many edits."""
    return furthest[k + 1] if _goes_down(furthest, edits, k) else furthest[k - 1] + 1


def _moved(a: Sequence[int], b: Sequence[int], to_b: array[int], to_a: array[int]) -> list[Pair]:
    """Makes partners of what stands on both sides, and not in the same order; returns them."""
    waiting: defaultdict[int, deque[int]] = defaultdict(deque)
    for i, key in enumerate(a):
        if to_b[i] < 0:
            waiting[key].append(i)
    moved: list[Pair] = []
    here = 0  # where in A the place in B would be
    for j, key in enumerate(b):
        if to_a[j] >= 0:
            here = to_a[j]
            continue
        same = waiting.get(key)
        while same and same[0] < here - MOVED_WITHIN:
            same.popleft()
        if same and same[0] <= here + MOVED_WITHIN:
            i = same.popleft()
            to_b[i], to_a[j] = j, i
            moved.append((i, j))
    return moved
