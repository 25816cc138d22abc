"""One session's log in memory: numbers its entries, keeps what they hold as it is, and hands them on in
batches, to be encoded by who writes them. Safe from any thread; never waits for the disk."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import logging
import math
import sys
import threading
import time
import traceback
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..schema.asyncio_private import current_task_of
from ..schema.clocks import BURST, stamps_of
from ..schema.codec import TEXT, Codec, Secrets
from ..schema.entries import LONG_TICKS, SETTLED_TICKS, Header, Kind, Status
from . import causes
from .ctrl_c import may_be_ctrl_c
from .gaps import OVERLOAD, Loss
from .held_back import HeldBack
from .payloads import PLACE_COLUMNS, EntryEncoder, KeptEntries, Pending
from .playback import NO_COLUMNS, Playback, PlaybackColumns
from .turns import give_way

logger = logging.getLogger("realtape.recorder")

ENTRY_OVERHEAD_BYTES = 600
"""What an entry weighs in memory beside its payload and its bytes, roughly."""

MAX_CALLS = 1024
"""For how many tool calls back the output finds its cause."""

MAX_DEFERRED = 64

STEP_BYTES = 32 * 1024
"""In such steps a session counts what it holds: counting takes a lock that all sessions share."""

SAMPLE_NS = 1_000_000
"""How old what is known of the playback state may be, where no call on the tracker told otherwise."""

SLOW_READS = 100
"""A tracker is asked so many times as seldom as its answer took."""

NO_CAUSE = -2
"""Said by who knows that there is none."""

_NEVER_NS = 1 << 70
_where = causes.WHERE.get
_get_ident = threading.get_ident
_LATEST_NS = (1 << 63) - 1  # that a column holds: in 292 years
_numbers = itertools.count(1)


Appended = tuple[Any, ...]
"""An entry that is numbered and not encoded yet: its place, which is the first PLACE_COLUMNS of an `Entry`
(LOST stands for what is not there any more); the columns of the playback state; and of the `Snapshot` of its
value the form, the size, and what it holds. The snapshot's dictionary comes behind it in the list of these.
Of immutable parts, where that can be, and none a tuple: the garbage collector forgets it."""

_FORM = PLACE_COLUMNS + len(NO_COLUMNS)
_SIZE = _FORM + 1


@dataclass(slots=True)
class Batch:
    """What a session hands to the writer at once: its part of a commit.

    Attributes:
        log: the session.
        appended: in order, not encoded yet; behind an entry the dictionary of its snapshot.
        encoded: in order; they are not ready yet.
        entries: the same, ready to be written.
        segment: number of the segment row that `parts` become, if there are any.
        parts: the segment's bytes, in pieces.
        status: the session's status after these entries.
        weight_bytes: what it counts for in the backlog, until it is committed.
        lost: how many entries its gaps tell of, which were dropped or could not be encoded.
        ready: whether there are encoded entries that are not committed.
        ready_bytes: what of `weight_bytes` is the encoded entries'.
    """

    log: SessionLog
    appended: list[Any]
    status: Status
    weight_bytes: int
    lost: int
    encoded: list[Pending] = field(default_factory=list[Pending])
    entries: KeptEntries = field(default_factory=KeptEntries)
    segment: int = 0
    parts: list[bytes] = field(default_factory=list[bytes])
    ready: bool = False
    ready_bytes: int = 0

    def encode(
        self,
        limit_bytes: int = sys.maxsize,
        limit_seconds: float = math.inf,
        *,
        hold: bool = False,
        gives_way: bool = True,
    ) -> None:
        """Make entries of what was appended: once, whatever becomes of them. The writer's thread.

        Args:
            limit_bytes: where they hold more, the rest stays as it is, until these are committed;
            limit_seconds: or where that takes longer: a redactor may be slow.
            hold: what may be the beginning of a secret may wait for the next batch.
            gives_way: others run meanwhile.
        """
        encoded = self.encoded
        encoder, until = self.log.encoder, time.perf_counter() + limit_seconds
        encoder.begin()
        taken, waiting = 0, iter(self.appended)
        try:
            for appended in waiting:
                if encoded and (self.ready_bytes >= limit_bytes or time.perf_counter() > until):
                    break
                dictionary = next(waiting) if appended[_FORM] < 0 else None
                encoded.append(encoder.entry(appended, dictionary))
                taken += 1 if dictionary is None else 2
                self.ready_bytes += appended[_SIZE] + ENTRY_OVERHEAD_BYTES
                if gives_way:
                    give_way()
        finally:  # who tries again goes on here
            del self.appended[:taken]
            self.lost += encoder.take_lost()
        hold = bool(self.appended) or (hold and self.status is Status.RECORDING)
        self.entries = KeptEntries(self.log.held.pass_on(encoded, hold=hold))
        self.encoded, self.ready = [], True
        self.segment, self.parts = encoder.segments.take()

    def committed(self) -> int:
        """What was encoded is in the database; returns what that gives back of the budget."""
        released = self.ready_bytes if self.appended else self.weight_bytes
        self.weight_bytes -= released
        self.entries, self.parts, self.ready_bytes, self.ready = KeptEntries(), [], 0, False
        return released


class Backlog:
    """What all sessions of one recorder hold for the writer, in bytes. Safe from any thread.

    Args:
        limit_bytes: beyond it nothing more may be held; the entry that goes beyond is still held.

    Attributes:
        held_bytes: now; sessions count in steps, and may hold a step each beside it.
        step_bytes: so many at a time.
        parked: the writer sleeps until it is woken, and does not look by itself.
        wake: tells the writer that a session has something to write; must not block.
        said: what went wrong while appending, and was said: not again for each entry.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.held_bytes = 0
        self.step_bytes = min(STEP_BYTES, limit_bytes // 64)
        self.parked = False
        self.wake: Callable[[SessionLog], None] = lambda log: None
        self.said: set[str] = set()
        self._lock = threading.RLock()  # a signal handler may append while its thread is in here

    def hold(self, size_bytes: int) -> None:
        """Count bytes that are held from now on."""
        with self._lock:
            self.held_bytes += size_bytes

    def release(self, size_bytes: int) -> None:
        """Count bytes that are held no longer."""
        with self._lock:
            self.held_bytes -= size_bytes


class SessionLog:
    """The log of one session.

    Args:
        header: the session's header.
        codec: takes snapshots of values, and turns them into payloads.
        secrets: what must not appear in them.
        clock: monotonic nanoseconds.
        backlog: bounds the memory for entries that are not committed; what comes beyond is lost, and
            a gap says so.
        received: keeps the entries of received events.
        placed: entries say in which round of the event loop and in which task they were appended.

    Attributes:
        number: of the session in this process.
        status: entries may still follow when it is no longer `recording`.
        playback: answers the playback state of the moment; asked every SAMPLE_NS, or less if that is slow.
        held: the writer's: what is encoded, and waits for what follows it.
        refusing: what is appended is not recorded (any more).
        count: of the entries so far.
        encoder: the writer's: makes entries of what was appended.
        listed: the writer's: whether it looks at this session.
        committed: the writer's: the session's key, and the digest of its last row.
    """

    def __init__(
        self,
        header: Header,
        codec: Codec,
        secrets: Secrets,
        clock: Callable[[], int],
        backlog: Backlog,
        received: causes.EventCauses,
        *,
        placed: bool = True,
    ) -> None:
        self.header = header
        self.number = next(_numbers)
        self.status = Status.RECORDING
        self._playback: Callable[[], Playback] | None = None
        self._played = NO_COLUMNS
        self._ask_at_ns = _NEVER_NS
        self.secrets = secrets
        self.clock = clock
        self.received = received
        self.refusing = False
        self.count = 0
        self.listed = False
        self._columns = PlaybackColumns()
        self.encoder = EntryEncoder(codec, secrets)
        self.held = HeldBack(secrets)
        self._take = codec.snapshots.take
        self._places: _Places = _Places() if placed else _Nowhere()
        self._backlog = backlog
        self._lock = threading.RLock()
        self._busy = self._catching_up = False
        self._deferred: list[tuple[Any, ...]] = []
        self._started = False
        self._started_ns = _NEVER_NS  # by the clock, at the first entry
        self._latest_ns = 0
        self._pending: list[Any] = []  # `Appended`, and their dictionaries
        self._weight_bytes = 0
        self._held_bytes = 0  # more, of which the backlog does not know yet
        self._touched = False
        self._loss: Loss | None = None
        self._lost_told = 0
        self._calls: dict[str, int] = {}

    @property
    def pending(self) -> bool:
        """Whether there is something for the writer to take."""
        return bool(self._pending or self._touched or self._loss or self._deferred or self.held.entries)

    def append(
        self,
        kind: Kind,
        value: Any,
        *,
        type: str | None = None,
        method: str | None = None,
        of: int | None = None,
        cause: int | None = None,
        connection: int | None = None,
    ) -> int | None:
        """Append an entry; returns its seq, or None if it had to be dropped. Raises nothing.

        Args:
            value: what becomes the payload; what is recorded is how it is now.
            cause: where the data tell it; else it is taken from the context.
            connection: number of the socket within the session; None above the socket.
        """
        if cause is None:
            frame = _where()
            if frame is not None:
                if frame.session != self.number:
                    frame = causes.current(self.number)
                cause = None if frame is None else frame.seq
        return self.append_caused(kind, value, type, method, of, cause, connection)

    def append_caused(
        self,
        kind: Kind,
        value: Any,
        type: str | None,
        method: str | None,
        of: int | None,
        cause: int | None,
        connection: int | None,
    ) -> int | None:
        """As `append`, where the cause is known, or that there is none: then it is None."""
        if self.refusing:
            return None
        backlog = self._backlog
        try:
            now_ns = self.clock()
            if now_ns >= self._ask_at_ns:
                self._ask(now_ns)
            with self._lock:
                if self._busy:
                    # A signal handler, a finalizer or a describer, in the middle of another append of
                    # this thread: its turn comes when that one is whole.
                    self._defer(kind, value, type, method, of, cause, connection)
                    return None
                self._busy = True
                try:
                    at_ns = now_ns - self._started_ns
                    if at_ns.__class__ is int and self._latest_ns <= at_ns <= _LATEST_NS:
                        self._latest_ns = at_ns
                    else:
                        at_ns = self._elapsed(now_ns)
                    if backlog.held_bytes > backlog.limit_bytes:
                        self._lose(kind, at_ns, OVERLOAD)
                        seq = None
                    elif self.refusing:
                        return None
                    else:
                        places = self._places
                        # To ask for the running loop is a system call, in Python 3.11.
                        running = current_task_of(places.loop) if places.thread == _get_ident() else None
                        if running is not None and places.latest() is running:
                            stamp = places.stamp()
                            if stamp != places.last:  # or it is the same round
                                places.advance(stamp)
                            tick, task = places.tick, places.number
                        else:
                            tick, task = places.here()
                        if self._loss is not None:
                            self._append_gap(at_ns, tick, task)
                        form, size, dictionary, held = self._take(value)
                        seq = self.count
                        # fmt: off
                        appended = (
                            seq, at_ns, tick, task, kind._value_, type, method, cause, of, connection,
                            *self._played, form, size, *held,
                        )
                        # fmt: on
                        if dictionary is None:
                            self._pending.append(appended)
                        else:
                            self._pending += (appended, dictionary)  # at once: Ctrl-C parts them not
                        self.count = seq + 1
                        self._held_bytes = held_bytes = self._held_bytes + size + ENTRY_OVERHEAD_BYTES
                        if held_bytes > backlog.step_bytes:
                            self._hold()
                finally:
                    self._busy = False
        except BaseException as error:  # the application goes on, whatever happens here
            if may_be_ctrl_c(error):
                raise
            seq = self._failed(kind, self._latest_ns, error)
        if self._deferred:
            self._append_deferred()
        if backlog.parked or not self.listed:
            backlog.wake(self)
        return seq

    @property
    def playback(self) -> Callable[[], Playback] | None:
        """Answers the playback state of the moment; None where there is none."""
        return self._playback

    @playback.setter
    def playback(self, playback: Callable[[], Playback] | None) -> None:
        self._playback, self._played = playback, NO_COLUMNS
        self._ask_at_ns = _NEVER_NS if playback is None else 0

    def _ask(self, now_ns: int) -> None:
        """Look at the tracker: outside our lock, for it is the application's, and may wait for one of its
        own. It may say, or raise, anything."""
        if self._playback is None:
            return  # a clock that is beyond all times
        self._ask_at_ns = now_ns + SAMPLE_NS
        try:
            self._played = self._columns.of(self._playback())
        except BaseException as error:  # see above
            if may_be_ctrl_c(error):
                raise
            self._played = NO_COLUMNS
            logger.debug("the playback state cannot be read: %s", error.__class__.__name__)
        took_ns = self.clock() - now_ns
        if took_ns * SLOW_READS > SAMPLE_NS:
            self._ask_at_ns = now_ns + took_ns * SLOW_READS

    def assume(self, state: Playback) -> None:
        """The playback state from now on, where no tracker tells one."""
        try:
            self._played = self._columns.of(state)
        except BaseException as error:  # what came as an event may hold anything
            if may_be_ctrl_c(error):
                raise
            self._played = NO_COLUMNS

    def played(self, method: str, value: dict[str, Any], state: Playback) -> None:
        """Append a call on the tracker, and the state after it."""
        try:
            self._played = self._columns.of(state)
        except BaseException as error:  # the tracker's own objects may raise anything
            if may_be_ctrl_c(error):
                raise
            self._played = NO_COLUMNS
        frame = causes.current(self.number)
        who = "application" if frame is None or frame.inside is None else "model"
        self.append(Kind.PLAYBACK, value, type=who, method=method)

    def remember_call(self, call_id: str, seq: int) -> None:
        """Keep the entry at which this tool call was received: its output's cause."""
        with self._lock:
            self._calls.pop(call_id, None)
            self._calls[call_id] = seq
            if len(self._calls) > MAX_CALLS:
                del self._calls[next(iter(self._calls))]

    def call(self, call_id: str) -> int | None:
        """The entry at which this tool call was received."""
        return self._calls.get(call_id)

    def finish(self, status: Status) -> None:
        """Give the session its status; entries may still follow."""
        if self.refusing:
            return
        with self._lock:
            self.status = status
            self._touched = True
        self._backlog.wake(self)

    def let_go(self) -> None:
        """Its model is gone, and was not closed: nothing more can come."""
        self.playback = None  # which keeps the application's tracker
        if self.status is Status.RECORDING:
            self.finish(Status.INTERRUPTED)

    def refuse(self) -> None:
        """What is appended from now on is not recorded."""
        for seq in self.received.handled_of(self.number):  # or it would look as if they had returned at once
            self.append(Kind.HANDLED, {"outcome": "open"}, of=seq)
        with self._lock:
            self.refusing = True

    def disown(self) -> None:
        """In a forked child: the session is the parent's, and so is everything that is pending."""
        self.refusing = True
        self._lock = threading.RLock()  # another thread of the parent may have held it
        self._busy = self._touched = False
        self._pending, self._deferred, self._loss = [], [], None
        self.held = HeldBack(self.secrets)

    def take(self) -> Batch | None:
        """Everything that is not in the database yet; the writer's only access."""
        if self._deferred:
            self._append_deferred()
        with self._lock:
            if not self.pending:
                return None
            self._busy = True
            try:
                if self._loss is not None:  # where no further entry comes to append the gap
                    self._append_gap(self._latest_ns, None, None)
                return self._batch()
            finally:
                self._busy = False

    def scrubbed_header(self) -> Header:
        """The header as it goes into the store: no secret in a label either."""
        labels = self.secrets.scrub_tree(dict(self.header.labels))
        self.header = dataclasses.replace(self.header, labels=labels)
        return self.header

    # --- inside the lock ----------------------------------------------------------------------

    def _elapsed(self, now_ns: int) -> int:
        """The instant of an entry: the first, or where the clock says anything else than what it should."""
        if not self._started:
            self._started, self._started_ns = True, now_ns
            self.encoder.started_ns = now_ns
        at_ns = int(now_ns - self._started_ns)
        if self._latest_ns <= at_ns <= _LATEST_NS:
            self._latest_ns = at_ns
        return self._latest_ns  # where a clock runs backwards, it stands still here

    def _failed(self, kind: Kind, at_ns: int, error: BaseException) -> None:
        # Without the error's text, and without source: they may quote what was to be recorded.
        name = error.__class__.__name__
        if name not in self._backlog.said:
            self._backlog.said.add(name)
            trace = traceback.extract_tb(error.__traceback__)
            where = ", ".join(f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in trace)
            logger.error("entries are lost, please report this: %s in %s", name, where)
        with self._lock:
            self._lose(kind, at_ns, f"the recorder failed: {name}")

    def _defer(self, kind: Kind, *arguments: Any) -> None:
        if len(self._deferred) < MAX_DEFERRED:
            self._deferred.append((kind, *arguments))
        else:
            self._lose(kind, self._latest_ns, "more were appended within one append than are kept")

    def _append_deferred(self) -> None:
        with self._lock:
            if self._busy or self._catching_up:
                return  # what comes while these are appended waits: a describer would go on for ever
            deferred, self._deferred, self._catching_up = self._deferred, [], True
            try:
                for deferral in deferred:
                    self.append_caused(*deferral)
            finally:
                self._catching_up = False

    def _append_gap(self, at_ns: int, tick: int | None, task: int | None) -> None:
        loss, self._loss = self._loss, None
        assert loss is not None
        self._lost_told += loss.count
        gap = loss.gap(self.count, at_ns, tick, task)
        self._pending.append((*gap[:PLACE_COLUMNS], *NO_COLUMNS, TEXT, len(gap.payload), gap.payload))
        self.count += 1
        self._held_bytes += len(gap.payload) + ENTRY_OVERHEAD_BYTES

    def _hold(self) -> None:
        """Let the backlog know what we hold."""
        self._weight_bytes += self._held_bytes
        self._backlog.hold(self._held_bytes)
        self._held_bytes = 0

    def _batch(self) -> Batch:
        self._hold()
        batch = Batch(self, self._pending, self.status, self._weight_bytes, self._lost_told)
        self._pending = []
        self._weight_bytes = self._lost_told = 0
        self._touched = False
        return batch

    def _lose(self, kind: Kind, at_ns: int, reason: str) -> None:
        if self._loss is None:
            self._loss = Loss(reason)
        self._loss.add(kind, at_ns)


class _Places:
    """Numbers the rounds and tasks of one session: where in the program an entry is appended.

    Between entries of one burst of activity the ticks count the rounds (SETTLED_TICKS or more of them with
    LONG_TICKS on top). Once nothing is left to run, the next entry's tick is SETTLED_TICKS further, and so
    many more as rounds have passed since.

    Attributes:
        tick, number: of the last entry, its round's and its task's;
        loop, thread, latest: on which loop it was appended, which thread runs that, and in which task.
        stamp: tells the round that is running there.
        last: that of the last entry.
    """

    def __init__(self) -> None:
        self.tick: int | None = None
        self.number: int | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.thread: int | None = None
        self.latest: Callable[[], asyncio.Task[Any] | None] = _nobody  # weakly: nearly all come from one task
        self.stamp: Callable[[], int] = lambda: 0
        self.last: int | None = None
        self._tasks: weakref.WeakKeyDictionary[asyncio.Task[Any], int] = weakref.WeakKeyDictionary()
        self._task_count = 0

    def here(self) -> tuple[int | None, int | None]:
        """The round and the task that we are in, another one than that of the last entry; None for what we
        are not in. The caller sees to it that no two threads are here at once."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return None, None
        if self.loop is not loop:  # the first entry; or it is another loop, in another thread
            self.loop, self.stamp, self.last = loop, stamps_of(loop), None
            self.thread = _get_ident()
        task = asyncio.current_task(loop)
        if task is None:  # a callback
            self.latest, self.number = _nobody, None
        else:
            self.latest, self.number = weakref.ref(task), self._tasks.get(task)
            if self.number is None:
                self.number = self._tasks[task] = self._task_count
                self._task_count += 1
        stamp = self.stamp()
        if stamp != self.last:
            self.advance(stamp)
        return self.tick, self.number

    def advance(self, stamp: int) -> None:
        """Another round than that of the last entry."""
        last, self.last = self.last, stamp
        if self.tick is None:
            self.tick = 0
        elif last is not None and stamp // BURST == last // BURST:
            passed = stamp - last
            self.tick += passed if passed < SETTLED_TICKS else LONG_TICKS + passed
        else:
            self.tick += SETTLED_TICKS + stamp % BURST


class _Nowhere(_Places):
    """Of who carries messages for others: the rounds of its loop are no program's, and counting costs."""

    def here(self) -> tuple[None, None]:
        """None of both."""
        return None, None


def _nobody() -> None:
    """No task."""
