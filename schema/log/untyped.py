"""Rows of an SQLite file that is damaged, or that somebody forged: one at a time, and nothing believed.

SQLite keeps anything in any column, so a flipped byte makes a number a text, and a text no text at all.
What a whole batch stumbles over is read here, row by row, up to the one that is not what we write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy.engine import Connection

from ..entries import Entry
from ..errors import CorruptRecordError
from .driver_errors import REFUSALS, damage_of
from .tables import SESSIONS

_T = TypeVar("_T")

_INT, _TEXT, _BYTES = frozenset({int}), frozenset({str}), frozenset({bytes})
_MAYBE_INT, _MAYBE_TEXT = _INT | {type(None)}, _TEXT | {type(None)}

ENTRY_TYPES: Mapping[str, frozenset[type]] = {
    "seq": _INT,
    "at_ns": _INT,
    "tick": _MAYBE_INT,
    "task": _MAYBE_INT,
    "kind": _TEXT,
    "type": _MAYBE_TEXT,
    "method": _MAYBE_TEXT,
    "cause": _MAYBE_INT,
    "of": _MAYBE_INT,
    "connection": _MAYBE_INT,
    "item_id": _MAYBE_TEXT,
    "content_index": _MAYBE_INT,
    "elapsed_ms": frozenset({float, type(None)}),
    "payload": _TEXT,
    "flags": _INT,
    "digest": _BYTES,
}
"""What the columns of an entry hold, in their order."""

SESSION_TYPES: Mapping[str, frozenset[type]] = {
    "key": _INT,
    "id": _TEXT,
    "previous_session": _MAYBE_TEXT,
    "started_ns": _INT,
    "host": _TEXT,
    "pid": _INT,
    "source": _TEXT,
    "versions": _TEXT,
    "labels": _TEXT,
    "format": _INT,
    "status": _TEXT,
    "first_digest": _BYTES,
    "last_digest": _BYTES,
}
"""And those of a session."""

SESSION_COLUMNS = tuple(SESSION_TYPES)
"""Their names, in their order."""


def misfit(types: Mapping[str, frozenset[type]], row: Sequence[Any]) -> str | None:
    """What is wrong with the types of a row, or None."""
    for (name, allowed), value in zip(types.items(), row, strict=True):
        if type(value) not in allowed:
            return f"its {name} is of type {type(value).__name__}"
    return None


def fit(types: Iterable[frozenset[type]], columns: Sequence[Sequence[Any]]) -> bool:
    """Whether all that stands in these columns is of these types; there are none where there are no rows."""
    return all(map(_are, types, columns))


def _are(allowed: frozenset[type], column: Sequence[Any]) -> bool:
    try:
        if _QUICKLY[allowed](column):
            return True
    except (KeyError, TypeError):  # one of them is something else, which may be allowed, too
        pass
    return allowed.issuperset(map(type, column))


def _are_integers(column: Sequence[Any]) -> bool:
    return type(sum(column)) is int  # with one real number among them it is one


def _are_texts(column: Sequence[Any]) -> bool:
    return type("".join(column)) is str


def _are_bytes(column: Sequence[Any]) -> bool:
    return type(b"".join(column)) is bytes


_QUICKLY: Mapping[frozenset[type], Callable[[Sequence[Any]], bool]] = {
    _INT: _are_integers,
    _MAYBE_INT: _are_integers,
    _TEXT: _are_texts,
    _MAYBE_TEXT: _are_texts,
    _BYTES: _are_bytes,
    _BYTES | {type(None)}: _are_bytes,
}
"""What a column of nothing else is asked in a quarter of the time: the driver gives integers, reals, texts,
bytes and None only."""


def _select(types: Iterable[str], source: str) -> str:
    """Of each column what it holds, texts as bytes, and whether it is one: no driver stumbles over that."""
    columns = (
        f'CASE typeof("{name}") WHEN \'text\' THEN CAST("{name}" AS BLOB) ELSE "{name}" END, '
        f"typeof(\"{name}\") = 'text'"
        for name in types
    )
    return f"SELECT {', '.join(columns)} FROM {source}"


_SELECT_ENTRY = _select(ENTRY_TYPES, "entries WHERE session = ? AND seq = ?")
_SELECT_BEHIND = "SELECT CAST(seq AS BLOB) FROM entries WHERE session = ? AND seq > ? ORDER BY seq LIMIT 1"
_SELECT_SESSION = _select(SESSION_TYPES, f"{SESSIONS.name} WHERE key = ?")
_SELECT_ID = _select(["id"], f"{SESSIONS.name} WHERE key = ?")
_SELECT_KEYS = f"SELECT key FROM {SESSIONS.name}"
_SELECT_USED_KEYS = (
    "WITH RECURSIVE used(one) AS (SELECT min(session) FROM entries UNION ALL "
    "SELECT (SELECT min(session) FROM entries WHERE session > one) FROM used WHERE one IS NOT NULL) "
    "SELECT one FROM used WHERE one IS NOT NULL"
)


def read_entries(connection: Connection, key: int, first: int, count: int) -> list[Entry]:
    """So many entries of a session from `first` on, up to the end, or to what cannot be read.

    Raises:
        CorruptRecordError: that is `first` itself; it names it.
    """
    entries: list[Entry] = []
    problem: str | None = None
    while problem is None and len(entries) < count:
        seq = first + len(entries)
        try:
            row = _row(connection, _SELECT_ENTRY, (key, seq))
            if row is None:
                found = connection.exec_driver_sql(_SELECT_BEHIND, (key, seq)).fetchone()
                if found is None:
                    break
                problem = f"missing; {found[0].decode(errors='replace')} follows"
            else:
                problem = misfit(ENTRY_TYPES, row)
                if problem is None:
                    entries.append(Entry._make(row))
        except UnicodeDecodeError:
            problem = "a text in it is not UTF-8"
        except REFUSALS as error:
            problem = _damage(error)
    if problem is not None and not entries:
        raise CorruptRecordError(_name(connection, key), first, problem)
    return entries


def read_session(
    connection: Connection, key: int, make: Callable[[Sequence[Any]], _T]
) -> _T | CorruptRecordError:
    """What can be made of a session's row; or why it cannot be read."""
    try:
        row = _row(connection, _SELECT_SESSION, (key,))
        if row is None:
            problem = "it is missing"
        else:
            problem = misfit(SESSION_TYPES, row)
            if problem is None:
                return make(row)
    except CorruptRecordError as error:
        return error
    except UnicodeDecodeError:
        problem = "a text in it is not UTF-8"
    except REFUSALS as error:
        problem = _damage(error)
    return CorruptRecordError(_name(connection, key), None, problem)


