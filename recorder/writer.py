"""The writer: one thread that commits what the sessions hold.

It lingers between commits rather than be woken by each entry: waking a thread costs the event loop
ten times what appending does. Only after a second of silence does it park.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time

from ..schema.addresses import Address
from ..schema.entries import Status
from ..schema.errors import NewerFormatError, NotAStoreError, StoreError, StoreWriteError, UsageError
from .batches import Batch
from .budget import Budget
from .session_log import SessionLog
from .store import Store

logger = logging.getLogger("realtape.recorder")

LINGER_SECONDS = 0.02
PARK_AFTER_SECONDS = 1.0
MAX_BACKOFF_SECONDS = 1.0
LAST_TRY_SECONDS = 3.0
"""How long `close` waits for the attempt that is being made when it gives up."""


class Writer:
    """Commits the sessions' entries, in order, in groups at most 50 ms apart while the disk obeys.

    What cannot be written is kept and tried again; meanwhile the sessions go on, and drop what
    exceeds the budget.

    Args:
        address: the store; opened, and made where there is none, by the first commit.
        budget: gets back what the committed entries held.

    Attributes:
        store: the thread's alone, but for what a fork needs.
    """

    def __init__(self, address: Address, budget: Budget) -> None:
        self._address = address
        self._budget = budget
        self.store = Store(address)
        self._lock = threading.Condition()
        self._logs: dict[SessionLog, None] = {}
        self._thread: threading.Thread | None = None
        # Not an Event: a signal handler that appends while its thread rings would never return.
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._parked = False
        self._closing = False
        self._give_up = False
        self._ended = False
        self._asked = 0
        self._drained = 0
        self._failure: Exception | None = None

    # --- called by anyone -----------------------------------------------------------------------

    def wake(self, log: SessionLog) -> None:
        """This session has something to write; costs nothing unless it is new or we have parked."""
        if not log.listed:
            self._list(log)
        if self._parked:
            self._bell.put(None)

    def flush(self, timeout: float) -> None:
        """Wait until all that was appended before this call is committed.

        Blocks; `timeout` in seconds.

        Raises:
            StoreWriteError: it was not within `timeout`, or the store is none; it is kept, and
                tried further.
        """
        with self._lock:
            if self._thread is None and self._logs and not self._closing:
                self._start()
            if self._thread is None and (self._closing or not self._logs):
                return
            self._asked += 1
            ticket = self._asked
            self._bell.put(None)
            self._lock.wait_for(lambda: self._drained >= ticket or self._ended or self._hopeless, timeout)
            done = self._drained >= ticket or (self._ended and self._failure is None)
        if not done:
            raise self._write_error(
                f"not written within {timeout:g} s", "the entries are kept, and tried again"
            )

    def close(self, timeout: float) -> None:
        """Commit everything, close the database and end the thread. Blocks; `timeout` in seconds.

        Raises:
            StoreWriteError: what is left could not be written, and is lost.
        """
        with self._lock:
            first, self._closing = not self._closing, True
            thread = self._thread
            self._bell.put(None)
            if thread is not None:
                self._lock.wait_for(lambda: self._ended or self._hopeless, timeout)
        if thread is not None:
            self._give_up = True
            self._bell.put(None)
            thread.join(LAST_TRY_SECONDS)
        elif first and any(log.pending for log in self._logs):
            self._give_up = True
            self._run()  # at the end of the interpreter no thread can be started
        with self._lock:
            self._thread = None
        if first and (self._failure is not None or (thread is not None and thread.is_alive())):
            raise self._write_error(
                "the end of the recording is lost", "what the store holds of it is intact"
            )

    # --- helpers ----------------------------------------------------------------------------------

    def _list(self, log: SessionLog) -> None:
        with self._lock:
            log.listed = True
            self._logs[log] = None
            if self._thread is None and not self._closing:
                self._start()

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="realtape-writer", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            logger.error("%s: nothing is written until `close`: %s", self._address, error)
        else:
            self._thread = thread

    @property
    def _hopeless(self) -> bool:
        """Whether waiting is in vain: there is something else at the store's place, or no driver."""
        return isinstance(self._failure, NotAStoreError | NewerFormatError | UsageError)

    def _write_error(self, what: str, consequence: str) -> StoreWriteError:
        problem, remedy = _told(self._failure)
        error = StoreWriteError(str(self._address), f"{what}: {problem}", f"{remedy}; {consequence}")
        error.__cause__ = self._failure
        return error

    # --- the thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        quiet_since = time.monotonic()
        try:
            while True:
                with self._lock:
                    asked, closing, logs = self._asked, self._closing, list(self._logs)
                batches = [batch for log in logs if (batch := log.take()) is not None]
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
            self.store.close()
            with self._lock:
                self._ended = True
                self._lock.notify_all()

    def _commit_until_done(self, batches: list[Batch]) -> bool:
        """Commit, again and again if need be; False when told to give up."""
        backoff = LINGER_SECONDS
        while True:
            try:
                self.store.commit(batches)
            except Exception as error:  # noqa: BLE001 - the session goes on, whatever happens here
                self._failed(error)
                if self._give_up:
                    return False
                self._wait(backoff)
                backoff = min(backoff * 2, MAX_BACKOFF_SECONDS)
            else:
                self._succeeded(batches)
                return True

    def _failed(self, error: Exception) -> None:
        problem, remedy = _told(error)
        if self._failure is None or problem != _told(self._failure)[0]:
            logger.error(
                "%s: cannot write: %s; %s. The session goes on, and writing is tried again",
                *(self._address, problem, remedy),
            )
        with self._lock:
            self._failure = error
            self._lock.notify_all()

    def _succeeded(self, batches: list[Batch]) -> None:
        if self._failure is not None:
            logger.warning("%s: writing again", self._address)
            self._failure = None
        for batch in batches:
            self._budget.release(batch.weight_bytes)
            if batch.lost:
                session = batch.log.header.id
                logger.warning("%s: session %s lost %d entries", self._address, session, batch.lost)

    def _unlist_ended(self) -> None:
        """Let go of sessions that have ended; an entry that follows all the same lists them again."""
        with self._lock:
            for log in [log for log in self._logs if log.status is not Status.RECORDING]:
                log.listed = False
                if log.pending:  # appended before it could see that
                    log.listed = True
                else:
                    del self._logs[log]

    def _rest(self, quiet_since: float) -> None:
        if time.monotonic() - quiet_since < PARK_AFTER_SECONDS:
            self._wait(LINGER_SECONDS)
            return
        self._parked = True
        if not any(log.pending for log in list(self._logs)):  # appended before it saw us park
            self._wait(None)
        self._parked = False

    def _wait(self, seconds: float | None) -> None:
        """Until somebody rings, and no longer than `seconds`."""
        with contextlib.suppress(queue.Empty):
            self._bell.get(timeout=seconds)
            while True:
                self._bell.get_nowait()


def _told(error: Exception | None) -> tuple[str, str]:
    """What is wrong, and what to do. Never quotes what was to be written."""
    if isinstance(error, StoreError):
        return error.problem, error.remedy
    if isinstance(error, UsageError):
        return "cannot be opened", str(error)
    if error is None:
        return "the disk is slow", "wait longer: `drain_seconds`"
    return f"unexpected {type(error).__name__}", "please report this"
