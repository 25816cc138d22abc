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
from collections import deque
from collections.abc import Callable
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
from .commit_size import CommitSize
from .ctrl_c import may_be_ctrl_c
from .session_log import Backlog, Batch, SessionLog
from .store import Store

logger = logging.getLogger("realtape.recorder")


ENCODE_SECONDS = 0.5
"""So long the writer makes entries for one commit: a redactor may be slow, and what is made must land."""


class Pace(NamedTuple):
    """How long the writer waits for what, in seconds.

    Attributes:
        linger: between two commits, at least; longer where they take longer.
        max_linger: and at most.
        park_after: since the last commit, before it sleeps until it is woken.
        tend_after: while it sleeps, between two looks at the store.
        max_backoff: between two attempts, while writing fails.
        busy_is_trouble: after how long it is said that somebody else holds the store.
        last_try: how long `close` waits for the attempt that is being made when it gives up.
    """

    linger: float = 0.02
    max_linger: float = 0.1
    park_after: float = 1.0
    tend_after: float = 10.0
    max_backoff: float = 1.0
    busy_is_trouble: float = 2.0
    last_try: float = 3.0


SAY_SECONDS = 60.0
"""So seldom is it said that entries are lost, while they are."""


class Writer:
    """Commits the sessions' entries, in order, in groups: at most `max_linger` apart while the disk obeys,
    each of no more bytes than it takes in half a second.

    What cannot be written is kept and tried again; meanwhile the sessions go on, and drop what
    exceeds the budget.

    Args:
        store: the thread's alone, but for what a fork needs.
        backlog: of the sessions; gets back what the committed entries held.
        pace: how long it waits for what.
        tell: called on its thread when writing begins to fail, works again, or has lost something.

    Attributes:
        entries, payload_bytes, lost, commits: committed so far; told of by gaps.
        commit_seconds: what the last commit took.
        linger: the pause until the next one.
    """

    def __init__(
        self,
        store: Store,
        backlog: Backlog,
        pace: Pace = Pace(),  # noqa: B008
        tell: Callable[[], object] | None = None,
    ) -> None:
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
        self._ended_logs: list[SessionLog] = []  # written; their keys are sought for a round yet
        self._held_up: dict[SessionLog, tuple[float, float]] = {}  # until when, and for how long next
        self._quiet_since = time.monotonic()
        self._failure: BaseException | None = None
        self._failing_since: float | None = None
        self._complained_of: str | None = None
        self._tell = tell
        self._size = CommitSize()
        self.entries = self.payload_bytes = self.lost = self.commits = 0
        self.commit_seconds = 0.0
        self._loss_said_at, self._lost_said = -SAY_SECONDS, 0
        self.linger = pace.linger
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
        if self.lost > self._lost_said:
            logger.warning("%s: %d entries were lost in all; gaps say so", self.store.address, self.lost)
        if self.store.moved_entries:
            logger.warning(
                "%s: %d entries went with the files that were removed or replaced; gaps say so",
                *(self.store.address, self.store.moved_entries),
            )
        if self._failure is not None or self.store.refused or (thread is not None and thread.is_alive()):
            raise self._write_error(
                "the end of the recording is lost", "what the store holds of it is intact"
            )

    @property
    def pending_entries(self) -> int:
        """How many were appended and are not committed."""
        with self._lock:
            return sum(log.count - self.store.count(log) for log in self._logs)

    @property
    def failing_seconds(self) -> float:
        """For how long nothing could be written; 0 where it can."""
        since = self._failing_since
        return 0.0 if since is None else time.monotonic() - since

    @property
    def loss_window_seconds(self) -> float:
        """How old an entry may be that the end of the machine would cost, while writing does not fail."""
        with self._lock:
            logs = list(self._logs)
        return self.linger + self.commit_seconds + max((log.held.seconds for log in logs), default=0.0)

    @property
    def error(self) -> StoreWriteError | None:
        """What is wrong now, or was lost for ever."""
        if self._failure is None and self.store.refused is None:
            return None
        return self._write_error("cannot write", "the session goes on")

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
                except BaseException as error:  # the sessions go on, whatever happens here
                    if not isinstance(error, Exception) and threading.current_thread() is not self._thread:
                        raise  # Ctrl-C, where there was no thread to write
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
        ended, self._ended_logs = self._ended_logs, []
        again = bool(self._taken)
        trouble = self._take(logs)
        wrote = bool(self._taken)
        trouble = self._commit(time.monotonic(), closing) or trouble
        if self._taken:
            self._ended_logs += ended
        else:  # what others had appended when these ended is encoded
            for log in ended:
                log.secrets.leave()
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
            self._rest(idle=not wrote)
        self._unlist_ended()
        return True

    def _take(self, logs: list[SessionLog]) -> BaseException | None:
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
        return trouble

    def _commit(self, now: float, closing: bool) -> BaseException | None:
        """Write what was taken, in as many commits as that needs; returns what went wrong with some of it."""
        held_up = {} if closing else self._held_up
        due = deque(batch for log, batch in self._taken.items() if held_up.get(log, (now, 0))[0] <= now)
        failed: dict[SessionLog, BaseException] = {}
        while due and not (self._give_up and failed):
            group = self._group(due, failed, hold=not closing)
            if not group:
                continue
            began = time.monotonic()
            refused = {batch.log: error for batch, error in self.store.commit(group)}
            self._measure(sum(batch.ready_bytes for batch in group), time.monotonic() - began)
            for batch in group:
                if batch.log not in refused:
                    self._written(batch)
                    due += [batch] if batch.appended else []
            failed |= refused
            if len(refused) < len(group):
                self._quiet_since = time.monotonic()
        for log in failed:
            pause = self._held_up.get(log, (0.0, self._pace.linger))[1]
            self._held_up[log] = (now + pause, min(pause * 2, self._pace.max_backoff))
        return next(iter(failed.values()), self._failure if self._taken else None)

    def _group(
        self, due: deque[Batch], failed: dict[SessionLog, BaseException], *, hold: bool
    ) -> list[Batch]:
        """What goes into the next commit, encoded; the rest of a large batch waits its turn."""
        group: list[Batch] = []
        left, until = self._size.limit_bytes, time.monotonic() + ENCODE_SECONDS
        while due and left > 0 and (not group or time.monotonic() < until):
            batch = due.popleft()
            try:
                if not batch.ready:  # else it was encoded for an attempt that failed
                    batch.encode(left, max(until - time.monotonic(), 0.0), hold=hold)
            except Exception as error:  # noqa: BLE001 - one session's trouble is not the others'
                failed[batch.log] = error
                continue
            left -= max(batch.ready_bytes, 1)
            group.append(batch)
        return group

    def _measure(self, size: int, seconds: float) -> None:
        self.commits += 1
        self.commit_seconds = seconds
        # At most half of the time is spent in the database, which others may want to use, too.
        self.linger = min(max(self._pace.linger, seconds), max(self._pace.linger, self._pace.max_linger))
        self._size.took(size, seconds)

    def _failed(self, error: BaseException) -> None:
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
            begins, self._failure = self._failure is None, error
            self._lock.notify_all()
        if begins:
            self._say()

    def _recovered(self) -> None:
        if self._complained_of is not None:
            logger.warning("%s: writing again", self.store.address)
        self._failure = self._failing_since = self._complained_of = None
        self._say()

    def _written(self, batch: Batch) -> None:
        log = batch.log
        self.entries += len(batch.entries)
        self.payload_bytes += batch.entries.payload_chars
        self.payload_bytes += sum(map(len, batch.parts))
        self.backlog.release(batch.committed())
        if batch.appended:
            return
        del self._taken[log]
        self._held_up.pop(log, None)
        if log.status is not Status.RECORDING:
            self._ended_logs.append(log)
        if batch.lost:
            self.lost += batch.lost
            if time.monotonic() - self._loss_said_at > SAY_SECONDS:
                self._loss_said_at, self._lost_said = time.monotonic(), self.lost
                logger.warning(
                    "%s: session %s lost %d entries (%d in all)",
                    *(self.store.address, log.header.id, batch.lost, self.lost),
                )
            self._say()

    def _say(self) -> None:
        if self._tell is None:
            return
        try:
            self._tell()
        except (
            BaseException
        ) as error:  # also one that wants the process to end: it would end this thread alone
            if may_be_ctrl_c(error):
                raise
            tell, self._tell = self._tell, None
            logger.exception("%r raised; it is not called again", tell)

    def _unlist_ended(self) -> None:
        """Let go of sessions that have ended; an entry that follows all the same lists them again."""
        with self._lock:
            for log in [log for log in self._logs if log.status is not Status.RECORDING]:
                log.listed = False
                if log.pending or log in self._taken:  # appended before it could see that
                    log.listed = True
                else:
                    del self._logs[log]

    def _rest(self, *, idle: bool) -> None:
        now = time.monotonic()
        self.store.tend(idle=idle, now=now)
        if now - self._quiet_since < self._pace.park_after:
            self._wait(self.linger)
            return
        self.backlog.parked = True
        if not any(log.pending for log in list(self._logs)):  # appended before it saw us park
            self._wait(self._pace.tend_after)
        self.backlog.parked = False

    def _wait(self, seconds: float) -> None:
        """Until somebody rings, and no longer than `seconds`."""
        with contextlib.suppress(queue.Empty):
            self._bell.get(timeout=seconds)
            while True:
                self._bell.get_nowait()


def _told(error: BaseException | None) -> tuple[str, str]:
    """What is wrong, and what to do. Never quotes what was to be written."""
    if isinstance(error, StoreError):
        return error.problem, error.remedy
    if isinstance(error, UsageError):
        return "cannot be opened", str(error)
    if error is None:
        return "the disk is slow", "wait longer: `drain_seconds`"
    return f"unexpected {type(error).__name__}", "please report this"
