"""Additions to a store are tables of a registry; what only has the name of one, or of one of the five, is
no store of ours."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from realtape.schema import NotAStoreError, StoreError
from realtape.schema.log import (
    additions,
    fetch_sessions,
    file_damage,
    locate,
    open_blocking,
    open_for_reading,
    open_for_writing,
    read,
    reading_connections,
)
from realtape.schema.log.additions import Addition, delete_from_additions, has_addition
from support.stores import fill, sql

NOTES = Addition(
    "notes", "CREATE TABLE notes (session INTEGER NOT NULL, note TEXT NOT NULL)", "schema/log", "session"
)
TALLIES = Addition("tallies", "CREATE TABLE tallies (count INTEGER NOT NULL)", "schema/log", None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(additions, "ADDITIONS", (NOTES, TALLIES))


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def sessions(path: Path) -> int:
    with open_blocking(locate(path)) as connection:
        return len(fetch_sessions(connection))


@pytest.mark.usefixtures("_registered")
def test_a_store_of_before_is_given_what_it_lacks(path: Path, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as before:
        before.setattr(additions, "ADDITIONS", ())
        fill(path, 2)
    assert sessions(path) == 2  # reading changes nothing
    assert sql(path, "SELECT name FROM sqlite_master WHERE name IN ('notes', 'tallies')") == []
    fill(path, 2)
    assert sql(path, "SELECT sql FROM sqlite_master WHERE name = 'notes'") == [(NOTES.sql,)]
    assert sessions(path) == 4


def test_a_reader_passes_over_what_it_does_not_know(path: Path):
    fill(path, 2)
    execute(
        path, NOTES.sql, "CREATE VIEW talk AS SELECT payload FROM entries", "CREATE INDEX i ON entries (type)"
    )
    assert sessions(path) == 2
    fill(path, 2)


@pytest.mark.usefixtures("_registered")
def test_rows_go_with_their_session_or_outlive_it(path: Path):
    first, second = fill(path, 2)
    for key in (first, second):
        execute(path, f"INSERT INTO notes VALUES ({key}, 'x')", "INSERT INTO tallies VALUES (1)")
    engine = open_for_writing(locate(path))
    with engine.begin() as connection:
        delete_from_additions(connection, first)
    engine.dispose()
    assert sql(path, "SELECT session FROM notes") == [(second,)]
    assert sql(path, "SELECT count(*) FROM tallies") == [(2,)]


@pytest.mark.usefixtures("_registered")
@pytest.mark.parametrize(
    "forged",
    [
        "CREATE TABLE notes (session INTEGER, note TEXT)",
        "CREATE VIEW notes AS SELECT key AS session, id AS note FROM sessions",
    ],
)
def test_what_only_has_the_name_of_an_addition_is_passed_over(path: Path, forged: str):
    (key,) = fill(path)
    execute(path, "DROP TABLE notes", forged)
    fill(path)
    assert sessions(path) == 2
    with open_blocking(locate(path)) as connection:
        assert has_addition(connection, TALLIES)
        assert not has_addition(connection, NOTES)
        delete_from_additions(connection, key)


@pytest.mark.parametrize(
    "forged",
    [
        ["ALTER TABLE segments RENAME TO s", "CREATE VIEW segments AS SELECT * FROM s"],
        ["ALTER TABLE store RENAME TO s", "CREATE VIEW store AS SELECT * FROM s"],
        ["ALTER TABLE sessions ADD COLUMN more TEXT AS (printf('%.*c', 1000000000, 'x')) VIRTUAL"],
        ["DROP TABLE prunings", "CREATE VIRTUAL TABLE prunings USING fts5(session, id, reason)"],
        # Without its key each of a reader's steps is a search through all of it.
        ["ALTER TABLE entries RENAME TO e", "CREATE TABLE entries AS SELECT * FROM e", "DROP TABLE e"],
    ],
)
def test_what_only_has_the_name_is_refused(path: Path, forged: list[str]):
    fill(path, 2)
    execute(path, "PRAGMA legacy_alter_table=ON", *forged)
    with pytest.raises(NotAStoreError, match="a database of something else"):
        sessions(path)
    with pytest.raises(NotAStoreError, match="a database of something else"):
        open_for_writing(locate(path))


def test_a_store_that_died_before_its_tables(path: Path):
    """It is nothing foreign: the next recorder makes them."""
    execute(path, "PRAGMA journal_mode=WAL")
    with pytest.raises(NotAStoreError, match="no log yet: its tables were not made"):
        sessions(path)
    fill(path, 2)
    assert sessions(path) == 2


def test_a_statement_that_has_no_end_is_ended(path: Path, monkeypatch: pytest.MonkeyPatch):
    """Whatever it is that makes SQLite work on and on."""
    fill(path)
    monkeypatch.setattr(reading_connections, "LEAST_STEPS", 5_000_000)
    endless = "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    steps = (
        "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n LIMIT 150000) SELECT max(i) FROM n"
    )
    with open_blocking(locate(path)) as connection:
        for _ in range(5):  # each has all that one may take
            assert connection.exec_driver_sql(steps).scalar() == 150_000
        with pytest.raises(NotAStoreError, match=r"damaged \(interrupted\)"):
            connection.exec_driver_sql(endless).scalar()
        with pytest.raises(StoreError, match="too big"):
            connection.exec_driver_sql("SELECT length(zeroblob(2000000000))").scalar()
        assert len(fetch_sessions(connection)) == 1


async def test_nor_does_it_hold_an_event_loop_up(path: Path, monkeypatch: pytest.MonkeyPatch):
    fill(path)
    monkeypatch.setattr(reading_connections, "LEAST_STEPS", 5_000_000)
    endless = "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    async with open_for_reading(locate(path)) as connection:
        with pytest.raises(NotAStoreError, match=r"damaged \(interrupted\)"):
            await read(connection, lambda it: it.exec_driver_sql(endless).scalar())


def test_what_a_schema_would_compute_is_not_computed(path: Path):
    """Not by looking for damage either, which asks for every index and every check."""
    fill(path, 2)
    with closing(sqlite3.connect(path)) as connection:
        connection.create_function("days", 1, str, deterministic=True)
        connection.execute("CREATE INDEX slow ON entries (days(payload))")
        connection.execute("CREATE INDEX slower ON entries (seq) WHERE days(payload) > ''")
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'data BLOB', 'data BLOB CHECK (days(data) > 1)') "
            "WHERE name = 'segments'"
        )
        connection.commit()
    assert "CHECK (days" in sql(path, "SELECT sql FROM sqlite_master WHERE name = 'segments'")[0][0]
    with open_blocking(locate(path)) as connection:
        assert len(fetch_sessions(connection)) == 2
        assert file_damage(connection) is None
