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
from collections import Counter
from collections.abc import Callable, Container, Sequence
from contextlib import suppress
from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, cast

from sqlalchemy import Engine
from sqlalchemy.engine import Connection
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    NotSupportedError,
    ProgrammingError,
)

from ..schema.entries import AT_NS, KIND, Status
from ..schema.errors import NotAStoreError, StoreBusyError, StoreError
from ..schema.log import (
    Address,
    Lock,
    SealKey,
    advance_session,
    append_entries,
    can_seal,
    close_unmerged,
    count_kinds,
    fetch_segment_numbers,
    find_session,
    header_digest,
    insert_segment,
    insert_session,
    leave_unmerged,
    mark_interrupted,
    open_for_writing,
    put_seal,
    settle,
    store_error,
    store_errors,
    was_removed,
)
from .chains import OLDER, REMOVED, Chain
from .gaps import Loss, gap_instead
from .payloads import KeptEntries, Pending
from .session_log import Batch, SessionLog
from .status import Durability
from .turns import give_way
from .upkeep import Upkeep

logger = logging.getLogger("realtape.recorder")

_new: Any = cast("Any", tuple).__new__  # past the class's own, which is Python

SLICE_ROWS = 32
"""Rows between which the writer gives the interpreter's lock up: the event loop waits no longer."""

_kind_of: Callable[[Any], str] = itemgetter(KIND)

SETTLE_TRIES = 4
MOST_FILES = 65_536
"""Numbers of open files that are asked where nobody lists them: 20 ms."""

_inherited: set[str] = set()
"""Files that were open in the parent of this process when it forked. SQLite's locks and its state in shared
memory are the parent's, so here they are not to be opened again
(https://www.sqlite.org/howtocorrupt.html, section 2.6)."""

_REFUSED = (
    *(DataError, IntegrityError, InterfaceError, NotSupportedError, ProgrammingError),
    *(OverflowError, TypeError, ValueError),  # from the driver, before the database sees the row
)
"""The database may be well, and refuse the row."""


