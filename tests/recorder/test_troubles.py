"""Whatever is wrong with the disk, the call goes on; what was lost is told exactly, and recording resumes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from realtape.recorder import Recorder, store
from realtape.recorder.session_log import ENTRY_OVERHEAD_BYTES
from realtape.schema.entries import Status
from sqlalchemy.engine import Connection
from support.stored import begin, beside, exact, flushed, intact, locked, mark

pytestmark = pytest.mark.real_time

SESSIONS = ("a", "b", "c")
SOON = 0.3
"""A trouble lasts so long, in seconds."""


@asynccontextmanager
async def a_lock(path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float) -> AsyncGenerator[None]:
    with locked(path):
        yield
        await asyncio.sleep(seconds)


@asynccontextmanager
async def an_unlinked_file(
    path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> AsyncGenerator[None]:
    for name in beside(path):
        (path.parent / name).unlink()
    yield


@asynccontextmanager
async def a_full_disk(path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float) -> AsyncGenerator[None]:
    """SQLite says so in the middle of a commit, after rows were written."""
    real, full = store.advance_session, True

    def filling(connection: Connection, *facts: Any) -> bool:
        if full:
            connection.exec_driver_sql("PRAGMA max_page_count=1")
            connection.exec_driver_sql("CREATE TABLE more AS SELECT zeroblob(1000000)")
        return real(connection, *facts)

    monkeypatch.setattr(store, "advance_session", filling)
    yield
    await asyncio.sleep(seconds)
    full = False


@asynccontextmanager
async def a_slow_disk(path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float) -> AsyncGenerator[None]:
    real, slow = store.advance_session, True

    def crawling(*facts: Any) -> bool:
        if slow:
            time.sleep(0.1)
        return real(*facts)

    monkeypatch.setattr(store, "advance_session", crawling)
    yield
    await asyncio.sleep(seconds)
    slow = False


Trouble = Callable[[Path, pytest.MonkeyPatch, float], AbstractAsyncContextManager[None]]


@pytest.mark.parametrize(
    ("trouble", "seconds"),
    [
        (a_lock, SOON),
        pytest.param(a_lock, 30, marks=pytest.mark.deep),
        (an_unlinked_file, SOON),
        (a_full_disk, SOON),
        (a_slow_disk, SOON),
    ],
)
async def test_what_was_lost_is_told_exactly(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    trouble: Trouble,
    seconds: float,
):
    path, count = tmp_path / "log.db", 0
    async with Recorder(path, max_pending_bytes=60 * ENTRY_OVERHEAD_BYTES) as recorder:
        logs = [begin(recorder, name) for name in SESSIONS]

        async def append(many: int) -> None:
            nonlocal count
            for count in range(count, count + many):  # noqa: B020
                for log in logs:
                    mark(log, count)
                await asyncio.sleep(0)
            count += 1

        await append(5)
        await recorder.flush()
        async with trouble(path, monkeypatch, seconds):
            await append(200)
        await flushed(recorder)
        await append(5)
        lost_entries = recorder.status().lost_entries
    found = {stored.label: stored for stored in await intact(path)}
    assert {stored.status for stored in found.values()} == {Status.CLOSED}
    lost = [exact(found[name], count) for name in SESSIONS]
    assert sum(lost) == lost_entries > 0
    assert sum("cannot write" in record.getMessage() for record in caplog.records) <= 1
