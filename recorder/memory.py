"""`InMemory`: a recorder that keeps its sessions in memory, for who looks at them while they are recorded."""

from __future__ import annotations

from ..schema.entries import Entry
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
                batch.encode()
                entries += [pending.entry for pending in batch.entries]
                if batch.parts:
                    segments[batch.segment] = b"".join(batch.parts)
                self.backlog.release(batch.weight_bytes)

    def close(self, timeout: float, patience: float | None = None) -> None:
        """As `flush`; nothing was opened."""
        self.flush(timeout)

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

    The name that it is given is of no meaning, and no file is made.
    """

    _writer: MemoryWriter

    def _new_writer(self, backlog: Backlog) -> MemoryWriter:
        self.address = Address(None, None, MemoryDatabase("in memory"))
        return MemoryWriter(Store(self.address), backlog)

    def drafts(self) -> list[Draft]:
        """The sessions so far, in the order in which they began. Call `sealed()` on one to keep it."""
        return self._writer.drafts()