class Store:
    """One store, written by one thread.

    Args:
        address: opened, and made where there is none, by the first commit.
        durability: what a commit survives.
        seal_key: seals each commit.
        upkeep: what `tend` does for it beside.

    Attributes:
        address: the same.
        moved_entries: how many went with files that were removed or replaced, so far.
        refused_entries: how many the database refused; gaps stand in their places.
        refused: why a session was given up, if one was.
        lock: held while we are in the database, whose library has locks of its own: a child that is
            forked meanwhile would find them taken for ever. `os.fork` waits for this one.
    """

    def __init__(
        self,
        address: Address,
        durability: Durability = "full",
        seal_key: SealKey | None = None,
        upkeep: Upkeep | None = None,
    ) -> None:
        self.lock = threading.Lock()
        self.address = address
        self.durability: Durability = durability
        self._seal_key = seal_key
        self._upkeep = upkeep
        self._sealing = False  # what is open has room for seals
        self.moved_entries = self.refused_entries = 0
        self.refused: StoreError | None = None
        self._engine: Engine | None = None
        self._file: tuple[int, int] | None = None  # what we have open
        self._beside: dict[Path, tuple[int, int]] = {}  # and what of it lies beside that, and where
        self._touched_ns = 0  # when its file was changed last, as far as we know
        self._server: Any = None  # the driver's connection, where it is no file
        self._opening = 0
        self._lock = Lock()
        self._unlocked = False
        self._chains: weakref.WeakKeyDictionary[SessionLog, Chain] = weakref.WeakKeyDictionary()
        # Of the commit that was tried last: its answer can be lost, and it may have arrived.
        self._tried: weakref.WeakKeyDictionary[SessionLog, Chain] = weakref.WeakKeyDictionary()
        self._doubted: weakref.WeakSet[SessionLog] = weakref.WeakSet()
        self._given_up: weakref.WeakSet[SessionLog] = weakref.WeakSet()

    def commit(self, batches: Sequence[Batch]) -> list[tuple[Batch, StoreError]]:
        """Write batches. Entries that the database refuses become gaps. One batch that cannot be written
        does not keep the others from it: then each is a transaction of its own.

        Returns:
            Those that were not written, and why; try the same again.

        Raises:
            StoreError: nothing was written, as far as we know; try the same again.
        """
        was_open = self._engine is not None
        try:
            return self._try_commit(batches)
        except NotAStoreError:
            if not was_open:
                raise
            # Its tables were dropped: opened again it has new ones, or it is said what is there instead.
            return self._try_commit(batches)

    def open(self) -> None:
        """Open the store, or make it.

        Raises:
            StoreError: it cannot be recorded into.
        """
        with self.lock, store_errors(self.address):
            self._opened()

    def tend(self, *, idle: bool, now: float) -> None:
        """Between commits: see whether the file still lies where it should, and make a step of the upkeep.

        Args:
            idle: whether nothing waits to be written.
            now: monotonic seconds.
        """
        with self.lock:
            if self._moved or self._cut_off:
                with suppress(OSError):  # the next commit comes to that again
                    self._release()
            elif self._bereft:
                with suppress(StoreError):  # the same
                    self._leave_lost_log()
            elif self._engine is None:
                # Closed by a fork, or broken. Whether it is the same file nobody knows: its number may be
                # used again.
                if self.address.path is not None and _file_at(self.address.path) is None:
                    self._lock.close()
                # At rest they are ours all the same.
                elif any(self._goes_on(*one) for one in list(self._chains.items())):
                    with suppress(StoreError), store_errors(self.address):
                        self._opened()
            elif self._upkeep is not None and self._upkeep.is_due(now, idle=idle):
                self._upkeep.step(self._engine, now)

    @property
    def removed_sessions(self) -> int:
        """How many the upkeep removed."""
        return 0 if self._upkeep is None else self._upkeep.removed

    def count(self, log: SessionLog) -> int:
        """How many entries of a session were committed."""
        chain = self._chains.get(log)
        return 0 if chain is None else chain.count

    def close(self) -> None:
        """Leave one file that stands for itself, also on a read-only disk, if we are the last to
        use it."""
        with self.lock:
            if self._engine is not None or self._file is not None:
                self._release_and_settle()
            self._lock.close()

    def hold_still(self) -> None:
        """Before a fork, under our lock: no connection to a file may be open across it. One to a server
        stays open, for the locks end with it by which others see that our sessions go on."""
        if self._server is not None:
            if self._upkeep is not None:
                self._upkeep.stop()
            return
        if self._engine is not None:
            with suppress(DBAPIError):
                leave_unmerged(self._engine)  # a fork is not to wait for that
        with suppress(OSError):  # the next commit comes to that again
            self._release()

    def abandon(self) -> None:
        """In a forked child: leave to the parent what is its own. A connection that could not be closed
        before may not be closed here either, not even by the end of the interpreter: it may be in the middle
        of a transaction."""
        self._lock.abandon()
        if self._server is not None and not self._server.closed:
            # Our copy of its socket would keep the parent's locks when that is dead. The number stays taken:
            # whatever is still written to the connection goes nowhere.
            nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            os.dup2(nowhere, self._server.fileno(), inheritable=False)
            os.close(nowhere)
        if self._engine is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._engine))

    # --- helpers ------------------------------------------------------------------------------------

    def _try_commit(self, batches: Sequence[Batch]) -> list[tuple[Batch, StoreError]]:
        try:
            with self.lock, store_errors(self.address):
                engine = self._opened()
                try:
                    self._commit(engine, batches)
                except _REFUSED as error:
                    if isinstance(error, DBAPIError) and self._is_of_the_store(error):
                        raise
                    return self._commit_each(engine, batches)
                return []
        except StoreError as error:
            self._doubted.update(batch.log for batch in batches)
            if not isinstance(error, StoreBusyError):
                with self.lock, suppress(OSError):  # the next attempt comes to that again
                    self._release()
            raise

    def _is_of_the_store(self, error: DBAPIError) -> bool:
        """Whether it is not about a row: the tables are not there."""
        return isinstance(store_error(self.address, error.orig or error), NotAStoreError)

    def _commit_each(self, engine: Engine, batches: Sequence[Batch]) -> list[tuple[Batch, StoreError]]:
        failed: list[tuple[Batch, StoreError]] = []
        self._doubted.update(batch.log for batch in batches)
        for number, batch in enumerate(batches):
            try:
                with store_errors(self.address):
                    try:
                        self._commit(engine, [batch])
                    except _REFUSED:
                        self._sift(engine, batch)
                        self._commit(engine, [batch])
            except StoreError as error:
                busy = isinstance(error, StoreBusyError)
                if busy or isinstance(error, NotAStoreError) or self._cut_off:
                    # It is not this one's; what came before it is written.
                    failed += [(one, error) for one in batches[number:]]
                    if not busy:
                        with suppress(OSError):  # the next attempt comes to that again
                            self._release()
                    break
                failed.append((batch, error))
        return failed

    def _commit(self, engine: Engine, batches: Sequence[Batch]) -> None:
        doubted: set[SessionLog] = set()
        while True:
            try:
                with engine.begin() as connection:
                    chains = [self._write(connection, batch) for batch in batches]
            except _Doubt as doubt:
                if doubt.log in doubted:  # looked up in that very transaction
                    raise StoreError(
                        str(self.address), "a session does not stand where it was found", "please report this"
                    ) from None
                doubted.add(doubt.log)
                self._doubted.add(doubt.log)
            else:
                break
        ended: list[SessionLog] = []
        for batch, chain in zip(batches, chains, strict=True):
            if chain is None or chain.status is not Status.RECORDING:
                ended.append(batch.log)
            if chain is not None:
                self.moved_entries += chain.lost - self._chains.get(batch.log, chain).lost
                self._chains[batch.log] = chain
            self._doubted.discard(batch.log)
            self._tried.pop(batch.log, None)
        if ended:
            self._free(engine, ended)
        self._touched_ns = self._changed_ns()

    def _hold(self, connection: Connection, log: SessionLog, key: int, *, begun: bool) -> None:
        try:
            self._lock.hold(connection, log, key, begun=begun)
        except OSError as error:
            if not self._unlocked:
                logger.warning("%s: no lock beside it, on which others see us alive: %s", self.address, error)
            self._unlocked = True

    def _free(self, engine: Engine, ended: Sequence[SessionLog]) -> None:
        with suppress(DBAPIError, OSError), engine.connect() as connection:  # what was written, is
            for log in ended:
                self._lock.release(connection, log)

    def _write(self, connection: Connection, batch: Batch) -> Chain | None:
        """Where the session stands after the batch; None where it is given up."""
        log = batch.log
        stand = self._stand(connection, log)
        if stand is None:
            return None
        chain, lost, arrived = stand
        if arrived:
            return chain
        if lost is not None:
            self._tell(log, lost)
        if batch.parts:
            insert_segment(connection, chain.key, batch.segment, b"".join(batch.parts))
        digest, kept = chain.digest, batch.entries.plain
        kinds, latest_ns = Counter(map(_kind_of, kept)), kept[-1][AT_NS] if kept else 0
        if chain.moved:
            kept = KeptEntries(self._placed(connection, chain, batch.entries)).plain
        if lost is not None:
            first = kept[0][AT_NS] if kept else lost.to_ns
            gap = lost.gap(chain.rows, max(first, lost.to_ns), None, None)
            kept = [Pending.of(gap).kept, *kept]
        for start in range(0, len(kept), SLICE_ROWS):
            digest = append_entries(connection, chain.key, digest, kept[start : start + SLICE_ROWS])
            give_way()
        status = chain.status if batch.appended else batch.status  # the rest of a large batch follows
        if not advance_session(connection, chain.key, log.header.id, chain.digest, digest, status):
            raise _Doubt(log)
        if self._seal_key is not None and self._sealing:
            seq = chain.rows + len(kept) - 1
            put_seal(connection, chain.key, self._seal_key.seal(log.header.id, seq, status, digest))
        after = self._tried[log] = chain.grown(digest, kinds, latest_ns, 0 if lost is None else 1, status)
        return after

    def _stand(self, connection: Connection, log: SessionLog) -> _Stand | None:
        """Where the session stands in this file, and what the file lacks of it; None where it is given up.

        A key is trusted within the file that it came from, and in doubt sought again by the session's id.
        """
        if log in self._given_up:
            return None
        chain, doubted = self._chains.get(log), log in self._doubted
        if chain is not None and chain.opening == self._opening and not doubted:
            return _Stand(chain)
        header = log.scrubbed_header() if chain is None else log.header
        place = find_session(connection, header.id) if chain is not None or doubted else None
        if place is None:
            if (chain is not None or doubted) and was_removed(connection, header.id):
                self._let_be(log)
                return None
            key, digest = insert_session(connection, header)
            self._hold(connection, log, key, begun=True)
            if chain is None:
                return _Stand(Chain(key, digest, self._opening))
            return self._into(log, chain, (key, digest), None, REMOVED)
        key, digest = place
        self._hold(connection, log, key, begun=False)
        tried = self._tried.get(log)
        if chain is None:
            chain = Chain(key, header_digest(header), self._opening)
        if chain.digest == digest:
            return _Stand(replace(chain, key=key, opening=self._opening))
        if tried is not None and tried.digest == digest:
            return _Stand(replace(tried, key=key, opening=self._opening), arrived=True)
        part = chain.found(digest)
        if part is None:
            kinds, latest_ns = count_kinds(connection, key)
            parts = (one.cut(kinds.total(), kinds, latest_ns) for one in (chain, *reversed(chain.left)))
            part = next((one for one in parts if one is not None), None)
        if part is None:
            self._give_up(log)
            return None
        return self._into(log, chain, (key, digest), part, OLDER)

    def _into(
        self, log: SessionLog, chain: Chain, place: tuple[int, bytes], part: Chain | None, reason: str
    ) -> _Stand:
        log.encoder.segments.forget()
        return _Stand(*chain.into(*place, self._opening, part, reason))

    def _placed(self, connection: Connection, chain: Chain, entries: Sequence[Pending]) -> list[Pending]:
        """Entries as they stand in another file than the session began in. Bytes that lie in a segment
        of that one are not here."""
        here = fetch_segment_numbers(connection, chain.key)
        placed: list[Pending] = []
        for pending in entries:
            entry = chain.placed(pending.entry)
            if all(segment in here for segment, _, _ in pending.blobs):
                placed.append(pending.with_entry(entry))
            else:
                placed.append(Pending.of(gap_instead(entry, REMOVED)))
        return placed

    def _let_be(self, log: SessionLog) -> None:
        """It had ended, or nobody could see that it had not, and retention has removed it: what is gone does
        not begin again."""
        log.refuse()
        self._given_up.add(log)
        logger.warning(
            "%s: session %s was removed; what came later is not recorded", self.address, log.header.id
        )

    def _give_up(self, log: SessionLog) -> None:
        log.refuse()
        self._given_up.add(log)
        self.refused = StoreError(
            str(self.address),
            f"session {log.header.id} does not stand in it as it was written",
            "restore an older copy, or record into another store",
        )
        logger.error("%s; it is not recorded further", self.refused)

    def _tell(self, log: SessionLog, lost: Loss) -> None:
        logger.error(
            "%s: session %s goes on, without %d entries: %s",
            *(self.address, log.header.id, lost.count, lost.reason),
        )

    def _sift(self, engine: Engine, batch: Batch) -> None:
        """Find the entries that the database refuses, and put gaps in their places. Writes nothing."""
        refused = 0
        with engine.connect() as connection:
            stand = self._stand(connection, batch.log)
            if stand is None:
                return
            chain = stand.chain
            key, digest = chain.key, chain.digest
            # Begins the transaction.
            advance_session(connection, key, batch.log.header.id, digest, digest, chain.status)
            for index, pending in enumerate(batch.entries):
                error = _refusal(connection, chain, pending)
                if error is None:
                    continue
                name = type(error).__name__  # its text may quote what was to be recorded
                gap = Pending.of(gap_instead(pending.entry, f"the database refused it: {name}"))
                if _refusal(connection, chain, gap) is not None:
                    raise error  # so it is not because of the entry
                batch.entries[index] = gap
                refused += 1
            connection.rollback()
        self.refused_entries += refused
        if refused:
            logger.error("%s: refused %d entries; gaps stand in their places", self.address, refused)

    def _opened(self) -> Engine:
        if self._moved or self._cut_off:
            self._release()
        elif self._bereft:
            self._leave_lost_log()
        if self._engine is None:
            engine = open_for_writing(self.address, durable=self.durability == "full")
            try:
                self._opening += 1
                with engine.begin() as connection:
                    if self.address.url is not None:
                        self._server = connection.connection.driver_connection
                    self._regain(connection)
                    mark_interrupted(connection)
                    self._sealing = self._seal_key is not None and can_seal(connection)
            except BaseException:
                engine.dispose()
                self._server = None
                self._lock.lost()
                raise
            self._engine = engine
            self._file, self._beside = _files_of(self.address)
            self._touched_ns = self._changed_ns()
            if self._seal_key is not None and not self._sealing:
                logger.error("%s: nothing is sealed: its table `seals` is of another make", self.address)
        return self._engine

    def _regain(self, connection: Connection) -> None:
        """Sessions that go on in what we have opened again are ours from the beginning, though they rest."""
        for log, chain in list(self._chains.items()):
            place = find_session(connection, log.header.id) if self._goes_on(log, chain) else None
            if place is not None:
                self._hold(connection, log, place[0], begun=False)
                if place[1] == chain.digest:
                    self._chains[log] = replace(chain, key=place[0], opening=self._opening)
            else:
                self._lock.release(connection, log)

    def _goes_on(self, log: SessionLog, chain: Chain) -> bool:
        """Whether it is ours: until its end is committed, not only until it has come."""
        return chain.status is Status.RECORDING and log not in self._given_up

    def _let_go(self) -> None:
        """What we have open no longer lies at the path: what comes goes into what lies there now."""
        assert self.address.path is not None
        found = _file_at(self.address.path)
        if found is None:
            with suppress(OSError):  # where a link leads, and not the link
                os.unlink(self.address.file)  # emptied: else its closing would write into it
        # Whoever moved it away has all of it, and what lies beside the path holds nothing more.
        merged = found == self._file or self._merge()
        self._dispose()
        self._lock.close()
        for path, file in self._beside.items():
            # It is of the old file, and SQLite would merge it into whatever lies there now.
            suffix = path.name[-len("-wal") :]
            at_home = _file_at(path.with_name(path.name.removesuffix(suffix)), empty=True) == self._file
            if at_home or _file_at(path, empty=True) != file:
                continue
            if suffix == "-wal" and not merged:
                os.rename(path, f"{path}-{time.time_ns()}")
            else:
                os.unlink(path)
        logger.error(
            "%s: was %s while it was recorded into; its sessions go on in what lies there now",
            *(self.address, "removed" if found is None else "replaced"),
        )

    def _leave_lost_log(self) -> None:
        """The -wal or the -shm that we have open was removed: whoever opens the file now does not find what
        is in them, and what he makes in their place we do not. It is merged into the file, if nobody else has
        come to that since; else it would damage what he wrote, and is lost.

        Raises:
            StoreBusyError: somebody reads what is in them.
        """
        others = any(_file_at(path, empty=True) not in (None, file) for path, file in self._beside.items())
        merged = not others and self._changed_ns() == self._touched_ns
        if merged and not self._merge():
            self._touched_ns = self._changed_ns()  # by us: some of it is in the file
            raise StoreBusyError(str(self.address), "read by somebody", "end that: its -wal was removed")
        logger.error(
            "%s: its -wal or -shm was removed while it was recorded into; %s",
            *(self.address, "it was made anew" if merged else "what was in them alone is lost, gaps say so"),
        )
        if not merged and self._engine is not None:
            close_unmerged(self._engine, self.address.file)
        self._dispose()

    def _merge(self) -> bool:
        assert self._engine is not None
        try:
            with self._engine.connect() as connection:
                return connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar_one() == 0
        except DBAPIError:
            return False

    def _release_and_settle(self) -> None:
        if self._bereft:
            try:
                self._leave_lost_log()
            except StoreBusyError as error:  # nobody finds it any more, not even who reads it
                self.refused = error
        file = self._file
        self._release()
        self._file = None
        if self.address.path is None or file != _file_at(self.address.path):
            return
        if not self._lock.is_last():
            return  # whoever records into it still, or closes it later, comes to that
        for _ in range(SETTLE_TRIES):
            try:
                with store_errors(self.address):
                    settle(self.address)
            except StoreBusyError:
                # A reader; or somebody without a lock, who is about to settle and finds us in the way.
                time.sleep(random.uniform(0.005, 0.03))
            except StoreError as error:
                logger.warning("%s: left with its -wal file (%s)", self.address, error.problem)
                return
            else:
                return
        logger.info("%s: left with its -wal file: whoever closes it last merges it", self.address)

    @property
    def _moved(self) -> bool:
        """Whether what we have open no longer lies at the path."""
        path = self.address.path
        return self._engine is not None and path is not None and _file_at(path) != self._file

    @property
    def _bereft(self) -> bool:
        """Whether something else lies beside the file than what we have open, or nothing."""
        if self._engine is None:
            return False
        return any(_file_at(path, empty=True) != file for path, file in self._beside.items())

    def _changed_ns(self) -> int:
        """When the file was changed last."""
        try:
            return 0 if self.address.path is None else os.stat(self.address.path).st_mtime_ns
        except OSError:
            return 0

    @property
    def _cut_off(self) -> bool:
        """Whether the connection to the server broke, and with it our locks. Its pool would make another."""
        return self._server is not None and self._server.closed

    def _release(self) -> None:
        if self._moved:
            self._let_go()
        else:
            self._dispose()

    def _dispose(self) -> None:
        engine, self._engine = self._engine, None
        self._server = None
        if self._upkeep is not None:
            self._upkeep.stop()
        if engine is not None:
            engine.dispose()
            self._lock.lost()


