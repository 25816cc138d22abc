"""Prunings: whole sessions are removed, each under a row that says so, in one transaction.

The triggers of format 1 let entries go only so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Literal

from sqlalchemy import Engine, delete, insert, select
from sqlalchemy.engine import Connection

from .additions import delete_from_additions
from .liveness import being_recorded
from .pins import pinned
from .tables import ENTRIES, PRUNINGS, SEGMENTS, SESSIONS

Reason = Literal["age", "number", "size", "selection", "erasure"]
"""Why a session was removed. Never whose it was, or what was said in it."""


def was_removed(connection: Connection, session_id: str) -> bool:
    """Whether a session was in this store, and was removed."""
    return connection.execute(select(PRUNINGS.c.id).where(PRUNINGS.c.id == session_id)).first() is not None


def remove_sessions(
    engine: Engine,
    keys: Collection[int],
    reason: Reason,
    before: Callable[[Connection, int], None] | None = None,
) -> bool:
    """Remove sessions with all that stands in the store of them: all of these, or none.

    Args:
        before: called with the key of each, in the transaction and before it is removed.

    Returns:
        Whether they are gone. None is removed where one of them is being recorded, or pinned, or was removed
        by somebody else.
    """
    rows = select(SESSIONS.c.key, SESSIONS.c.id, SESSIONS.c.last_digest).where(SESSIONS.c.key.in_(keys))
    with engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # nobody else begins, pins or removes one now
        found = connection.execute(rows.with_for_update()).all()  # of which SQLite knows nothing
        if len(found) < len(set(keys)) or set(keys) & (being_recorded(connection) | pinned(connection)):
            return False
        for key, session_id, last_digest in found:
            if before is not None:
                before(connection, key)
            pruning = {"session": key, "id": session_id, "pruned_ns": time.time_ns(), "reason": reason}
            connection.execute(insert(PRUNINGS).values(**pruning, last_digest=last_digest))
            connection.execute(delete(ENTRIES).where(ENTRIES.c.session == key))
            connection.execute(delete(SEGMENTS).where(SEGMENTS.c.session == key))
            delete_from_additions(connection, key)
            connection.execute(delete(SESSIONS).where(SESSIONS.c.key == key))
        return True
