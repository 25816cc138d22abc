"""Rows ↔ entries and headers: the only place that reads and writes the tables of a log."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import time
from collections import Counter
from collections.abc import Collection, Generator, Iterator, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.engine import Connection

from ..codec import from_json
from ..entries import SEQ, Entry, Header, Kind, SessionRecord, Status
from ..errors import CorruptRecordError
from .digests import header_digest
from .tables import ENTRIES, SEGMENTS, SESSIONS

_NAMES = [column.name for column in ENTRIES.c]
_QUOTED = ", ".join(f'"{name}"' for name in _NAMES)
_INSERT_ENTRIES = f"INSERT INTO entries ({_QUOTED}) VALUES ({', '.join('?' * len(_NAMES))})"
_ENTRY_COLUMNS = [ENTRIES.c[name] for name in Entry._fields]
_IMPORTED_NS = time.time_ns()
"""Before any session of this process."""

READ_BATCH = 512
"""Rows that one reading step takes; bounds the memory of a stream."""

_FIELDS = ", ".join(f'"{name}"' for name in Entry._fields)
_FROM = f"FROM entries WHERE session = ? AND seq >= ? ORDER BY seq LIMIT {READ_BATCH}"
_SELECT_ENTRIES = f"SELECT {_FIELDS} {_FROM}"

_BARE = (
    'coalesce(method, cause, "of", connection, item_id, content_index, elapsed_ms) IS NULL '
    f"AND kind = '{Kind.RECEIVED}' AND flags = 0"
)
_SELECT_BARE = f'SELECT "seq", "at_ns", "tick", "task", "payload", "type", {_BARE} {_FROM}'
_SELECT_OTHERS = f"SELECT {_FIELDS} FROM entries WHERE session = ? AND seq BETWEEN ? AND ? AND NOT ({_BARE})"
BARE_FIELDS = 7
"""So many has the row of a bare event: seq, at_ns, tick, task, payload, type, and a truth. The first four,
the type and the payload stand where they stand in any row."""

_MOSTLY_BARE = (BARE_FIELDS + len(Entry._fields)) / 2
"""Fields of a row, at most, on average: else it is sooner read all of it."""

_RECEIVED, _NOTHING = Kind.RECEIVED.value, (None,) * 7
_is_bare = itemgetter(-1)

Row = tuple[Any, ...]
"""The fields of an `Entry`, in its order; or BARE_FIELDS of a received event that has nothing but these.
`entry_of` it where they are asked for by name."""


def entry_of(row: Row) -> Entry:
    """What a row holds. The digest of a bare event is not read."""
    if len(row) != BARE_FIELDS:
        return Entry._make(row)
    seq, at_ns, tick, task, payload, type, _ = row
    return Entry._make((seq, at_ns, tick, task, _RECEIVED, type, *_NOTHING, payload, 0, b""))


# --- writing: by the one thread that owns the connection, in its transaction ----------------------


def insert_session(connection: Connection, header: Header) -> tuple[int, bytes]:
    """Add a session; returns its key, and the digest with which its chain begins."""
    first = header_digest(header)
    values = {
        "id": header.id,
        "previous_session": header.previous_session,
        "started_ns": header.started_ns,
        "host": header.host,
        "pid": header.pid,
        "source": header.source,
        "versions": json.dumps(header.versions),
        "labels": json.dumps(header.labels),
        "format": header.format,
        "status": Status.RECORDING,
        "first_digest": first,
        "last_digest": first,
    }
    key = connection.execute(insert(SESSIONS).values(values).returning(SESSIONS.c.key)).scalar_one()
    return int(key), first


def insert_entries(connection: Connection, key: int, entries: Sequence[Entry]) -> None:
    """Append entries of one session."""
    if connection.dialect.name == "sqlite":
        # Tuples past the compiler: three times faster than Core's dictionaries, and the writer
        # holds the interpreter's lock meanwhile.
        connection.exec_driver_sql(_INSERT_ENTRIES, [(key, *entry) for entry in entries])
    else:
        rows = [{"session": key, **entry._asdict()} for entry in entries]
        connection.execute(insert(ENTRIES), rows)


def insert_segment(connection: Connection, key: int, segment: int, data: bytes) -> None:
    """Append the bytes of one commit."""
    connection.execute(insert(SEGMENTS).values(session=key, segment=segment, data=data))


def find_session(connection: Connection, session_id: str) -> tuple[int, bytes] | None:
    """The key and the last digest of a session, or None where the store has no such session."""
    query = select(SESSIONS.c.key, SESSIONS.c.last_digest).where(SESSIONS.c.id == session_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else (int(row.key), bytes(row.last_digest))


def count_kinds(connection: Connection, key: int) -> tuple[Counter[str], int]:
    """How many entries of each kind a session has, and when the last of them was appended."""
    query = select(ENTRIES.c.kind, func.count(), func.max(ENTRIES.c.at_ns)).where(ENTRIES.c.session == key)
    rows = connection.execute(query.group_by(ENTRIES.c.kind)).all()
    return Counter({row[0]: row[1] for row in rows}), max((row[2] for row in rows), default=0)


def fetch_segment_numbers(connection: Connection, key: int) -> set[int]:
    """Which segments a session has."""
    return set(connection.execute(select(SEGMENTS.c.segment).where(SEGMENTS.c.session == key)).scalars())


def advance_session(
    connection: Connection, key: int, session_id: str, before: bytes, after: bytes, status: Status
) -> bool:
    """Note how far the session's log goes, and whether it has ended.

    Returns:
        Whether it stood where it was thought to stand. If not, the key is another session's, or the file
        another one than it was: roll back.
    """
    found = update(SESSIONS).where(
        SESSIONS.c.key == key, SESSIONS.c.id == session_id, SESSIONS.c.last_digest == before
    )
    return connection.execute(found.values(status=status, last_digest=after)).rowcount == 1


def mark_interrupted(connection: Connection) -> None:
    """Give sessions whose process is dead their status."""
    rows = connection.execute(
        select(SESSIONS.c.key, SESSIONS.c.host, SESSIONS.c.pid, SESSIONS.c.started_ns).where(
            SESSIONS.c.status == Status.RECORDING
        )
    ).all()
    dead = [row.key for row in rows if _is_dead(row.host, row.pid, row.started_ns)]
    if dead:
        connection.execute(update(SESSIONS).where(SESSIONS.c.key.in_(dead)).values(status=Status.INTERRUPTED))


# --- reading: blocking; `stores.read` asks the same without blocking the event loop -----------------


def fetch_sessions(connection: Connection) -> list[SessionRecord]:
    """All sessions, oldest first, each with its number of entries.

    Raises:
        CorruptRecordError: a header that no release wrote.
    """
    last = (
        select(func.max(ENTRIES.c.seq)).where(ENTRIES.c.session == SESSIONS.c.key).scalar_subquery()
    )  # one look into the index, where a GROUP BY would read all of it
    query = select(SESSIONS, last.label("last")).order_by(SESSIONS.c.started_ns, SESSIONS.c.key)
    return [_session(row) for row in connection.execute(query).mappings()]


def fetch_rows(connection: Connection, key: int, first: int, *, bare: bool = False) -> list[Row]:
    """READ_BATCH entries of a session from `first` on, as rows; fewer where it ends.

    Args:
        bare: received events that have nothing but BARE_FIELDS may come as these: twice as fast.
    """
    raw = connection.connection.driver_connection
    if isinstance(raw, sqlite3.Connection):  # past the compiler: a replay must not wait for its log
        if not bare:
            return raw.execute(_SELECT_ENTRIES, (key, first)).fetchall()
        rows: list[Row] = raw.execute(_SELECT_BARE, (key, first)).fetchall()
        if all(map(_is_bare, rows)):
            return rows
        among = (key, rows[0][SEQ], rows[-1][SEQ])
        others = {row[SEQ]: row for row in raw.execute(_SELECT_OTHERS, among)}
        return [row if row[-1] else others[row[SEQ]] for row in rows]
    query = select(*_ENTRY_COLUMNS).where(ENTRIES.c.session == key, ENTRIES.c.seq >= first)
    found: Any = connection.execute(query.order_by(ENTRIES.c.seq).limit(READ_BATCH))
    return list(map(tuple, found))


def fetch_entries(connection: Connection, key: int, first: int) -> list[Entry]:
    """READ_BATCH entries of a session from `first` on; fewer where it ends."""
    return list(map(Entry._make, fetch_rows(connection, key, first)))


def row_batches(
    connection: Connection, key: int, first: int = 0, *, bare: bool = False
) -> Generator[list[Row]]:
    """The entries of a session from `first` on, READ_BATCH in memory at a time.

    Args:
        bare: as in `fetch_rows`, for as long as there are enough such.
    """
    while rows := fetch_rows(connection, key, first, bare=bare):
        bare = bare and sum(map(len, rows)) < _MOSTLY_BARE * len(rows)
        yield rows
        if len(rows) < READ_BATCH:
            return
        first = rows[-1][SEQ] + 1


def entry_batches(connection: Connection, key: int, first: int = 0) -> Generator[list[Entry]]:
    """As `row_batches`, each row an entry."""
    for rows in row_batches(connection, key, first):
        yield list(map(Entry._make, rows))


def fetch_segment(connection: Connection, key: int, segment: int) -> bytes | None:
    """The bytes of one commit, or None where the log lacks them."""
    query = select(SEGMENTS.c.data).where(SEGMENTS.c.session == key, SEGMENTS.c.segment == segment)
    data = connection.execute(query).scalar_one_or_none()
    return None if data is None else bytes(data)


def fetch_ended(connection: Connection, key: int) -> Iterator[int]:
    """The numbers of the entries that others end, in any order."""
    query = select(ENTRIES.c.of).where(ENTRIES.c.session == key, ENTRIES.c.of.is_not(None))
    for row in connection.execute(query.execution_options(yield_per=READ_BATCH)):
        yield row[0]


def has_kind(connection: Connection, key: int, kind: str, types: Collection[str] | None = None) -> bool:
    """Whether a session holds an entry of this kind, and of one of these types, if any are named."""
    query = select(ENTRIES.c.seq).where(ENTRIES.c.session == key, ENTRIES.c.kind == kind).limit(1)
    if types is not None:
        query = query.where(ENTRIES.c.type.in_(types))
    return connection.execute(query).first() is not None


def _session(row: Any) -> SessionRecord:
    try:
        status = Status(row["status"])
        if status is Status.RECORDING and _is_dead(row["host"], row["pid"], row["started_ns"]):
            status = Status.INTERRUPTED
        return SessionRecord(
            key=row["key"],
            header=Header(
                id=row["id"],
                previous_session=row["previous_session"],
                started_ns=row["started_ns"],
                host=row["host"],
                pid=row["pid"],
                source=row["source"],
                versions=dict(from_json(row["versions"])),
                labels=dict(from_json(row["labels"])),
                format=row["format"],
            ),
            status=status,
            first_digest=bytes(row["first_digest"]),
            last_digest=bytes(row["last_digest"]),
            entries=0 if row["last"] is None else row["last"] + 1,
        )
    except (TypeError, ValueError) as error:
        raise CorruptRecordError(str(row["id"]), None, f"it cannot be read ({error})") from error


def _is_dead(host: str, pid: int, started_ns: int) -> bool:
    """Whether a recording process is known to be gone; of another machine's nothing is known."""
    if host != socket.gethostname():
        return False
    if pid == os.getpid():  # ours, or that of a former life: containers number theirs alike
        return started_ns < _IMPORTED_NS
    if os.name != "posix":  # elsewhere signal 0 is not a question
        return False
    if not 0 < pid < 1 << 31:  # no process has such a number
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
