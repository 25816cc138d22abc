"""The digest chain: from the header's digest over every column of every entry, and its bytes.

It detects accidents: a changed, missing, swapped or cut entry is found and named. Against a forger,
who can compute the whole chain again, it helps only if the last digest is kept elsewhere.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

from ..codec import BRACKET, MAX_SIZE, REFERS, references
from ..entries import Entry, Header
from ..errors import DecodingError

Appended = tuple[Any, ...]
"""An entry that was made in this process: the fields of an `Entry`, of which the digest is not looked at; and
behind them the bytes to which its payload refers, each with where they lie. Of immutable parts and none
within another: the garbage collector forgets such a tuple."""

BLOB_FIELDS = 4
"""Of each of these: segment, offset, length, bytes."""

_sha256 = hashlib.sha256
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
    return _sha256(_dumps(fields).encode()).digest()


def entry_digest(previous: bytes, entry: Entry, get: Callable[[int, int, int], bytes]) -> bytes:
    """SHA-256 over the digest before, every column but the digest itself, and the bytes.

    Args:
        previous: the digest of the entry before, or the header's.
        entry: its `digest` is not looked at.
        get: the bytes at (segment, offset, length) of this session.

    Raises:
        DecodingError: it refers to more bytes than any entry that we write.
    """
    hashed = _sha256(previous + f"{_columns(entry)}\n{entry.payload}".encode())
    return _with_bytes(hashed, entry.payload, get) if REFERS in entry.payload else hashed.digest()


def appended_digest(previous: bytes, appended: Appended) -> bytes:
    """The same of an entry that was made in this process: it is known that its numbers are numbers, and to
    which bytes its payload refers."""
    # fmt: off
    (
        seq, at_ns, tick, task, kind, type, method, cause, of, connection, item, index, ms, payload, flags, _,
        *blobs,
    ) = appended
    # fmt: on
    place = f"{seq},{at_ns},{_NULL if tick is None else tick},{_NULL if task is None else task}"
    if method is cause is of is connection is item is index is ms is None:
        data = f"[{place},{_text(kind)},{_text(type)},{_NULLS},{flags}]\n{payload}".encode()
    else:
        data = (
            f"[{place},{_text(kind)},{_text(type)},{_NULL if method is None else _text(method)},"
            f"{_NULL if cause is None else cause},{_NULL if of is None else of},"
            f"{_NULL if connection is None else connection},{_NULL if item is None else _text(item)},"
            f"{_NULL if index is None else index},{_NULL if ms is None else _number(ms)},{flags}]\n{payload}"
        ).encode()
    if not blobs:
        return _sha256(previous + data).digest()
    if len(blobs) == BLOB_FIELDS:
        return _sha256(b"".join((previous, data, blobs[-1]))).digest()
    kept = {tuple(blobs[at : at + 3]): blobs[at + 3] for at in range(0, len(blobs), BLOB_FIELDS)}

    def get(*reference: int) -> bytes:
        return kept[reference]

    return _with_bytes(_sha256(previous + data), payload, get)


def _number(ms: float) -> str:
    ms = ms + 0.0
    return repr(ms) if -_LARGE < ms < _LARGE else _dumps(ms)


def intact_until(
    first: int, previous: bytes, rows: Sequence[tuple[Any, ...]], get: Callable[[int, int, int], bytes]
) -> int:
    """The number of the first entry that is not what was appended, or of the one behind the last.

    A log is read no faster than this goes: so the rows of bare events (`rows.py`), of which most of one
    consists, are spelled here, all alike but for a few numbers.

    Args:
        first: the number that the first of these rows must have.
        previous: the digest of the entry before that, or the header's.
        rows: as they were read.
        get: as for `entry_digest`.
    """
    number, middle = first, ""
    last_task = last_type = _FIELDS  # no type
    try:
        for number, row in enumerate(rows, first):
            if len(row) == _FIELDS:
                seq, recorded = row[0], row[-1]
                digest = entry_digest(previous, Entry._make(row), get)
            else:
                seq, at_ns, tick, task, payload, type, recorded = row
                if type != last_type or task != last_task:
                    last_type, last_task = type, task
                    middle = (
                        f'{_NULL if task is None else task},"received",{_text(type)}'
                        ",null,null,null,null,null,null,null,0]\n"
                    )
                text = f"[{seq},{at_ns},{_NULL if tick is None else tick},{middle}{payload}"
                hashed = _sha256(previous + text.encode())
                refers = BRACKET in payload and REFERS in payload
                digest = _with_bytes(hashed, payload, get) if refers else hashed.digest()
            if digest != recorded or seq != number:
                return number
            previous = recorded
    except DecodingError:
        return number
    return first + len(rows)


def _with_bytes(hashed: Any, payload: str, get: Callable[[int, int, int], bytes]) -> bytes:
    """The digest, with the bytes to which the payload refers."""
    size = 0
    for reference in references(payload):
        size += reference[2]
        if size > MAX_SIZE:  # many references to the same bytes are a day's work
            raise DecodingError("the payload refers to more bytes than any that we write")
        hashed.update(get(*reference))
    digest: bytes = hashed.digest()
    return digest


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


_NULL, _LARGE, _FIELDS = "null", 1e300, len(Entry._fields)
_NULLS = ",".join([_NULL] * 7)  # of what a bare event has none


@functools.lru_cache(maxsize=1024)
def _text(text: str | None) -> str:
    return _dumps(text)
