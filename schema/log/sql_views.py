"""Views: what sessions come to, for any tool that speaks SQL, in the store itself.

They say what `session/derived/` says, of all that needs no fold over a session: `docs/queries.md`. Each row
is guarded for itself. What is no JSON is passed over. A NUL, or half of a surrogate pair, in a text is shown
as its escape: SQLite cuts a text at a NUL, one lone surrogate makes Python's `sqlite3` refuse a whole result,
and PostgreSQL refuses both.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection

from ..errors import UsageError
from . import view_queries as queries
from .sql_json import FUNCTIONS, PostgresqlSql, Sql, SqliteSql

VERSION = 1
"""Of the views: what they say, and how. Views of another version are replaced."""

MARK = f"realtape views {VERSION}"
"""Stands in each of them."""

_ANY_MARK = "realtape views "

MIN_SQLITE = (3, 38, 0)
"""The first with `->`."""


@dataclass(frozen=True)
class SqlView:
    """One view.

    Attributes:
        name: of the view.
        query: what it selects.
    """

    name: str
    query: str

    @property
    def sql(self) -> str:
        """The statement that makes it."""
        return f"CREATE VIEW {self.name} AS /* {MARK} */ {self.query}"


VIEW_NAMES = ("messages", "responses", "usage", "tools", "connections")
"""In the order in which they are made: each may ask those before it."""


def views_of(dialect: str) -> tuple[SqlView, ...]:
    """The views, in a database's own words.

    Args:
        dialect: `sqlite` or `postgresql`.
    """
    sql: Sql = SqliteSql() if dialect == "sqlite" else PostgresqlSql()
    selects = (
        queries.messages(sql),
        queries.responses(sql),
        queries.usage(),
        queries.tools(sql),
        queries.connections(sql),
    )
    return tuple(SqlView(*one) for one in zip(VIEW_NAMES, selects, strict=True))


def make_views(connection: Connection) -> bool:
    """Make the views that a store lacks, and replace those of another version, in the caller's transaction;
    returns whether anything was changed.

    Raises:
        UsageError: something else has the name of one; or this database cannot have them.
    """
    sqlite = connection.dialect.name == "sqlite"
    if sqlite and sqlite3.sqlite_version_info < MIN_SQLITE:
        raise UsageError(
            f"SQLite {sqlite3.sqlite_version} cannot ask JSON as the views do: "
            f"{'.'.join(map(str, MIN_SQLITE))} or newer can"
        )
    there = _there(connection)
    views = views_of(connection.dialect.name)
    for view in views:
        told = there.get(view.name)
        if view.name in there and (told is None or _ANY_MARK not in told):
            raise UsageError(f"{view.name} is something else in this store: rename it, then make the views")
    if all(_is(view, there.get(view.name), sqlite=sqlite) for view in views):
        return False
    for view in reversed(views):
        connection.execute(text(f"DROP VIEW IF EXISTS {view.name}"))
    if not sqlite:
        for function in FUNCTIONS:
            connection.exec_driver_sql(function)
    for view in views:
        connection.exec_driver_sql(view.sql)
        if not sqlite:
            connection.exec_driver_sql(f"COMMENT ON VIEW {view.name} IS '{MARK}'")
    return True


def _is(view: SqlView, told: str | None, *, sqlite: bool) -> bool:
    return told == (view.sql if sqlite else MARK)


def _there(connection: Connection) -> dict[str, str | None]:
    """What has a name of ours, and what it is: of a view its statement (SQLite) or its comment."""
    if connection.dialect.name == "sqlite":
        names = ", ".join(f"'{name}'" for name in VIEW_NAMES)
        query = f"SELECT name, CASE type WHEN 'view' THEN sql END FROM sqlite_master WHERE name IN ({names})"
        return {row[0]: row[1] for row in connection.exec_driver_sql(query)}
    tables: dict[str, str | None] = {
        name: None for name in inspect(connection).get_table_names() if name in VIEW_NAMES
    }
    for name in inspect(connection).get_view_names():
        if name in VIEW_NAMES:
            comment = f"SELECT obj_description('{name}'::regclass, 'pg_class')"
            tables[name] = connection.exec_driver_sql(comment).scalar()
    return tables
