"""Stores on real files: made once, append-only, and read back as they were written."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from realtape.schema import CorruptRecordError, Status
from realtape.schema.entries import FORMAT
from realtape.schema.log import (
    entry_batches,
    fetch_headers,
    fetch_segment,
    fetch_sessions,
    insert_session,
    liveness,
    locate,
    mark_interrupted,
    open_for_reading,
    open_for_writing,
    read,
    read_each,
)
from realtape.schema.log import rows as schema_rows
from realtape.schema.log import stores as schema_stores
from realtape.schema.log.tables import APPLICATION_ID
from realtape.session import Recording
from sqlalchemy import text
from support.stores import (
    DATA,
    content,
    entry,
    fill,
    header,
    sql,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


# --- making ---------------------------------------------------------------------------------------


async def test_a_store_is_made_once(path: Path):
    fill(path)
    made = sql(path, "SELECT * FROM store")
    schema = sql(path, "SELECT * FROM sqlite_master ORDER BY name")
    fill(path)
    assert sql(path, "SELECT * FROM store") == made
    assert [row[0] for row in made] == [FORMAT]
    assert sql(path, "SELECT * FROM sqlite_master ORDER BY name") == schema
    assert sql(path, "PRAGMA application_id") == [(APPLICATION_ID,)]
    assert [session[1:] for session in await content(path)] == [(3, DATA), (3, DATA)]


async def test_many_processes_make_it_at_once(path: Path):
    program = (
        "import sys; from pathlib import Path; from support.stores import fill\n"
        "fill(Path(sys.argv[1]), settled=False)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    command = [sys.executable, "-c", program, str(path)]
    processes = [subprocess.Popen(command, env=environment) for _ in range(4)]
    assert [process.wait(timeout=120) for process in processes] == [0] * 4
    assert len(await content(path)) == 4
    assert sql(path, "SELECT count(*) FROM store") == [(1,)]


def test_dying_in_the_middle_of_making_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch):
    def half(connection: Any) -> None:
        connection.execute(text("CREATE TABLE store (format INTEGER)"))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(schema_stores, "create_tables", half)
        with pytest.raises(KeyboardInterrupt):
            open_for_writing(locate(path))
    assert sql(path, "SELECT name FROM sqlite_master") == []
    assert fill(path) == [1]


def test_an_empty_file_becomes_a_store(path: Path):
    path.touch()
    assert fill(path) == [1]


# --- append-only ----------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["entries", "segments"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {table} SET session = session",
        "DELETE FROM {table}",
        "DELETE FROM {table} WHERE session = 1",
        "UPDATE {table} SET session = 3 WHERE session = 1",
    ],
)
def test_triggers_refuse_changes(path: Path, table: str, statement: str):
    fill(path, sessions=2)
    before = sql(path, f"SELECT * FROM {table}")
    with pytest.raises(sqlite3.IntegrityError, match=f"{table} are append-only"):
        sql(path, statement.format(table=table))
    assert sql(path, f"SELECT * FROM {table}") == before


async def test_a_pruning_removes_its_session_and_no_other(path: Path):
    first, second = fill(path, sessions=2)
    pruning = f"INSERT INTO prunings SELECT key, id, 1, 'old', last_digest FROM sessions WHERE key = {first}"
    for table in ("entries", "segments"):
        with pytest.raises(sqlite3.IntegrityError, match="only a pruning removes them"):
            sql(path, pruning, f"DELETE FROM {table} WHERE session = {second}")
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            sql(path, pruning, f"UPDATE {table} SET session = 9 WHERE session = {first}")
    assert sql(path, "SELECT * FROM prunings") == []  # in one transaction with what was refused
    deletions = [f"DELETE FROM {table} WHERE session = {first}" for table in ("entries", "segments")]
    sql(path, pruning, *deletions, f"DELETE FROM sessions WHERE key = {first}")
    assert await content(path) == [("1", 3, DATA)]


def test_the_key_of_a_pruned_session_is_not_given_again(path: Path):
    """Or the session that got it could be deleted from the beginning."""
    (key,) = fill(path)
    pruning = f"INSERT INTO prunings SELECT key, id, 1, 'old', last_digest FROM sessions WHERE key = {key}"
    deletions = [f"DELETE FROM {table} WHERE session = {key}" for table in ("entries", "segments")]
    sql(path, pruning, *deletions, f"DELETE FROM sessions WHERE key = {key}")
    (again,) = fill(path)
    assert again != key
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        sql(path, "DELETE FROM entries")


# --- rows -----------------------------------------------------------------------------------------


async def test_entries_come_back_in_batches_from_anywhere(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(schema_rows, "READ_BATCH", 4)
    (key,) = fill(path, entries=10)
    async with open_for_reading(locate(path)) as connection:
        for first in (0, 3, 4, 9, 10, 99):
            batches = [batch async for batch in read_each(connection, entry_batches, key, first)]
            found = [row for batch in batches for row in batch]
            assert [row._replace(digest=b"") for row in found] == [entry(seq) for seq in range(first, 10)]
        assert [one async for one in read_each(connection, entry_batches, 99)] == []
        assert await read(connection, fetch_segment, key, 1) is None


async def test_sessions_come_back_with_all_that_was_written(path: Path):
    fill(path, sessions=2)
    engine = open_for_writing(locate(path))
    written = header("an earlier one", env="test")
    with engine.begin() as connection:
        key, digest = insert_session(connection, written)
    engine.dispose()
    async with open_for_reading(locate(path)) as connection:
        found = await read(connection, fetch_sessions)
    assert [session.entries for session in found] == [3, 3, 0]
    assert (found[2].key, found[2].header, found[2].first_digest) == (key, written, digest)
    assert [session.status for session in found] == [Status.CLOSED, Status.CLOSED, Status.RECORDING]


@pytest.mark.parametrize("pid", [0, -1, 1 << 31, 1 << 62])
def test_a_number_that_no_process_has_is_that_of_a_dead_one(
    path: Path, pid: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(liveness.socket, "gethostname", lambda: "elsewhere")
    fill(path)
    sql(path, f"UPDATE sessions SET status = 'recording', pid = {pid}")
    engine = open_for_writing(locate(path))
    with engine.begin() as connection:
        mark_interrupted(connection)
    engine.dispose()
    assert sql(path, "SELECT status FROM sessions") == [("interrupted",)]


@pytest.mark.parametrize(
    "change",
    ["versions = 'x'", "labels = '[1]'", "labels = 'null'", "status = 'happy'", "first_digest = 3.5"],
)
async def test_a_header_that_cannot_be_read_is_corrupt(path: Path, change: str):
    fill(path)
    sql(path, f"UPDATE sessions SET {change}")
    (session_id,) = sql(path, "SELECT id FROM sessions")[0]
    async with open_for_reading(locate(path)) as connection:
        (error,) = await read(connection, fetch_headers)
        assert not await read(connection, fetch_sessions)
    assert isinstance(error, CorruptRecordError)
    assert (error.session_id, error.seq) == (session_id, None)
    with pytest.raises(CorruptRecordError, match="header"):
        await Recording.open(path)
