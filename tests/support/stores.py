"""Stores of known content, and what an attempt to open one may not change."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from realtape.schema import Entry, Header, Kind, Status
from realtape.schema.entries import new_session_id
from realtape.schema.log import (
    advance_session,
    entry_batches,
    entry_digest,
    fetch_segment,
    fetch_sessions,
    insert_entries,
    insert_segment,
    insert_session,
    locate,
    open_for_reading,
    open_for_writing,
    read,
    read_each,
    settle,
)
from sqlalchemy.engine import Connection

DATA = b"four bytes and more of them"
NOBODY = 65534


def header(previous: str | None = None, **changes: str) -> Header:
    """A session's header."""
    return Header(
        id=new_session_id(),
        previous_session=previous,
        started_ns=1_732_000_000_000_000_000,
        host="elsewhere",
        pid=4711,
        source="recorder",
        versions={"realtape": "0.1.0"},
        labels=changes,
    )


def entry(seq: int, payload: str = '{"$":"py:bytes","at":[0,0,4]}') -> Entry:
    """An entry that uses most of the columns."""
    return Entry(
        seq, seq * 1000, seq, 0, Kind.RECEIVED, "audio", None, None, None, None, "item_é", 0, 12.5, payload, 2
    )


def fill(path: Path, sessions: int = 1, entries: int = 3, *, settled: bool = True) -> list[int]:
    """Write sessions of some entries and one segment each; answers their keys."""
    address = locate(path)
    engine = open_for_writing(address)
    keys: list[int] = []
    with engine.begin() as connection:
        for number in range(sessions):
            facts = header(number=str(number))
            keys.append(add(connection, facts, list(map(entry, range(entries)))))
    engine.dispose()
    if settled:
        settle(address)
    return keys


def add(
    connection: Connection, facts: Header, entries: Sequence[Entry], status: Status = Status.CLOSED
) -> int:
    """Write a session of these entries and one segment; answers its key."""
    key, digest = first = insert_session(connection, facts)
    insert_segment(connection, key, 0, DATA)
    rows: list[Entry] = []
    for one in entries:
        digest = entry_digest(digest, one, lambda segment, offset, length: DATA[:length])
        rows.append(one._replace(digest=digest))
    insert_entries(connection, key, rows)
    advance_session(connection, key, facts.id, first[1], digest, status)
    return key


def sql(path: Path, *statements: str) -> list[Any]:
    """Run statements by the driver alone; the last one's rows."""
    connection = sqlite3.connect(path)
    try:
        found: list[Any] = []
        for statement in statements:
            found = connection.execute(statement).fetchall()
        connection.commit()
        return found
    finally:
        connection.close()


async def content(path: Path) -> list[tuple[str, int, bytes | None]]:
    """Per session: label, number of entries, its segment."""
    async with open_for_reading(locate(path)) as connection:
        return [
            (
                session.header.labels["number"],
                sum([len(batch) async for batch in read_each(connection, entry_batches, session.key)]),
                await read(connection, fetch_segment, session.key, 0),
            )
            for session in await read(connection, fetch_sessions)
        ]


def state_of(folder: Path) -> dict[str, bytes | None]:
    """All that lies in a folder: names and bytes."""
    found = sorted(folder.iterdir())
    return {path.name: path.read_bytes() if path.is_file() else None for path in found}


@contextmanager
def without_privileges() -> Generator[Path]:
    """A folder for somebody who is not root, and who cannot write there once it says so."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@contextmanager
def as_nobody() -> Generator[None]:
    """Give up root's privileges, before which no permission counts."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def another_process(program: str, path: Path) -> Generator[None]:
    """Another process that runs a program with `connection` to the database, until we are done."""
    begin = f"import sqlite3\nconnection = sqlite3.connect({str(path)!r}, isolation_level=None)\n"
    end = "\nprint('ready', flush=True)\ninput()\n"
    process = subprocess.Popen(
        [sys.executable, "-c", begin + program + end], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield
    finally:
        process.communicate(b"\n", timeout=120)
