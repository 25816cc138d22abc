"""A session is removed whole or not at all, never one that is recorded or pinned; its room is given back."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from realtape.schema import Status
from realtape.schema.log import (
    fetch_sessions,
    give_back,
    locate,
    open_blocking,
    open_for_changes,
    open_for_writing,
    pin,
    pinned,
    remove_sessions,
    rewrite,
    unpin,
)
from realtape.session import verified_batches
from support.stores import add, another_process, entry, fill, header, sql

TESTS = Path(__file__).parents[1]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


def rows_of(path: Path, key: int) -> int:
    """How many rows a session has anywhere."""
    tables = (("sessions", "key"), ("entries", "session"), ("segments", "session"), ("pins", "session"))
    return sum(
        sql(path, f"SELECT count(*) FROM {table} WHERE {column} = {key}")[0][0] for table, column in tables
    )


def test_nothing_is_left_of_it_but_a_word(path: Path) -> None:
    first, second = fill(path, 2)
    (identity,) = sql(path, f"SELECT id, last_digest FROM sessions WHERE key = {first}")
    with open_for_changes(locate(path)) as engine:
        assert remove_sessions(engine, [first], "age")
        assert not remove_sessions(engine, [first, second], "age")  # all or none
    assert (rows_of(path, first), rows_of(path, second)) == (0, 5)
    assert sql(path, "SELECT session, id, reason, last_digest FROM prunings") == [
        (first, identity[0], "age", identity[1])
    ]
    with open_blocking(locate(path)) as connection:
        (left,) = fetch_sessions(connection)
        assert sum(map(len, verified_batches(connection, left))) == 3


def test_a_pin_protects_and_goes_with_its_session(path: Path) -> None:
    first, second = fill(path, 2)
    with open_for_changes(locate(path)) as engine:
        with engine.begin() as connection:
            assert (pin(connection, [first]), pin(connection, [first, second])) == (1, 1)
            assert unpin(connection, [second]) == 1
        assert not remove_sessions(engine, [first, second], "age")
        assert remove_sessions(engine, [second], "age")
        with engine.begin() as connection:
            assert pinned(connection) == {first}
            assert (unpin(connection, [first]), unpin(connection, [first])) == (1, 0)
        assert remove_sessions(engine, [first], "age")
    assert sql(path, "SELECT * FROM pins") == []


def test_what_is_being_recorded_is_not_removed(path: Path) -> None:
    engine = open_for_writing(locate(path))
    with engine.begin() as connection:  # an older release's, on another machine: nobody knows
        unknown = add(connection, header(), [entry(0)], Status.RECORDING)
    engine.dispose()
    with open_for_changes(locate(path)) as engine:
        assert not remove_sessions(engine, [unknown], "age")
    assert rows_of(path, unknown) == 3


@pytest.mark.parametrize("new", [True, False])
def test_its_room_is_given_back(path: Path, new: bool) -> None:
    if not new:  # as an older release made it
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
    keys = fill(path, 3, 3_000)
    size = path.stat().st_size
    with open_for_changes(locate(path)) as engine:
        for key in keys[:2]:
            assert remove_sessions(engine, [key], "size")
        assert give_back(engine)
        assert (path.stat().st_size < size * 0.5) == new
        assert rewrite(engine)
        assert path.stat().st_size < size * 0.5
        assert sql(path, "PRAGMA auto_vacuum") == [(2,)]
    assert rows_of(path, keys[2]) == 3_002


def test_a_reader_keeps_what_it_reads(path: Path) -> None:
    key = fill(path, 1, 3_000)[0]
    size = path.stat().st_size
    reading = "connection.execute('BEGIN'); connection.execute('SELECT count(*) FROM entries').fetchone()"
    with another_process("connection.execute('PRAGMA journal_mode=WAL')\n" + reading, path):
        with open_for_changes(locate(path)) as engine:
            with engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA busy_timeout=0")
            assert remove_sessions(engine, [key], "age")
            assert not give_back(engine)
        assert path.stat().st_size == size
    with open_for_changes(locate(path)) as engine:
        assert give_back(engine)
    assert path.stat().st_size < size * 0.5


PRUNER = """
import sys
from realtape.schema.log import give_back, locate, open_for_changes, remove_sessions
print("ready", flush=True)
with open_for_changes(locate(sys.argv[1])) as engine:
    for first in range(1, 21, 2):
        assert remove_sessions(engine, [first, first + 1], "age")
        print(first, flush=True)
    give_back(engine)
"""


@pytest.mark.real_time
def test_killed_in_the_midst(path: Path) -> None:
    """What goes together is there whole, or gone; and the next one goes on."""
    fill(path, 20, 200)
    process = subprocess.Popen([sys.executable, "-c", PRUNER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as told:
        for _ in range(3):
            told.readline()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with open_blocking(locate(path)) as connection:
        left = fetch_sessions(connection)
        keys = [one.key for one in left]
        assert keys == list(range(keys[0], 21))
        assert keys[0] % 2 == 1
        assert keys[0] > 4
        for one in left:
            assert sum(map(len, verified_batches(connection, one))) == 200
    assert len(sql(path, "SELECT * FROM prunings")) == 20 - len(left)
    with open_for_changes(locate(path)) as engine:
        assert remove_sessions(engine, keys, "age")
