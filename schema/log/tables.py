"""The tables of format 1, the same on SQLite and PostgreSQL, and the triggers that keep them
append-only."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.engine import Connection

APPLICATION_ID = 0x52544150
"""`RTAP`: marks our files for `file(1)` and SQLite's tools."""

METADATA = MetaData()

STORE = Table(
    "store",
    METADATA,
    Column("format", Integer, primary_key=True),
    Column("created_ns", BigInteger, nullable=False),
)

SESSIONS = Table(
    "sessions",
    METADATA,
    Column("key", Integer, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("previous_session", Text, index=True),
    Column("started_ns", BigInteger, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("source", Text, nullable=False),
    Column("versions", Text, nullable=False),
    Column("labels", Text, nullable=False),
    Column("format", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("first_digest", LargeBinary, nullable=False),
    Column("last_digest", LargeBinary, nullable=False),
    # A key is never given twice: the pruning of one session must not expose another's entries.
    sqlite_autoincrement=True,
)

ENTRIES = Table(
    "entries",
    METADATA,
    Column("session", Integer, ForeignKey("sessions.key"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("tick", Integer),
    Column("task", Integer),
    Column("kind", Text, nullable=False),
    Column("type", Text),
    Column("method", Text),
    Column("cause", Integer),
    Column("of", Integer),
    Column("connection", Integer),
    Column("item_id", Text),
    Column("content_index", Integer),
    Column("elapsed_ms", Double),
    Column("payload", Text, nullable=False),
    Column("flags", Integer, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Index("entries_by_cause", "session", "cause"),
    Index("entries_by_kind", "session", "kind", "type"),
    # Clustered by the key: appending writes, and reading a session reads, one run of pages.
    sqlite_with_rowid=False,
)

SEGMENTS = Table(
    "segments",
    METADATA,
    Column("session", Integer, ForeignKey("sessions.key"), primary_key=True),
    Column("segment", Integer, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

PRUNINGS = Table(
    "prunings",
    METADATA,
    Column("session", Integer, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("pruned_ns", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("last_digest", LargeBinary, nullable=False),
)

_PROTECTED = ("entries", "segments")

_SQLITE_TRIGGERS = (
    """
CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table}
BEGIN SELECT RAISE(ABORT, 'realtape: {table} are append-only'); END
""",
    """
CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}
WHEN NOT EXISTS (SELECT 1 FROM prunings WHERE prunings.session = OLD.session)
BEGIN SELECT RAISE(ABORT, 'realtape: {table} are append-only; only a pruning removes them'); END
""",
)

_POSTGRESQL_FUNCTION = """
CREATE FUNCTION realtape_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND EXISTS (SELECT 1 FROM prunings WHERE prunings.session = OLD.session) THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION 'realtape: % are append-only; only a pruning removes them', TG_TABLE_NAME;
END $$
"""

_POSTGRESQL_TRIGGER = """
CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
FOR EACH ROW EXECUTE FUNCTION realtape_append_only()
"""


def create_tables(connection: Connection) -> None:
    """Make the tables and triggers in an empty database, in the caller's transaction."""
    METADATA.create_all(connection)
    if connection.dialect.name == "postgresql":
        statements = [_POSTGRESQL_FUNCTION]
        statements += [_POSTGRESQL_TRIGGER.format(table=table) for table in _PROTECTED]
    else:
        statements = [trigger.format(table=table) for table in _PROTECTED for trigger in _SQLITE_TRIGGERS]
    for statement in statements:
        connection.execute(text(statement))
