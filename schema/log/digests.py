"""The digest chain: from the header's digest over every column of every entry, and its bytes.

It detects accidents: a changed, missing, swapped or cut entry is found and named. Against a forger,
who can compute the whole chain again, it helps only if the last digest is kept elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

from ..codec import references
from ..entries import Entry, Header

_dumps = json.JSONEncoder(separators=(",", ":")).encode


def header_digest(header: Header) -> bytes:
    """SHA-256 over the header, 32 bytes."""
    fields = [
        header.format,
        header.id,
        header.previous_session,
        header.started_ns,
        header.host,
        header.pid,
        header.source,
        dict(sorted(header.versions.items())),
        dict(sorted(header.labels.items())),
    ]
    return hashlib.sha256(_dumps(fields).encode()).digest()


def entry_digest(previous: bytes, entry: Entry, get: Callable[[int, int, int], bytes]) -> bytes:
    """SHA-256 over the digest before, every column but the digest itself, and the bytes.

    Args:
        previous: the digest of the entry before, or the header's.
        entry: its `digest` is not looked at.
        get: the bytes at (segment, offset, length) of this session.
    """
    digest = hashlib.sha256(previous)
    columns = [*entry[:12], entry.elapsed_ms, entry.flags]
    if entry.elapsed_ms is not None:
        # As every database reads it back: a float, and in SQLite without the sign of a zero.
        columns[12] = entry.elapsed_ms + 0.0
    digest.update(_dumps(columns).encode())
    digest.update(b"\n")
    digest.update(entry.payload.encode())
    for reference in references(entry.payload):
        digest.update(get(*reference))
    return digest.digest()
