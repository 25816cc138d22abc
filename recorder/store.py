"""The store as the writer's thread sees it: opened late, written a group at a time, settled at the
end. Nobody else touches the connection."""

from __future__ import annotations

import ctypes
import logging
import os
import random
import threading
import time
import weakref
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, NotSupportedError, ProgrammingError

from ..schema.entries import Entry
from ..schema.errors import NotAStoreError, StoreBusyError, StoreError, UsageError
from ..schema.log import (
    Address,
    entry_digest,
    find_session,
    insert_entries,
    insert_segment,
    insert_session,
    mark_interrupted,
    open_for_writing,
    settle,
    store_errors,
    update_session,
)
from .gaps import gap_instead
from .session_log import Batch, Pending, SessionLog

logger = logging.getLogger("realtape.recorder")

SLICE_ROWS = 64
"""Rows between which the writer gives the interpreter's lock up: the event loop waits no longer."""

SETTLE_TRIES = 4

_inherited: set[str] = set()
"""Files that the parent of this process had open when it forked."""

_REFUSED = (
    *(DataError, IntegrityError, InterfaceError, NotSupportedError, ProgrammingError),
    *(OverflowError, TypeError, ValueError),  # from the driver, before the database sees the row
)
"""The database may be well, and refuse the row."""


class Store:
    """One store, written by one thread.

    Args:
        address: opened, and made where there is none, by the first commit.

    Attributes:
        address: the same.
        lock: held while we are in the database, whose library has locks of its own: a child that is
            forked meanwhile would find them taken for ever. `os.fork` waits for this one.
    """

    def __init__(self, address: Address) -> None:
        self.lock = threading.Lock()
        self.address = address
        self._engine: Engine | None = None
        self._in_use = False  # from before it is opened until after it is closed
        self._file: tuple[int, int] | None = None
        self._gone: weakref.WeakSet[SessionLog] = weakref.WeakSet()  # begun in a file that is no more
        self._unsure = False  # whether the last commit arrived: a server's answer can be lost

    def commit(self, batches: list[Batch]) -> None:
        """Write batches, all or none. Entries that the database refuses become gaps.

        Raises:
            StoreError: nothing was written, as far as we know; try the same again.
        """
        try:
            with self.lock, store_errors(self.address):
                self._commit_or_sift(batches)
        except StoreError as error:
            self._unsure = True
            if self.address.path is not None and not isinstance(error, StoreBusyError):
                with self.lock:
                    self._release()
            raise
        self._unsure = False

    def close(self) -> None:
        """Leave one file that stands for itself, also on a read-only disk, if we are the last to
        use it."""
        with self.lock:
            if self._engine is not None:
                self._release_and_settle()
            self._in_use = False

    def abandon(self) -> None:
        """In a forked child: leave the connection to the parent. SQLite's locks and its state in
        shared memory are the parent's too, so this file is not to be opened here again; nor may
        the connection be closed here, not even by the end of the interpreter: it may be in the
        middle of a transaction (https://www.sqlite.org/howtocorrupt.html, section 2.6)."""
        if self._engine is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._engine))
        if self._in_use and self.address.path is not None:
            _inherited.add(os.path.realpath(self.address.path))

    # --- helpers ------------------------------------------------------------------------------------

    def _commit_or_sift(self, batches: list[Batch]) -> None:
        engine = self._opened()
        try:
            self._commit(engine, batches)
        except _REFUSED:
            self._unsure = True
            self._sift(engine, batches)
            self._commit(engine, batches)

    def _commit(self, engine: Engine, batches: list[Batch]) -> None:
        with engine.begin() as connection:
            places = [self._write(connection, batch) for batch in batches]
        for batch, place in zip(batches, places, strict=True):
            if place is not None:
                batch.log.committed = place

    def _write(self, connection: Connection, batch: Batch) -> tuple[int, bytes] | None:
        place = self._place(connection, batch)
        if place is None:
            return None
        key, digest = place
        if self._unsure and batch.entries and digest == batch.last_digest:
            return place  # it had arrived
        if batch.parts:
            insert_segment(connection, key, batch.segment, b"".join(batch.parts))
        for start in range(0, len(batch.entries), SLICE_ROWS):
            rows: list[Entry] = []
            for pending in batch.entries[start : start + SLICE_ROWS]:
                digest = entry_digest(digest, pending.entry, pending.bytes_at)
                rows.append(pending.entry._replace(digest=digest))
            insert_entries(connection, key, rows)
            time.sleep(0)  # the event loop's turn
        batch.last_digest = digest
        update_session(connection, key, batch.status, digest)
        return key, digest

    def _place(self, connection: Connection, batch: Batch) -> tuple[int, bytes] | None:
        """Key and last digest of the batch's session, which its first batch adds; None where a
        session that we had begun is no longer there."""
        log = batch.log
        if log in self._gone:
            return None
        if log.committed is not None and not self._unsure:
            return log.committed
        header = log.scrubbed_header() if log.committed is None else log.header
        found = find_session(connection, header.id) if self._unsure else None
        if found is not None:
            return found
        if log.committed is not None:
            log.refuse()
            self._gone.add(log)
            logger.error(
                "%s: session %s is no longer there; it is not recorded further", self.address, header.id
            )
            return None
        return insert_session(connection, header)

    def _sift(self, engine: Engine, batches: list[Batch]) -> None:
        """Find the entries that the database refuses, and put gaps in their places. Writes nothing."""
        refused = 0
        with engine.connect() as connection:
            for batch in batches:
                place = self._place(connection, batch)
                if place is None:
                    continue
                update_session(connection, place[0], batch.status, place[1])  # begins the transaction
                for index, pending in enumerate(batch.entries):
                    error = _refusal(connection, place[0], pending)
                    if error is None:
                        continue
                    name = type(error).__name__  # its text may quote what was to be recorded
                    gap = Pending(gap_instead(pending.entry, f"the database refused it: {name}"), {})
                    if _refusal(connection, place[0], gap) is not None:
                        raise error  # so it is not because of the entry
                    batch.entries[index] = gap
                    refused += 1
            connection.rollback()
        if refused:
            logger.error("%s: refused %d entries; gaps stand in their places", self.address, refused)

    def _opened(self) -> Engine:
        found = _file_at(self.address)
        if found != self._file and self._file is not None:
            self._moved_away(found)
        if self._engine is None:
            self._unsure = self._in_use = True
            self._refuse_inherited()
            engine = open_for_writing(self.address)
            try:
                with engine.begin() as connection:
                    mark_interrupted(connection)
            except BaseException:
                engine.dispose()
                raise
            self._engine, self._file = engine, _file_at(self.address)
        return self._engine

    def _refuse_inherited(self) -> None:
        path = self.address.path
        if _inherited and path is not None and os.path.realpath(path) in _inherited:
            raise UsageError(
                f"{path} was in use when this process was forked: record into a file of its own, "
                "or fork before the first session"
            )

    def _moved_away(self, found: tuple[int, int] | None) -> None:
        """What we had opened is no longer at the path: SQLite would write into nobody's file."""
        self._release()
        if found is not None and os.path.exists(f"{self.address.path}-wal"):
            # It is of the old file, and SQLite would merge it into whatever lies there now.
            raise NotAStoreError(
                str(self.address),
                "replaced by another file while it was recorded into",
                "put the old one back, or remove the -wal beside it, which is of the old one",
            )
        logger.error("%s: was removed; its sessions end, new ones go on in a new file", self.address)
        self._file = None

    def _release_and_settle(self) -> None:
        file = self._file
        self._release()
        if self.address.path is None or file != _file_at(self.address):
            return
        for _ in range(SETTLE_TRIES):
            try:
                with store_errors(self.address):
                    settle(self.address)
            except StoreBusyError:
                # Perhaps somebody else who is about to settle, and finds us in the way.
                time.sleep(random.uniform(0.005, 0.03))
            except StoreError as error:
                logger.warning("%s: left with its -wal file (%s)", self.address, error.problem)
                return
            else:
                return
        logger.info("%s: left with its -wal file: whoever closes it last merges it", self.address)

    def _release(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()


def _refusal(connection: Connection, key: int, pending: Pending) -> Exception | None:
    """Why the database does not take this entry, or None if it does."""
    try:
        with connection.begin_nested():
            digest = entry_digest(b"", pending.entry, pending.bytes_at)
            insert_entries(connection, key, [pending.entry._replace(digest=digest)])
    except _REFUSED as error:
        return error
    return None


def _file_at(address: Address) -> tuple[int, int] | None:
    """Which file lies at the path: it may be another one than we opened."""
    if address.path is None:
        return None
    try:
        found: Any = os.stat(address.path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
