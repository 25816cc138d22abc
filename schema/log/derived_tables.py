"""What sessions come to, in tables of the store: derived, outside the digest chain, and gone with their
session."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy import table as named_table
from sqlalchemy.engine import Connection
from sqlalchemy.sql.expression import column

from ..entries import text_column
from .additions import DERIVATIONS, HEARD, INTERRUPTIONS, LATENCY, TURNS, Addition, has_addition, make_asked

DERIVATION_VERSION = 2
"""Of what the tables mean: `docs/derived.md` of this release."""

DERIVED_TABLES: tuple[Addition, ...] = (TURNS, HEARD, INTERRUPTIONS, LATENCY)
"""Those that are filled; `DERIVATIONS` says of which sessions."""


def make_derived_tables(connection: Connection) -> None:
    """Make those that a store lacks, in the caller's transaction.

    Raises:
        UsageError: something else has the name of one.
    """
    make_asked(connection, (*DERIVED_TABLES, DERIVATIONS))


def put_derived(
    connection: Connection,
    key: int,
    head: str,
    threshold_dbfs: float,
    rows: Mapping[str, Sequence[Mapping[str, Any]]],
) -> None:
    """Put what a session comes to in the place of what stands there of it; in the caller's transaction.

    Args:
        key: of the session.
        head: the last digest of its chain, as hexadecimal digits.
        threshold_dbfs: from which loudness on a sound was heard.
        rows: by the name of the table; texts may hold anything.
    """
    for addition in (*DERIVED_TABLES, DERIVATIONS):
        rows_of = named_table(addition.name, column("session"))
        connection.execute(delete(rows_of).where(rows_of.c.session == key))
    for addition in DERIVED_TABLES:
        values = [{"session": key, **_plain(row)} for row in rows[addition.name]]
        if values:
            into = named_table(addition.name, *map(column, values[0]))
            connection.execute(insert(into), values)
    said = {
        "session": key,
        "version": DERIVATION_VERSION,
        "threshold_dbfs": threshold_dbfs,
        "head": head,
        "derived_ns": time.time_ns(),
    }
    connection.execute(insert(named_table(DERIVATIONS.name, *map(column, said))).values(said))


def derived_heads(connection: Connection) -> dict[int, str]:
    """By the session's key, the head of the chain of which the tables hold what it comes to."""
    if not has_addition(connection, DERIVATIONS):
        return {}
    told = named_table(DERIVATIONS.name, column("session"), column("head"))
    return {row[0]: row[1] for row in connection.execute(select(told.c.session, told.c.head))}


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Values that any database takes."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, str):
            found[name] = text_column(value)
        else:
            found[name] = int(value) if isinstance(value, bool) else value
    return found
