"""A driver's errors become ours by their codes: whatever their texts say, in whatever language."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from realtape.schema.errors import NotAStoreError, StoreBusyError, StoreError, StoreNotFoundError
from realtape.schema.log import locate, store_errors
from realtape.schema.log.driver_errors import sqlite_code
from sqlalchemy.exc import OperationalError


def held(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with closing(sqlite3.connect(path, timeout=0)) as connection:
            connection.execute("CREATE TABLE t (a)")


def read_only(path: Path) -> None:
    path.touch()
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.execute("CREATE TABLE t (a)")


def nowhere(path: Path) -> None:
    sqlite3.connect(path / "folder" / "log.db")


def prose(path: Path) -> None:
    path.write_bytes(b"This is not a database, and was never meant to be one. " * 100)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT * FROM t")


def damaged(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.executemany("INSERT INTO t VALUES (?)", [("x" * 1_000,)] * 100)
        connection.commit()
    with path.open("r+b") as file:
        file.seek(4_096)
        file.write(b"\xff" * 8_192)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT * FROM t").fetchall()


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT * FROM entries")


def full(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA max_page_count=2")
        connection.execute("CREATE TABLE t (a)")
        connection.execute("INSERT INTO t VALUES (?)", ["x" * 10_000])


def refused(path: Path) -> None:
    """In words that would fit any of the others."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.execute(
            "CREATE TRIGGER refusing BEFORE INSERT ON t "
            "BEGIN SELECT RAISE(ABORT, 'locked, busy, malformed, readonly, is full, no such table'); END"
        )
        connection.execute("INSERT INTO t VALUES (1)")


@pytest.mark.parametrize(
    ("make", "code", "expected", "problem"),
    [
        (held, "SQLITE_BUSY", StoreBusyError, "held by another process"),
        (read_only, "SQLITE_READONLY", StoreNotFoundError, "cannot be opened"),
        (nowhere, "SQLITE_CANTOPEN", StoreNotFoundError, "cannot be opened"),
        (prose, "SQLITE_NOTADB", NotAStoreError, "not an SQLite database"),
        (damaged, "SQLITE_CORRUPT", NotAStoreError, "damaged"),
        (foreign, "SQLITE_ERROR", NotAStoreError, "a database of something else"),
        (full, "SQLITE_FULL", StoreError, "full"),
        (refused, "SQLITE_CONSTRAINT", StoreError, "locked, busy"),
    ],
)
def test_sqlites_codes(
    tmp_path: Path, make: Callable[[Path], None], code: str, expected: type[StoreError], problem: str
):
    path = tmp_path / "log.db"
    with pytest.raises(StoreError, match=problem) as caught, store_errors(locate(path)):
        make(path)
    assert type(caught.value) is expected
    assert sqlite_code(caught.value.__cause__ or caught.value) == code


class ServerError(Exception):
    """As psycopg's: with a code of five characters, or without one where no server answered."""

    def __init__(self, text: str, sqlstate: str | None) -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("state", "expected", "remedy"),
    [
        ("55P03", StoreBusyError, "wait for it"),
        ("42P01", NotAStoreError, "name the store"),
        ("53100", StoreError, "free space"),
        ("40001", StoreError, "the database's own message"),
        (None, StoreError, "the database's own message"),
    ],
)
def test_a_servers_codes(state: str | None, expected: type[StoreError], remedy: str):
    original = ServerError("zamčeno\nDETAIL: what the user said", state)
    with pytest.raises(StoreError, match=remedy) as caught, store_errors(locate("postgresql://host/db")):
        raise OperationalError("INSERT", {}, original)
    assert type(caught.value) is expected
    assert "what the user said" not in str(caught.value)
