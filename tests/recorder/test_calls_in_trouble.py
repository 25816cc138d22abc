"""Calls go on while their store is in trouble for long, and the trouble is real: what was lost is told to the
entry, recording resumes, and the loop is as late as it was before.

`pytest -m deep -s` writes how late, for `docs/reliability.md`.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from realtape.recorder import Recorder, store
from realtape.schema.entries import Kind, Status
from sqlalchemy import Connection, Engine, event
from support.postgresql import own_server
from support.stored import begin, beside, exact, flushed, intact, locked

pytestmark = [pytest.mark.real_time, pytest.mark.deep]

SESSIONS, A_SECOND = 20, 50
"""Twenty calls, each with so many entries a second."""

CALM_SECONDS, AFTER_SECONDS = 3.0, 2.0
BUDGET = 2 << 20
"""Of memory: what is appended here in three seconds."""

TEXT = "x" * 500


class Lateness(NamedTuple):
    """How late the loop was, in milliseconds; and what appending took of its thread, a round of all calls."""

    p99_ms: float
    most_ms: float
    append_ms: float


class Calls:
    """Sessions that append at a steady pace.

    Attributes:
        appended: how many entries each has.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.appended = 0
        self._logs = [begin(recorder, str(number)) for number in range(SESSIONS)]

    async def go_on(self, seconds: float) -> Lateness:
        """For so long."""
        late, took = list[float](), list[float]()
        due = time.perf_counter()
        end = due + seconds
        while due < end:
            due += 1 / A_SECOND
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            late.append(time.perf_counter() - due)
            began = time.thread_time()
            for log in self._logs:
                log.append(Kind.MARKER, {"number": self.appended, "text": TEXT})
            took.append(time.thread_time() - began)
            self.appended += 1
        p99 = int(len(late) * 0.99)
        return Lateness(sorted(late)[p99] * 1e3, max(late) * 1e3, sorted(took)[p99] * 1e3)


async def in_trouble(
    at: Path | str,
    trouble: AbstractAsyncContextManager[None],
    seconds: float,
    what: str,
    budget: int = BUDGET,
) -> int:
    """Calls in calm, in trouble for so long, and afterwards. Returns how many entries they lost."""
    async with Recorder(at, max_pending_bytes=budget) as recorder:
        calls = Calls(recorder)
        before = await calls.go_on(CALM_SECONDS)
        async with trouble:
            during = await calls.go_on(seconds)
        began = time.monotonic()
        await flushed(recorder)
        resumed = time.monotonic() - began
        await calls.go_on(AFTER_SECONDS)
        lost = recorder.status().lost_entries
        assert recorder.status().error is None
    found = await intact(at)
    assert [stored.status for stored in found] == [Status.CLOSED] * SESSIONS
    assert sum(exact(stored, calls.appended) for stored in found) == lost
    print(  # noqa: T201 - for whoever asks with -s
        f"\n| {what} | {seconds:.0f} s | {before.p99_ms:.1f} → {during.p99_ms:.1f} "
        f"| {before.most_ms:.0f} → {during.most_ms:.0f} | {before.append_ms:.2f} → {during.append_ms:.2f} "
        f"| {lost:,} of {calls.appended * SESSIONS:,} | {resumed:.1f} s |"
    )
    assert during.append_ms < 4 * before.append_ms + 1  # nothing on the loop waits for the store
    return lost


@contextmanager
def disk(folder: Path, size: str) -> Generator[None]:
    """A real one, in memory. To mount it takes root."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def remounted(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


root_only = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a disk")


@root_only
async def test_the_disk_is_full(tmp_path: Path):
    folder = tmp_path / "disk"

    @asynccontextmanager
    async def full() -> AsyncGenerator[None]:
        yield
        assert os.statvfs(folder).f_bavail < 64  # pages: it was
        remounted(folder, "size=200m")

    with disk(folder, "6m"):
        assert await in_trouble(folder / "log.db", full(), 15, "a full disk (tmpfs)") > 0


@root_only
async def test_the_folder_is_read_only_at_first(tmp_path: Path):
    folder = tmp_path / "disk"

    @asynccontextmanager
    async def readable_again() -> AsyncGenerator[None]:
        yield
        assert not beside(folder / "log.db")
        remounted(folder, "rw")

    with disk(folder, "200m"):
        remounted(folder, "ro")
        assert await in_trouble(folder / "log.db", readable_again(), 10, "a folder that is read-only") > 0


async def test_somebody_holds_the_file(tmp_path: Path):
    path = tmp_path / "log.db"

    @asynccontextmanager
    async def held() -> AsyncGenerator[None]:
        with locked(path):
            yield

    assert await in_trouble(path, held(), 30, "a lock of another process") > 0


async def test_the_file_is_removed(tmp_path: Path):
    """What was written there is lost, too, and told."""
    path = tmp_path / "log.db"

    @asynccontextmanager
    async def removed() -> AsyncGenerator[None]:
        for name in beside(path):
            (tmp_path / name).unlink()
        yield

    assert await in_trouble(path, removed(), 5, "a file that is removed") > 0


async def test_the_disk_takes_half_a_second_to_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """By a pause before SQLite's own commit, while the file is locked, as a sync would hold it."""
    slow = False
    real: Callable[..., Engine] = store.open_for_writing

    def sync(connection: Connection) -> None:
        if slow:
            time.sleep(0.5)

    def open_slowly(*args: Any, **facts: Any) -> Engine:
        engine = real(*args, **facts)
        event.listen(engine, "commit", sync)
        return engine

    @asynccontextmanager
    async def crawling() -> AsyncGenerator[None]:
        nonlocal slow
        slow = True
        yield
        slow = False

    monkeypatch.setattr(store, "open_for_writing", open_slowly)
    await in_trouble(tmp_path / "log.db", crawling(), 20, "each commit takes half a second longer")


@pytest.mark.postgresql
@pytest.mark.parametrize(("mode", "seconds", "budget"), [("fast", 1, 64 << 20), ("immediate", 10, BUDGET)])
async def test_the_server_is_restarted(mode: str, seconds: int, budget: int):
    """What fits into memory is not lost."""
    with own_server() as running:
        assert running is not None, "no PostgreSQL here: install it"

        @asynccontextmanager
        async def down() -> AsyncGenerator[None]:
            await asyncio.to_thread(running.stop, mode)
            yield
            await asyncio.to_thread(running.start)

        what = f"a server that is down ({mode})"
        lost = await in_trouble(running.url, down(), seconds, what, budget)
        assert (lost == 0) == (budget > BUDGET)
