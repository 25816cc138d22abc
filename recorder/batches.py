"""What a session hands to the writer at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ..schema.encoding import Reference
from ..schema.entries import Entry, Status

if TYPE_CHECKING:
    from .session_log import SessionLog


class Pending(NamedTuple):
    """An entry that is not in the database yet, with the bytes that it refers to.

    The bytes may lie in the segment of an earlier commit, and its digest is over them all the same.
    """

    entry: Entry
    blobs: dict[Reference, bytes]

    def bytes_at(self, segment: int, offset: int, length: int) -> bytes:
        """The bytes at a reference of the entry's payload."""
        return self.blobs[segment, offset, length]


@dataclass(slots=True)
class Batch:
    """One session's part of a commit.

    Attributes:
        log: the session.
        entries: in order.
        segment: number of the segment row that `parts` become, if there are any.
        parts: the segment's bytes, in pieces.
        status: the session's status after these entries.
        weight_bytes: what it counts for in the budget, until it is committed.
        lost: how many dropped entries its gaps tell of.
        last_digest: of its last entry, once an attempt to write it has computed that.
    """

    log: SessionLog
    entries: list[Pending]
    segment: int
    parts: list[bytes]
    status: Status
    weight_bytes: int
    lost: int
    last_digest: bytes | None = None
