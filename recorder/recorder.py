"""The recorder, and the models that it wraps: sessions in, a log out.

One recorder serves many models, event loops and threads.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import multiprocessing
import os
import platform
import socket
import sys
import threading
import time
import weakref
from collections.abc import Callable, Container, Generator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from multiprocessing.util import Finalize
from types import TracebackType
from typing import Any, Self

from ..schema.clocks import clock_held, clock_here
from ..schema.codec import STANDARD, Codec, Secrets, SecretsInUse, TextFilter, Vocabulary
from ..schema.entries import FORMAT, Header, Kind, Status, new_session_id
from ..schema.errors import StoreError, StoreWriteError, UsageError
from ..schema.log import SealKey, StoreLocation, locate
from ..schema.model import RealtimeModel, RealtimeModelListener
from ..session import Retention
from . import causes
from .causes import LOST
from .ctrl_c import may_be_ctrl_c
from .session_log import Backlog, SessionLog
from .status import Durability, RecorderStatus
from .store import Store, inherit, open_files, own
from .tap import ModelTap
from .upkeep import Upkeep
from .writer import Writer, logger

MAX_PENDING_BYTES = 64 * 1024 * 1024
"""So much may wait for a commit, unless somebody says otherwise."""
LARGEST_PENDING_BYTES = 512 * 1024 * 1024  # may become one value of the database
DRAIN_SECONDS = 10.0
"""How long `flush` and `close` wait for the disk, unless somebody says otherwise."""
EXIT_SECONDS = 1.0
"""How long the end of the process waits for a store that cannot be written; one that can is waited for."""
RETENTION_SECONDS = 600.0
"""Between two applications of a retention."""
FORK_SECONDS = 0.05
"""How long `os.fork` waits for a commit."""

_living: weakref.WeakSet[Recorder] = weakref.WeakSet()
"""All that are told of forks."""
_forking = threading.local()
"""What the thread that forks holds and knows: the stores' locks, the files that stay open."""


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
        durability: what a commit survives: `"full"`, a power failure; `"normal"`, the end of the process, and
            costs less where the disk is slow to sync. `status` tells how much can be lost at most.
        on_status: told the status, on the writer's thread, when writing begins to fail, works again, or has
            lost something. It must not block; if it raises it is not called again.
        fail_closed: for those who must record or stop: `connect` and `send_event` raise while nothing can be
            written or something was lost, and so does the end of `async with`. By default nothing of ours
            raises there.
        scrub_tools: seek credentials by their names in the arguments and outputs of tools, too: a replay then
            gives the tools other arguments than they were given. What is known, or has the prefix of a key,
            is taken out of them in any case.
        seal_key: 16 bytes or more, with which each commit is sealed: who has it can tell what was forged by
            somebody who has it not (`realtape verify --key-file`). By default what the environment has under
            REALTAPE_SEAL_KEY; without any, nothing is sealed.
        retention: the policy of `realtape prune`, applied on the writer's thread when nothing waits: soon
            after the store was opened, and RETENTION_SECONDS after it was applied last. It goes by what
            headers say, for nobody should wait for the reading of whole sessions.

    With `REALTAPE_DISABLED=1` in the environment nothing is recorded, and models are passed through.

    Once it has begun a session it lives until it is closed, or the process ends: then it writes what
    it holds. After `os.fork` the sessions stay the parent's, and the child's own are recorded into the same
    store. Files are closed before the fork, and opened again on both sides; where a commit is not over
    within FORK_SECONDS, or somebody else in the process has the file open, SQLite would not survive that, and
    the child records into a file of its own, `STORE-<pid>`.

    Raises:
        UsageError: the store is neither a path nor a URL, `max_pending_bytes` is no amount of
            memory that one may spend, the key is too short, or the policy
            asks what happened in the sessions.
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
        durability: Durability = "full",
        on_status: Callable[[RecorderStatus], object] | None = None,
        fail_closed: bool = False,
        scrub_tools: bool = False,
        seal_key: bytes | str | None = None,
        retention: Retention | None = None,
    ) -> None:
        self.address = own(locate(store))
        if not 0 <= max_pending_bytes <= LARGEST_PENDING_BYTES:
            raise UsageError(f"max_pending_bytes={max_pending_bytes}: 0 to {LARGEST_PENDING_BYTES}")
        if durability not in ("full", "normal"):
            raise UsageError(f"durability={durability!r}: 'full' or 'normal'")
        self.durability: Durability = durability
        self.fail_closed = fail_closed
        self._on_status = on_status
        self._disabled = os.environ.get("REALTAPE_DISABLED") == "1"
        self.codec = Codec(vocabulary, redactors)
        if retention is not None and retention.about.reads_entries:
            raise UsageError(
                "a recorder's retention goes by headers: use `realtape prune` for what happened in them"
            )
        self._retention = retention
        self._seal_key = SealKey.of_environment() if seal_key is None else SealKey(seal_key)
        self.secrets = Secrets()
        self.secrets.add(self.address.passwords)
        if self._seal_key is not None and self._seal_key.text is not None:
            self.secrets.add([self._seal_key.text])
        self._in_use = SecretsInUse()
        self._scrub_tools = scrub_tools
        self.clock = clock
        self._max_pending_bytes = max_pending_bytes
        self._drain_seconds = drain_seconds
        self._package_versions: dict[str, str] | None = None
        self._open: weakref.WeakSet[SessionLog] = weakref.WeakSet()
        self._begun = False
        self._closed = False
        self._renew()
        _living.add(self)

    def _renew(self) -> None:
        self._backlog = Backlog(self._max_pending_bytes)
        self._writer = self._new_writer(self._backlog)
        self._lock = threading.RLock()  # a signal handler may `mark` while its thread is in here
        self._received = causes.EventCauses()

    def _new_writer(self, backlog: Backlog) -> Writer:
        told = self._on_status
        tell = None if told is None else lambda: told(self.status())
        upkeep = Upkeep(self.address, self._retention, RETENTION_SECONDS)
        return Writer(Store(self.address, self.durability, self._seal_key, upkeep), backlog, tell=tell)

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

        For code that gets events through queues of its own. An event that was not received, that nobody
        held when its listeners had returned, or more than `causes.EVENTS_REMEMBERED` events ago, is no cause.
        """
        frame = self._received.of(event)
        if frame is None or frame.seq == LOST:
            yield
            return
        with causes.extent(frame.session, frame.seq):
            yield

    def status(self) -> RecorderStatus:
        """How recording is going. Takes microseconds; safe from any thread."""
        writer = self._writer
        error = writer.error
        with self._lock:
            sessions = sum(log.status is Status.RECORDING for log in self._open)
        return RecorderStatus(
            store=str(self.address),
            durability=self.durability,
            sessions=sessions,
            entries=writer.entries,
            payload_bytes=writer.payload_bytes,
            pending_entries=writer.pending_entries,
            pending_bytes=self._backlog.held_bytes,
            lost_entries=writer.lost + writer.store.refused_entries + max(writer.store.moved_entries, 0),
            removed_sessions=writer.store.removed_sessions,
            commits=writer.commits,
            commit_seconds=writer.commit_seconds,
            loss_window_seconds=writer.loss_window_seconds,
            failing_seconds=writer.failing_seconds,
            error=None if error is None else f"{error.problem}; {error.remedy}",
            closed=self._closed,
        )

    async def flush(self) -> None:
        """Wait until all that was appended so far is committed.

        Raises:
            StoreWriteError: it was not within `drain_seconds`; it is kept, and tried further.
        """
        await _aside(lambda: self._writer.flush(self._drain_seconds))

    async def close(self) -> None:
        """End the sessions, commit everything and close the store.

        Raises:
            StoreWriteError: what is left could not be written within `drain_seconds`, and is lost.
        """
        self._end_sessions()
        await _aside(self.close_blocking)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Whoever was interrupted has closed nothing.
        self._end_sessions(Status.CLOSED if error is None else Status.INTERRUPTED)
        try:
            await self.close()
        except StoreWriteError as failure:
            if error is None and self.fail_closed:
                raise
            logger.error("%s", failure)

    # --- for taps -------------------------------------------------------------------------------------

    def begin(
        self,
        labels: Mapping[str, str],
        previous: SessionLog | None = None,
        *,
        format: int = FORMAT,
        placed: bool = True,
    ) -> SessionLog:
        """Begin a session; of a model that had one before, the next.

        Its secrets are its own, the recorder's, those of the session before, and those of all sessions
        that are going on: a process that takes calls for weeks, each with a key of its own, must not seek
        them all.

        Args:
            format: WIRE_FORMAT where what crosses sockets will be recorded; a header cannot be changed later.
            placed: its entries say in which round of the event loop, and in which task, they were appended.
        """
        header = Header(
            id=new_session_id(),
            previous_session=None if previous is None else previous.header.id,
            started_ns=time.time_ns(),
            host=_host(),
            pid=os.getpid(),
            source="recorder",
            versions=self._versions(),
            labels={_text(name): _text(value) for name, value in labels.items()},
            format=format,
        )
        clock = self.clock or clock_here()
        before = () if previous is None else (previous.secrets,)
        secrets = Secrets(self.secrets, *before, among=self._in_use, strict=self._scrub_tools)
        log = SessionLog(header, self.codec, secrets, clock, self._backlog, self._received, placed=placed)
        with self._lock:
            if self._closed:
                log.refuse()
            elif not self._begun:
                self._begun = True
                self._close_with_process()
            self._open.add(log)
        return log

    async def require_store(self) -> None:
        """Before a connection is made: where we must record or stop, see that we can.

        Raises:
            StoreWriteError: we cannot.
        """
        if self.fail_closed and self.enabled:
            self.require_writing()
            try:
                await _aside(self._writer.store.open)
            except StoreError as error:
                raise StoreWriteError(error.store, error.problem, error.remedy) from error

    def require_writing(self) -> None:
        """Where we must record or stop, see that everything so far was recorded, or will be.

        Raises:
            StoreWriteError: it was not.
        """
        if not (self.fail_closed and self.enabled):
            return
        if (error := self._writer.error) is not None:
            raise error
        if self._writer.lost:
            raise StoreWriteError(
                str(self.address), f"{self._writer.lost} entries were lost", "record less at once"
            )

    packages: tuple[str, ...] = ("realtape",)
    """Whose versions stand in each session's header."""

    # --- helpers --------------------------------------------------------------------------------------

    def _sessions_here(self) -> list[SessionLog]:
        with self._lock:
            going_on = [log for log in self._open if log.status is Status.RECORDING]
        here = [log for log in going_on if causes.current(log.number) is not None]
        return here or sorted(going_on, key=lambda log: log.number)

    def _end_sessions(self, status: Status = Status.CLOSED) -> None:
        with self._lock:
            self._closed = True
            open_logs, self._open = list(self._open), weakref.WeakSet()
        for log in open_logs:
            if log.status is Status.RECORDING:
                log.finish(status)
            log.refuse()

    def close_blocking(self, patience: float | None = None) -> None:
        """`close` for where there is no event loop: the end of the process.

        Args:
            patience: how many seconds of `drain_seconds` a store is waited for that cannot be written.
        """
        self._end_sessions()
        try:
            self._writer.close(self._drain_seconds, patience)
        finally:
            atexit.unregister(self._close_at_exit)

    def _close_with_process(self) -> None:
        atexit.register(self._close_at_exit)  # and so it lives until then
        if multiprocessing.parent_process() is not None:  # where no such function is called
            Finalize(None, self._close_at_exit, exitpriority=0)

    def _close_at_exit(self) -> None:
        """A recorder that nobody closed still writes what it holds."""
        if getattr(sys, "last_value", None) is not None:  # an exception ends the process
            self._end_sessions(Status.INTERRUPTED)
        try:
            self.close_blocking(EXIT_SECONDS)
        except StoreWriteError as failure:
            logger.error("%s", failure)

    def _versions(self) -> dict[str, str]:
        if self._package_versions is None:  # reading them takes milliseconds
            self._package_versions = {"python": platform.python_version()}
            for package in self.packages:
                self._package_versions[package] = _version(package)
        return dict(self._package_versions)

    def hold_still(self, seconds: float) -> threading.Lock | None:
        """Before a fork: wait until nobody is in the database, and close a file; the lock to release after
        the fork. None where that takes longer."""
        store = self._writer.store
        if not store.lock.acquire(timeout=seconds):
            return None
        store.hold_still()
        return store.lock

    def begin_anew(self, files: Container[tuple[int, int]]) -> None:
        """In a forked child: let go of what is the parent's. Locks may be held by threads that do
        not exist here, so they are replaced, never taken.

        Args:
            files: which were open when it forked.
        """
        for log in list(self._open):
            log.disown()
        self._open = weakref.WeakSet()
        self._writer.store.abandon()
        inherit(self.address, files)
        shared, self.address = self.address, own(self.address)
        if self.address != shared:
            logger.warning(
                "%s was in use when this process was forked: recording into %s", shared, self.address
            )
        self._begun = False
        self._renew()


