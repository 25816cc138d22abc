"""What stands in a store beside the five tables of format 1.

An addition is a table of its own: a reader that does not know it passes it over, and a store that lacks it is
whole. All of them are listed here, with the exact statement that makes each: what has the name of one and was
made otherwise is passed over, too. What has the name of one of the five and is something else makes it no
store of ours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import delete, inspect, literal_column, table, text
from sqlalchemy.engine import Connection

from ..errors import UsageError
from .tables import APPLICATION_ID, METADATA, STORE


class Addition(NamedTuple):
    """One table.

    Attributes:
        name: of the table.
        sql: the statement that makes it; the same on SQLite and PostgreSQL.
        owner: the module that alone reads and writes it.
        session: the column with a session's key, whose rows are deleted with the session; None where rows
            outlive it.
        asked: it is made when somebody asks for it, and not with the store. Names like these others may have
            for something of their own: on PostgreSQL, too, only what was made by us is ours.
    """

    name: str
    sql: str
    owner: str
    session: str | None
    asked: bool = False


LOCKS = Addition(
    "locks",
    "CREATE TABLE locks (session INTEGER NOT NULL PRIMARY KEY)",
    "schema/log/liveness.py",
    "session",
)
"""The sessions whose recorder holds a lock while it lives."""

ORIGINS = Addition(
    "origins",
    "CREATE TABLE origins (session INTEGER NOT NULL PRIMARY KEY, told TEXT NOT NULL)",
    "schema/log/learned_text.py",
    "session",
)
"""What was learned of a session's calls (`realtape learn`)."""

PINS = Addition(
    "pins",
    "CREATE TABLE pins (session INTEGER NOT NULL PRIMARY KEY, pinned_ns BIGINT NOT NULL)",
    "schema/log/pins.py",
    "session",
)
"""The sessions that no pruning takes."""

RECEIPTS = Addition(
    "receipts",
    "CREATE TABLE receipts (session INTEGER NOT NULL PRIMARY KEY, entries BIGINT NOT NULL, "
    "erased_ns BIGINT, digests TEXT)",
    "schema/log/receipts.py",
    None,
)
"""The sessions that were erased, each by its key: `prunings` has the rest."""

SEALS = Addition(
    "seals",
    "CREATE TABLE seals (session INTEGER NOT NULL, seq INTEGER NOT NULL, status TEXT NOT NULL, "
    "sealed_by TEXT NOT NULL, seal TEXT NOT NULL, PRIMARY KEY (session, seq))",
    "schema/log/seals.py",
    "session",
)
"""What sessions came to at each commit, vouched for by who has the key."""

_DERIVED = "schema/log/derived_tables.py"
_AT = "session INTEGER NOT NULL, seq INTEGER NOT NULL"

TURNS = Addition(
    "turns",
    f"CREATE TABLE turns ({_AT}, number INTEGER NOT NULL, kind TEXT NOT NULL, item_id TEXT NOT NULL, "
    "server_begin_ms DOUBLE PRECISION, server_end_ms DOUBLE PRECISION, server_began_ns BIGINT, "
    "server_ended_ns BIGINT, told_began_ns BIGINT, told_ended_ns BIGINT, wave_began_ns BIGINT, "
    "wave_ended_ns BIGINT, committed_ns BIGINT, text TEXT NOT NULL, response_ids TEXT NOT NULL, "
    "answer TEXT NOT NULL, PRIMARY KEY (session, number))",
    _DERIVED,
    "session",
    asked=True,
)
HEARD = Addition(
    "heard",
    f"CREATE TABLE heard ({_AT}, item_id TEXT NOT NULL, content_index INTEGER NOT NULL, "
    "response_id TEXT NOT NULL, generated_ms DOUBLE PRECISION NOT NULL, given_ms DOUBLE PRECISION, "
    "heard_ms DOUBLE PRECISION, assumed INTEGER NOT NULL, interrupted INTEGER NOT NULL, "
    "truncate_ms DOUBLE PRECISION, truncate_seq INTEGER, acknowledged_ms DOUBLE PRECISION, "
    "acknowledged_seq INTEGER, refused TEXT NOT NULL, text TEXT NOT NULL, kept_text TEXT NOT NULL, "
    "unheard_text TEXT NOT NULL, discrepancies TEXT NOT NULL, PRIMARY KEY (session, item_id, content_index))",
    _DERIVED,
    "session",
    asked=True,
)
INTERRUPTIONS = Addition(
    "interruptions",
    f"CREATE TABLE interruptions ({_AT}, by_whom TEXT NOT NULL, user_item_id TEXT NOT NULL, "
    "item_id TEXT NOT NULL, content_index INTEGER NOT NULL, response_id TEXT NOT NULL, "
    "began_ns BIGINT NOT NULL, silent_ns BIGINT, silence_ms DOUBLE PRECISION, heard_ms DOUBLE PRECISION, "
    "assumed INTEGER NOT NULL, lost_ms DOUBLE PRECISION, lost_text TEXT NOT NULL, "
    "PRIMARY KEY (session, seq))",
    _DERIVED,
    "session",
    asked=True,
)
LATENCY = Addition(
    "latency",
    f"CREATE TABLE latency ({_AT}, turn INTEGER NOT NULL, response_id TEXT NOT NULL, "
    "ended_ns BIGINT NOT NULL, ended_by TEXT NOT NULL, first_byte_ms DOUBLE PRECISION, "
    "first_sound_ms DOUBLE PRECISION, played_ms DOUBLE PRECISION, assumed INTEGER NOT NULL, "
    "tool_ms DOUBLE PRECISION NOT NULL, PRIMARY KEY (session, turn))",
    _DERIVED,
    "session",
    asked=True,
)
DERIVATIONS = Addition(
    "derivations",
    "CREATE TABLE derivations (session INTEGER NOT NULL PRIMARY KEY, version INTEGER NOT NULL, "
    "threshold_dbfs DOUBLE PRECISION NOT NULL, head TEXT NOT NULL, derived_ns BIGINT NOT NULL)",
    _DERIVED,
    "session",
    asked=True,
)
"""Of which sessions the four tables above hold what they come to (`realtape stats --write`), derived of which
head of their chain."""

