"""Rows ↔ entries and headers: the only place that reads and writes the tables of a log."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import func, insert, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from ..codec import from_json
from ..entries import SEQ, Entry, Header, Kind, SessionRecord, Status
from ..errors import CorruptRecordError
from .digests import Appended, appended_digest, header_digest
from .driver_errors import REFUSALS, damage_of
from .liveness import judged
from .tables import ENTRIES, SEGMENTS, SESSIONS
from .untyped import ENTRY_TYPES, SESSION_TYPES, fit, read_entries, read_session, session_keys

_NAMES = [column.name for column in ENTRIES.c]
_QUOTED = ", ".join(f'"{name}"' for name in _NAMES)
_INSERT_ENTRIES = f"INSERT INTO entries ({_QUOTED}) VALUES ({', '.join('?' * len(_NAMES))})"
_INSERT_BARE, _INSERT_PLAYED = (
    f"INSERT INTO entries ({_QUOTED}) VALUES (?, ?, ?, ?, ?, '{Kind.RECEIVED}', ?, "
    f"NULL, NULL, NULL, NULL, {played})"
    for played in ("NULL, NULL, NULL, ?, 0, ?", "?, ?, ?, ?, ?, ?")
)
"""Of received events, with nothing else to tell of but what was heard: what stands in the statement costs a
third less to insert than what is bound to it. The digest comes last in both."""
_INSERT_SESSION = insert(SESSIONS).returning(SESSIONS.c.key)  # made once: values in it are looked at anew
_INSERT_SEGMENT = "INSERT INTO segments (session, segment, data) VALUES (?, ?, ?)"
_ADVANCE_SESSION = (
    'UPDATE sessions SET status = ?, last_digest = ? WHERE "key" = ? AND id = ? AND last_digest = ?'
)
_ENTRY_COLUMNS = [ENTRIES.c[name] for name in Entry._fields]
READ_BATCH = 512
"""Rows that one reading step takes; bounds the memory of a stream."""

_FIELDS = ", ".join(f'"{name}"' for name in Entry._fields)
_FROM = f"FROM entries WHERE session = ? AND seq >= ? ORDER BY seq LIMIT {READ_BATCH}"
_SELECT_ENTRIES = f"SELECT {_FIELDS} {_FROM}"

_HEADER = ", ".join(SESSION_TYPES)
_SELECT_SESSIONS = (
    f"SELECT {_HEADER}, (SELECT max(seq) FROM entries WHERE session = key) "
    "FROM sessions ORDER BY started_ns, key"
)  # one look into the index, where a GROUP BY would read all of it
_SELECT_SEGMENT = "SELECT data FROM segments WHERE session = ? AND segment = ?"
_SELECT_LAST = "SELECT max(seq) FROM entries WHERE session = ?"
_SELECT_SEQS = f"SELECT seq {_FROM}"

_BARE = (
    'coalesce(method, cause, "of", connection, item_id, content_index, elapsed_ms) IS NULL '
    f"AND kind = '{Kind.RECEIVED}' AND flags = 0"
)
_BARE_COLUMNS = ("seq", "at_ns", "tick", "task", "payload", "type")
_SELECT_BARE = f"SELECT {', '.join(_BARE_COLUMNS)}, CASE WHEN {_BARE} THEN digest END {_FROM}"
_SELECT_OTHERS = (
    f"SELECT {_FIELDS} FROM entries WHERE session = ? AND seq BETWEEN ? AND ? AND ({_BARE}) IS NOT TRUE"
)
BARE_FIELDS = 7
"""So many has the row of a bare event: seq, at_ns, tick, task, payload, type, digest. The first four,
the type and the payload stand where they stand in any row."""

_MOSTLY_BARE = (BARE_FIELDS + len(Entry._fields)) / 2
"""Fields of a row, at most, on average: else it is sooner read all of it."""

_DIGEST = Entry._fields.index("digest")
_MIDWAY = "None"
"""A recorder wrote so in the middle of a large batch, once; where it stands it died there."""

_RECEIVED, _NOTHING = Kind.RECEIVED.value, (None,) * 7
_ROW_TYPES = [*ENTRY_TYPES.values()]
_BARE_TYPES = [*(ENTRY_TYPES[name] for name in _BARE_COLUMNS), ENTRY_TYPES["digest"] | {type(None)}]

Row = tuple[Any, ...]
"""The fields of an `Entry`, in its order; or BARE_FIELDS of a received event that has nothing but these.
`entry_of` it where they are asked for by name."""


class RowBatch(NamedTuple):
    """Entries of a session, one after another, as they were read.

    Attributes:
        rows: of each.
        columns: the same field by field, where all have BARE_FIELDS: what is asked of all of them is sooner
            asked of a column.
    """

    rows: list[Row]
    columns: list[tuple[Any, ...]] | None = None

    def part(self, begin: int, end: int) -> RowBatch:
        """Some of them."""
        if end - begin == len(self.rows):
            return self
        columns = self.columns and [column[begin:end] for column in self.columns]
        return RowBatch(self.rows[begin:end], columns)

    def column(self, field: int) -> Sequence[Any]:
        """What they have in a field that all rows have."""
        return [row[field] for row in self.rows] if self.columns is None else self.columns[field]


def entry_of(row: Row) -> Entry:
    """What a row holds."""
    if len(row) != BARE_FIELDS:
        return Entry._make(row)
    seq, at_ns, tick, task, payload, type, digest = row
    return Entry._make((seq, at_ns, tick, task, _RECEIVED, type, *_NOTHING, payload, 0, digest))


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
    key = connection.execute(_INSERT_SESSION, values).scalar_one()
    return int(key), first


def insert_entries(connection: Connection, key: int, entries: Sequence[Row]) -> None:
    """Append entries of one session: all of their fields."""
    raw = connection.connection.driver_connection
    if isinstance(raw, sqlite3.Connection):
        # The driver's own: four times faster than Core's dictionaries, and the writer holds the interpreter's
        # lock meanwhile.
        _driven(raw.executemany, _INSERT_ENTRIES, [(key, *entry) for entry in entries])
    else:
        rows = [{"session": key, **dict(zip(Entry._fields, entry, strict=True))} for entry in entries]
        connection.execute(insert(ENTRIES), rows)


def append_entries(connection: Connection, key: int, digest: bytes, entries: Sequence[Appended]) -> bytes:
    """Append entries that were made in this process, each with its digest.

    Args:
        digest: of the entry before these, or the header's.

    Returns:
        That of the last one.
    """
    raw = connection.connection.driver_connection
    if not isinstance(raw, sqlite3.Connection):
        whole: list[Row] = []
        for entry in entries:
            digest = appended_digest(digest, entry)
            whole.append((*entry[:_DIGEST], digest))
        insert_entries(connection, key, whole)
        return digest
    runs: list[tuple[str, list[Row]]] = []
    rows: list[Row] = []
    last = ""
    for entry in entries:
        digest = appended_digest(digest, entry)
        _, _, _, _, kind, _, method, cause, of, number, item, index, ms, payload, flags = entry[:_DIGEST]
        statement = _INSERT_ENTRIES
        if kind == _RECEIVED and method is cause is of is number is None:
            statement = _INSERT_BARE if item is index is ms is None and not flags else _INSERT_PLAYED
        if statement is not last:
            last, rows = statement, []
            runs.append((statement, rows))
        if statement is _INSERT_BARE:
            rows.append((key, *entry[:4], entry[5], payload, digest))
        elif statement is _INSERT_PLAYED:
            rows.append((key, *entry[:4], entry[5], item, index, ms, payload, flags, digest))
        else:
            rows.append((key, *entry[:_DIGEST], digest))
    for statement, rows in runs:
        _driven(raw.executemany, statement, rows)
    return digest


def insert_segment(connection: Connection, key: int, segment: int, data: bytes) -> None:
    """Append the bytes of one commit."""
    raw = connection.connection.driver_connection
    if isinstance(raw, sqlite3.Connection):  # each session's, in each commit: Core takes ten times as long
        _driven(raw.execute, _INSERT_SEGMENT, (key, segment, data))
        return
    connection.execute(insert(SEGMENTS).values(session=key, segment=segment, data=data))


def find_session(connection: Connection, session_id: str) -> tuple[int, bytes] | None:
    """The key and the last digest of a session, or None where the store has no such session."""
    query = select(SESSIONS.c.key, SESSIONS.c.last_digest).where(SESSIONS.c.id == session_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else (int(row.key), bytes(row.last_digest))


def _driven(execute: Callable[[str, Any], sqlite3.Cursor], statement: str, values: Any) -> sqlite3.Cursor:
    """What the driver does, past SQLAlchemy; its errors as SQLAlchemy tells of them, without what was to be
    written."""
    try:
        return execute(statement, values)
    except sqlite3.Error as error:
        raise cast(
            "BaseException",
            DBAPIError.instance(statement, None, error, sqlite3.Error, hide_parameters=True),
        ) from error


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
    raw = connection.connection.driver_connection
    if isinstance(raw, sqlite3.Connection):
        values = (str(status), after, key, session_id, before)
        return _driven(raw.execute, _ADVANCE_SESSION, values).rowcount == 1
    found = update(SESSIONS).where(
        SESSIONS.c.key == key, SESSIONS.c.id == session_id, SESSIONS.c.last_digest == before
    )
    return connection.execute(found.values(last_digest=after, status=status)).rowcount == 1


# --- reading: blocking; `stores.read` asks the same without blocking the event loop -----------------


def fetch_sessions(connection: Connection) -> list[SessionRecord]:
    """All sessions whose header can be read, oldest first, each with its number of entries."""
    return [one for one in fetch_headers(connection) if isinstance(one, SessionRecord)]


def fetch_headers(
    connection: Connection, *, strays: bool = False
) -> list[SessionRecord | CorruptRecordError]:
    """All sessions, oldest first, each with its number of entries; or why its header cannot be read.

    Args:
        strays: look also for entries whose session has no header any more.
    """
    headers = _headers(connection, strays=strays)
    records = judged(connection, [one for one in headers if isinstance(one, SessionRecord)])
    by_key = {record.key: record for record in records}
    return [by_key[one.key] if isinstance(one, SessionRecord) else one for one in headers]


def _headers(connection: Connection, *, strays: bool) -> list[SessionRecord | CorruptRecordError]:
    if connection.dialect.name != "sqlite":
        last = select(func.max(ENTRIES.c.seq)).where(ENTRIES.c.session == SESSIONS.c.key).scalar_subquery()
        query = select(SESSIONS, last).order_by(SESSIONS.c.started_ns, SESSIONS.c.key)
        return [_header(row) for row in connection.execute(query)]
    try:
        rows = connection.exec_driver_sql(_SELECT_SESSIONS).fetchall()
        whole = not strays or set(session_keys(connection)) <= {row[0] for row in rows}
        if whole and fit([*SESSION_TYPES.values(), ENTRY_TYPES["tick"]], rows):
            return [_header(row) for row in rows]
    except REFUSALS as error:
        if damage_of(error) is None:
            raise
    return _headers_one_by_one(connection)


def _headers_one_by_one(connection: Connection) -> list[SessionRecord | CorruptRecordError]:
    found: dict[int, SessionRecord] = {}
    damaged: dict[int, CorruptRecordError] = {}
    for key in session_keys(connection):
        one = read_session(connection, key, lambda row: session_of([*row, _last(connection, row[0])]))
        if isinstance(one, SessionRecord):
            found[key] = one
        else:
            damaged[key] = one
    ordered: list[SessionRecord | CorruptRecordError] = []
    for record in sorted(found.values(), key=lambda record: (record.header.started_ns, record.key)):
        ordered += [damaged.pop(key) for key in [*damaged] if key < record.key]  # when it began is not known
        ordered.append(record)
    return [*ordered, *damaged.values()]


def _last(connection: Connection, key: int) -> int | None:
    """The last entry of a session that can be found, if any."""
    last: int | None = None
    first = 0
    try:
        found = connection.exec_driver_sql(_SELECT_LAST, (key,)).scalar()
        if found is None or type(found) is int:
            return found
        while seqs := connection.exec_driver_sql(_SELECT_SEQS, (key, first)).scalars().all():
            numbers = [seq for seq in seqs if type(seq) is int]
            if max(numbers, default=-1) < first:
                break
            last = max(numbers)
            first = last + 1
    except REFUSALS as error:
        if damage_of(error) is None:
            raise
    return last


def count_sessions(connection: Connection) -> tuple[int, int | None]:
    """How many sessions there are, and when the oldest began, in Unix time in nanoseconds."""
    number, oldest_ns = connection.execute(select(func.count(), func.min(SESSIONS.c.started_ns))).one()
    return number, oldest_ns


def fetch_durations(connection: Connection) -> dict[int, int]:
    """By its key, of each session when its last entry was appended; nothing of a log that is damaged."""
    last = select(ENTRIES.c.at_ns).where(ENTRIES.c.session == SESSIONS.c.key)
    query = select(SESSIONS.c.key, last.order_by(ENTRIES.c.seq.desc()).limit(1).scalar_subquery())
    try:
        rows = connection.execute(query).all()
    except REFUSALS as error:
        if damage_of(error) is None:
            raise
        return {}
    return {key: at_ns for key, at_ns in rows if type(key) is int and type(at_ns) is int}


def fetch_batch(connection: Connection, key: int, first: int, *, bare: bool = False) -> RowBatch:
    """READ_BATCH entries of a session from `first` on. Fewer where it ends, and before what is not an entry
    as we write them, which then raises.

    Args:
        bare: received events that have nothing but BARE_FIELDS may come as these: twice as fast.

    Raises:
        CorruptRecordError: entry `first` is missing or cannot be read, and the log does not end there.
    """
    if connection.dialect.name != "sqlite":
        query = select(*_ENTRY_COLUMNS).where(ENTRIES.c.session == key, ENTRIES.c.seq >= first)
        found: Any = connection.execute(query.order_by(ENTRIES.c.seq).limit(READ_BATCH))
        return RowBatch(_consecutive(connection, key, list(map(tuple, found)), first))
    try:
        batch = _bare_batch(connection, key, first) if bare else _whole_batch(connection, key, first)
    except REFUSALS as error:
        if damage_of(error) is None:
            raise
        batch = None
    if batch is None or [*batch.column(SEQ)] != [*range(first, first + len(batch.rows))]:
        return RowBatch([*read_entries(connection, key, first, READ_BATCH)])
    return batch


def _whole_batch(connection: Connection, key: int, first: int) -> RowBatch | None:
    rows = _rows(connection, _SELECT_ENTRIES, (key, first))
    return RowBatch(rows) if fit(_ROW_TYPES, [*zip(*rows, strict=True)]) else None


def _bare_batch(connection: Connection, key: int, first: int) -> RowBatch | None:
    rows = _rows(connection, _SELECT_BARE, (key, first))
    columns = [*zip(*rows, strict=True)]
    if not fit(_BARE_TYPES, columns):
        return None
    if not rows:
        return RowBatch([])
    if None not in columns[-1]:
        return RowBatch(rows, columns)
    found = _rows(connection, _SELECT_OTHERS, (key, rows[0][SEQ], rows[-1][SEQ]))
    others = {row[SEQ]: row for row in found}
    if not fit(_ROW_TYPES, [*zip(*found, strict=True)]):
        return None
    if any(row[-1] is None and row[SEQ] not in others for row in rows):
        return None
    return RowBatch([others[row[SEQ]] if row[-1] is None else row for row in rows])


def _rows(connection: Connection, query: str, parameters: tuple[int, ...]) -> list[Row]:
    raw = connection.connection.driver_connection
    if isinstance(raw, sqlite3.Connection):  # past the compiler: a replay must not wait for its log
        return raw.execute(query, parameters).fetchall()
    return list(map(tuple, connection.exec_driver_sql(query, parameters)))


def _consecutive(connection: Connection, key: int, rows: list[Row], first: int) -> list[Row]:
    """The rows up to the first that is missing."""
    whole = [row for number, row in enumerate(rows, first) if row[SEQ] == number]
    if rows and not whole:
        session_id = connection.execute(select(SESSIONS.c.id).where(SESSIONS.c.key == key)).scalar()
        raise CorruptRecordError(str(session_id), first, f"missing; {rows[0][SEQ]} follows")
    return whole


def fetch_entries(connection: Connection, key: int, first: int) -> list[Entry]:
    """READ_BATCH entries of a session from `first` on; fewer where it ends."""
    return list(map(Entry._make, fetch_batch(connection, key, first).rows))


def row_batches(
    connection: Connection, key: int, first: int = 0, *, bare: bool = False
) -> Generator[RowBatch]:
    """The entries of a session from `first` on, READ_BATCH in memory at a time.

    Args:
        bare: as in `fetch_batch`, for as long as there are enough such.
    """
    while rows := (batch := fetch_batch(connection, key, first, bare=bare)).rows:
        if batch.columns is None:
            bare = bare and sum(map(len, rows)) < _MOSTLY_BARE * len(rows)
        yield batch
        first = rows[-1][SEQ] + 1


def entry_batches(connection: Connection, key: int, first: int = 0) -> Generator[list[Entry]]:
    """As `row_batches`, each row an entry."""
    for batch in row_batches(connection, key, first):
        yield list(map(Entry._make, batch.rows))


def fetch_segment(connection: Connection, key: int, segment: int) -> bytes | None:
    """The bytes of one commit, or None where the log lacks them, or they cannot be read."""
    if connection.dialect.name != "sqlite":
        query = select(SEGMENTS.c.data).where(SEGMENTS.c.session == key, SEGMENTS.c.segment == segment)
        data = connection.execute(query).scalar_one_or_none()
        return None if data is None else bytes(data)
    try:
        found = _rows(connection, _SELECT_SEGMENT, (key, segment))
    except REFUSALS as error:
        if damage_of(error) is None:
            raise
        return None
    return found[0][0] if len(found) == 1 and type(found[0][0]) is bytes else None


def fetch_ended(connection: Connection, key: int) -> Iterator[int]:
    """The numbers of the entries that others end, in any order; as far as the log can be read."""
    query = select(ENTRIES.c.of).where(ENTRIES.c.session == key, ENTRIES.c.of.is_not(None))
    try:
        for row in connection.execute(query.execution_options(yield_per=READ_BATCH)):
            if type(row[0]) is int:
                yield row[0]
    except REFUSALS as error:
        if damage_of(error) is None:
            raise


def has_kind(connection: Connection, key: int, kind: str, types: Collection[str] | None = None) -> bool:
    """Whether a session holds an entry of this kind, and of one of these types, if any are named."""
    query = select(ENTRIES.c.seq).where(ENTRIES.c.session == key, ENTRIES.c.kind == kind).limit(1)
    if types is not None:
        query = query.where(ENTRIES.c.type.in_(types))
    try:
        return connection.execute(query).first() is not None
    except REFUSALS as error:
        if damage_of(error) is None:
            raise
    try:  # its index is damaged
        entries = itertools.chain.from_iterable(entry_batches(connection, key))
        return any(entry.kind == kind and (types is None or entry.type in types) for entry in entries)
    except CorruptRecordError:  # which whoever reads the entries will come to
        return False


def fetch_of_types(connection: Connection, key: int, types: Collection[str], before: int) -> list[Entry]:
    """The entries of these types before one, in order; none where the index is damaged."""
    query = select(*_ENTRY_COLUMNS).where(
        ENTRIES.c.session == key,
        ENTRIES.c.kind.in_((Kind.RECEIVED, Kind.SENT)),
        ENTRIES.c.type.in_(types),
        ENTRIES.c.seq < before,
    )
    try:
        rows = [tuple(row) for row in connection.execute(query.order_by(ENTRIES.c.seq))]
    except REFUSALS as error:
        if damage_of(error) is None:
            raise
        return []
    return [*map(Entry._make, rows)] if fit(_ROW_TYPES, [*zip(*rows, strict=True)]) else []


def _header(row: Sequence[Any]) -> SessionRecord | CorruptRecordError:
    try:
        return session_of(row)
    except CorruptRecordError as error:
        return error


def session_of(row: Sequence[Any]) -> SessionRecord:
    """What a row of `sessions`, and the last entry's number, come to.

    Raises:
        CorruptRecordError: no release wrote it.
    """
    key, id, previous, started_ns, host, pid, source, versions, labels, form, word, first, head, last = row
    try:
        status = Status.INTERRUPTED if word == _MIDWAY else Status(word)
        header = Header(
            id=id,
            previous_session=previous,
            started_ns=started_ns,
            host=host,
            pid=pid,
            source=source,
            versions=_texts(versions),
            labels=_texts(labels),
            format=form,
        )
    except (TypeError, ValueError) as error:
        raise CorruptRecordError(id, None, f"it cannot be read ({error})") from error
    return SessionRecord(key, header, status, bytes(first), bytes(head), 0 if last is None else last + 1)


def _texts(written: str) -> dict[str, str]:
    """A JSON object of texts."""
    texts = from_json(written)
    if not isinstance(texts, dict):
        raise TypeError("an object was expected")
    named = cast("dict[str, Any]", texts)
    if not all(type(text) is str for text in named.values()):
        raise TypeError("an object of texts was expected")
    return named
