"""How recording is going: what `Recorder.status` tells, and what a callback is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Durability = Literal["full", "normal"]


@dataclass(frozen=True)
class RecorderStatus:
    """A recorder at one moment. Numbers count since it was made, or since its process was forked.

    Attributes:
        store: path or URL, without a password.
        durability: what a commit survives: `full`, a power failure; `normal`, the end of the process.
        sessions: that are going on.
        entries: committed.
        payload_bytes: of these, characters of text and bytes; without the database's own.
        pending_entries: appended, and not committed yet.
        pending_bytes: what they hold in memory.
        lost_entries: that gaps tell of: dropped, refused, gone with a file, or not encoded, where a
            redactor raised.
        removed_sessions: that the retention took.
        commits: made.
        commit_seconds: what the last one took.
        loss_window_seconds: how old an entry may be that the end of the machine would cost: the pause between
            commits, a commit, and what waits that may be the beginning of a secret. Longer while `error` says
            why nothing can be written.
        failing_seconds: since when nothing could be written; 0 while it can.
        error: what is wrong, and what to do; None while nothing is.
        closed: whether it records no more.
    """

    store: str
    durability: Durability
    sessions: int
    entries: int
    payload_bytes: int
    pending_entries: int
    pending_bytes: int
    lost_entries: int
    removed_sessions: int
    commits: int
    commit_seconds: float
    loss_window_seconds: float
    failing_seconds: float
    error: str | None
    closed: bool
