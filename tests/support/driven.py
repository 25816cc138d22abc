"""A recorder that writes when it is told to, on the thread that tells it."""

from __future__ import annotations

import itertools
import time

from realtape.recorder import Recorder
from realtape.recorder.session_log import Backlog
from realtape.recorder.store import Store
from realtape.recorder.writer import Writer

_STEPS = 1000


class Driven(Writer):
    """Writes when it is told to. It has no thread."""

    def _start(self) -> None:
        pass

    def write(self) -> None:
        """All that the sessions hold; what cannot be written raises."""
        self._go_round()
        if self._failure is not None:
            raise self._failure

    def _rest(self, *, idle: bool) -> None:
        pass


class DrivenRecorder(Recorder):
    """A recorder without a thread."""

    _writer: Driven

    def _new_writer(self, backlog: Backlog) -> Driven:
        theirs = super()._new_writer(backlog)
        theirs.store.durability = "normal"
        return Driven(theirs.store, backlog)

    @property
    def store(self) -> Store:
        """What it writes into."""
        return self._writer.store

    def write(self) -> None:
        """Commit all that the sessions hold."""
        self._writer.write()

    def tend(self, *, again: bool = True, later: float = 0, idle: bool = True) -> None:
        """What its thread does beside writing, until nothing more is to be done.

        Args:
            again: also what it did a moment ago.
            later: as if it were so many seconds later.
            idle: whether nothing waits.
        """
        upkeep = self.store._upkeep  # pyright: ignore[reportPrivateUsage]
        if again and upkeep is not None:
            upkeep._due_at = 0  # pyright: ignore[reportPrivateUsage]
        for step in itertools.count():
            self.store.tend(idle=idle, now=time.monotonic() + later)
            if upkeep is None or not upkeep.under_way:
                return
            assert step < _STEPS

    def die(self) -> None:
        """As a process does that is killed: nothing more is written, and what it holds open is closed."""
        for log in list(self._open):
            log.disown()
        self.store._release()  # pyright: ignore[reportPrivateUsage]
        self.store._lock.abandon()  # pyright: ignore[reportPrivateUsage]
