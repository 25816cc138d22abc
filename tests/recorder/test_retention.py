"""A recorder with a retention removes what its policy takes, when nobody waits: never what is pinned, nor
what is being recorded, by whomever."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from realtape.recorder import Recorder
from realtape.recorder.recorder import RETENTION_SECONDS
from realtape.recorder.session_log import SessionLog
from realtape.schema.entries import Kind, Status
from realtape.schema.errors import UsageError
from realtape.schema.log import locate, open_for_changes, pin, remove_sessions
from realtape.session import Retention, SessionFilter
from support.driven import DrivenRecorder
from support.stored import begin, intact, mark, until
from support.stores import fill, sql

pytestmark = pytest.mark.real_time


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


def keys(path: Path) -> list[int]:
    return [row[0] for row in sql(path, "SELECT key FROM sessions ORDER BY key")]


def pin_key(path: Path, key: int) -> None:
    with open_for_changes(locate(path)) as engine, engine.begin() as connection:
        pin(connection, [key])


async def test_what_is_too_much_goes_and_what_is_pinned_stays(path: Path):
    fill(path, 6)
    pin_key(path, 2)
    async with Recorder(path, retention=Retention(keep_last=3)) as recorder:
        log = begin(recorder)  # of the three, this is one
        mark(log, 1)
        await until(lambda: keys(path) == [2, 5, 6, 7])
        await until(lambda: recorder.status().removed_sessions == 3)  # it is counted when it is committed
        mark(log, 2)
    assert [row[:2] for row in sql(path, "SELECT session, reason FROM prunings ORDER BY session")] == [
        (1, "number"),
        (3, "number"),
        (4, "number"),
    ]
    assert len(await intact(path)) == 4


def test_what_is_being_recorded_stays_whoever_records_it(path: Path):
    """By age all of them would go."""
    ours = DrivenRecorder(path, retention=Retention(older_than_s=0))
    others = DrivenRecorder(path)
    logs = [recorder.begin({"name": "x"}) for recorder in (ours, others)]
    for log in logs:
        log.append(Kind.MARKER, {"number": 1})
    others.write()
    for _ in range(3):
        fill(path, settled=False)
        ours.write()
        ours.tend()
        assert len(keys(path)) == 2
    for log in logs:
        log.append(Kind.MARKER, {"number": 2})
        log.finish(Status.CLOSED)
    others.write()
    ours.write()
    ours.tend()
    assert keys(path) == []
    for recorder in (ours, others):
        recorder.close_blocking()


def test_no_more_than_so_many_bytes_and_the_room_is_given_back(path: Path):
    recorder = DrivenRecorder(path, retention=Retention(max_bytes=400_000))
    sizes: list[int] = []
    for number in range(12):
        log = recorder.begin({"name": f"{number}"})
        log.append(Kind.MARKER, {"number": number, "bytes": bytes([number + 1]) * 100_000})
        log.finish(Status.CLOSED)
        recorder.write()
        recorder.tend()
        pages, free, size = (
            sql(path, f"PRAGMA {name}")[0][0] for name in ("page_count", "freelist_count", "page_size")
        )
        assert free == 0
        sizes.append(pages * size)
    assert max(sizes) <= 400_000
    assert keys(path) == list(range(13 - len(keys(path)), 13))
    recorder.close_blocking()
    for number in range(12):
        assert (bytes([number + 1]) * 1000 in path.read_bytes()) is (number + 1 in keys(path))


def test_it_is_applied_again_after_a_while(path: Path, monkeypatch: pytest.MonkeyPatch):
    recorder = DrivenRecorder(path, retention=Retention(older_than_s=0))
    begin(recorder).append(Kind.MARKER, {"number": 1})
    recorder.write()
    recorder.tend()
    fill(path, settled=False)
    recorder.tend(again=False)
    assert len(keys(path)) == 2
    recorder.tend(again=False, later=RETENTION_SECONDS - 1)
    assert len(keys(path)) == 2
    recorder.tend(again=False, later=RETENTION_SECONDS + 1, idle=False)  # somebody waits
    assert len(keys(path)) == 2
    recorder.tend(again=False, later=2 * RETENTION_SECONDS + 1, idle=False)  # somebody always does
    assert len(keys(path)) == 1
    recorder.close_blocking()


def test_where_something_waits_from_the_beginning_it_is_put_off(path: Path):
    fill(path, 2, settled=False)
    recorder = DrivenRecorder(path, retention=Retention(older_than_s=0))
    mark(begin(recorder), 1)
    recorder.write()
    recorder.tend(again=False, idle=False)
    assert len(keys(path)) == 3
    recorder.tend(again=False, later=RETENTION_SECONDS + 1, idle=False)
    assert len(keys(path)) == 1
    recorder.close_blocking()


def test_what_cannot_be_removed_is_said_once_and_the_session_goes_on(
    path: Path, caplog: pytest.LogCaptureFixture
):
    fill(path, 2)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TRIGGER mine BEFORE DELETE ON sessions BEGIN SELECT RAISE(ABORT, 'not this one'); END"
        )
    recorder = DrivenRecorder(path, retention=Retention(older_than_s=0))
    log = begin(recorder)
    for number in range(3):
        mark(log, number)
        recorder.write()
        recorder.tend()
    recorder.close_blocking()
    said = [one.message for one in caplog.records if one.levelno >= logging.WARNING]
    assert len(said) == 1
    assert "its retention cannot be applied" in said[0]
    assert keys(path) == [1, 2, 3]


def test_what_was_removed_does_not_begin_again(path: Path, caplog: pytest.LogCaptureFixture):
    """It had ended; what the model delivers all the same comes too late. Also where its last commit was in
    doubt."""
    recorder = DrivenRecorder(path)
    logs = [recorder.begin({"name": name}) for name in ("a", "b")]
    for log in logs:
        mark(log, 1)
        log.finish(Status.CLOSED)
    recorder.write()
    with open_for_changes(locate(path)) as engine:
        assert remove_sessions(engine, [1], "age")
    doubt(recorder, logs[0])
    for log in logs:
        mark(log, 2)
    recorder.write()
    assert keys(path) == [2]
    assert "was removed; what came later is not recorded" in caplog.text
    recorder.close_blocking()
    assert sql(path, "SELECT session, count(*) FROM entries") == [(2, 2)]


def doubt(recorder: DrivenRecorder, log: SessionLog) -> None:
    recorder.store._doubted.add(log)  # pyright: ignore[reportPrivateUsage]


def test_a_policy_that_reads_sessions_is_not_a_recorders(path: Path):
    with pytest.raises(UsageError, match="use `realtape prune` for what happened in them"):
        Recorder(path, retention=Retention(about=SessionFilter(tools=("refund",))))
