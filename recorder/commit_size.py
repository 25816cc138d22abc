"""How much a commit holds: what the disk takes in half a second, beyond what it takes for anything at all."""

from __future__ import annotations

MOST_BYTES = 4 * 1024 * 1024
LEAST_BYTES = 64 * 1024
"""What a commit holds, at most and where the disk takes a long time for each byte."""

SLOW_SECONDS = 0.5
"""A commit that takes longer was too large, if it is its bytes that took so long."""

_KEPT = 0.5
"""Of what was measured before, with each commit that is measured."""


class CommitSize:
    """Learns of each commit how long a byte takes. A disk that is slow to sync takes as long for a small one:
    smaller commits would only be fewer bytes a second, and what comes meanwhile would be lost.

    Attributes:
        limit_bytes: what the next commit may hold.
    """

    def __init__(self) -> None:
        self.limit_bytes = MOST_BYTES
        self._sums = (0.0,) * 5

    def took(self, size: int, seconds: float) -> None:
        """A commit of so many bytes took so long."""
        measured = (1, size, seconds, size * size, size * seconds)
        self._sums = tuple(_KEPT * old + new for old, new in zip(self._sums, measured, strict=True))
        count, sizes, times, squares, products = self._sums
        spread = count * squares - sizes * sizes
        if spread > 0.01 * count * squares:  # of several sizes: the slope of the line through them
            seconds_a_byte = (count * products - sizes * times) / spread
        else:
            seconds_a_byte = seconds / max(size, 1)
        if seconds > SLOW_SECONDS and seconds_a_byte * min(size, self.limit_bytes) > SLOW_SECONDS / 2:
            self.limit_bytes = max(self.limit_bytes // 2, LEAST_BYTES)
        else:
            self.limit_bytes = min(self.limit_bytes * 2, MOST_BYTES)
