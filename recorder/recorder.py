"""The recorder: sessions in, a log out. One of them serves many models, event loops and threads."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import platform
import socket
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Generator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Any, Self

from ..schema.addresses import StoreLocation, locate
from ..schema.clocks import clock_here
from ..schema.codec import Codec, TextFilter
from ..schema.entries import Header, Kind, Status, new_session_id
from ..schema.errors import StoreWriteError, UsageError
from ..schema.model import RealtimeModel
from ..schema.secrets import Secrets
from ..schema.standard import STANDARD
from ..schema.vocabulary import Vocabulary
from . import causes, forks
from .budget import Budget
from .model import RecordingModel
from .session_log import LOST, SessionLog
from .writer import Writer, logger

MAX_PENDING_BYTES = 64 * 1024 * 1024
LARGEST_PENDING_BYTES = 512 * 1024 * 1024  # may become one value of the database
DRAIN_SECONDS = 10.0
FORK_SECONDS = 5.0
"""How long `os.fork` waits for a commit."""
EVENTS_REMEMBERED = 1024
"""For how many received events back `caused_by` finds the entry."""


class Recorder:
    """Appends sessions to a store.

    Opening is lazy: the store is made by the first commit. Appending takes microseconds and never
    waits for the disk: if the disk is full or the database locked, the sessions go on, the writer
    tries again, and what did not fit into memory meanwhile is noted as a `gap`.

    Args:
        store: a path, or an SQLAlchemy URL (`sqlite:///…`, `postgresql://…`).
        vocabulary: the registered types; ours by default.
        redactors: each takes a text out of a payload and returns what may be kept of it; applied
            to every text, before it leaves the process's memory.
        clock: monotonic nanoseconds; by default those of the event loop where a session begins, if
            that is on virtual time, else `time.monotonic_ns`.
        max_pending_bytes: of all sessions together, not written yet; beyond it entries are dropped.
        drain_seconds: how long `flush` and `close` wait for the disk.

    With `REALTAPE_DISABLED=1` in the environment nothing is recorded, and models are passed through.

    Once it has begun a session it lives until it is closed, or the process ends: then it writes what
    it holds. After `os.fork` the sessions stay the parent's. The child may begin its own, unless the
    parent had the file open: SQLite does not survive that, and the child needs a file of its own.

    Raises:
        UsageError: the store is neither a path nor a URL, or `max_pending_bytes` is no amount of
            memory that one may spend.
    """

    def __init__(
        self,
        store: StoreLocation,
        *,
        vocabulary: Vocabulary = STANDARD,
        redactors: Sequence[TextFilter] = (),
        clock: Callable[[], int] | None = None,
        max_pending_bytes: int = MAX_PENDING_BYTES,
        drain_seconds: float = DRAIN_SECONDS,
    ) -> None:
        self.address = locate(store)
        if not 0 <= max_pending_bytes <= LARGEST_PENDING_BYTES:
            raise UsageError(f"max_pending_bytes={max_pending_bytes}: 0 to {LARGEST_PENDING_BYTES}")
        self._disabled = os.environ.get("REALTAPE_DISABLED") == "1"
        self.codec = Codec(vocabulary, redactors)
        self.secrets = Secrets()
        self.clock = clock
        self._max_pending_bytes = max_pending_bytes
        self._drain_seconds = drain_seconds
        self._package_versions: dict[str, str] | None = None
        self._open: weakref.WeakSet[SessionLog] = weakref.WeakSet()
        # By the event's id: a weak reference, the session's number, and the entry.
        self._remembered: OrderedDict[int, tuple[weakref.ref[Any], int, int]] = OrderedDict()
        self._begun = False
        self._closed = False
        self._renew()
        forks.watch(self)

    def _renew(self) -> None:
        self._budget = Budget(self._max_pending_bytes)
        self._writer = self._new_writer(self._budget)
        self._lock = threading.RLock()  # a signal handler may `mark` while its thread is in here

    def _new_writer(self, budget: Budget) -> Writer:
        return Writer(self.address, budget)

    @property
    def enabled(self) -> bool:
        """Whether sessions are recorded; if not, models are passed through."""
        return not self._disabled and not self._closed

    # --- for applications ---------------------------------------------------------------------------

    def wrap(self, inner: RealtimeModel, *, labels: Mapping[str, str] | None = None) -> RecordingModel:
        """A model that does what `inner` does, and is recorded here."""
        return RecordingModel(inner, recorder=self, labels=labels)

    def mark(self, text: str, /, **data: Any) -> None:
        """Append a note, with any data, to the session in whose extent this is called; where that
        is none, to every session that is going on."""
        for log in self._sessions_here():
            log.append(Kind.MARKER, {"text": text, "data": data})

    @contextlib.contextmanager
    def caused_by(self, event: Any) -> Generator[None]:
        """Say that what happens in the `with` block is because of this received event.

        For code that gets events through queues of its own. An event that was not received, or
        more than EVENTS_REMEMBERED events ago, is no cause.
        """
        found = self._find(event)
        if found is None:
            yield
            return
        session, seq = found
        with causes.extent(session, seq, model=False):
            yield

    async def flush(self) -> None:
        """Wait until all that was appended so far is committed.

        Raises:
            StoreWriteError: it was not within `drain_seconds`; it is kept, and tried further.
        """
        await asyncio.to_thread(self._writer.flush, self._drain_seconds)

    async def close(self) -> None:
        """End the sessions, commit everything and close the store.

        Raises:
            StoreWriteError: what is left could not be written within `drain_seconds`, and is lost.
        """
        self._end_sessions()
        await asyncio.to_thread(self.close_blocking)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.close()
        except StoreWriteError as failure:
            if error is None:
                raise
            logger.error("%s", failure)

    # --- for taps -------------------------------------------------------------------------------------

    def begin(self, labels: Mapping[str, str], previous: SessionLog | None = None) -> SessionLog:
        """Begin a session; of a model that had one before, the next.

        Its secrets are its own, the recorder's, and those of the session before: a process that takes
        calls for weeks, each with a key of its own, must not seek them all.
        """
        header = Header(
            id=new_session_id(),
            previous_session=None if previous is None else previous.header.id,
            started_ns=time.time_ns(),
            host=socket.gethostname(),
            pid=os.getpid(),
            source="recorder",
            versions=self._versions(),
            labels={str(name): str(value) for name, value in labels.items()},
        )
        clock = self.clock or clock_here()
        secrets = Secrets(self.secrets, *(() if previous is None else (previous.secrets,)))
        log = SessionLog(header, self.codec, secrets, clock, self._writer.wake, self._budget)
        with self._lock:
            if self._closed:
                log.refuse()
            elif not self._begun:
                self._begun = True
                atexit.register(self._close_at_exit)  # and so it lives until then
            self._open.add(log)
        return log

    def remember(self, event: Any, log: SessionLog, seq: int) -> None:
        """Keep the entry of a received event, for `caused_by`."""
        try:
            reference = weakref.ref(event)
        except TypeError:  # a class with slots
            return
        with self._lock:
            self._remembered[id(event)] = (reference, log.number, seq)
            self._remembered.move_to_end(id(event))
            if len(self._remembered) > EVENTS_REMEMBERED:
                self._remembered.popitem(last=False)

    packages: tuple[str, ...] = ("realtape",)
    """Whose versions stand in each session's header."""

    # --- helpers --------------------------------------------------------------------------------------

    def _find(self, event: Any) -> tuple[int, int] | None:
        found = self._remembered.get(id(event))
        if found is None or found[0]() is not event or found[2] == LOST:
            return None
        return found[1], found[2]

    def _sessions_here(self) -> list[SessionLog]:
        with self._lock:
            going_on = [log for log in self._open if log.status is Status.RECORDING]
        here = [log for log in going_on if causes.current(log.number) is not None]
        return here or sorted(going_on, key=lambda log: log.number)

    def _end_sessions(self) -> None:
        with self._lock:
            self._closed = True
            open_logs, self._open = list(self._open), weakref.WeakSet()
        for log in open_logs:
            if log.status is Status.RECORDING:
                log.finish(Status.CLOSED)
            log.refuse()

    def close_blocking(self) -> None:
        """`close` for where there is no event loop: the end of the process."""
        self._end_sessions()
        try:
            self._writer.close(self._drain_seconds)
        finally:
            atexit.unregister(self._close_at_exit)

    def _close_at_exit(self) -> None:
        """A recorder that nobody closed still writes what it holds."""
        try:
            self.close_blocking()
        except StoreWriteError as failure:
            logger.error("%s", failure)

    def _versions(self) -> dict[str, str]:
        if self._package_versions is None:  # reading them takes milliseconds
            self._package_versions = {"python": platform.python_version()}
            for package in self.packages:
                self._package_versions[package] = _version(package)
        return dict(self._package_versions)

    def hold_still(self) -> threading.Lock | None:
        """Before a fork: wait until nobody is in the database; the lock to release after it."""
        lock = self._writer.store.lock
        return lock if lock.acquire(timeout=FORK_SECONDS) else None

    def begin_anew(self) -> None:
        """In a forked child: let go of what is the parent's. Locks may be held by threads that do
        not exist here, so they are replaced, never taken."""
        for log in list(self._open):
            log.disown()
        self._open = weakref.WeakSet()
        self._writer.store.abandon()
        self._renew()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # run from a folder that nobody installed
        return "unknown"
