"""Whoever runs a recorder sees how it is doing, and who must record or stop is stopped."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from realtape.recorder import Recorder, RecorderStatus
from realtape.recorder.commit_size import LEAST_BYTES
from realtape.recorder.session_log import ENTRY_OVERHEAD_BYTES
from realtape.recorder.writer import Pace
from realtape.schema import StoreWriteError, UsageError
from realtape.schema.entries import Kind, Status
from support.models import EchoModel, Ignoring
from support.stored import begin, flushed, locked, mark, numbers, only, paced, until, writer_of

pytestmark = pytest.mark.real_time


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


async def test_what_was_written_and_what_waits(path: Path):
    async with Recorder(path) as recorder:
        first, second = begin(recorder), begin(recorder)
        mark(first, *range(10))
        await recorder.flush()
        before = recorder.status()
        assert (before.sessions, before.entries) == (2, 10)
        assert (before.pending_entries, before.pending_bytes) == (0, 0)
        assert before.payload_bytes == sum(len(f'{{"number":{number}}}') for number in range(10))
        assert (before.error, before.failing_seconds, before.lost_entries) == (None, 0, 0)
        assert 0 < before.commit_seconds <= before.loss_window_seconds
        with locked(path):
            mark(second, 1, 2, 3)
            await until(lambda: recorder.status().error is not None)
            during = recorder.status()
            assert (during.entries, during.pending_entries) == (10, 3)
            assert during.pending_bytes >= 3 * ENTRY_OVERHEAD_BYTES
            assert during.failing_seconds > 0
            assert "held by another process" in str(during.error)
        await flushed(recorder)
        second.finish(Status.CLOSED)
        await recorder.flush()
        after = recorder.status()
        assert (after.sessions, after.entries, after.error, after.pending_bytes) == (1, 13, None, 0)
    assert recorder.status().closed
    assert recorder.status().sessions == 0


async def test_troubles_are_told_when_they_begin_and_end(path: Path):
    told: list[RecorderStatus] = []
    async with Recorder(path, on_status=told.append, max_pending_bytes=20 * ENTRY_OVERHEAD_BYTES) as recorder:
        log = begin(recorder)
        mark(log, 0)
        await recorder.flush()
        with locked(path):
            mark(log, *range(1, 100))
            await until(lambda: bool(told))
        await flushed(recorder)
        assert [bool(status.error) for status in told[:1]] == [True]
        await until(lambda: any(status.lost_entries for status in told))
        assert told[-1].error is None
    lost = sum(gap["lost"] for gap in (await only(path)).payloads(Kind.GAP))
    assert recorder.status().lost_entries == lost > 0


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit, KeyboardInterrupt])
async def test_a_callback_that_raises_is_called_once(
    path: Path, caplog: pytest.LogCaptureFixture, error: type[BaseException]
):
    """Also one that wants to end the process: on the writer's thread it would end the writing alone."""

    def raising(status: RecorderStatus) -> None:
        raise error

    async with Recorder(path, on_status=raising) as recorder:
        log = begin(recorder)
        mark(log, 0)
        await recorder.flush()
        for number in (1, 2):
            with locked(path):
                mark(log, number)
                await until(lambda: recorder.status().error is not None)
            await flushed(recorder)
    assert numbers(await only(path)) == [0, 1, 2]
    assert caplog.text.count("it is not called again") == 1


@pytest.mark.parametrize(("durability", "synchronous"), [("full", 2), ("normal", 1)])
async def test_how_durable_a_commit_is(path: Path, durability: str, synchronous: int):
    async with Recorder(path, durability=durability) as recorder:  # pyright: ignore[reportArgumentType]
        mark(begin(recorder), 1)
        await recorder.flush()
        store = writer_of(recorder).store
        with store.lock:
            engine = store._opened()  # pyright: ignore[reportPrivateUsage]
            with engine.connect() as connection:
                assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == synchronous
        assert recorder.status().durability == durability


def test_no_other_durability_is_known(path: Path):
    with pytest.raises(UsageError, match="'full' or 'normal'"):
        Recorder(path, durability="some")  # pyright: ignore[reportArgumentType]


async def test_the_pause_grows_with_what_a_commit_takes(path: Path):
    async with paced(path, Pace()) as recorder:
        writer = writer_of(recorder)
        measure = writer._measure  # pyright: ignore[reportPrivateUsage]
        pauses: list[float] = []
        for seconds in (0.001, 0.05, 3.0, 3.0, 0.001):
            measure(1_000, seconds)
            pauses.append(writer.linger)
        assert pauses == [0.02, 0.05, 0.1, 0.1, 0.02]


async def test_a_large_backlog_is_written_in_small_commits(path: Path, monkeypatch: pytest.MonkeyPatch):
    """One that takes longer than the disk lives would never arrive; each is kept."""
    monkeypatch.setattr("realtape.recorder.commit_size.MOST_BYTES", LEAST_BYTES)
    async with paced(path, Pace(max_backoff=0.02)) as recorder:
        logs = [begin(recorder, name) for name in "ab"]
        with locked_from_the_start(path):
            for number in range(300):
                for log in logs:
                    log.append(Kind.MARKER, {"number": number, "bytes": os.urandom(1_000)})
        logs[0].finish(Status.CLOSED)
    with closing(sqlite3.connect(path)) as connection:
        segments = connection.execute("SELECT session, count(*) FROM segments GROUP BY 1").fetchall()
        assert [count >= 4 for _, count in segments] == [True, True]
        sizes = connection.execute("SELECT max(length(data)) FROM segments").fetchone()
    assert sizes[0] < 2 * LEAST_BYTES


class locked_from_the_start:
    """As `locked`, for a store that has no tables yet."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)

    def __enter__(self) -> None:
        self._connection.execute("BEGIN EXCLUSIVE")

    def __exit__(self, *_: object) -> None:
        self._connection.execute("ROLLBACK")
        self._connection.close()


# --- record or stop -----------------------------------------------------------------------------------


async def test_who_must_record_does_not_connect_without(path: Path):
    path.mkdir()
    recorder = Recorder(path, fail_closed=True)
    inner = EchoModel()
    model = recorder.wrap(inner)
    with pytest.raises(StoreWriteError, match="not a file"):
        await model.connect({})
    await recorder.close()


async def test_who_must_record_does_not_send_without(path: Path):
    async with Recorder(path, fail_closed=True) as recorder:
        model = recorder.wrap(EchoModel())
        model.add_listener(Ignoring())
        await model.connect({})
        await model.send_event(b"heard")
        await recorder.flush()
        with locked(path):
            await model.send_event(b"on its way")
            await until(lambda: recorder.status().error is not None)
            with pytest.raises(StoreWriteError, match="held by another process"):
                await model.send_event(b"unheard")
        await flushed(recorder)
        await model.send_event(b"heard again")
        await model.close()
    assert len((await only(path)).of_kind(Kind.SENT)) == 3


async def test_others_go_on(path: Path, caplog: pytest.LogCaptureFixture):
    path.mkdir()
    async with Recorder(path, drain_seconds=0.2) as recorder:
        model = recorder.wrap(EchoModel())
        model.add_listener(Ignoring())
        await model.connect({})
        await model.send_event(b"heard")
        await model.close()
    assert "the end of the recording is lost" in caplog.text
