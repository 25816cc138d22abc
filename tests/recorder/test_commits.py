"""Entries reach the file within a blink while they flow, and after `close` one file stands for itself."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from realtape.recorder import Recorder
from realtape.recorder.session_log import Batch, SessionLog
from realtape.recorder.store import Store
from realtape.recorder.writer import Pace
from realtape.schema.entries import Kind, Status
from realtape.schema.errors import StoreWriteError
from realtape.schema.log import fetch_sessions, locate, open_blocking
from support.stored import (
    begin,
    beside,
    intact,
    locked,
    mark,
    numbers,
    only,
    paced,
    until,
    writer_of,
)
from support.stores import fill

pytestmark = pytest.mark.real_time


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


def committed(path: Path) -> int:
    """How many entries a second connection sees."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT count(*) FROM entries").fetchone()[0]
    except sqlite3.OperationalError:  # the tables are not there yet
        return 0
    finally:
        connection.close()


async def test_entries_are_committed_while_they_flow(path: Path):
    """Nobody asks for it. How soon, `benchmarks/` says."""
    async with Recorder(path) as recorder:
        log = begin(recorder)
        for number in range(5):
            mark(log, *range(number * 10, number * 10 + 10))
            await until(lambda number=number: committed(path) == number * 10 + 10)


async def test_groups_are_committed_together(path: Path):
    """What comes while a commit is made goes into the next one, whole."""
    async with Recorder(path) as recorder:
        log = begin(recorder)
        mark(log, 0)
        await recorder.flush()
        with locked(path):
            for number in range(500):
                log.append(Kind.MARKER, {"number": number, "bytes": number.to_bytes(8)})
    stored = await only(path)
    assert numbers(stored)[1:] == list(range(500))
    # One segment row a commit: that of what the writer had taken, and that of the rest.
    assert 1 <= len(stored.segments) <= 2


