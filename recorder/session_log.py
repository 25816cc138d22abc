"""One session's log in memory: numbers its entries, encodes them at once, and hands them on in
batches. Safe from any thread; never waits for the disk."""

from __future__ import annotations

import dataclasses
import itertools
import logging
import threading
import traceback
from collections.abc import Callable
from typing import Any

from ..schema.codec import Codec
from ..schema.encoding import Reference
from ..schema.entries import Entry, Flag, Header, Kind, Status
from ..schema.secrets import Secrets
from . import causes
from .batches import Batch, Pending
from .budget import Budget
from .columns import NO_PLAYBACK, Playback, PlaybackColumns, text_column
from .losses import OVERLOAD, Loss
from .payloads import Payloads
from .rounds import Rounds

logger = logging.getLogger("realtape.recorder")

ENTRY_OVERHEAD_BYTES = 600
"""What an entry weighs in memory beside its payload and its bytes, roughly."""

MAX_CALLS = 1024
"""For how many tool calls back the output finds its cause."""

MAX_DEFERRED = 64

LOST = -1
"""Seq of an entry that was dropped: what refers to it is marked."""

# As plain integers: an `enum.Flag` takes ten times as long to add up.
_ASSUMED, _CAUSE_LOST = int(Flag.ASSUMED), int(Flag.CAUSE_LOST)
_LATEST_NS = (1 << 63) - 1  # that a column holds: in 292 years
_numbers = itertools.count(1)


