"""Logs that say something else than was recorded, and whose chains hold: as a forger writes them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

from realtape.schema import Entry, SessionRecord
from realtape.schema.codec import bytes_in
from realtape.schema.log import entry_digest, fetch_headers, header_digest, locate, open_blocking


def reseal(store: Path) -> None:
    """Compute the chains of a store anew, after its tables were changed; bytes that are missing are empty."""
    with open_blocking(locate(store)) as reading:
        sessions = [one for one in fetch_headers(reading) if isinstance(one, SessionRecord)]
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("DROP TRIGGER IF EXISTS entries_no_update")
        for session in sessions:
            digest = first = header_digest(session.header)
            segments: dict[int, bytes] = dict(
                connection.execute("SELECT segment, data FROM segments WHERE session = ?", (session.key,))
            )
            columns = ", ".join(f'"{name}"' for name in Entry._fields)
            query = f"SELECT {columns} FROM entries WHERE session = ? ORDER BY seq"
            for row in connection.execute(query, (session.key,)).fetchall():
                entry = Entry._make(row)
                digest = entry_digest(digest, entry, partial(_bytes_in, segments))
                connection.execute(
                    "UPDATE entries SET digest = ? WHERE session = ? AND seq = ?",
                    (digest, session.key, entry.seq),
                )
            connection.execute(
                "UPDATE sessions SET first_digest = ?, last_digest = ? WHERE key = ?",
                (first, digest, session.key),
            )


def _bytes_in(segments: dict[int, bytes], segment: int, offset: int, length: int) -> bytes:
    return bytes_in(segments, segment, offset, length) if segment in segments else b""
