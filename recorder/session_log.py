"""One session's log in memory: numbers its entries, encodes them at once, and hands them on in
batches. Safe from any thread; never waits for the disk."""

from __future__ import annotations

import asyncio
import itertools
import math
import threading
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..schema.codec import Codec, Encoded
from ..schema.encoding import Reference
from ..schema.entries import Entry, Flag, Header, Kind, Status
from ..schema.errors import EncodingError
from ..schema.secrets import Secrets
from . import causes

ENTRY_OVERHEAD_BYTES = 300
"""What an entry weighs in memory beside its payload, roughly."""

RECENT_BYTES = 4
"""Byte values looked back on: an audio event follows the raw event that carried the same audio."""

Playback = tuple[str | None, int | None, float | None, bool]
"""(item id, content index, elapsed milliseconds, assumed)."""

NO_PLAYBACK: Playback = (None, None, None, False)
_MAX_INT = (1 << 63) - 1
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Pending:
    """An entry that is not in the database yet, with the bytes that it refers to."""

    entry: Entry
    blobs: dict[Reference, bytes]


@dataclass(slots=True)
class Batch:
    """What a session hands to the writer at once.

    Attributes:
        log: the session.
        entries: in order.
        segment: number of the segment row that `data` becomes, if there is any.
        status: the session's status after these entries.
    """

    log: SessionLog
    entries: list[Pending]
    segment: int
    data: bytes
    status: Status


@dataclass(slots=True)
class _Loss:
    """What was not recorded, until a gap entry can say so."""

    count: int = 0
    from_ns: int = 0
    to_ns: int = 0
    kinds: dict[str, int] = field(default_factory=dict[str, int])


