"""What was learned of a session's calls: a text, which `session/learned.py` reads."""

from __future__ import annotations

from sqlalchemy import column, delete, insert, select, table
from sqlalchemy.engine import Connection

from .additions import ORIGINS, has_addition

_origins = table(ORIGINS.name, column("session"), column("told"))


def fetch_origins(connection: Connection, key: int) -> str | None:
    """What was learned of a session, if anything was."""
    if not has_addition(connection, ORIGINS):
        return None
    query = select(_origins.c.told).where(_origins.c.session == key)
    return connection.execute(query).scalar_one_or_none()


def put_origins(connection: Connection, key: int, told: str) -> None:
    """Keep it, in the place of what was learned before; in the caller's transaction."""
    connection.execute(delete(_origins).where(_origins.c.session == key))
    connection.execute(insert(_origins).values(session=key, told=told))
