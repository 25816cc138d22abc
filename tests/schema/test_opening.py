"""What cannot be opened says why and what to do, and nobody's attempt changes anything."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from realtape.schema import (
    NewerFormatError,
    NotAStoreError,
    SessionRecord,
    Status,
    StoreBusyError,
    StoreError,
    StoreNotFoundError,
)
from realtape.schema.log import (
    fetch_headers,
    fetch_sessions,
    file_damage,
    locate,
    open_for_reading,
    open_for_writing,
    read,
)
from realtape.schema.log import stores as schema_stores
from realtape.session import Recording
from sqlalchemy import text
from support.stores import (
    DATA,
    another_process,
    as_nobody,
    content,
    fill,
    sql,
    state_of,
    without_privileges,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


# --- what cannot be opened ------------------------------------------------------------------------


def nothing(path: Path) -> None: ...


def empty(path: Path) -> None:
    path.touch()


def folder(path: Path) -> None:
    path.mkdir()


def pipe(path: Path) -> None:
    os.mkfifo(path)


def prose(path: Path) -> None:
    path.write_bytes(b"This is not a database, and was never meant to be one. " * 100)


def begins_like_sqlite(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" + b"but it is not one" * 100)


def of_something_else(path: Path) -> None:
    sql(path, "CREATE TABLE books (title)", "INSERT INTO books VALUES ('a')")


def of_something_else_in_wal_mode(path: Path) -> None:
    sql(path, "PRAGMA journal_mode=WAL", "CREATE TABLE books (title)")


def with_a_table_of_our_name(path: Path) -> None:
    sql(path, "CREATE TABLE store (shelf)", "CREATE TABLE entries (page)")


def with_tables_of_our_names(path: Path) -> None:
    for table in ("sessions", "entries", "segments", "prunings"):
        sql(path, f"CREATE TABLE {table} (a)")
    sql(path, "CREATE TABLE store (format)", "INSERT INTO store VALUES ('pdf')")


def without_its_format(path: Path) -> None:
    fill(path)
    sql(path, "DELETE FROM store")


def of_a_newer_format(path: Path) -> None:
    fill(path)
    sql(path, "UPDATE store SET format = 2")


def of_a_newer_format_with_other_tables(path: Path) -> None:
    sql(path, "CREATE TABLE store (format INTEGER, more)", "INSERT INTO store VALUES (3, 'x')")


def of_no_format(path: Path) -> None:
    fill(path)
    sql(path, "UPDATE store SET format = 0")


def cut_to(share: float) -> Callable[[Path], None]:
    def cut(path: Path) -> None:
        fill(path, entries=600)
        size = path.stat().st_size
        os.truncate(path, max(16, int(size * share)))

    cut.__name__ = f"cut_to_{share}"
    return cut


UNREADABLE: list[tuple[Callable[[Path], None], type[StoreError], str]] = [
    (nothing, StoreNotFoundError, "no such file"),
    (empty, NotAStoreError, "an empty file"),
    (folder, NotAStoreError, "not a file"),
    (pipe, NotAStoreError, "not a file"),
    (prose, NotAStoreError, "not an SQLite database"),
    (begins_like_sqlite, NotAStoreError, "not an SQLite database|damaged"),
    (of_something_else, NotAStoreError, "something else"),
    (of_something_else_in_wal_mode, NotAStoreError, "something else"),
    (with_a_table_of_our_name, NotAStoreError, "something else"),
    (with_tables_of_our_names, NotAStoreError, "something else"),
    (without_its_format, NotAStoreError, "something else"),
    (of_no_format, NotAStoreError, "something else"),
    (of_a_newer_format, NewerFormatError, "format 2.*reads up to 1.*pip install --upgrade"),
    (of_a_newer_format_with_other_tables, NewerFormatError, "format 3"),
    (cut_to(0), NotAStoreError, "damaged|not an SQLite"),
]
CUT = [(cut_to(share), NotAStoreError, "damaged.*recover") for share in (0.1, 0.5, 0.9)]


def assert_told(error: StoreError, path: Path, match: str) -> None:
    assert error.store == str(path)
    assert error.remedy
    assert str(error) == f"{path}: {error.problem}; {error.remedy}"
    assert re.search(match, str(error))


def named(case: Any) -> str:
    return getattr(case, "__name__", "")


@pytest.mark.parametrize(("make", "expected", "match"), UNREADABLE, ids=named)
async def test_what_cannot_be_read_is_told_and_left_as_it_is(
    path: Path, make: Callable[[Path], None], expected: type[StoreError], match: str
):
    make(path)
    before = state_of(path.parent)
    with pytest.raises(expected) as caught:
        async with open_for_reading(locate(path)):
            pytest.fail("opened")
    assert type(caught.value) is expected
    assert_told(caught.value, path, match)
    assert state_of(path.parent) == before


@pytest.mark.parametrize(
    ("make", "expected", "match"),
    [*(case for case in UNREADABLE if case[0] not in (nothing, empty)), *CUT],
    ids=named,
)
def test_what_cannot_be_recorded_into_is_told_and_left_as_it_is(
    path: Path, make: Callable[[Path], None], expected: type[StoreError], match: str
):
    make(path)
    before = state_of(path.parent)
    with pytest.raises(expected) as caught:
        open_for_writing(locate(path))
    assert_told(caught.value, path, match)
    assert state_of(path.parent) == before


@pytest.mark.parametrize("make", [case[0] for case in CUT], ids=named)
async def test_of_a_file_that_was_cut_the_rest_is_read(path: Path, make: Callable[[Path], None]):
    make(path)
    before = state_of(path.parent)
    async with open_for_reading(locate(path)) as connection:
        assert await read(connection, file_damage) is not None
        sessions = await read(connection, fetch_headers)
        assert [session.entries for session in sessions if isinstance(session, SessionRecord)] in (
            [600],
            [0],
            [],
        )
    assert state_of(path.parent) == before


async def test_a_store_below_a_file_or_a_missing_folder_is_not_found(tmp_path: Path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "log.db", tmp_path / "missing" / "log.db", tmp_path / ("x" * 300)):
        with pytest.raises(StoreNotFoundError) as caught:
            async with open_for_reading(locate(path)):
                pytest.fail("opened")
        assert_told(caught.value, path, "")
        with pytest.raises(StoreNotFoundError) as caught:
            open_for_writing(locate(path))
        assert_told(caught.value, path, "")
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


async def test_a_store_that_another_process_holds(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(schema_stores, "READ_BUSY_SECONDS", 0.05)
    monkeypatch.setattr(schema_stores, "WRITE_BUSY_SECONDS", 0.05)
    fill(path)
    before = state_of(path.parent)
    with another_process("connection.execute('BEGIN EXCLUSIVE')", path):
        with pytest.raises(StoreBusyError) as caught:
            async with open_for_reading(locate(path)):
                pytest.fail("opened")
        assert_told(caught.value, path, "held by another process.*wait for it")
        with pytest.raises(StoreBusyError):
            open_for_writing(locate(path))
        assert {name: data for name, data in state_of(path.parent).items() if name == path.name} == before
    assert await content(path) == [("0", 3, DATA)]
    assert state_of(path.parent) == before


@pytest.mark.parametrize("mode", ["file", "folder"])
async def test_a_store_that_may_not_be_read(mode: str):
    with without_privileges() as folder:
        path = folder / "log.db"
        fill(path)
        before = state_of(folder)
        (path if mode == "file" else folder).chmod(0)
        with as_nobody(), pytest.raises(StoreNotFoundError) as caught:
            async with open_for_reading(locate(path)):
                pytest.fail("opened")
        assert_told(caught.value, path, "permissions")
        folder.chmod(0o755)
        path.chmod(0o644)
        assert state_of(folder) == before


# --- reading leaves no trace ----------------------------------------------------------------------


async def test_reading_changes_nothing(path: Path):
    fill(path, sessions=2)
    before = state_of(path.parent)
    assert await content(path) == [("0", 3, DATA), ("1", 3, DATA)]
    assert state_of(path.parent) == before


async def test_reading_what_was_copied_from_under_a_recorder_leaves_nothing_beside_it(path: Path):
    fill(path, settled=False)
    copied = path.parent / "copy" / "log.db"
    copied.parent.mkdir()
    shutil.copy(path, copied)
    before = state_of(copied.parent)
    assert before[copied.name][18:20] == b"\2\2"  # type: ignore  # says that it has a log beside it
    assert await content(copied) == [("0", 3, DATA)]
    assert state_of(copied.parent) == before


async def crashed(path: Path) -> None:
    """A store with a log beside it, as a process leaves it that dies."""
    fill(path)
    program = (
        f"import os, sqlite3; connection = sqlite3.connect({str(path)!r})\n"
        "connection.execute('PRAGMA journal_mode=WAL')\n"
        "connection.execute(\"UPDATE sessions SET status = 'recording'\")\n"
        "connection.commit(); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
    assert path.with_name("log.db-wal").stat().st_size > 0


async def test_reading_what_a_crash_left_keeps_the_log_beside_it(path: Path):
    await crashed(path)
    before = {name: data for name, data in state_of(path.parent).items() if not name.endswith("-shm")}
    async with open_for_reading(locate(path)) as connection:
        (session,) = await read(connection, fetch_sessions)
    assert session.status is Status.RECORDING  # on another host: nothing is known of it
    after = {name: data for name, data in state_of(path.parent).items() if not name.endswith("-shm")}
    assert after == before


@pytest.mark.parametrize("left", [set[str](), {"-wal", "-shm"}], ids=["alone", "with its log"])
async def test_a_store_in_a_folder_that_cannot_be_written(left: set[str]):
    with without_privileges() as folder:
        path = folder / "log.db"
        if left:
            await crashed(path)
        else:
            fill(path, settled=False)
        assert {found.name.removeprefix("log.db") for found in folder.iterdir()} == {"", *left}
        folder.chmod(0o555)
        with as_nobody():
            assert await content(path) == [("0", 3, DATA)]
        assert {found.name.removeprefix("log.db") for found in folder.iterdir()} == {"", *left}
        folder.chmod(0o755)


async def test_a_log_beside_it_that_cannot_be_read_is_not_passed_over():
    """Without the shared memory beside it, SQLite needs a folder that it can write."""
    with without_privileges() as folder:
        path = folder / "log.db"
        await crashed(path)
        path.with_name("log.db-shm").unlink()
        before = state_of(folder)
        folder.chmod(0o555)
        with as_nobody(), pytest.raises(StoreNotFoundError) as caught:
            async with open_for_reading(locate(path)):
                pytest.fail("opened, without what is in the log")
        assert_told(caught.value, path, "permissions")
        folder.chmod(0o755)
        assert state_of(folder) == before


async def test_what_a_process_left_half_done_is_undone(path: Path):
    fill(path)
    program = (
        f"import os, sqlite3; connection = sqlite3.connect({str(path)!r}, isolation_level=None)\n"
        "connection.execute('PRAGMA cache_spill=ON'); connection.execute('PRAGMA cache_size=1')\n"
        "connection.execute('BEGIN IMMEDIATE')\n"
        "for number in range(2000):\n"
        "    connection.execute('INSERT INTO segments VALUES (1, ?, zeroblob(2000))', (number + 1,))\n"
        "os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
    assert path.with_name("log.db-journal").exists()
    assert await content(path) == [("0", 3, DATA)]


@pytest.mark.real_time  # aiosqlite's thread, asked past what holds the clock
async def test_nothing_can_be_written_by_a_reader(path: Path):
    fill(path)
    async with open_for_reading(locate(path)) as connection:
        with pytest.raises(StoreError):
            await connection.execute(text("UPDATE sessions SET status = 'failed'"))


# --- errors in the body ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [BrokenPipeError("head"), sqlite3.OperationalError("its own"), ValueError()]
)
async def test_what_the_body_raises_is_its_own(path: Path, error: Exception):
    fill(path)
    with pytest.raises(type(error)) as caught:
        async with open_for_reading(locate(path)):
            raise error
    assert caught.value is error


@pytest.mark.real_time  # aiosqlite's thread, asked past what holds the clock
async def test_what_the_database_says_in_the_body_is_translated(path: Path):
    fill(path)
    with pytest.raises(NotAStoreError) as caught:
        async with open_for_reading(locate(path)) as connection:
            await connection.execute(text("SELECT missing FROM entries"))
    assert_told(caught.value, path, "no such column")


async def test_a_session_of_a_newer_format_is_refused_and_the_others_are_read(path: Path):
    fill(path, sessions=2)
    with closing(sqlite3.connect(path)) as connection:
        ids = [row[0] for row in connection.execute("SELECT id FROM sessions ORDER BY key")]
        connection.execute("UPDATE sessions SET format = 3 WHERE id = ?", (ids[1],))
        connection.commit()
    async with await Recording.open(path, ids[0]) as recording:
        assert recording.header.format == 1
    with pytest.raises(NewerFormatError, match=r"format 3.*reads up to 2.*pip install --upgrade"):
        await Recording.open(path, ids[1])