class SessionLog:
    """The log of one session.

    Args:
        header: the session's header.
        codec: turns values into payloads.
        clock: monotonic nanoseconds.
        wake: called after an entry was appended; must not block.
        max_pending_bytes: of entries that the writer has not taken; what comes beyond is lost, and
            a gap says so.
    """

    def __init__(
        self,
        header: Header,
        codec: Codec,
        secrets: Secrets,
        clock: Callable[[], int],
        wake: Callable[[SessionLog], None],
        max_pending_bytes: int,
    ) -> None:
        self.header = header
        self.number = next(_numbers)
        self.status = Status.RECORDING
        self.listed = False  # the writer's: whether it looks at this session
        self.committed: tuple[int, bytes] | None = None  # the writer's: key, digest of the last row
        self.playback: Callable[[], Playback] = lambda: NO_PLAYBACK
        self._codec = codec
        self._secrets = secrets
        self._clock = clock
        self._wake = wake
        self._max_pending_bytes = max_pending_bytes
        self._lock = threading.RLock()
        self._started_ns = clock()
        self._next = 0
        self._pending: list[Pending] = []
        self._pending_bytes = 0
        self._overloaded = False
        self._refusing = False
        self._loss: _Loss | None = None
        self._touched = False
        # Bytes of the segment that the next commit writes.
        self._segment = 0
        self._buffer = bytearray()
        self._recent: deque[tuple[bytes, Reference]] = deque(maxlen=RECENT_BYTES)
        # Place in the program: rounds of the loop, numbers of tasks.
        self._tick = 0
        self._tick_loop: asyncio.AbstractEventLoop | None = None
        self._tasks: weakref.WeakKeyDictionary[asyncio.Task[Any], int] = weakref.WeakKeyDictionary()
        self._task_count = 0
        self._calls: dict[str, int] = {}

    @property
    def last_seq(self) -> int:
        """Of the entry appended last; -1 before the first."""
        return self._next - 1

    @property
    def pending(self) -> bool:
        """Whether there is something for the writer to take."""
        return bool(self._pending) or self._touched

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
        """Append an entry; returns its seq, or None if it had to be dropped.

        Args:
            value: what becomes the payload; encoded before this returns.
            cause: where the data tell it; else it is taken from the context.
        """
        with self._lock:
            playback = _columns(self.playback())  # may append what the tracker was not seen to do
            blobs: dict[Reference, bytes] = {}
            tick, task = self._place()
            at_ns = self._clock() - self._started_ns
            if self._refusing:
                return None
            if self._overloaded:
                self._lose(kind, at_ns)
                return None
            if self._loss is not None:
                self._append_gap(tick, task)
            flags = Flag(0)
            if cause is None:
                frame = causes.current(self.number)
                if frame is not None:
                    cause = frame.seq
                    if cause == LOST:
                        cause, flags = None, Flag.CAUSE_LOST
            encoded = self._encode(value, blobs)
            if encoded.redacted:
                flags |= Flag.REDACTED
            if encoded.lossy:
                flags |= Flag.LOSSY
            item_id, content_index, elapsed_ms, assumed = playback
            if assumed and item_id is not None:
                flags |= Flag.ASSUMED
            seq = self._next
            entry = Entry(
                seq,
                at_ns,
                tick,
                task,
                kind,
                _text(type),
                method,
                cause,
                None if of == LOST else of,
                None,
                item_id,
                content_index,
                elapsed_ms,
                encoded.payload,
                int(flags),
            )
            self._add(entry, blobs)
        self._wake(self)
        return seq

    def remember_call(self, call_id: str, seq: int) -> None:
        """A tool call was received: its output, whoever sends it, will be caused by it."""
        with self._lock:
            self._calls[call_id] = seq

    def call(self, call_id: str) -> int | None:
        """The entry at which this tool call was received."""
        return self._calls.get(call_id)

    def finish(self, status: Status) -> None:
        """Give the session its status; entries may still follow."""
        with self._lock:
            self.status = status
            self._touched = True
        self._wake(self)

    def refuse(self) -> None:
        """The recorder is closed: what is appended from now on is not recorded."""
        with self._lock:
            self._refusing = True

    def take(self) -> Batch | None:
        """Everything that is not in the database yet; the writer's only access."""
        with self._lock:
            if not self._pending and not self._touched:
                return None
            batch = Batch(self, self._pending, self._segment, bytes(self._buffer), self.status)
            self._pending = []
            self._pending_bytes = 0
            self._overloaded = False
            self._touched = False
            if self._buffer:
                self._segment += 1
                self._buffer = bytearray()
            return batch

    def report_loss(self) -> None:
        """Append the gap of what was lost at the very end, where no further entry would."""
        with self._lock:
            if self._loss is not None and not self._overloaded:
                self._append_gap(*self._place())

    # --- inside the lock ----------------------------------------------------------------------

    def _add(self, entry: Entry, blobs: dict[Reference, bytes]) -> None:
        self._pending.append(Pending(entry, blobs))
        self._next += 1
        weight = ENTRY_OVERHEAD_BYTES + len(entry.payload) + sum(map(len, blobs.values()))
        self._pending_bytes += weight
        if self._pending_bytes > self._max_pending_bytes:
            self._overloaded = True

    def _encode(self, value: Any, blobs: dict[Reference, bytes]) -> Encoded:
        def put(data: bytes) -> Reference:
            reference = self._put(self._secrets.scrub_bytes(data))
            blobs[reference[0]] = reference[1]
            return reference[0]

        try:
            return self._codec.encode(value, put, self._secrets)
        except EncodingError as error:
            # The entry must stand at its place; what it held is lost, and it says so.
            name = f"{type(value).__module__}.{type(value).__qualname__}"
            substitute = {"name": name, "error": str(error)}
            encoded = self._codec.encode({"unrecordable": substitute}, put, self._secrets)
            return Encoded(encoded.payload, encoded.redacted, lossy=True)

    def _put(self, data: bytes) -> tuple[Reference, bytes]:
        for known, reference in self._recent:
            if known == data:
                return reference, known
        reference = (self._segment, len(self._buffer), len(data))
        self._buffer += data
        self._recent.append((data, reference))
        return reference, data

    def _lose(self, kind: Kind, at_ns: int) -> None:
        if self._loss is None:
            self._loss = _Loss(from_ns=at_ns)
        self._loss.count += 1
        self._loss.to_ns = at_ns
        self._loss.kinds[kind] = self._loss.kinds.get(kind, 0) + 1

    def _append_gap(self, tick: int | None, task: int | None) -> None:
        loss, self._loss = self._loss, None
        assert loss is not None
        value = {
            "lost": loss.count,
            "from_ns": loss.from_ns,
            "to_ns": loss.to_ns,
            "kinds": loss.kinds,
            "reason": "overload: the writer could not keep up",
        }
        payload = self._encode(value, {}).payload
        at_ns = self._clock() - self._started_ns
        place = (self._next, at_ns, tick, task, Kind.GAP)
        self._add(Entry(*place, None, None, None, None, None, None, None, None, payload, 0), {})

    def _place(self) -> tuple[int | None, int | None]:
        """The round of the loop and the task that we are in.

        A round ends with a callback that the round's first entry puts at the end of the loop's
        queue. Whatever an event wakes is queued behind it: two entries of one round had nothing
        running in between that the first one woke.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return None, None
        if self._tick_loop is not loop:
            if self._tick_loop is not None:  # another loop, in another thread
                self._tick += 1
            self._tick_loop = loop
            loop.call_soon(self._end_tick, loop)
        task = asyncio.current_task(loop)
        if task is None:
            return self._tick, None
        number = self._tasks.get(task)
        if number is None:
            number = self._tasks[task] = self._task_count
            self._task_count += 1
        return self._tick, number

    def _end_tick(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            if self._tick_loop is loop:
                self._tick_loop = None
                self._tick += 1


LOST = -1
"""Seq of an entry that was dropped: what refers to it is marked."""


def _text(text: str | None) -> str | None:
    """A text as a column of any database holds it."""
    if text is None:
        return None
    return str(text).replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()


def _columns(playback: Playback) -> Playback:
    """A playback state as columns hold it: a tracker is the application's, and may say anything."""
    item_id, content_index, elapsed_ms, assumed = playback
    if not isinstance(content_index, int) or abs(content_index) > _MAX_INT:
        content_index = None
    if not isinstance(elapsed_ms, int | float) or not math.isfinite(elapsed_ms):
        elapsed_ms = None
    return (
        _text(item_id) if item_id is not None else None,
        content_index,
        None if elapsed_ms is None else float(elapsed_ms),
        assumed,
    )
