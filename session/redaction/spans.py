"""Places in a text that do not overlap."""

from __future__ import annotations

from bisect import bisect_left

Span = tuple[int, int]
"""(start, end)."""


class Spans:
    """Those that are taken."""

    def __init__(self) -> None:
        self._taken: list[Span] = []

    def take(self, span: Span) -> bool:
        """Take a place, if nothing of it is taken yet; returns whether that was so."""
        at = bisect_left(self._taken, span)
        if at > 0 and self._taken[at - 1][1] > span[0]:
            return False
        if at < len(self._taken) and self._taken[at][0] < span[1]:
            return False
        self._taken.insert(at, span)
        return True
