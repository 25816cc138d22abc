"""Receipts of erasures: which sessions were to be erased, and since when they are. No label, and no text.

Until then a receipt has the digests of the entries, in hexadecimal, by which copies of them can be sought.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from sqlalchemy import column, insert, select, table, update
from sqlalchemy.engine import Connection

from .additions import RECEIPTS, has_addition
from .tables import ENTRIES, SESSIONS

_receipts = table(RECEIPTS.name, *map(column, ("session", "entries", "erased_ns", "digests")))
_DIGEST_BYTES = 32


def note_erasure(connection: Connection, key: int) -> None:
    """A session is about to be removed, and is pending until it is erased; in that transaction."""
    heads = select(SESSIONS.c.first_digest, SESSIONS.c.last_digest).where(SESSIONS.c.key == key)
    first, last = connection.execute(heads).one()
    chain = connection.execute(select(ENTRIES.c.digest).where(ENTRIES.c.session == key)).scalars().all()
    digests = [digest for digest in (first, *chain) if digest != last]  # which the pruning keeps
    facts = {"session": key, "entries": len(chain), "erased_ns": None}
    connection.execute(insert(_receipts).values(**facts, digests=b"".join(digests).hex()))


def pending_erasures(connection: Connection) -> dict[int, list[bytes]]:
    """By their keys, sessions that were removed and may still be in the file: the digests of their rows."""
    if not has_addition(connection, RECEIPTS):
        return {}
    rows = select(_receipts.c.session, _receipts.c.digests).where(_receipts.c.erased_ns.is_(None))
    pending: dict[int, list[bytes]] = {}
    for key, text in connection.execute(rows):
        data = bytes.fromhex(text or "")
        pending[key] = [data[at : at + _DIGEST_BYTES] for at in range(0, len(data), _DIGEST_BYTES)]
    return pending


def mark_erased(connection: Connection, keys: Iterable[int]) -> None:
    """Their bytes are gone; in the caller's transaction."""
    for key in keys:
        row = update(_receipts).where(_receipts.c.session == key)
        connection.execute(row.values(erased_ns=time.time_ns(), digests=None))
