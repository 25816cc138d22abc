"""`States`: the state at any place of a recording, and at any number of places one after another."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

from ..schema.entries import Entry
from ..schema.errors import UsageError
from .recording import Recording
from .state import Fold, State

CHECKPOINT_ENTRIES = 1000
"""Distance of the states that are kept: so many entries at most are read to get anywhere again."""


class States:
    """Computes states from the log, and keeps one of them every so many entries.

    Args:
        recording: open; it may be replayed meanwhile.
        every: entries from one kept state to the next.

    Attributes:
        recording: the same.

    Raises:
        UsageError: `every` is below 1.
    """

    def __init__(self, recording: Recording, *, every: int = CHECKPOINT_ENTRIES) -> None:
        if every < 1:
            raise UsageError(f"a checkpoint every {every} entries: give a number from 1 up")
        self.recording = recording
        self._every = every
        self._kept = [State()]
        self._fold = Fold()  # where the blocking side was asked last
        self._batch: list[Entry] = []

    # --- for who shares an event loop with others ---------------------------------------------------

    async def at(self, seq: int) -> State:
        """The state before entry `seq` happened; behind the last entry, that of the end.

        Raises:
            UsageError: `seq` is negative.
            StoreError: the store cannot be read.
        """
        fold = self._before(seq)
        entries = cast("AsyncGenerator[Entry]", self.recording.entries(fold.seq))
        async with aclosing(entries):
            while fold.seq < seq:
                entry = await anext(entries, None)
                if entry is None:
                    break
                self._add(fold, entry)
        return fold.state()

    async def seq_at(self, seconds: float) -> int:
        """The first entry that happened so many seconds after the session began, or later; behind the
        last entry, how many there are.

        Raises:
            UsageError: `seconds` is negative.
            StoreError: the store cannot be read.
        """
        fold, at_ns = self._before_time(seconds)
        entries = cast("AsyncGenerator[Entry]", self.recording.entries(fold.seq))
        async with aclosing(entries):
            while (entry := await anext(entries, None)) is not None and entry.at_ns < at_ns:
                self._add(fold, entry)
        return fold.seq

    # --- blocking, a batch at a time, as a replay reads ---------------------------------------------

    def now(self, seq: int) -> State:
        """As `at`; blocking, and quick where `seq` is little ahead of what was asked for last."""
        if seq < self._fold.seq or seq - self._fold.seq > self._every:
            self._fold = self._before(seq)
        fold = self._fold
        while fold.seq < seq and (entry := self.entry(fold.seq)) is not None:
            self._add(fold, entry)
        return fold.state()

    def seq_now(self, seconds: float) -> int:
        """As `seq_at`; blocking."""
        fold, at_ns = self._before_time(seconds)
        while (entry := self.entry(fold.seq)) is not None and entry.at_ns < at_ns:
            self._add(fold, entry)
        return fold.seq

    def entry(self, seq: int) -> Entry | None:
        """An entry, or None where there is no such; blocking."""
        batch = self._batch
        if not batch or not batch[0].seq <= seq <= batch[-1].seq:
            batch = self._batch = self.recording.batch(seq)
        index = seq - batch[0].seq if batch else 0
        return batch[index] if 0 <= index < len(batch) else None

    # --- helpers ------------------------------------------------------------------------------------

    def _before(self, seq: int) -> Fold:
        """Where to go on from to get there."""
        if seq < 0:
            raise UsageError(f"entry {seq}: entries are numbered from 0")
        return Fold(self._kept[bisect_right(self._kept, seq, key=lambda state: state.seq) - 1])

    def _before_time(self, seconds: float) -> tuple[Fold, int]:
        if not seconds >= 0:
            raise UsageError(f"{seconds} s: the session begins at 0 s")
        at_ns = round(min(seconds, 1e9) * 1e9)
        # Of several states at that very instant, the entries before it may be behind none.
        place = bisect_right(self._kept, at_ns - 1, key=lambda state: state.at_ns) - 1
        return Fold(self._kept[max(place, 0)]), at_ns

    def _add(self, fold: Fold, entry: Entry) -> None:
        fold.add(entry)
        if fold.seq >= self._kept[-1].seq + self._every:
            self._kept.append(fold.state())


async def state_at(recording: Recording, seq: int) -> State:
    """The state before entry `seq` happened. For more than a few places, make `States` once.

    Raises:
        UsageError: `seq` is negative.
        StoreError: the store cannot be read.
    """
    return await States(recording).at(seq)
