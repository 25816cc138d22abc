"""The digest chain: from the header's digest over every column of every entry, and its bytes.

It detects accidents: a changed, missing, swapped or cut entry is found and named. Against a forger,
who can compute the whole chain again, it helps only if the last digest is kept elsewhere.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable
from typing import Any

from ..codec import MAX_SIZE, REFERS, references
from ..entries import Entry, Header
from ..errors import DecodingError

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

    Raises:
        DecodingError: it refers to more bytes than any entry that we write.
    """
    return _digest(previous, _columns(entry), entry.payload, get)


def bare_digest(previous: bytes, row: tuple[Any, ...], get: Callable[[int, int, int], bytes]) -> bytes:
    """The same of a row of BARE_FIELDS, of which most of a log consists: in half of the time."""
    seq, at_ns, tick, task, payload, type, _ = row
    tick, task = _NULL if tick is None else tick, _NULL if task is None else task
    columns = f'[{seq},{at_ns},{tick},{task},"received",{_text(type)},null,null,null,null,null,null,null,0]'
    return _digest(previous, columns, payload, get)


def _digest(previous: bytes, columns: str, payload: str, get: Callable[[int, int, int], bytes]) -> bytes:
    digest = hashlib.sha256(previous + f"{columns}\n{payload}".encode())
    if REFERS in payload:
        size = 0
        for reference in references(payload):
            size += reference[2]
            if size > MAX_SIZE:  # many references to the same bytes are a day's work
                raise DecodingError("the payload refers to more bytes than any that we write")
            digest.update(get(*reference))
    return digest.digest()


def _columns(entry: Entry) -> str:
    """The columns but payload and digest, as `json` writes the list of them, for a fifth of its price."""
    seq, at_ns, tick, task, kind, type, method, cause, of, connection, item, index, ms, _, flags, _ = entry
    if ms is not None:
        # As every database reads it back: a float, and in SQLite without the sign of a zero.
        ms = ms + 0.0
    for number in (seq, at_ns, tick, task, cause, of, connection, index, flags):
        if number.__class__ is not int and number is not None:
            break
    else:
        if ms is None or -_LARGE < ms < _LARGE:
            return (
                f"[{seq},{at_ns},{_NULL if tick is None else tick},{_NULL if task is None else task},"
                f"{_text(kind)},{_text(type)},{_text(method)},{_NULL if cause is None else cause},"
                f"{_NULL if of is None else of},{_NULL if connection is None else connection},{_text(item)},"
                f"{_NULL if index is None else index},{_NULL if ms is None else repr(ms)},{flags}]"
            )
    return _dumps([*entry[:12], ms, flags])  # a damaged row may hold anything


_NULL, _LARGE = "null", 1e300


@functools.lru_cache(maxsize=1024)
def _text(text: str | None) -> str:
    return _dumps(text)