ADDITIONS: tuple[Addition, ...] = (
    *(LOCKS, ORIGINS, PINS, RECEIPTS, SEALS),
    *(TURNS, HEARD, INTERRUPTIONS, LATENCY, DERIVATIONS),
)


def make_additions(connection: Connection) -> None:
    """Make those that a store lacks, in the caller's transaction; what is made when it is asked for, is
    not."""
    there = _names(connection)
    missing = [one for one in ADDITIONS if one.name not in there and not one.asked]
    if missing and connection.dialect.name == "postgresql":  # another recorder may be making them, too
        connection.execute(text(f"SELECT pg_advisory_xact_lock({APPLICATION_ID})"))
    for addition in missing:
        # SQLite keeps the statement without these words.
        connection.execute(text(addition.sql.replace("TABLE", "TABLE IF NOT EXISTS", 1)))


def make_asked(connection: Connection, wanted: Sequence[Addition]) -> None:
    """Make additions that somebody asks for, where the store lacks them; in the caller's transaction.

    Raises:
        UsageError: something else has the name of one.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({APPLICATION_ID})"))
    there = _names(connection)
    for addition in wanted:
        if addition.name not in there:
            connection.execute(text(addition.sql))
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"COMMENT ON TABLE {addition.name} IS '{_comment(addition)}'"))
        elif not has_addition(connection, addition):
            raise UsageError(f"{addition.name} is something else in this store: rename it, and try again")


def _names(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names()) | set(inspect(connection).get_view_names())


def _comment(addition: Addition) -> str:
    """What an addition that is asked for says of itself on PostgreSQL, which keeps no statement."""
    digest = hashlib.sha256(addition.sql.encode()).hexdigest()
    return f"realtape: derived, outside the chain, {digest[:16]}"


def has_addition(connection: Connection, addition: Addition) -> bool:
    """Whether a store has this addition, and not something else by its name."""
    if connection.dialect.name != "sqlite":
        if not inspect(connection).has_table(addition.name):
            return False
        if not addition.asked:
            return True
        told = inspect(connection).get_table_comment(addition.name)["text"]
        return told == _comment(addition)
    query = "SELECT count(*) FROM sqlite_master WHERE name = ? AND type = 'table' AND sql = ?"
    return bool(connection.exec_driver_sql(query, (addition.name, addition.sql)).scalar_one())


def delete_from_additions(connection: Connection, key: int) -> None:
    """Delete what they hold of a session, in the transaction that removes the session."""
    for addition in ADDITIONS:
        if addition.session is not None and has_addition(connection, addition):
            rows = delete(table(addition.name))
            connection.execute(rows.where(literal_column(f'"{addition.session}"') == key))


_COLUMNS = {name: [column.name for column in one.columns] for name, one in METADATA.tables.items()}
del _COLUMNS[STORE.name]  # which tells the format, and another one may have more to tell
_KEYS = {name: [column.name for column in METADATA.tables[name].primary_key] for name in _COLUMNS}
_SCHEMA = """
SELECT m.name, m.type, m.sql, x.name, x.hidden, x.pk
FROM sqlite_master AS m LEFT JOIN pragma_table_xinfo(m.name) AS x
WHERE m.name IN ({names}) AND m.type IN ('table', 'view') ORDER BY m.name, x.cid
"""


def impostors(connection: Connection) -> set[str]:
    """The names of what is not the table of format 1 that it is called.

    Only SQLite's: a file may come from anybody, a server's tables were made by who may write to it.
    """
    if connection.dialect.name != "sqlite":
        return set()
    names = (STORE.name, *_COLUMNS)
    statement = _SCHEMA.format(names=", ".join("?" * len(names)))
    found: set[str] = set()
    columns: dict[str, list[str]] = {}
    keys: dict[str, list[str]] = {}
    for name, kind, sql, column, hidden, in_key in connection.exec_driver_sql(statement, names):
        if kind != "table" or hidden or str(sql).upper().startswith("CREATE VIRTUAL"):
            found.add(name)
        columns.setdefault(name, []).append(column)
        keys.setdefault(name, []).extend([column] if in_key else [])
    found |= {name for name, cols in columns.items() if cols != _COLUMNS.get(name, cols)}
    # Without its key each step of ours would read all of it.
    return found | {name for name, key in keys.items() if key != _KEYS.get(name, key)}
