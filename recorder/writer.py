"""The writer: one thread that owns the database connection, and commits what the sessions hold.

It lingers between commits rather than be woken by each entry: waking a thread costs the event loop
ten times what appending does. Only after a second of silence does it park.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from sqlalchemy import Engine
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

from ..schema.addresses import Address
from ..schema.digests import entry_digest
from ..schema.encoding import Reference, to_json
from ..schema.entries import Entry, Kind, Status
from ..schema.errors import StoreError, StoreWriteError
from ..schema.rows import insert_entries, insert_segment, insert_session, mark_interrupted, update_session
from ..schema.stores import open_for_writing, store_errors
from .session_log import Batch, Pending, SessionLog

logger = logging.getLogger("realtape.recorder")

LINGER_SECONDS = 0.02
PARK_AFTER_SECONDS = 1.0
SLICE_ROWS = 64
"""Rows between which the writer gives the interpreter's lock up: the event loop waits no longer."""

MAX_BACKOFF_SECONDS = 1.0


class Writer:
    """Commits the sessions' entries, in order, in groups at most 50 ms apart while the disk obeys.

    What cannot be written is kept and tried again; meanwhile the sessions go on, and drop what
    exceeds their memory.

    Args:
        address: the store; opened, and made where there is none, by the first commit.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._lock = threading.Condition()
        self._logs: list[SessionLog] = []
        self._thread: threading.Thread | None = None
        self._hurry = threading.Event()
        self._parked = False
        self._closing = False
        self._give_up = False
        self._asked = 0
        self._drained = 0
        self._error: str | None = None
        self._engine: Engine | None = None

    # --- called by anyone -----------------------------------------------------------------------

    def wake(self, log: SessionLog) -> None:
        """This session has something to write; costs nothing unless it is new or we have parked."""
        if not log.listed:
            self._list(log)
        if self._parked:
            self._hurry.set()

    def _list(self, log: SessionLog) -> None:
        with self._lock:
            if log.listed:
                return
            log.listed = True
            self._logs.append(log)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="realtape-writer", daemon=True)
                self._thread.start()

    def flush(self, timeout: float) -> None:
        """Wait until all that was appended before this call is committed.

        Blocks; `timeout` in seconds.

        Raises:
            StoreWriteError: it was not within `timeout`; it is kept, and tried further.
        """
        with self._lock:
            if self._thread is None:
                return
            self._asked += 1
            ticket = self._asked
            self._hurry.set()
            done = self._lock.wait_for(lambda: self._drained >= ticket, timeout)
        if not done:
            raise StoreWriteError(
                str(self._address),
                f"not written within {timeout:g} s ({self._error or 'the disk is slow'})",
                "free the disk or the lock; the entries are kept, and tried again",
            )

    def close(self, timeout: float) -> None:
        """Commit everything, close the database and end the thread. Blocks; `timeout` in seconds.

        Raises:
            StoreWriteError: what is left could not be written, and is lost.
        """
        with self._lock:
            thread = self._thread
            if thread is None:
                return
            self._closing = True
            self._hurry.set()
        thread.join(timeout)
        if thread.is_alive():
            self._give_up = True
            self._hurry.set()
            thread.join(timeout)
        with self._lock:
            self._thread = None
        if self._error is not None:
            raise StoreWriteError(
                str(self._address),
                f"the end of the recording is lost ({self._error})",
                "free the disk or the lock before you record again; what is in the store is intact",
            )

    # --- the thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        quiet_since = time.monotonic()
        try:
            while True:
                with self._lock:
                    asked, closing, logs = self._asked, self._closing, list(self._logs)
                batches = self._take(logs)
                if batches and not self._commit_until_done(batches):
                    return
                with self._lock:
                    self._drained = asked
                    self._lock.notify_all()
                if batches:
                    quiet_since = time.monotonic()
                elif closing:
                    return
                if not closing:
                    self._rest(quiet_since)
                    self._unlist_ended()
        finally:
            self._close_engine()

    def _take(self, logs: list[SessionLog]) -> list[Batch]:
        batches = [batch for log in logs if (batch := log.take()) is not None]
        for log in logs:
            log.report_loss()  # taken with the next round
        return batches

    def _unlist_ended(self) -> None:
        """Let go of sessions that have ended; an entry that follows all the same lists them again."""
        with self._lock:
            for log in [log for log in self._logs if log.status is not Status.RECORDING]:
                log.listed = False
                if log.pending:
                    log.listed = True
                else:
                    self._logs.remove(log)

    def _rest(self, quiet_since: float) -> None:
        if time.monotonic() - quiet_since < PARK_AFTER_SECONDS:
            self._hurry.wait(LINGER_SECONDS)
        else:
            self._parked = True
            if not any(log.pending for log in list(self._logs)):  # appended before it saw us park
                self._hurry.wait()
            self._parked = False
        self._hurry.clear()

    def _commit_until_done(self, batches: list[Batch]) -> bool:
        """Commit, again and again if need be; False when told to give up."""
        backoff = LINGER_SECONDS
        while True:
            try:
                self._commit(batches)
            except Exception as error:  # noqa: BLE001 - the session goes on, whatever happens here
                retry = self._failed(error, batches)
                if self._give_up:
                    return False
                if retry:
                    time.sleep(backoff)
                    backoff = min(backoff * 2, MAX_BACKOFF_SECONDS)
            else:
                if self._error is not None:
                    logger.warning("%s: writing again", self._address)
                    self._error = None
                return True

    def _failed(self, error: Exception, batches: list[Batch]) -> bool:
        """Note what went wrong; whether trying the same again can help."""
        message = str(getattr(error, "orig", None) or error)
        if message != self._error:
            logger.error("%s: cannot write (%s); the session goes on", self._address, message)
        self._error = message
        if isinstance(error, StoreError | OperationalError | OSError):
            return True
        # The database refuses the rows themselves. Their numbers stay, as gaps: a log has no holes.
        for batch in batches:
            batch.entries = [_as_gap(pending, message) for pending in batch.entries]
        self._error = None
        return False

    def _commit(self, batches: list[Batch]) -> None:
        engine = self._opened()
        with store_errors(self._address), engine.begin() as connection:
            committed = [self._write(connection, batch) for batch in batches]
        for batch, place in zip(batches, committed, strict=True):
            batch.log.committed = place

    def _write(self, connection: Connection, batch: Batch) -> tuple[int, bytes]:
        key, digest = batch.log.committed or insert_session(connection, batch.log.header)
        if batch.data:
            insert_segment(connection, key, batch.segment, batch.data)
        for start in range(0, len(batch.entries), SLICE_ROWS):
            rows: list[Entry] = []
            for pending in batch.entries[start : start + SLICE_ROWS]:
                digest = entry_digest(digest, pending.entry, _bytes_of(pending))
                rows.append(pending.entry._replace(digest=digest))
            insert_entries(connection, key, rows)
            time.sleep(0)  # the event loop's turn
        update_session(connection, key, batch.status, digest)
        return key, digest

    def _opened(self) -> Engine:
        if self._engine is None:
            self._engine = open_for_writing(self._address)
            with self._engine.begin() as connection:
                mark_interrupted(connection)
        return self._engine

    def _close_engine(self) -> None:
        engine, self._engine = self._engine, None
        if engine is None:
            return
        try:
            if engine.dialect.name == "sqlite":
                _settle(engine)
        except Exception as error:  # noqa: BLE001 - the log is whole, only not in one file
            logger.warning("%s: left with its -wal file (%s)", self._address, error)
        finally:
            engine.dispose()


def _settle(engine: Engine) -> None:
    """Leave one file that stands for itself, also on a read-only disk, if we are the last to use it."""
    with engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.execute("PRAGMA busy_timeout=0")
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        raw.execute("PRAGMA journal_mode=DELETE")


def _bytes_of(pending: Pending) -> Callable[[int, int, int], bytes]:
    def get(segment: int, offset: int, length: int) -> bytes:
        reference: Reference = (segment, offset, length)
        return pending.blobs[reference]

    return get


def _as_gap(pending: Pending, reason: str) -> Pending:
    entry = pending.entry
    value = {"lost": 1, "from_ns": entry.at_ns, "to_ns": entry.at_ns, "kinds": {entry.kind: 1}}
    payload = to_json({**value, "reason": f"the database refused the entry: {reason}"})
    place = Entry(entry.seq, entry.at_ns, entry.tick, entry.task, Kind.GAP, *(None,) * 8, payload, 0)
    return Pending(place, {})
