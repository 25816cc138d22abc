"""How much room a store takes, each session's share of it, and giving it back to the disk."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection

from .tables import METADATA

_SLICE_PAGES = 256
"""Given back in one transaction: a megabyte, or recorders would wait for it."""
_INCREMENTAL = 2

_ROW_BYTES = 160
"""What an entry costs beside its payload: its other columns, and its places in the indexes."""


def used_bytes(connection: Connection) -> int:
    """What is in use of a store: of a file without the pages that are free."""
    if connection.dialect.name == "sqlite":
        pages, free, size = (
            _pragma(connection, name) for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size
    names = ", ".join(f"pg_total_relation_size('{name}')" for name in METADATA.tables)
    return sum(map(int, connection.execute(text(f"SELECT {names}")).one()))


def free_bytes(connection: Connection) -> int:
    """What of a file holds nothing, and is not given back yet."""
    if connection.dialect.name != "sqlite":
        return 0
    return _pragma(connection, "freelist_count") * _pragma(connection, "page_size")


def shares(connection: Connection) -> dict[int, int]:
    """By its key, the bytes that each session takes: what is in use, divided by what stands in their rows.
    Reads all of it."""
    length = "length(CAST({} AS BLOB))" if connection.dialect.name == "sqlite" else "octet_length({})"
    weights: dict[int, int] = {}
    for table, column in (("entries", "payload"), ("segments", "data")):
        weight_of = f"sum({_ROW_BYTES} + {length.format(column)})"
        for key, weight in connection.execute(
            text(f"SELECT session, {weight_of} FROM {table} GROUP BY session")
        ):
            weights[key] = weights.get(key, 0) + int(weight)
    total, used = sum(weights.values()), used_bytes(connection)
    return {key: weight * used // total for key, weight in weights.items()}


def give_back(engine: Engine) -> bool:
    """Shorten the file by the pages that are free, a few in each transaction: of a store that was made so,
    which those of older releases were not. On a server nothing is to be done.

    Returns:
        Whether the file itself is as short already; not while somebody reads what stood there before.
    """
    if engine.dialect.name != "sqlite":
        return True
    while shorten(engine):
        pass
    return merged(engine)


def shorten(engine: Engine) -> bool:
    """Shorten the file by a slice of the pages that are free, in one transaction.

    Returns:
        Whether there may be more of them.
    """
    if engine.dialect.name != "sqlite":
        return False
    with engine.connect() as connection:
        if _pragma(connection, "auto_vacuum") != _INCREMENTAL:
            return False
        before = _pragma(connection, "freelist_count")
        if before:
            raw: Any = connection.connection.driver_connection
            raw.executescript(f"PRAGMA incremental_vacuum({_SLICE_PAGES})")  # `execute` would free one page
        return 0 < _pragma(connection, "freelist_count") < before


def rewrite(engine: Engine) -> bool:
    """Write the whole store anew, with no free page in it, and so that later it can be shortened without.
    Nobody can write to it meanwhile, and it takes as much room again.

    Returns:
        As `give_back`.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if connection.dialect.name != "sqlite":
            connection.exec_driver_sql(f"VACUUM FULL {', '.join(METADATA.tables)}")
            return True
        connection.exec_driver_sql("PRAGMA auto_vacuum=INCREMENTAL")
        connection.exec_driver_sql("VACUUM")
    return merged(engine)


def merged(engine: Engine) -> bool:
    """Merge the write-ahead log beside a file into it, and empty the log.

    Returns:
        Whether that was done; not while somebody reads what stood there before.
    """
    with engine.connect() as connection:
        return _pragma(connection, "wal_checkpoint(TRUNCATE)") == 0


def _pragma(connection: Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
