"""When the disk does not keep up the session goes on, and the log says what it lost."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from realtape.recorder import Recorder
from realtape.recorder.session_log import ENTRY_OVERHEAD_BYTES
from realtape.schema.entries import Flag, Kind
from realtape.schema.errors import StoreWriteError
from support.models import EchoModel, Ignoring
from support.stored import begin, intact, mark, numbers, only, until

SMALL = 50 * ENTRY_OVERHEAD_BYTES


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Another connection holds the database."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA busy_timeout=5000")
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


async def test_what_exceeds_the_memory_is_a_gap(path: Path, caplog: pytest.LogCaptureFixture):
    async with Recorder(path, max_pending_bytes=SMALL) as recorder:
        log = begin(recorder)
        mark(log, 0)
        await recorder.flush()
        with locked(path):
            began = time.perf_counter()
            seqs = [log.append(Kind.MARKER, {"number": number}) for number in range(1, 2_001)]
            took = time.perf_counter() - began
            kept = seqs.index(None)
            log.append(Kind.CLOCK, {})
        await recorder.flush()
        mark(log, 2_001)
    assert took < 1  # half a millisecond each, on the slowest machine; the lock is held for as long
    assert 10 < kept < 200
    assert seqs[:kept] == list(range(1, kept + 1))
    stored = await only(path)
    assert numbers(stored) == [0, *range(1, kept + 1), 2_001]
    (gap,) = stored.of_kind(Kind.GAP)
    (value,) = stored.payloads(Kind.GAP)
    assert gap.seq == kept + 1
    assert value["lost"] == 2_000 - kept + 1
    assert value["kinds"] == {"marker": 2_000 - kept, "clock": 1}
    assert stored.entries[kept].at_ns <= value["from_ns"] <= value["to_ns"] <= gap.at_ns
    assert f"lost {value['lost']} entries" in caplog.text


async def test_the_gap_comes_though_nothing_follows(path: Path):
    async with Recorder(path, max_pending_bytes=SMALL) as recorder:
        log = begin(recorder)
        mark(log, 0)
        await recorder.flush()
        with locked(path):
            mark(log, *range(1, 200))
        await recorder.flush()
        stored = await only(path)
        assert stored.entries[-1].kind == Kind.GAP
    assert len((await only(path)).entries) == len(stored.entries)


async def test_a_gap_is_all_that_a_session_without_luck_holds(path: Path):
    """The memory is shared: one session may use it up before another has appended anything."""
    async with Recorder(path, max_pending_bytes=SMALL) as recorder:
        greedy, unlucky = begin(recorder, "greedy"), begin(recorder, "unlucky")
        mark(greedy, 0)
        await recorder.flush()
        with locked(path):
            mark(greedy, *range(1, 100))
            mark(unlucky, *range(10))
    found = {stored.label: stored for stored in await intact(path)}
    assert [entry.kind for entry in found["unlucky"].entries] == ["gap"]
    assert found["unlucky"].payloads(Kind.GAP)[0]["lost"] == 10


async def test_memory_is_given_back(path: Path):
    """A long session uses its budget many times over."""
    async with Recorder(path, max_pending_bytes=SMALL) as recorder:
        log = begin(recorder)
        for number in range(20):
            mark(log, *range(number * 30, number * 30 + 30))
            await recorder.flush()
    assert numbers(await only(path)) == list(range(600))


async def test_what_refers_to_lost_entries_says_so(path: Path):
    """A send began while the recorder lost entries, and ended after."""
    async with Recorder(path, max_pending_bytes=SMALL) as recorder:
        lock = locked(path)

        class Unlocking(EchoModel):
            async def send_event(self, event: object) -> None:
                lock.__exit__(None, None, None)
                await recorder.flush()
                await super().send_event(event)

        model = recorder.wrap(Unlocking())
        model.add_listener(Ignoring())
        await model.connect({})
        await recorder.flush()
        lock.__enter__()
        recorder.mark("large", text="x" * SMALL)
        recorder.mark("lost")
        await model.send_event(b"audio of an echo")
        await model.close()
    stored = await only(path)
    (gap,) = stored.payloads(Kind.GAP)
    assert gap["kinds"] == {"marker": 1, "sent": 1}
    (received,) = stored.of_kind(Kind.RECEIVED)
    assert (received.cause, received.flags & Flag.CAUSE_LOST) == (None, Flag.CAUSE_LOST)
    (done,) = stored.of_kind(Kind.SENT_DONE)
    assert done.of is None


async def test_the_application_never_waits_for_the_disk(path: Path):
    """A conversation over a locked database, from its first entry to its last."""
    recorder = Recorder(path, drain_seconds=0.2)
    with locked(path):
        model = recorder.wrap(EchoModel())
        model.add_listener(Ignoring())
        lateness: list[float] = []
        await model.connect({})
        for _ in range(100):
            began = time.perf_counter()
            await model.send_event(b"audio of an echo")
            lateness.append(time.perf_counter() - began)
        await model.close()
        with pytest.raises(StoreWriteError, match="not written within"):
            await recorder.flush()
    lateness.sort()
    assert lateness[len(lateness) // 2] < 0.01
    await until(lambda: path.stat().st_size > 0)
    await recorder.close()
    assert len((await only(path)).of_kind(Kind.SENT)) == 100


async def test_the_log_tells_when_writing_fails_and_when_it_works_again(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("realtape.schema.stores.WRITE_BUSY_SECONDS", 0.05)
    caplog.set_level(logging.INFO, "realtape.recorder")
    async with Recorder(path) as recorder:
        log = begin(recorder)
        mark(log, 0)
        await recorder.flush()
        with locked(path):
            mark(log, 1)
            await until(lambda: "cannot write" in caplog.text)
            await asyncio.sleep(0.3)  # several attempts, one line
        await recorder.flush()
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [
        f"{path}: cannot write: held by another process; close the other one, or wait for it. "
        "The session goes on, and writing is tried again",
        f"{path}: writing again",
    ]
    assert numbers(await only(path)) == [0, 1]