async def test_the_commits_of_a_large_batch_leave_the_session_as_it_is(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Who is killed between two of them leaves a header that can be read."""
    told: list[Status] = []
    commit = Store.commit

    def looked_at(store: Store, batches: Sequence[Batch]) -> object:
        failed = commit(store, batches)
        with open_blocking(locate(path)) as connection:
            told.extend(one.status for one in fetch_sessions(connection))
        return failed

    monkeypatch.setattr(Store, "commit", looked_at)
    async with Recorder(path) as recorder:
        writer_of(recorder)._size.limit_bytes = 1  # pyright: ignore[reportPrivateUsage]
        mark(begin(recorder), *range(20))
    assert len(told) > 3
    assert set(told[:-1]) == {Status.RECORDING}
    assert told[-1] is Status.CLOSED


def test_a_header_of_which_a_recorder_died_in_the_midst_of_a_batch(path: Path):
    """Recorders wrote no status there, once."""
    fill(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE sessions SET status = 'None'")
    with open_blocking(locate(path)) as connection:
        assert [one.status for one in fetch_sessions(connection)] == [Status.INTERRUPTED]


async def test_flush_waits_for_all_that_was_appended_before(path: Path):
    async with Recorder(path) as recorder:
        log = begin(recorder)
        for number in range(10):
            mark(log, *range(number * 100, number * 100 + 100))
            await recorder.flush()
            assert committed(path) == number * 100 + 100


async def test_flush_waits_for_what_came_while_writing_failed(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    """The writer tries again what it has taken: what was appended since then is not written with that."""
    monkeypatch.setattr("realtape.schema.log.stores.WRITE_BUSY_SECONDS", 0.05)
    async with paced(path, Pace(max_backoff=0.02, busy_is_trouble=0)) as recorder:
        log = begin(recorder)
        mark(log, 0)
        await recorder.flush()
        with locked(path):
            mark(log, 1)
            await until(lambda: "cannot write" in caplog.text)
            mark(log, 2)
            flushing = asyncio.create_task(recorder.flush())
            await until(lambda: writer_of(recorder)._asked == 2)  # pyright: ignore[reportPrivateUsage]
        await flushing
        assert committed(path) == 3


async def test_flush_before_any_session_makes_no_file(path: Path):
    async with Recorder(path) as recorder:
        await recorder.flush()
    assert not path.exists()


async def test_close_drains_what_is_pending(path: Path):
    recorder = Recorder(path)
    log = begin(recorder)
    mark(log, *range(5_000))
    await recorder.close()
    stored = await only(path)
    assert numbers(stored) == list(range(5_000))
    assert stored.status is Status.CLOSED


async def test_a_closed_recorder_records_nothing_more(path: Path):
    recorder = Recorder(path)
    log = begin(recorder)
    mark(log, 1)
    await recorder.close()
    mark(log, 2)
    late = begin(recorder)
    mark(late, 3)
    late.finish(Status.CLOSED)
    await recorder.flush()
    await recorder.close()
    assert log.append(Kind.MARKER, {}) is None
    assert numbers(await only(path)) == [1]


async def test_a_flush_does_not_wait_for_a_closed_recorder(path: Path):
    """Waiting for the disk here would be waiting for ever: the test's own time limit would end it."""
    recorder = Recorder(path, drain_seconds=100_000)
    mark(begin(recorder), *range(5_000))
    flushing = asyncio.create_task(recorder.flush())
    await recorder.close()
    await flushing
    await recorder.flush()


async def test_close_may_be_called_by_several_at_once(path: Path):
    recorder = Recorder(path)
    mark(begin(recorder), *range(1_000))
    await asyncio.gather(*(recorder.close() for _ in range(5)))
    assert numbers(await only(path)) == list(range(1_000))


async def test_one_file_is_left(path: Path):
    async with Recorder(path) as recorder:
        mark(begin(recorder), 1)
        await recorder.flush()
        assert beside(path) == {"log.db", "log.db-wal", "log.db-shm", "log.db-live"}
    assert beside(path) == {"log.db"}


READER = """
import asyncio, os, sys
sys.path.insert(0, sys.argv[2])
from support.stored import numbers, only
if os.getuid() == 0:  # who may write anywhere
    asyncio.run(only(sys.argv[1]))  # imports what only root may read
    os.setgid(65534), os.setuid(65534)
print(numbers(asyncio.run(only(sys.argv[1]))))
"""


async def test_a_read_only_folder_is_enough_to_read(reachable: Path):
    folder = reachable / "readonly"
    folder.mkdir()
    path = folder / "log.db"
    async with Recorder(path) as recorder:
        mark(begin(recorder), 1, 2, 3)
    path.chmod(0o444)
    folder.chmod(0o555)
    try:
        tests = str(Path(__file__).parents[1])
        done = subprocess.run(
            [sys.executable, "-c", READER, str(path), tests], capture_output=True, text=True, check=False
        )
    finally:
        folder.chmod(0o755)
    assert done.stdout == "[1, 2, 3]\n", done.stderr
    assert beside(path) == {"log.db"}


async def test_two_recorders_of_one_process_close_in_any_order(path: Path):
    first, second = Recorder(path), Recorder(path)
    logs = begin(first, "first"), begin(second, "second")
    for number in range(100):
        mark(logs[0], number)
        mark(logs[1], number)
    await first.flush()
    await first.close()
    mark(logs[1], 100)
    await second.close()
    assert beside(path) == {"log.db"}
    stored = {one.label: one for one in await intact(path)}
    assert numbers(stored["first"]) == list(range(100))
    assert numbers(stored["second"]) == list(range(101))


async def test_reading_in_the_process_that_records_leaves_its_locks_alone(path: Path):
    """Closing any handle of a file drops all POSIX locks that the process holds on it: then another
    process would take the log for nobody's, merge the -wal, and remove it under the writer."""
    async with Recorder(path) as recorder:
        log = begin(recorder, "ours")
        mark(log, *range(100))
        await recorder.flush()
        await intact(path)
        other = "import asyncio, sys; from realtape.recorder import Recorder\n"
        other += "async def main():\n async with Recorder(sys.argv[1]) as r: r.begin({'name': 'other'})"
        other += ".append('marker', {})\nasyncio.run(main())"
        subprocess.run([sys.executable, "-c", other, str(path)], check=True)
        assert "log.db-wal" in beside(path)
        mark(log, *range(100, 200))
    ours = next(stored for stored in await intact(path) if stored.label == "ours")
    assert numbers(ours) == list(range(200))


async def test_a_parked_writer_is_woken(path: Path):
    async with paced(path, Pace(park_after=0)) as recorder:
        log = begin(recorder)
        for number in range(3):
            mark(log, number)
            await until(lambda number=number: committed(path) == number + 1)
            await until(lambda: writer_of(recorder).backlog.parked)
        other = begin(recorder)  # which it does not look at yet
        mark(other, 3)
        await until(lambda: committed(path) == 4)


class Faulty(SessionLog):
    """A session that fails where nothing of ours is expected to: when the writer comes for it."""

    trouble: Exception | None = None

    def take(self) -> Batch | None:
        if self.trouble is not None:
            raise self.trouble
        return super().take()


async def test_a_sessions_trouble_is_neither_the_writers_nor_the_others(
    path: Path, caplog: pytest.LogCaptureFixture
):
    recorder = paced(path, Pace(max_backoff=0.02, busy_is_trouble=0))
    healthy, faulty = begin(recorder, "healthy"), begin(recorder, "faulty")
    faulty.__class__ = Faulty
    assert isinstance(faulty, Faulty)
    mark(healthy, 0)
    mark(faulty, 0)
    await recorder.flush()
    faulty.trouble = KeyError("what the user said")
    mark(faulty, 1)
    mark(healthy, 1)
    await until(lambda: committed(path) == 3)
    await until(lambda: "cannot write: unexpected KeyError" in caplog.text)
    mark(healthy, 2)
    await until(lambda: committed(path) == 4)
    with pytest.raises(StoreWriteError, match="unexpected KeyError"):
        await asyncio.to_thread(writer_of(recorder).flush, 0.1)  # not all is written, and it does not say so
    faulty.trouble = None
    await recorder.close()
    assert {stored.label: numbers(stored) for stored in await intact(path)} == {
        "healthy": [0, 1, 2],
        "faulty": [0, 1],
    }
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == [
        "cannot write: unexpected KeyError; please report this. "
        "The session goes on, and writing is tried again",
        "writing again",
    ]
