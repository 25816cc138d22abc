"""A process that is killed in the middle leaves a log that opens, and is whole up to its end."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from realtape.recorder import Recorder
from realtape.schema.entries import Status
from support.stored import Stored, begin, intact, mark, numbers, until, writer_of

pytestmark = pytest.mark.real_time

PROGRAMS = Path(__file__).parent / "programs"


def statuses(path: Path, name: str) -> set[str]:
    """As they stand in the table, of the sessions whose label begins so."""
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT status FROM sessions WHERE json_extract(labels, '$.name') LIKE ? || '%'"
        return {status for (status,) in connection.execute(query, [name])}


@pytest.mark.parametrize(
    ("stores", "victims", "seed"),
    [
        ("same", 5, 1),
        ("fresh", 8, 2),
        pytest.param("same", 300, 3, marks=pytest.mark.deep),
        pytest.param("fresh", 1_000, 4, marks=pytest.mark.deep),
    ],
)
@pytest.mark.timeout(7200)
def test_victims_leave_whole_logs(tmp_path: Path, stores: str, victims: int, seed: int):
    arguments = [sys.executable, PROGRAMS / "victims.py", tmp_path, str(victims), str(seed), stores]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert stores == "fresh" or int(done.stdout) > 0


def by_label(found: list[Stored], name: str) -> Stored:
    return next(stored for stored in found if stored.label.startswith(name))


async def test_the_dead_are_marked_by_the_next_recorder_and_the_living_are_not(tmp_path: Path):
    path = tmp_path / "log.db"
    arguments = [sys.executable, PROGRAMS / "record.py", path, "dead", "1", "100000000"]
    process = await asyncio.create_subprocess_exec(*arguments)
    await until(path.exists)
    living = Recorder(path)
    log = begin(living, "living")
    mark(log, 0)
    # The other process writes as fast as it can, and SQLite's lock is not fair.
    await asyncio.to_thread(writer_of(living).flush, 120)
    await until(lambda: statuses(path, "dead") == {"recording"}, seconds=30)
    process.send_signal(signal.SIGKILL)
    await process.wait()

    found = await intact(path)  # before anyone marks it, it reads as what it is
    assert by_label(found, "dead").entries
    assert any(one.status is Status.INTERRUPTED for one in found if one.label.startswith("dead"))
    assert not any(one.status is Status.RECORDING for one in found if one.label.startswith("dead"))
    assert by_label(found, "living").status is Status.RECORDING

    async with Recorder(path) as third:
        mark(begin(third, "third"), 0)
        await third.flush()
        assert statuses(path, "living") == {"recording"}
        assert "interrupted" in statuses(path, "dead") <= {"interrupted", "closed"}
    mark(log, 1)
    await living.close()
    found = await intact(path)
    assert numbers(by_label(found, "living")) == [0, 1]
    assert by_label(found, "living").status is Status.CLOSED
    assert by_label(found, "third").status is Status.CLOSED


async def test_a_former_life_of_the_same_pid_is_dead(tmp_path: Path):
    """Containers number their processes alike: pid 1 today is not pid 1 of yesterday."""
    path = tmp_path / "log.db"
    async with Recorder(path) as recorder:
        mark(begin(recorder, "yesterday"), 0)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE sessions SET status = 'recording', started_ns = started_ns - 86400e9")
        connection.commit()
    async with Recorder(path) as recorder:
        mark(begin(recorder, "today"), 0)
        await recorder.flush()
        assert statuses(path, "yesterday") == {"interrupted"}
        assert statuses(path, "today") == {"recording"}