def session_keys(connection: Connection) -> list[int]:
    """The keys of all sessions of which anything can be found, also of those that have lost their header."""
    found: set[int] = set()
    for query in (_SELECT_KEYS, _SELECT_USED_KEYS):
        try:
            for (key,) in connection.exec_driver_sql(query):
                if type(key) is int:
                    found.add(key)
        except REFUSALS as error:
            _damage(error)
    return sorted(found)


def _row(connection: Connection, query: str, parameters: tuple[int, ...]) -> list[Any] | None:
    found = connection.exec_driver_sql(query, parameters).fetchone()
    if found is None:
        return None
    return [
        value.decode() if is_text else value for value, is_text in zip(found[::2], found[1::2], strict=True)
    ]


def _name(connection: Connection, key: int) -> str:
    """The id of a session, for a message; or what else can be said."""
    try:
        row = _row(connection, _SELECT_ID, (key,))
    except UnicodeDecodeError:
        row = None
    except REFUSALS as error:
        _damage(error)
        row = None
    return row[0] if row is not None and type(row[0]) is str else f"with key {key}"


def _damage(error: Exception) -> str:
    """What an error says of the file; another kind of error is raised again."""
    problem = damage_of(error)
    if problem is None:
        raise error
    return f"cannot be read ({problem})"
