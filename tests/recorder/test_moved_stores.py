"""A store that is taken away while it is recorded into: its sessions go on in what lies there then, each
under its own key, and a gap says what that lacks."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from realtape.recorder import Recorder
from realtape.recorder.session_log import SessionLog
from realtape.schema.entries import Flag, Kind, Status
from realtape.schema.errors import StoreWriteError
from support.stored import (
    Stored,
    begin,
    beside,
    flushed,
    intact,
    mark,
    not_flushed,
    numbers,
    only,
    until,
    writer_of,
)

pytestmark = pytest.mark.real_time

RECORD = Path(__file__).parent / "programs" / "record.py"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


async def by_label(path: Path) -> dict[str, Stored]:
    return {stored.label: stored for stored in await intact(path)}


def gap_of(stored: Stored) -> dict[str, object]:
    (gap,) = stored.payloads(Kind.GAP)
    return gap


def removed(path: Path) -> None:
    for name in beside(path):
        (path.parent / name).unlink()


def the_file_alone_removed(path: Path) -> None:
    path.unlink()


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def moved_away(path: Path) -> None:
    path.rename(path.with_name("rotated.db"))


def made_again(path: Path) -> None:
    shutil.rmtree(path.parent)
    path.parent.mkdir()


TAKEN_AWAY = [removed, the_file_alone_removed, emptied, moved_away, made_again]


@pytest.mark.parametrize("take_away", TAKEN_AWAY)
async def test_sessions_go_on_in_a_new_file(
    path: Path, take_away: Callable[[Path], None], caplog: pytest.LogCaptureFixture
):
    """The one that is idle in the first commit after it, too; and each has its own key."""
    async with Recorder(path) as recorder:
        busy, idle = begin(recorder, "busy"), begin(recorder, "idle")
        for log in (busy, idle):
            mark(log, 0, 1, 2)
        await recorder.flush()
        take_away(path)
        mark(busy, 3)
        await recorder.flush()
        new = begin(recorder, "new")
        for number in range(4, 40):
            mark(new, number)
            mark(idle, number)
        await recorder.flush()
        mark(busy, 4)
    found = await by_label(path)
    assert set(found) == {"busy", "idle", "new"}
    assert all(stored.status is Status.CLOSED for stored in found.values())
    assert numbers(found["busy"]) == [3, 4]
    assert numbers(found["idle"]) == numbers(found["new"]) == list(range(4, 40))
    assert not found["new"].of_kind(Kind.GAP)
    for name in ("busy", "idle"):
        assert found[name].entries[0].kind == Kind.GAP
        gap = gap_of(found[name])
        assert (gap["lost"], gap["kinds"], gap["from_ns"]) == (3, {"marker": 3}, 0)
    assert "its sessions go on in what lies there now" in caplog.text
    assert "6 entries went with the files" in caplog.text


@pytest.mark.parametrize("take_away", [removed, the_file_alone_removed, emptied])
async def test_who_comes_after_it_makes_a_store_of_his_own(path: Path, take_away: Callable[[Path], None]):
    """Not one together with the `-wal` and the `-shm` of who still has the old file open."""
    async with Recorder(path) as one, Recorder(path) as other:
        old = begin(one, "old")
        mark(old, 0)
        await one.flush()
        take_away(path)
        new = begin(other, "new")
        mark(new, 0)
        await other.flush()
        assert numbers((await by_label(path))["new"]) == [0]
        mark(old, 1)
        await one.flush()
        for log, recorder in ((new, other), (old, one)):
            mark(log, 2)
            await recorder.flush()
    found = await by_label(path)
    assert numbers(found["new"]) == [0, 2]
    assert numbers(found["old"]) == [1, 2]


async def test_what_was_moved_away_has_all_that_it_was_given(path: Path):
    """`-wal` keeps its name when a file is moved: what lies in it is the moved file's."""
    async with Recorder(path) as recorder:
        log = begin(recorder)
        mark(log, *range(100))
        await recorder.flush()
        moved_away(path)
        mark(log, 100)
        await recorder.flush()
        assert numbers(await only(path.with_name("rotated.db"))) == list(range(100))
    assert numbers(await only(path)) == [100]


async def test_a_store_that_is_replaced_by_another(path: Path):
    async with Recorder(path.with_name("other.db")) as other:
        for name in ("theirs", "too"):
            mark(begin(other, name), 7, 8, 9)
    async with Recorder(path) as recorder:
        logs = [begin(recorder, name) for name in ("a", "b", "c")]
        for log in logs:
            mark(log, 1)
        await recorder.flush()
        path.with_name("other.db").rename(path)
        mark(logs[2], 2)
        await recorder.flush()
        mark(logs[0], 2)
    found = await by_label(path)
    assert {name: numbers(stored) for name, stored in found.items()} == {
        **{"theirs": [7, 8, 9], "too": [7, 8, 9]},
        **{"a": [2], "c": [2], "b": []},
    }
    assert found["b"].status is Status.CLOSED
    assert gap_of(found["b"])["lost"] == 1


