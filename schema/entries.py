"""What the log holds: entries of a session, and the session's header. Formats 1 and 2: `docs/format.md`."""

from __future__ import annotations

import functools
import os
import time
import uuid
from dataclasses import dataclass, field
from enum import IntFlag, StrEnum
from typing import NamedTuple

FORMAT = 1
"""The format of a store, and of a session without frames."""

WIRE_FORMAT = 2
"""The format of a session that holds what crossed sockets. This release reads every format up to it."""


SETTLED_TICKS = 16
"""Between entries whose ticks differ by less, exactly that many rounds of the event loop passed;
by this or more: everything that could run had run, or it went on for so long."""

LONG_TICKS = 1 << 20
"""A difference that is larger by so much: of that many rounds less, and something was left to run all the
while."""


class Kind(StrEnum):
    """What an entry records. `docs/format.md` gives each kind's payload."""

    CONNECT = "connect"
    CONNECTED = "connected"
    CONNECT_FAILED = "connect_failed"
    CLOSE = "close"
    CLOSED = "closed"
    LISTENER_ADDED = "listener_added"
    LISTENER_REMOVED = "listener_removed"
    RECEIVED = "received"
    HANDLED = "handled"
    SENT = "sent"
    SENT_DONE = "sent_done"
    PLAYBACK = "playback"
    CLOCK = "clock"
    SOCKET = "socket"
    SOCKET_OPENED = "socket_opened"
    SOCKET_FAILED = "socket_failed"
    FRAME_IN = "frame_in"
    FRAME_OUT = "frame_out"
    FRAME_DONE = "frame_done"
    SOCKET_ENDED = "socket_ended"
    SOCKET_CLOSE = "socket_close"
    SOCKET_CLOSED = "socket_closed"
    FAULT = "fault"
    MARKER = "marker"
    GAP = "gap"


CALLS = frozenset({Kind.CONNECT, Kind.SENT, Kind.CLOSE})
"""What the application does to the model, and waits for."""

CALL_ENDS = frozenset({Kind.CONNECTED, Kind.CONNECT_FAILED, Kind.SENT_DONE, Kind.CLOSED})
"""How that ended."""


@functools.lru_cache(maxsize=1024)
def text_column(text: str | None) -> str | None:
    """A text without what some database refuses: NUL, and lone surrogates."""
    if text is None:
        return None
    return str(text).replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()


class Flag(IntFlag):
    """What a reader must know of an entry before it trusts it."""

    ASSUMED = 1  # the playback state is not the application's: audio was assumed to play as it came
    REDACTED = 2  # a secret or a redactor took something out of the payload
    CAUSE_LOST = 4  # it had a cause, which the recorder lost
    LOSSY = 8  # a value of an unknown class is kept as a description
    REWRITTEN = 16  # an echo of what the application sent, made to hold what it sends now (`realtape accept`)

    # What is asked of every entry is answered as a number: to make a Flag of it takes twenty times as long.
    __and__ = __rand__ = int.__and__  # pyright: ignore[reportAssignmentType]


class Status(StrEnum):
    """How a session ended, or that it has not."""

    RECORDING = "recording"
    CLOSED = "closed"
    FAILED = "failed"  # it never connected
    INTERRUPTED = "interrupted"  # its process died


class Entry(NamedTuple):
    """One appended fact; its key is (session, seq).

    Attributes:
        seq: from 0, without holes.
        at_ns: nanoseconds of the recorder's clock since the session's first entry.
        tick: round of the event loop, relative to the session; see `SETTLED_TICKS`. None from another
            thread.
        task: number of the asyncio task, in order of appearance; None from another thread.
        kind: what is recorded, a `Kind`.
        type: the event's type, or None.
        method: which method was called (`send_event`, `on_play_ms`, …), or None.
        cause: seq of the entry in whose dynamic extent it happened, or None.
        of: seq of the entry that it ends, or None.
        connection: number of the socket within the session, or None above the socket.
        item_id, content_index, elapsed_ms: the playback state at that moment; elapsed_ms in
            milliseconds.
        payload: JSON text.
        flags: a `Flag` set.
        digest: 32 bytes; see `digests.py`.
    """

    seq: int
    at_ns: int
    tick: int | None
    task: int | None
    kind: str
    type: str | None = None
    method: str | None = None
    cause: int | None = None
    of: int | None = None
    connection: int | None = None
    item_id: str | None = None
    content_index: int | None = None
    elapsed_ms: float | None = None
    payload: str = "{}"
    flags: int = 0
    digest: bytes = b""


SEQ, AT_NS, TICK, TASK = (Entry._fields.index(name) for name in ("seq", "at_ns", "tick", "task"))
KIND, TYPE, CAUSE, OF = (Entry._fields.index(name) for name in ("kind", "type", "cause", "of"))
PAYLOAD = Entry._fields.index("payload") - len(Entry._fields)
"""Where they stand in a row, for who reads many; the payload, from its end."""


@dataclass(frozen=True)
class Header:
    """A session's header, fixed when it begins.

    Attributes:
        id: UUIDv7.
        previous_session: id of the session that the same model object had before, or None.
        started_ns: Unix time in nanoseconds.
        host, pid: of the recording process.
        source: what made the recording: `recorder`, or what derived it from another.
        versions: name → version, of the SDK, Python and ours.
        labels: the user's own.
        format: of the log.
    """

    id: str
    previous_session: str | None
    started_ns: int
    host: str
    pid: int
    source: str
    versions: dict[str, str]
    labels: dict[str, str]
    format: int = FORMAT


@dataclass(frozen=True)
class SessionRecord:
    """A session as a store lists it.

    Attributes:
        key: the store's integer key.
        header: fixed at the start.
        status: `recording` is shown as `interrupted` where the process is known to be dead.
        first_digest: the header's digest, with which the chain begins.
        last_digest: of the last entry that was committed.
    """

    key: int
    header: Header
    status: Status
    first_digest: bytes
    last_digest: bytes
    entries: int = field(default=0)


def new_session_id(unix_ns: int | None = None) -> str:
    """A UUIDv7: 48 bits of Unix milliseconds, then randomness (RFC 9562, section 5.7)."""
    milliseconds = (time.time_ns() if unix_ns is None else unix_ns) // 1_000_000
    number = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10))
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=number))
