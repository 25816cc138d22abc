"""A store into which a session is recorded, a piece at a time, as if on another machine: whether that process
lives nobody can tell here."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from realtape.schema import Header, Kind, Status
from realtape.schema.entries import Entry, new_session_id
from realtape.schema.log import (
    advance_session,
    entry_digest,
    insert_entries,
    insert_session,
    locate,
    open_for_writing,
)
from sqlalchemy import Engine


class LiveSession:
    """A session that is being recorded.

    Args:
        before: the session before it, of the same model.
    """

    def __init__(self, engine: Engine, before: LiveSession | None = None) -> None:
        self.engine = engine
        previous = None if before is None else before.header.id
        self.header = Header(
            new_session_id(), previous, 1_732_000_000_000_000_000, "elsewhere", 4711, "recorder", {}, {}
        )
        self._count = 0
        with engine.begin() as connection:
            self._key, self._digest = insert_session(connection, self.header)

    def append(self, count: int, status: Status = Status.RECORDING) -> None:
        """So many markers more, a millisecond each."""
        before, entries = self._digest, list[Entry]()
        for seq in range(self._count, self._count + count):
            entry = Entry(seq, seq * 1_000_000, 0, 0, Kind.MARKER, payload='{"text":"here"}')
            self._digest = entry_digest(self._digest, entry, _no_bytes)
            entries.append(entry._replace(digest=self._digest))
        self._count += count
        with self.engine.begin() as connection:
            insert_entries(connection, self._key, entries)
            advance_session(connection, self._key, self.header.id, before, self._digest, status)


@contextmanager
def live_session(path: Path) -> Generator[LiveSession]:
    """In a new store."""
    engine = open_for_writing(locate(path))
    yield LiveSession(engine)
    engine.dispose()


def _no_bytes(segment: int, offset: int, length: int) -> bytes:
    raise AssertionError("a marker refers to none")