class _Doubt(Exception):
    """A session does not stand where we think."""

    def __init__(self, log: SessionLog) -> None:
        super().__init__()
        self.log = log


class _Stand(NamedTuple):
    """A session in the file that is open.

    Attributes:
        chain: where it stands.
        lost: what the file lacks of it.
        arrived: whether that is where the commit that was tried last leaves it.
    """

    chain: Chain
    lost: Loss | None = None
    arrived: bool = False


def _refusal(connection: Connection, chain: Chain, pending: Pending) -> Exception | None:
    """Why the database does not take this entry, or None if it does."""
    try:
        with connection.begin_nested():
            placed = pending.with_entry(chain.placed(pending.entry)) if chain.moved else pending
            append_entries(connection, chain.key, b"", [placed.kept])
    except _REFUSED as error:
        return error
    return None


def inherit(address: Address, open_files: Container[tuple[int, int]]) -> None:
    """In a forked child: note whether a store was open in the parent."""
    found = None if address.path is None else _file_at(address.path, empty=True)
    if address.path is not None and found is not None and found in open_files:
        _inherited.add(os.path.realpath(address.path))


def own(address: Address) -> Address:
    """Where this process may record: beside a file that its parent had open when it forked."""
    path = address.path
    if path is None or os.path.realpath(path) not in _inherited:
        return address
    return replace(address, path=path.with_name(f"{path.name}-{os.getpid()}"))


def open_files() -> set[tuple[int, int]]:
    """All files that this process has open, whoever opened them."""
    try:
        numbers = [*map(int, os.listdir("/dev/fd"))]
    except OSError:  # a container without /proc: whatever has a number is asked
        numbers = range(min(os.sysconf("SC_OPEN_MAX"), MOST_FILES))
    found: set[tuple[int, int]] = set()
    for number in numbers:
        with suppress(OSError):  # the listing's own, and numbers of nothing
            status = os.fstat(number)
            found.add((status.st_dev, status.st_ino))
    return found


def _files_of(address: Address) -> tuple[tuple[int, int] | None, dict[Path, tuple[int, int]]]:
    """Of which files a store consists: the file, and by its path what lies beside it."""
    if address.path is None:
        return None, {}
    found = {path: _file_at(path, empty=True) for path in map(address.beside, ("-wal", "-shm"))}
    return _file_at(address.path), {path: file for path, file in found.items() if file is not None}


def _file_at(path: str | os.PathLike[str], *, empty: bool = False) -> tuple[int, int] | None:
    """Which file lies at a path; None where there is none, or only an empty one.

    Args:
        empty: whether it may be; no store is.
    """
    try:
        found: Any = os.stat(path)
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found.st_size or empty else None
