"""Pins: the sessions that no pruning takes."""

from __future__ import annotations

import time
from collections.abc import Iterable

from sqlalchemy import column, delete, insert, select, table
from sqlalchemy.engine import Connection

from .additions import PINS, has_addition

_pins = table(PINS.name, column("session"), column("pinned_ns"))


def pinned(connection: Connection) -> set[int]:
    """The keys of all sessions with a pin."""
    if not has_addition(connection, PINS):
        return set()
    return set(connection.execute(select(_pins.c.session)).scalars())


def pin(connection: Connection, keys: Iterable[int]) -> int:
    """Pin sessions, in the caller's transaction; returns how many were not pinned before."""
    new = sorted(set(keys) - pinned(connection))
    for key in new:
        connection.execute(insert(_pins).values(session=key, pinned_ns=time.time_ns()))
    return len(new)


def unpin(connection: Connection, keys: Iterable[int]) -> int:
    """Take the pins of sessions away, in the caller's transaction; returns how many had one."""
    had = set(keys) & pinned(connection)
    for key in had:
        connection.execute(delete(_pins).where(_pins.c.session == key))
    return len(had)
