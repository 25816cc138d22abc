"""A session is `recording` as long as its recorder holds its lock, whatever host and process are called."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from realtape.recorder import Recorder
from realtape.schema.entries import Status
from realtape.schema.log import Lock, fetch_sessions, liveness, locate, open_for_changes, remove_sessions
from sqlalchemy.engine import Connection
from support.driven import DrivenRecorder
from support.forked import in_child
from support.stored import Stored, begin, beside, intact, mark, numbers

pytestmark = pytest.mark.real_time

TESTS = Path(__file__).parents[1]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


ELSEWHERE = """
import asyncio, os, socket, sys
sys.path.insert(0, sys.argv[2])
socket.gethostname = lambda: "0123456789ab"  # a container, and the first process in it
os.getpid = lambda: 1
from realtape.recorder import Recorder
from support.stored import begin, mark

async def main():
    recorder = Recorder(sys.argv[1])
    log = begin(recorder, "elsewhere")
    mark(log, 1, 2, 3)
    await recorder.flush()
    print("ready", flush=True)
    if sys.stdin.readline() == "fork\\n":
        pid = os.fork()
        if pid == 0:
            sys.stdin.readline()  # lives on, and has let go of what is its parent's
            os._exit(0)
        print("forked", flush=True)
    os._exit(0)

asyncio.run(main())
"""


class Elsewhere:
    """A recorder in another container."""

    def __init__(self, path: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", ELSEWHERE, str(path), str(TESTS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._told() == "ready\n"

    def _told(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def die(self, how: str = "") -> None:
        """End without ceremony."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{how}\n")
        self.process.stdin.flush()
        if how:
            assert self._told() == f"{how}ed\n"
        self.process.wait()

    def __enter__(self) -> Elsewhere:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


async def statuses(path: Path) -> dict[str, Status]:
    return {stored.label: stored.status for stored in await intact(path)}


def stored_statuses(path: Path) -> dict[str, str]:
    """As they stand in the table."""
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT json_extract(labels, '$.name'), status FROM sessions"
        return dict(connection.execute(query).fetchall())


async def test_a_recorder_in_another_container_lives_and_dies(path: Path):
    with Elsewhere(path) as other:
        assert await statuses(path) == {"elsewhere": Status.RECORDING}
        async with Recorder(path) as recorder:
            mark(begin(recorder, "here"), 1)
            await recorder.flush()
            assert stored_statuses(path)["elsewhere"] == "recording"
        other.die()
        assert await statuses(path) == {"elsewhere": Status.INTERRUPTED, "here": Status.CLOSED}
        assert stored_statuses(path)["elsewhere"] == "recording"  # readers change nothing
    async with Recorder(path) as recorder:
        mark(begin(recorder, "next"), 1)
    assert stored_statuses(path)["elsewhere"] == "interrupted"
    assert beside(path) == {"log.db"}


async def test_a_child_that_outlives_it_does_not_hold_its_locks(path: Path):
    with Elsewhere(path) as other:
        other.die("fork")
        assert await statuses(path) == {"elsewhere": Status.INTERRUPTED}


async def test_a_copy_is_nobodys(path: Path):
    """What lies elsewhere is not recorded into, though who recorded it lives."""
    async with Recorder(path) as recorder:
        mark(begin(recorder, "original"), 1)
        await recorder.flush()
        copy = path.with_name("copy.db")
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        assert await statuses(copy) == {"original": Status.INTERRUPTED}
        assert await statuses(path) == {"original": Status.RECORDING}


async def test_a_session_that_rests_is_held_while_others_come_and_go(path: Path):
    async with Recorder(path) as recorder:
        resting = begin(recorder, "resting")
        mark(resting, 1)
        await recorder.flush()
        async with Recorder(path) as other:
            mark(begin(other, "other"), 1)
        assert await statuses(path) == {"resting": Status.RECORDING, "other": Status.CLOSED}
        path.with_name("log.db-live").unlink()  # by somebody who tidied up
        mark(begin(recorder, "new"), 1)
        await recorder.flush()
        found = await statuses(path)
        assert found["resting"] is found["new"] is Status.RECORDING


async def test_a_session_is_held_through_a_trouble_of_the_store(path: Path):
    """It is opened anew, and the next recorder must not take those who rest for dead."""
    async with Recorder(path) as recorder:
        resting, busy = begin(recorder, "resting"), begin(recorder, "busy")
        mark(resting, 1)
        mark(busy, 1)
        await recorder.flush()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("ALTER TABLE entries RENAME TO aside")
            mark(busy, 2)
            with pytest.raises(Exception, match="a database of something else"):
                await recorder.flush()
            connection.execute("ALTER TABLE aside RENAME TO entries")
        async with Recorder(path) as other:
            mark(begin(other, "other"), 1)
        assert stored_statuses(path)["resting"] == "recording"


