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
from typing import NamedTuple

from ..schema.entries import Status
from ..schema.errors import (
    NewerFormatError,
    NotAStoreError,
    StoreBusyError,
    StoreError,
    StoreWriteError,
    UsageError,
)
from .session_log import Backlog, Batch, SessionLog
from .store import Store

logger = logging.getLogger("realtape.recorder")


class Pace(NamedTuple):
    """How long the writer waits for what, in seconds.

    Attributes:
        linger: between two commits.
        park_after: since the last commit, before it sleeps until it is woken.
        max_backoff: between two attempts, while writing fails.
        busy_is_trouble: after how long it is said that somebody else holds the store.
        last_try: how long `close` waits for the attempt that is being made when it gives up.
    """

    linger: float = 0.02
    park_after: float = 1.0
    max_backoff: float = 1.0
    busy_is_trouble: float = 2.0
    last_try: float = 3.0


class Writer:
    """Commits the sessions' entries, in order, in groups at most 50 ms apart while the disk obeys.

    What cannot be written is kept and tried again; meanwhile the sessions go on, and drop what
    exceeds the budget.

    Args:
        store: the thread's alone, but for what a fork needs.
        backlog: of the sessions; gets back what the committed entries held.
        pace: how long it waits for what.
    """

    def __init__(self, store: Store, backlog: Backlog, pace: Pace = Pace()) -> None:  # noqa: B008
        self.store = store
        self.backlog = backlog
        self._pace = pace
        self._lock = threading.Condition()
        self._logs: dict[SessionLog, None] = {}
        self._thread: threading.Thread | None = None
        # Not an Event: a signal handler that appends while its thread rings would never return.
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._closing = False
        self._give_up = False
        self._ended = False
        self._asked = 0
        self._drained = 0
        self._taken: dict[SessionLog, Batch] = {}  # and not written yet
        self._held_up: dict[SessionLog, tuple[float, float]] = {}  # until when, and for how long next
        self._quiet_since = time.monotonic()
        self._failure: Exception | None = None
        self._failing_since: float | None = None
        self._complained_of: str | None = None
        backlog.wake = self.wake

    # --- called by anyone -----------------------------------------------------------------------

    def wake(self, log: SessionLog) -> None:
        """This session has something to write; costs nothing unless it is new or we have parked."""
        if not log.listed:
            self._list(log)
        if self.backlog.parked:
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

    def close(self, timeout: float, patience: float | None = None) -> None:
        """Commit everything, close the database and end the thread. Blocks; `timeout` in seconds.

        Args:
            patience: how many seconds of these it is waited while nothing can be written.

        Raises:
            StoreWriteError: what is left could not be written, and is lost.
        """
        with self._lock:
            first, self._closing = not self._closing, True
            thread = self._thread
            self._bell.put(None)
            if thread is not None:
                self._await_end(time.monotonic() + timeout, patience)
        if thread is not None:
            self._give_up = True
            self._bell.put(None)
            thread.join(self._pace.last_try)
        elif first and any(log.pending for log in self._logs):
            self._give_up = True
            self._run()  # at the end of the interpreter no thread can be started
        with self._lock:
            self._thread = None
        if not first:
            return
        if self.store.moved_entries:
            logger.warning(
                "%s: %d entries went with the files that were removed or replaced; gaps say so",
                *(self.store.address, self.store.moved_entries),
            )
        if self._failure is not None or self.store.refused or (thread is not None and thread.is_alive()):
            raise self._write_error(
                "the end of the recording is lost", "what the store holds of it is intact"
            )

    # --- helpers ----------------------------------------------------------------------------------

    def _await_end(self, deadline: float, patience: float | None) -> None:
        failing_until = None if patience is None else time.monotonic() + patience
        while not (self._ended or self._hopeless):
            now = time.monotonic()
            if self._failure is None or failing_until is None:
                failing_until = None if patience is None else now + patience
            left = deadline - now if failing_until is None else min(deadline, failing_until) - now
            if left <= 0:
                return
            self._lock.wait(min(left, 0.1))

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
            logger.error("%s: nothing is written until `close`: %s", self.store.address, error)
        else:
            self._thread = thread

    @property
    def _hopeless(self) -> bool:
        """Whether waiting is in vain: there is something else at the store's place, or no driver."""
        return isinstance(self._failure, NotAStoreError | NewerFormatError | UsageError)

    def _write_error(self, what: str, consequence: str) -> StoreWriteError:
        failure = self._failure or self.store.refused
        problem, remedy = _told(failure)
        error = StoreWriteError(str(self.store.address), f"{what}: {problem}", f"{remedy}; {consequence}")
        error.__cause__ = failure
        return error

    # --- the thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        backoff = self._pace.linger
        try:
            while True:
                try:
                    if not self._go_round():
                        return
                    backoff = self._pace.linger
                except Exception as error:  # noqa: BLE001 - the sessions go on, whatever happens here
                    self._failed(error)
                    if self._give_up:
                        return
                    self._wait(backoff)
                    backoff = min(backoff * 2, self._pace.max_backoff)
        finally:
            try:
                self.store.close()
            finally:
                with self._lock:
                    self._ended = True
                    self._lock.notify_all()

    def _go_round(self) -> bool:
        """Commit what the sessions hold, and rest; False when there is nothing more to do.

        What was taken, and could not be written, is tried again by the next round.
        """
        with self._lock:
            asked, closing, logs = self._asked, self._closing, list(self._logs)
        again = bool(self._taken)
        trouble = self._take(logs, hold=not closing)
        wrote = bool(self._taken)
        trouble = self._commit(time.monotonic(), closing) or trouble
        if trouble is None and self._failure is not None:
            self._recovered()
        if trouble is not None:  # of some sessions, which is not the others'
            self._failed(trouble)
            if self._give_up:
                return False
        elif again:
            return True  # what was appended meanwhile
        elif closing and not wrote:
            return False
        elif not any(log.held.entries for log in logs):
            with self._lock:
                self._drained = asked
                self._lock.notify_all()
        if trouble is not None:
            self._wait(self._pace.linger)
        elif not closing:
            self._rest()
        self._unlist_ended()
        return True

    def _take(self, logs: list[SessionLog], *, hold: bool) -> Exception | None:
        """What the sessions hold, of those that wait for nothing; returns what went wrong."""
        trouble = None
        for log in logs:
            if log in self._taken:
                continue
            try:
                batch = log.take()
            except Exception as error:  # noqa: BLE001 - one session's trouble is not the others'
                trouble = error
            else:
                if batch is not None:
                    self._taken[log] = batch
                    batch.encode(hold=hold)
        return trouble

    def _commit(self, now: float, closing: bool) -> Exception | None:
        due = [
            batch
            for log, batch in self._taken.items()
            if closing or self._held_up.get(log, (now, 0))[0] <= now
        ]
        if not due:
            return self._failure if self._taken else None
        failed = {batch.log: error for batch, error in self.store.commit(due)}
        for batch in due:
            log = batch.log
            if log in failed:
                pause = self._held_up.get(log, (0.0, self._pace.linger))[1]
                self._held_up[log] = (now + pause, min(pause * 2, self._pace.max_backoff))
                continue
            self._written(batch)
            del self._taken[log]
            self._held_up.pop(log, None)
        if len(failed) < len(due):
            self._quiet_since = time.monotonic()
        return next(iter(failed.values()), self._failure if self._taken else None)

    def _failed(self, error: Exception) -> None:
        problem, remedy = _told(error)
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        # For a while another process may write: that is no trouble.
        waiting = isinstance(error, StoreBusyError) and now - self._failing_since < self._pace.busy_is_trouble
        if not waiting and problem != self._complained_of:
            self._complained_of = problem
            logger.error(
                "%s: cannot write: %s; %s. The session goes on, and writing is tried again",
                *(self.store.address, problem, remedy),
            )
        with self._lock:
            self._failure = error
            self._lock.notify_all()

    def _recovered(self) -> None:
        if self._complained_of is not None:
            logger.warning("%s: writing again", self.store.address)
        self._failure = self._failing_since = self._complained_of = None

    def _written(self, batch: Batch) -> None:
        self.backlog.release(batch.weight_bytes)
        if batch.lost:
            session = batch.log.header.id
            logger.warning("%s: session %s lost %d entries", self.store.address, session, batch.lost)

    def _unlist_ended(self) -> None:
        """Let go of sessions that have ended; an entry that follows all the same lists them again."""
        with self._lock:
            for log in [log for log in self._logs if log.status is not Status.RECORDING]:
                log.listed = False
                if log.pending or log in self._taken:  # appended before it could see that
                    log.listed = True
                else:
                    del self._logs[log]

    def _rest(self) -> None:
        if time.monotonic() - self._quiet_since < self._pace.park_after:
            self._wait(self._pace.linger)
            return
        self.backlog.parked = True
        if not any(log.pending for log in list(self._logs)):  # appended before it saw us park
            self._wait(None)
        self.backlog.parked = False

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