async def _aside(call: Callable[[], None]) -> None:
    """Call it in a thread of its own: the loop's executor may be busy, for ever. Cancelled, this returns, and
    the call goes on."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # a forked child of the loop's process, or another library's loop
        call()
        return
    over: asyncio.Future[None] = loop.create_future()

    def settle(error: Exception | None) -> None:
        if over.done():
            return
        if error is None:
            over.set_result(None)
        else:
            over.set_exception(error)

    def run() -> None:
        error: Exception | None = None
        try:
            call()
        except Exception as raised:  # noqa: BLE001 - the caller's
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(settle, error)

    with clock_held():
        try:
            threading.Thread(target=run, name="realtape-aside", daemon=True).start()
        except RuntimeError:  # there can be no more of them
            call()
            return
        await over


def _host() -> str:
    try:
        return socket.gethostname()
    except OSError:
        return "unknown"


def _text(label: Any) -> str:
    """A label is the application's: what cannot say what it is is its class's name."""
    try:
        return str(label)
    except BaseException as error:  # the session goes on
        if may_be_ctrl_c(error):
            raise
        return type(label).__qualname__


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # run from a folder that nobody installed
        return "unknown"


# --- forks ------------------------------------------------------------------------------------------------


def _before_fork() -> None:
    recorders, deadline = list(_living), time.monotonic() + FORK_SECONDS
    held = [recorder.hold_still(max(0.0, deadline - time.monotonic())) for recorder in recorders]
    _forking.locks = [lock for lock in held if lock is not None]
    _forking.files = open_files() if recorders else set()


def _after_fork_in_parent() -> None:
    for lock in _forking.locks:
        lock.release()


def _after_fork_in_child() -> None:
    for recorder in list(_living):
        recorder.begin_anew(_forking.files)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
    )


# --- the models ---------------------------------------------------------------------------------------------

_TAP, _RECORDER = "_realtape_tap", "_realtape_recorder"
"""The attributes of a wrapper that are not its inner model's."""