async def copy(path: Path, to: Path) -> None:
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode=DELETE")


async def test_an_older_copy_is_gone_on_from(path: Path):
    async with Recorder(path) as recorder:
        log, late = begin(recorder, "log"), begin(recorder, "late")
        mark(log, 0, 1)
        await recorder.flush()
        await copy(path, path.with_name("backup.db"))
        log.append(Kind.CLOCK, {})
        mark(log, 2)
        mark(late, 0)
        await recorder.flush()
        path.with_name("backup.db").rename(path)
        mark(log, 3)
    found = await by_label(path)
    assert [entry.kind for entry in found["log"].entries] == ["marker", "marker", "gap", "marker"]
    gap = gap_of(found["log"])
    assert (gap["lost"], gap["kinds"]) == (2, {"marker": 1, "clock": 1})
    before, after = found["log"].entries[1].at_ns, found["log"].entries[2].at_ns
    assert before == gap["from_ns"]
    assert before <= gap["to_ns"] <= after  # pyright: ignore[reportOperatorIssue]
    assert numbers(found["late"]) == []
    assert gap_of(found["late"])["lost"] == 1


async def test_a_file_that_is_put_back(path: Path):
    """What was recorded meanwhile is in the file that was there meanwhile."""
    aside = path.with_name("aside.db")
    async with Recorder(path) as recorder:
        log = begin(recorder)
        mark(log, 0, 1)
        await recorder.flush()
        path.rename(aside)
        mark(log, 2)
        await recorder.flush()
        path.rename(path.with_name("between.db"))
        aside.rename(path)
        mark(log, 3)
        await recorder.flush()
        mark(log, 4)
    stored = await only(path)
    assert numbers(stored) == [0, 1, 3, 4]
    assert [entry.kind for entry in stored.entries] == ["marker", "marker", "gap", "marker", "marker"]
    assert gap_of(stored)["lost"] == 1
    between = await only(path.with_name("between.db"))
    assert numbers(between) == [2]
    assert between.status is Status.INTERRUPTED


def appended(log: SessionLog, value: object, because: int | None = None) -> int:
    seq = log.append(Kind.MARKER, value, cause=because, of=because)
    assert seq is not None
    return seq


async def test_what_refers_to_what_is_gone_says_so(path: Path):
    """Numbers in another file are others; bytes that lie in the one that is gone are not here."""
    data = os.urandom(500)
    async with Recorder(path) as recorder:
        log = begin(recorder)
        mark(log, 0)
        first = appended(log, {"number": 1, "bytes": data})
        await recorder.flush()
        removed(path)
        second = appended(log, {"number": 2}, first)
        appended(log, {"number": 3, "bytes": data})  # which it has seen in the old file
        appended(log, {"number": 4, "bytes": os.urandom(500)}, second)
    stored = await only(path)
    assert [entry.kind for entry in stored.entries] == ["gap", "marker", "gap", "marker"]
    gap, lost, _, after = stored.entries
    assert (lost.cause, lost.of, lost.flags & Flag.CAUSE_LOST) == (None, None, Flag.CAUSE_LOST)
    assert (after.cause, after.of, after.flags & Flag.CAUSE_LOST) == (lost.seq, lost.seq, 0)
    assert gap.seq == 0


async def test_one_sessions_conflict_is_not_the_others(path: Path, caplog: pytest.LogCaptureFixture):
    """Somebody else has written what we were about to."""
    recorder = Recorder(path)
    forged, healthy = begin(recorder, "forged"), begin(recorder, "healthy")
    for log in (forged, healthy):
        mark(log, 0)
    await recorder.flush()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE sessions SET last_digest = x'00' WHERE key = 1")
        connection.commit()
    for log in (forged, healthy):
        mark(log, 1)
    await recorder.flush()
    mark(healthy, 2)
    await recorder.flush()
    with pytest.raises(StoreWriteError, match="does not stand in it as it was written"):
        await recorder.close()
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT session, count(*) FROM entries GROUP BY session").fetchall()
    assert dict(rows) == {1: 1, 2: 3}
    assert caplog.text.count("it is not recorded further") == 1


async def test_a_store_of_something_else_is_left_alone(path: Path):
    """And what was recorded meanwhile is written once that is gone."""
    recorder = Recorder(path)
    log = begin(recorder)
    mark(log, 0)
    await recorder.flush()
    removed(path)
    path.write_bytes(b"precious" * 100)
    mark(log, 1)
    with pytest.raises(StoreWriteError, match="not an SQLite database"):
        await recorder.flush()
    assert path.read_bytes() == b"precious" * 100
    path.unlink()
    await recorder.close()
    assert numbers(await only(path)) == [1]


