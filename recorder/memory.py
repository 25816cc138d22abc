"""`InMemory`: a recorder that keeps its sessions in memory, for who looks at them while they are recorded."""

from __future__ import annotations

from collections.abc import Container

from ..schema.entries import Entry, Header
from ..schema.log import Address, MemoryDatabase
from ..session.drafts import Draft
from .recorder import Recorder
from .session_log import Backlog, SessionLog
from .store import Store
from .writer import Writer


class MemoryWriter(Writer):
    """Takes what the sessions hold when it is asked to, and writes nothing. It has no thread."""

    def __init__(self, store: Store, backlog: Backlog) -> None:
        super().__init__(store, backlog)
        self._kept: dict[SessionLog, tuple[list[Entry], dict[int, bytes]]] = {}

    def wake(self, log: SessionLog) -> None:
        """This session is one of ours from now on."""
        if log not in self._kept:
            log.listed = True
            self._kept[log] = ([], {})

    def flush(self, timeout: float) -> None:
        """Take what was appended so far."""
        for log, (entries, segments) in self._kept.items():
            batch = log.take()
            if batch is not None:
                batch.encode(gives_way=False)
                entries += [pending.entry for pending in batch.entries]
                if batch.parts:
                    segments[batch.segment] = b"".join(batch.parts)
                self.backlog.release(batch.weight_bytes)

    def close(self, timeout: float, patience: float | None = None) -> None:
        """As `flush`; nothing was opened."""
        self.flush(timeout)

    def grown(self) -> list[tuple[Header, list[Entry]]]:
        """The headers of the sessions so far, and their entries: the very lists, which go on growing."""
        self.flush(0)
        return [(log.scrubbed_header(), entries) for log, (entries, _) in self._kept.items()]

    def drafts(self) -> list[Draft]:
        """The sessions so far, their digests not computed yet."""
        self.flush(0)
        return [
            Draft(log.scrubbed_header(), log.status, tuple(entries), dict(segments))
            for log, (entries, segments) in self._kept.items()
        ]


class InMemory(Recorder):
    """A recorder without a store. Mixed into another recorder's class, it takes its store away:

    ```python
    class InMemoryRecorder(InMemory, openai_agents.Recorder): ...


    recorder = InMemoryRecorder("in memory")
    ```

    The name that it is given is of no meaning, and no file is made. A forked child goes on with a copy of its
    own.
    """

    _writer: MemoryWriter

    def _new_writer(self, backlog: Backlog) -> MemoryWriter:
        self.address = Address(None, None, MemoryDatabase("in memory"))
        return MemoryWriter(Store(self.address), backlog)

    def begin_anew(self, files: Container[tuple[int, int]]) -> None:
        """In a forked child: there is nothing to let go of."""

    def grown(self) -> list[tuple[Header, list[Entry]]]:
        """The sessions so far, in the order in which they began: their headers, and their entries, in lists
        that go on growing."""
        return self._writer.grown()

    def drafts(self) -> list[Draft]:
        """The sessions so far, in the order in which they began. Call `sealed()` on one to keep it."""
        return self._writer.drafts()
