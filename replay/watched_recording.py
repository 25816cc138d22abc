"""`WatchedRecording`: a recording that tells what is read of it, while it is being replayed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from typing import Any, Protocol, Self, TypeVar, cast

from ..schema.codec import Vocabulary
from ..schema.entries import Entry, Kind, SessionRecord
from ..schema.log import Address, RowBatch, entry_of
from ..session.recording import Recording
from ..session.staged import Staged
from .own_events import deliverable

_T = TypeVar("_T")


class Watcher(Protocol):
    """Is told what is read of a recording."""

    def read(self, entry: Entry, value: Any) -> None:
        """The next entry, with the very object that the listeners will get."""

    def read_all(self) -> None:
        """There are no more."""


class WatchedRecording(Recording):
    """A recording that tells how far it was read, and a watcher what.

    Attributes:
        watcher: told of each entry that is read to be replayed.
        on_entry: called with each entry that is read, for whatever.
        position: number of entries read.
        closed: the model has let go of it.
        unreadable: why it cannot be read any further, once the replay has come there.
        successor: the next session of the same model, once that was asked for.
    """

    def __init__(
        self,
        address: Address,
        session: SessionRecord,
        vocabulary: Vocabulary,
        staged: Staged | None = None,
    ) -> None:
        super().__init__(address, session, vocabulary, staged)
        self.watcher: Watcher | None = None
        self.on_entry: Callable[[Entry], object] | None = None
        self.position = 0
        self.closed = False
        self.unreadable: Exception | None = None
        self.successor: Self | None = None
        self._waiting: asyncio.Future[None] | None = None  # whoever must hear of that

    @property
    def latest(self) -> WatchedRecording:
        """This, or the last session of the chain that was opened."""
        return self if self.successor is None else self.successor.latest

    @property
    def broken(self) -> Exception | None:
        """Why this, or one that follows it, cannot be read any further."""
        return self.unreadable or (None if self.successor is None else self.successor.broken)

    async def entries(self, first: int = 0) -> AsyncGenerator[Entry]:
        """As of any recording."""
        async for entry in super().entries(first):
            self._passed(entry)
            yield entry

    def stream_rows(self) -> Iterator[tuple[RowBatch, list[Any]]]:
        """As of any recording; the watcher gets each before the caller."""
        for batch, values in super().stream_rows():
            if self.watcher is None and self.on_entry is None:
                self.position = entry_of(batch.rows[-1]).seq + 1
                yield batch, values
                continue
            for number, entry in enumerate(map(entry_of, batch.rows)):
                self._passed(entry)
                if entry.kind == Kind.RECEIVED:
                    values[number] = deliverable(self.codec.vocabulary, values[number])
                if self.watcher is not None:
                    self.watcher.read(entry, values[number])
            yield batch, values
        if self.watcher is not None:
            self.watcher.read_all()

    def broken_off(self, error: Exception) -> None:
        """As of any recording."""
        self.unreadable = self.unreadable or error
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def following(self) -> Recording | None:
        """As of any recording."""
        successor = cast("Self | None", super().following())
        if successor is not None:
            self.successor = successor
            successor._waiting = self._waiting
        return successor

    def close_blocking(self) -> None:
        """As of any recording."""
        self.closed = True
        super().close_blocking()

    async def while_readable(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Do something that waits for what is read; cancelled where the recording is broken, or one that
        follows it.

        Raises:
            RealtapeError: it cannot be read any further.
        """
        loop = asyncio.get_running_loop()
        working, broken = loop.create_task(work), loop.create_future()
        self._waiting = broken
        if self.broken is not None:
            broken.set_result(None)
        try:
            await asyncio.wait({working, broken}, return_when=asyncio.FIRST_COMPLETED)
            if broken.done():
                unreadable = self.broken
                assert unreadable is not None
                raise unreadable
            return await working
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    def _passed(self, entry: Entry) -> None:
        self.position = entry.seq + 1
        if self.on_entry is not None:
            self.on_entry(entry)