async def test_bytes_that_lie_in_the_file_that_is_gone_are_kept_again(path: Path):
    """Of what comes again and again a session knows where it lies; not in another file."""
    async with Recorder(path) as recorder:
        log = begin(recorder)
        log.append(Kind.MARKER, {"number": 0, "bytes": b'{"again":1}'})
        await recorder.flush()
        removed(path)
        mark(log, 1)  # by this it is seen
        await recorder.flush()
        for number in (2, 3):
            log.append(Kind.MARKER, {"number": number, "bytes": b'{"again":1}'})
    stored = await only(path)
    assert [entry.kind for entry in stored.entries] == [Kind.GAP, *[Kind.MARKER] * 3]
    assert numbers(stored) == [1, 2, 3]


def taken_from_beside(path: Path, *suffixes: str) -> None:
    for suffix in suffixes:
        path.with_name(f"{path.name}{suffix}").unlink()


@pytest.mark.parametrize("suffixes", [("-wal",), ("-shm",), ("-wal", "-shm")])
async def test_what_lies_beside_it_is_made_anew_and_nothing_is_lost(path: Path, suffixes: tuple[str, ...]):
    """What stands in the `-wal` alone would be found by nobody, and be gone with the process."""
    async with Recorder(path) as recorder:
        log = begin(recorder, "here")
        mark(log, 0, 1)
        await recorder.flush()
        taken_from_beside(path, *suffixes)
        mark(log, 2)
        await recorder.flush()
        assert numbers(await only(path)) == [0, 1, 2]
        async with Recorder(path) as other:
            mark(begin(other, "there"), 7)
        mark(log, 3)
        assert recorder.status().lost_entries == 0
    found = await by_label(path)
    assert (numbers(found["here"]), numbers(found["there"])) == ([0, 1, 2, 3], [7])
    assert not found["here"].of_kind(Kind.GAP)


async def test_whoever_reads_what_was_removed_keeps_it_from_being_saved_and_that_is_told(path: Path):
    recorder = Recorder(path, drain_seconds=2)
    log = begin(recorder)
    mark(log, 0)
    await recorder.flush()
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM sessions").fetchall()
        mark(log, 1)
        await recorder.flush()
        taken_from_beside(path, "-wal", "-shm")
        mark(log, 2)
        await until(lambda: "read by somebody" in (recorder.status().error or ""))
        with pytest.raises(StoreWriteError, match="read by somebody"):
            await recorder.close()


async def test_what_was_in_a_log_that_is_gone_does_not_damage_what_came_since(path: Path):
    """Another process recorded before we could see it: our log is of a file that is another one by now."""
    async with Recorder(path) as recorder:
        log = begin(recorder, "here")
        mark(log, 0, 1)
        await recorder.flush()
        with writer_of(recorder).store.lock:
            taken_from_beside(path, "-wal", "-shm")
            subprocess.run([sys.executable, str(RECORD), str(path), "there", "1", "50"], check=True)
        mark(log, 2)
        await recorder.flush()
        lost = recorder.status().lost_entries
    found = await by_label(path)
    assert numbers(found["here"]) == [2]
    assert gap_of(found["here"])["lost"] == lost == 2
    assert len(found["there 0"].entries) == 50


async def test_a_link_leads_to_another_file(path: Path):
    """A link stays the user's: what is taken away is where it leads."""
    first, second = path.with_name("first.db"), path.with_name("second.db")
    path.symlink_to(first)
    async with Recorder(path) as recorder, Recorder(first) as other:
        log, theirs = begin(recorder, "here"), begin(other, "there")
        for each, one in ((log, recorder), (theirs, other)):
            mark(each, 0)
            await one.flush()
        path.unlink()
        path.symlink_to(second)
        for each, one in ((log, recorder), (theirs, other)):
            mark(each, 1)
            await one.flush()
    assert path.is_symlink()
    found = await by_label(first)
    assert (numbers(found["here"]), numbers(found["there"])) == ([0], [0, 1])
    (stored,) = await intact(second)
    assert numbers(stored) == [1]


@pytest.mark.parametrize("take_away", [removed, emptied])
async def test_of_a_link_what_lies_beside_the_file_is_taken_away(
    path: Path, take_away: Callable[[Path], None]
):
    folder = path.parent / "elsewhere"
    folder.mkdir()
    file = folder / "log.db"
    path.symlink_to(file)
    async with Recorder(path) as recorder:
        log = begin(recorder)
        mark(log, 0)
        await recorder.flush()
        take_away(file)
        async with Recorder(file) as other:
            mark(begin(other, "new"), 0)
        mark(log, 1)
    found = await by_label(file)
    assert (numbers(found["new"]), numbers(found[""])) == ([0], [1])


async def test_a_file_with_two_names_is_not_recorded_into(path: Path):
    """By each it would have a log of its own, of which the other knows nothing."""
    async with Recorder(path) as recorder:
        mark(begin(recorder, "here"), 0)
    other_name = path.with_name("linked.db")
    other_name.hardlink_to(path)
    recorder = Recorder(other_name)
    mark(begin(recorder, "there"), 0)
    assert "2 names (hard links)" in str(await not_flushed(recorder))
    path.unlink()
    await flushed(recorder)
    await recorder.close()
    assert len(await intact(other_name)) == 2
