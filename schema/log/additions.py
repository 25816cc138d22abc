"""What stands in a store beside the five tables of format 1.

An addition is a table of its own: a reader that does not know it passes it over, and a store that lacks it is
whole. All of them are listed here, with the exact statement that makes each: what has the name of one and was
made otherwise is passed over, too. What has the name of one of the five and is something else makes it no
store of ours.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import delete, inspect, literal_column, table, text
from sqlalchemy.engine import Connection

from .tables import APPLICATION_ID, METADATA, STORE


class Addition(NamedTuple):
    """One table.

    Attributes:
        name: of the table.
        sql: the statement that makes it; the same on SQLite and PostgreSQL.
        owner: the module that alone reads and writes it.
        session: the column with a session's key, whose rows are deleted with the session; None where rows
            outlive it.
    """

    name: str
    sql: str
    owner: str
    session: str | None


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

ADDITIONS: tuple[Addition, ...] = (LOCKS, ORIGINS, PINS, RECEIPTS, SEALS)


def make_additions(connection: Connection) -> None:
    """Make those that a store lacks, in the caller's transaction."""
    there = set(inspect(connection).get_table_names()) | set(inspect(connection).get_view_names())
    missing = [addition for addition in ADDITIONS if addition.name not in there]
    if missing and connection.dialect.name == "postgresql":  # another recorder may be making them, too
        connection.execute(text(f"SELECT pg_advisory_xact_lock({APPLICATION_ID})"))
    for addition in missing:
        # SQLite keeps the statement without these words.
        connection.execute(text(addition.sql.replace("TABLE", "TABLE IF NOT EXISTS", 1)))


def has_addition(connection: Connection, addition: Addition) -> bool:
    """Whether a store has this addition, and not something else by its name."""
    if connection.dialect.name != "sqlite":
        return inspect(connection).has_table(addition.name)
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
_SCHEMA = """
SELECT m.name, m.type, m.sql, x.name, x.hidden
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
    for name, kind, sql, column, hidden in connection.exec_driver_sql(statement, names):
        if kind != "table" or hidden or str(sql).upper().startswith("CREATE VIRTUAL"):
            found.add(name)
        columns.setdefault(name, []).append(column)
    return found | {name for name, cols in columns.items() if cols != _COLUMNS.get(name, cols)}