@pytest.mark.parametrize(("pid", "status"), [(os.getppid(), "recording"), (1 << 31, "interrupted")])
async def test_a_session_of_an_older_release_is_judged_by_its_process(path: Path, pid: int, status: str):
    async with Recorder(path) as recorder:
        mark(begin(recorder, "old"), 1)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE sessions SET status = 'recording', pid = ?", (pid,))
        connection.execute("DELETE FROM locks")
        connection.commit()
    async with Recorder(path) as recorder:
        mark(begin(recorder, "new"), 1)
    assert stored_statuses(path) == {"old": status, "new": "closed"}


async def test_many_that_come_and_go_never_share_a_file_that_is_gone(path: Path):
    """The last to leave removes the lock's file; who comes at that moment must not be left with it."""

    async def come_and_go(name: str) -> None:
        for number in range(5):
            async with Recorder(path) as recorder:
                mark(begin(recorder, f"{name} {number}"), number)
                await recorder.flush()
                assert path.with_name("log.db-live").exists()
                found = {stored.label: stored for stored in await intact(path)}
                assert found[f"{name} {number}"].status is Status.RECORDING
                assert numbers(found[f"{name} {number}"]) == [number]

    await asyncio.gather(*(come_and_go(name) for name in "abc"))
    found: list[Stored] = await intact(path)
    assert {stored.status for stored in found} == {Status.CLOSED}
    assert beside(path) == {"log.db"}


def test_a_session_is_its_recorders_until_its_end_is_committed(path: Path):
    """Also where the file was opened again in between, as after a fork."""
    recorder = DrivenRecorder(path)
    ending, other = begin(recorder, "ending"), begin(recorder, "other")
    mark(ending, 0)
    mark(other, 0)
    recorder.write()
    mark(ending, 1)
    ending.finish(Status.CLOSED)
    assert in_child(lambda: True)
    recorder.tend()

    def prune() -> bool:
        with open_for_changes(locate(path)) as engine:
            with engine.connect() as connection:
                keys = [one.key for one in fetch_sessions(connection)]
            return remove_sessions(engine, keys[:1], "selection")

    assert not in_child(prune)
    recorder.write()
    found = {stored.label: stored for stored in asyncio.run(intact(path))}
    assert (numbers(found["ending"]), found["ending"].status) == ([0, 1], Status.CLOSED)
    assert in_child(prune)  # now it is anybody's
    recorder.close_blocking()
    (stored,) = asyncio.run(intact(path))
    assert (stored.label, numbers(stored)) == ("other", [0])


def test_a_session_that_ends_while_others_ask_was_not_interrupted(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Its lock is let go between the question which sessions go on and the one whose locks are held."""
    recorder = DrivenRecorder(path)
    ending = begin(recorder, "ending")
    mark(ending, 0)
    recorder.write()
    held = liveness._held

    def held_later(connection: Connection, keys: list[int]) -> set[int]:
        if ending.status is Status.RECORDING:
            ending.finish(Status.CLOSED)
            recorder.write()
        return held(connection, keys)

    monkeypatch.setattr(liveness, "_held", held_later)
    other = DrivenRecorder(path)  # gives those their status whose recorders are gone
    mark(begin(other, "other"), 0)
    other.write()
    found = {stored.label: stored.status for stored in asyncio.run(intact(path))}
    assert ending.status is not Status.RECORDING
    assert found == {"ending": Status.CLOSED, "other": Status.RECORDING}
    other.close_blocking()
    recorder.close_blocking()


def test_a_key_that_was_not_committed_may_be_another_sessions(path: Path):
    """Keys of a transaction that was taken back are given anew, in the order in which sessions come then."""
    recorder = DrivenRecorder(path)
    mark(begin(recorder, "first"), 0)
    recorder.write()
    lock = Lock()
    with open_for_changes(locate(path)) as engine, engine.begin() as connection:
        for owner, key in (("one", 5), ("two", 6), ("two", 5), ("one", 6)):
            lock.hold(connection, owner, key, begun=False)
        assert liveness._held(connection, [5, 6, 7]) == {5, 6}
        lock.release(connection, "one")
        assert liveness._held(connection, [5, 6, 7]) == {5}
    lock.close()
    recorder.close_blocking()


def test_of_those_who_leave_one_is_the_last(path: Path):
    recorder = DrivenRecorder(path)
    mark(begin(recorder, "first"), 0)
    recorder.write()
    locks = [Lock(), Lock()]
    with open_for_changes(locate(path)) as engine, engine.begin() as connection:
        for lock in locks:
            lock.hold(connection, lock, 5, begun=False)
    recorder.close_blocking()
    assert path.read_bytes()[18:20] == b"\2\2"  # whoever is the last makes it a file that stands for itself
    assert [lock.is_last() for lock in locks] == [False, True]
    for lock in locks:
        lock.close()
    assert not path.with_name("log.db-live").exists()
