"""Processes in virtual time, as in discrete simulation: an iterator does what is due whenever it is
resumed, and yields the milliseconds after which to resume it."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import count


class Timeline:
    """Runs processes in the order of their times; those of one time in the order of their starts.

    Attributes:
        now_ms: the time up to which everything has been run; never goes back.
    """

    def __init__(self) -> None:
        self.now_ms = 0
        self._waiting: list[tuple[int, int, Iterator[int]]] = []
        self._order = count()
        self._stopped = False

    @property
    def next_due_ms(self) -> int | None:
        """When the next process is to be resumed, or None."""
        return self._waiting[0][0] if self._waiting else None

    def start(self, process: Iterator[int]) -> None:
        """Run the process up to its first pause, now; the rest follows in its time."""
        wait_ms = next(process, None)
        if wait_ms is not None and not self._stopped:
            heapq.heappush(self._waiting, (self.now_ms + wait_ms, next(self._order), process))

    def run_until(self, now_ms: int) -> None:
        """Resume everything that is due by then."""
        while self._waiting and self._waiting[0][0] <= now_ms:
            due_ms, _, process = heapq.heappop(self._waiting)
            self.now_ms = due_ms
            self.start(process)
        self.now_ms = max(now_ms, self.now_ms)

    def stop(self) -> None:
        """Resume nothing any more."""
        self._stopped = True
        self._waiting.clear()