class RecordingBase:
    """Every member of the ABC, forwarded through a tap; any other attribute is the inner model's.

    Subclasses add the ABC (ours here, the SDK's in its integration), and say which listener stands
    at the inner model.
    """

    _realtape_tap: ModelTap
    _realtape_recorder: Recorder

    def __init__(
        self,
        inner: Any,
        *,
        recorder: Recorder,
        labels: Mapping[str, str] | None = None,
        format: int = FORMAT,
    ) -> None:
        kept = dict(labels or {})

        def begin(previous: SessionLog | None) -> SessionLog | None:
            return recorder.begin(kept, previous, format=format) if recorder.enabled else None

        tap = ModelTap(inner, begin, recorder.codec.vocabulary, self._realtape_relay)
        object.__setattr__(self, _TAP, tap)
        object.__setattr__(self, _RECORDER, recorder)

    def _realtape_relay(self, handler: Callable[[Any], Any]) -> Any:
        raise NotImplementedError

    async def connect(self, options: Any) -> None:
        """Connect the inner model; begins a session of the log."""
        await self._realtape_recorder.require_store()
        return await self._realtape_tap.connect(options)

    def add_listener(self, listener: Any) -> None:
        """Add a listener; one that is there already is not added twice."""
        self._realtape_tap.add_listener(listener)

    def remove_listener(self, listener: Any) -> None:
        """Remove a listener; one that is not there is none to remove."""
        self._realtape_tap.remove_listener(listener)

    async def send_event(self, event: Any) -> None:
        """Send an event through the inner model."""
        self._realtape_recorder.require_writing()
        return await self._realtape_tap.send_event(event)

    async def send_event_if(self, event: Any, send_if: Callable[[], bool]) -> bool:
        """Send an event through the inner model, which asks `send_if` where it commits."""
        self._realtape_recorder.require_writing()
        return await self._realtape_tap.send_event_if(event, send_if)

    async def close(self) -> None:
        """Close the inner model."""
        return await self._realtape_tap.close()

    def __getattr__(self, name: str) -> Any:
        if name in (_TAP, _RECORDER):  # asked before __init__ has run
            raise AttributeError(name)
        return getattr(self._realtape_tap.inner, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._realtape_tap.inner, name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(self._realtape_tap.inner)})

    def __delattr__(self, name: str) -> None:
        delattr(self._realtape_tap.inner, name)


class _Relay(RealtimeModelListener):
    """The listener at the inner model; the tap's handler is its method, without a step between them."""

    def __init__(self, handler: Callable[[Any], Any]) -> None:
        vars(self)["on_event"] = handler

    async def on_event(self, event: Any) -> None:
        """Replaced by the handler."""


class RecordingModel(RecordingBase, RealtimeModel):
    """A model that does what its inner model does, and records it.

    Args:
        inner: the model that does the work; anything with the ABC's methods.
        recorder: where the entries go.
        labels: the user's own, kept in each session's header.
    """

    def _realtape_relay(self, handler: Callable[[Any], Any]) -> RealtimeModelListener:
        return _Relay(handler)

    def _retire_response_audio(self, response_id: str) -> None:
        self._realtape_tap.inner._retire_response_audio(response_id)