class SessionLog:
    """The log of one session.

    Args:
        header: the session's header.
        codec: turns values into payloads.
        secrets: what must not appear in them.
        clock: monotonic nanoseconds.
        wake: called after an entry was appended; must not block.
        budget: of the memory for entries that are not committed; what comes beyond is lost, and a
            gap says so.
    """

    def __init__(
        self,
        header: Header,
        codec: Codec,
        secrets: Secrets,
        clock: Callable[[], int],
        wake: Callable[[SessionLog], None],
        budget: Budget,
    ) -> None:
        self.header = header
        self.number = next(_numbers)
        self.status = Status.RECORDING
        self.handling: set[int] = set()  # events that the listeners are still handling
        self.listed = False  # the writer's: whether it looks at this session
        self.committed: tuple[int, bytes] | None = None  # the writer's: key, digest of the last row
        self.playback: Callable[[], Playback] = lambda: NO_PLAYBACK
        self.secrets = secrets
        self._columns = PlaybackColumns(secrets)
        self._payloads = Payloads(codec, secrets)
        self._clock = clock
        self._wake = wake
        self._budget = budget
        self._lock = threading.RLock()
        self._busy = False
        self._deferred: list[tuple[Any, ...]] = []
        self._refusing = False
        self._started_ns: int | None = None  # by the clock, at the first entry
        self._latest_ns = 0
        self._rounds = Rounds()
        # The next entry's number is `_first` + how many are pending: one step appends it.
        self._first = 0
        self._pending: list[Pending] = []
        self._weight_bytes = 0
        self._touched = False
        self._loss: Loss | None = None
        self._lost_told = 0
        self._calls: dict[str, int] = {}

    @property
    def last_seq(self) -> int:
        """Of the entry appended last; -1 before the first."""
        with self._lock:
            return self._first + len(self._pending) - 1

    @property
    def pending(self) -> bool:
        """Whether there is something for the writer to take."""
        return bool(self._pending or self._touched or self._loss or self._deferred)

    def append(
        self,
        kind: Kind,
        value: Any,
        *,
        type: str | None = None,
        method: str | None = None,
        of: int | None = None,
        cause: int | None = None,
    ) -> int | None:
        """Append an entry; returns its seq, or None if it had to be dropped. Raises nothing.

        Args:
            value: what becomes the payload; encoded before this returns.
            cause: where the data tell it; else it is taken from the context.
        """
        if self._refusing:
            return None
        playback = self._playback_now()  # may append what the tracker was not seen to do
        if cause is None:
            frame = causes.current(self.number)
            cause = None if frame is None else frame.seq
        with self._lock:
            if self._busy:
                # A signal handler, a finalizer or a redactor, in the middle of another append of
                # this thread: its turn comes when that one is whole.
                if len(self._deferred) < MAX_DEFERRED:
                    self._deferred.append((kind, value, type, method, of, cause, playback))
                return None
            self._busy = True
            try:
                seq = self._append(kind, value, type, method, of, cause, playback)
                if self._deferred:
                    self._append_deferred()
            finally:
                self._busy = False
        self._wake(self)
        return seq

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
        if self._refusing:
            return
        with self._lock:
            self.status = status
            self._touched = True
        self._wake(self)

    def refuse(self) -> None:
        """What is appended from now on is not recorded."""
        for seq in sorted(self.handling):  # or it would look as if they had returned at once
            self.append(Kind.HANDLED, {"outcome": "open"}, of=seq)
        with self._lock:
            self._refusing = True

    def disown(self) -> None:
        """In a forked child: the session is the parent's, and so is everything that is pending."""
        self._refusing = True
        self._lock = threading.RLock()  # another thread of the parent may have held it
        self._busy = self._touched = False
        self._pending, self._deferred, self._loss = [], [], None

    def take(self) -> Batch | None:
        """Everything that is not in the database yet; the writer's only access."""
        with self._lock:
            if not self.pending:
                return None
            self._busy = True
            try:
                if self._deferred:
                    self._append_deferred()
                if self._loss is not None:  # where no further entry comes to append the gap
                    self._append_gap(self._now(), None, None)
                return self._batch()
            finally:
                self._busy = False

    def scrubbed_header(self) -> Header:
        """The header as it goes into the store: no secret in a label either."""
        scrub = self.secrets.scrub
        labels = {scrub(name): scrub(value) for name, value in self.header.labels.items()}
        self.header = dataclasses.replace(self.header, labels=labels)
        return self.header

    # --- inside the lock ----------------------------------------------------------------------

    def _append(
        self,
        kind: Kind,
        value: Any,
        type: str | None,
        method: str | None,
        of: int | None,
        cause: int | None,
        playback: Playback,
    ) -> int | None:
        at_ns = self._latest_ns
        try:
            at_ns = self._now()
            if self._refusing:
                return None
            if self._budget.exhausted:
                self._lose(kind, at_ns, OVERLOAD)
                return None
            tick, task = self._rounds.place()
            if self._loss is not None:
                self._append_gap(at_ns, tick, task)
            payload, flags = self._payloads.encode(value)
            item_id, content_index, elapsed_ms, assumed = playback
            if assumed and item_id is not None:
                flags |= _ASSUMED
            if cause == LOST:
                cause, flags = None, flags | _CAUSE_LOST
            if of == LOST:
                of = None
            seq = self._first + len(self._pending)
            place = (seq, at_ns, tick, task, kind, text_column(type), method, cause, of, None)
            entry = Entry(*place, item_id, content_index, elapsed_ms, payload, flags)
            self._add(entry, self._payloads.blobs)
        except Exception as error:  # noqa: BLE001 - the application goes on, whatever happens here
            # Without the error's text, and without source: they may quote what was to be recorded.
            name = error.__class__.__name__
            trace = traceback.extract_tb(error.__traceback__)
            where = ", ".join(f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in trace)
            logger.error("an entry is lost, please report this: %s in %s", name, where)
            self._lose(kind, at_ns, f"the recorder failed: {name}")
            return None
        return seq

    def _append_deferred(self) -> None:
        deferred, self._deferred = self._deferred, []  # a redactor would go on for ever
        for arguments in deferred:
            self._append(*arguments)

    def _append_gap(self, at_ns: int, tick: int | None, task: int | None) -> None:
        loss, self._loss = self._loss, None
        assert loss is not None
        self._lost_told += loss.count
        self._add(loss.gap(self._first + len(self._pending), at_ns, tick, task), {})

    def _add(self, entry: Entry, blobs: dict[Reference, bytes]) -> None:
        weight = ENTRY_OVERHEAD_BYTES + len(entry.payload)
        for data in blobs.values():
            weight += len(data)
        self._weight_bytes += weight
        self._budget.hold(weight)
        self._pending.append(Pending(entry, blobs))

    def _batch(self) -> Batch:
        entries, segment = self._pending, self._payloads.segments.take()
        batch = Batch(self, entries, *segment, self.status, self._weight_bytes, self._lost_told)
        self._first += len(entries)
        self._pending = []
        self._weight_bytes = self._lost_told = 0
        self._touched = False
        return batch

    def _lose(self, kind: Kind, at_ns: int, reason: str) -> None:
        if self._loss is None:
            self._loss = Loss(reason)
        self._loss.add(kind, at_ns)

    def _now(self) -> int:
        """Nanoseconds since the first entry; a clock that runs backwards stands still here."""
        now_ns = self._clock()
        if self._started_ns is None:
            self._started_ns = now_ns
        at_ns = int(now_ns - self._started_ns)
        if self._latest_ns <= at_ns <= _LATEST_NS:
            self._latest_ns = at_ns
        return self._latest_ns

    # --- outside the lock ---------------------------------------------------------------------

    def _playback_now(self) -> Playback:
        """The playback state as columns hold it: a tracker is the application's, and may say, or
        raise, anything. Outside our lock: the tracker may wait for one of its own."""
        try:
            state = self.playback()
            return state if state is NO_PLAYBACK else self._columns.of(state)
        except Exception as error:  # noqa: BLE001 - see above
            logger.debug("the playback state cannot be read: %s", error.__class__.__name__)
            return NO_PLAYBACK
