"""`States`: the state at any place of a recording, and at any number of places one after another."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from ..schema.entries import Entry
from ..schema.errors import UsageError
from .recording import Batches, Recording
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
        self._batch: Sequence[Entry] = ()  # which the blocking side read last

    # --- for who shares an event loop with others ---------------------------------------------------

    async def at(self, seq: int) -> State:
        """The state before entry `seq` happened; behind the last entry, that of the end.

        Raises:
            UsageError: `seq` is negative.
            StoreError: the store cannot be read.
        """
        fold = self._before(seq)
        if fold.seq < seq:
            await self.recording.ask(lambda batch: self._go_to(seq, fold, batch))
        return fold.state()

    async def seq_at(self, seconds: float) -> int:
        """The first entry that happened so many seconds after the session began, or later; behind the
        last entry, how many there are.

        Raises:
            UsageError: `seconds` is negative.
            StoreError: the store cannot be read.
        """
        return await self.recording.ask(lambda batch: self._seq_of(seconds, batch))

    # --- blocking, a batch at a time, as a replay reads ---------------------------------------------

    def now(self, seq: int) -> State:
        """As `at`; blocking, and quick where `seq` is little ahead of what was asked for last."""
        if seq < self._fold.seq or seq - self._fold.seq > self._every:
            self._fold = self._before(seq)
        self._go_to(seq, self._fold, self._entries)
        return self._fold.state()

    def seq_now(self, seconds: float) -> int:
        """As `seq_at`; blocking."""
        return self._seq_of(seconds, self._entries)

    def entry(self, seq: int) -> Entry | None:
        """An entry, or None where there is no such; blocking."""
        entries = self._entries(seq)
        return entries[0] if entries and entries[0].seq == seq else None

    # --- helpers ------------------------------------------------------------------------------------

    def _entries(self, first: int) -> Sequence[Entry]:
        """Some entries from seq `first` on: of the batch that was read last, where it holds that."""
        if not self._batch or not self._batch[0].seq <= first <= self._batch[-1].seq:
            self._batch = self.recording.batch(first)
        return self._batch[bisect_left(self._batch, first, key=lambda entry: entry.seq) :]

    def _go_to(self, seq: int, fold: Fold, batch: Batches) -> None:
        while fold.seq < seq and (entries := batch(fold.seq)):
            for entry in entries[: seq - fold.seq]:
                self._add(fold, entry)

    def _seq_of(self, seconds: float, batch: Batches) -> int:
        fold, at_ns = self._before_time(seconds)
        while entries := batch(fold.seq):
            for entry in entries:
                if entry.at_ns >= at_ns:
                    return fold.seq
                self._add(fold, entry)
        return fold.seq

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
    Cancelled, it has changed nothing.

    Raises:
        UsageError: `seq` is negative.
        StoreError: the store cannot be read.
    """
    return await States(recording).at(seq)
