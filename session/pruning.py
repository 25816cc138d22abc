"""Pruning: a policy applied to a store, a step at a time, by the command line and by a recorder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from ..schema.errors import CorruptRecordError
from ..schema.log import count_sessions, fetch_sessions, pinned, remove_sessions, shares, used_bytes
from .filters import listed
from .retention import Going, Retention


class Due(NamedTuple):
    """What a policy would take of a store.

    Attributes:
        going: the oldest first.
        damaged: sessions that cannot be read, and stay.
    """

    going: list[Going]
    damaged: list[CorruptRecordError]


def due(connection: Connection, retention: Retention) -> Due:
    """What a policy would take now. Reads all headers, and of sizes, where one is too large, every row."""
    listing = listed(connection, retention.about)
    sessions = fetch_sessions(connection)
    fitting = {one.record.key for one in listing.sessions}
    sizes = None if retention.max_bytes is None else shares(connection)
    going = retention.chosen(
        sessions,
        now_ns=time.time_ns(),
        unfit={one.key for one in sessions if one.key not in fitting},
        pinned=pinned(connection),
        sizes=sizes,
    )
    return Due(going, listing.damaged)


def may_be_due(connection: Connection, retention: Retention) -> bool:
    """Whether one of the limits of a policy is passed: a look that takes no time."""
    number, oldest_ns = count_sessions(connection)
    limits = (
        retention.older_than_s is not None
        and oldest_ns is not None
        and time.time_ns() - oldest_ns > retention.older_than_s * 1e9,
        retention.max_bytes is not None and used_bytes(connection) > retention.max_bytes,
        retention.older_than_s is None
        and retention.max_bytes is None
        and number > (retention.keep_last or 0),
    )
    return any(limits)


def removals(engine: Engine, retention: Retention) -> Iterator[Going]:
    """Apply a policy: each group of sessions, after it was removed in a transaction of its own. Between these
    nothing is open.

    Raises:
        StoreError: as in `errors.py`; what was removed before is gone.
    """
    removed = True
    while removed:
        removed = False
        with engine.connect() as connection:
            going = due(connection, retention).going
        for each in going:
            if remove_sessions(engine, [one.key for one in each.sessions], each.reason):
                removed = True
                yield each
        if retention.max_bytes is None:  # else a session's share of the file is not quite what it frees
            return
