"""On a full disk the session goes on; what could not be written is a gap, or the lost end of the log."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from realtape.recorder import Recorder
from realtape.schema.entries import Kind
from support.stored import begin, flushed, not_flushed, numbers, only, until

pytestmark = pytest.mark.real_time


@contextmanager
def tiny_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Callable[[], None]]:
    """A folder on a disk of 400 KB; what it yields makes the disk larger. Where no disk can be
    mounted, SQLite is told that there is no more room."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)]
    if os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0:
        try:
            larger = ["mount", "-o", "remount,size=20m", str(folder)]
            yield lambda: subprocess.run(larger, check=True) and None
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)
        return
    pages = [90]
    connect = sqlite3.connect

    def limited(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **kwargs)
        connection.execute(f"PRAGMA max_page_count={pages[0]}")
        return connection

    monkeypatch.setattr(sqlite3, "connect", limited)
    yield lambda: pages.__setitem__(0, 10_000)


def chunk(number: int) -> dict[str, object]:
    return {"number": number, "bytes": os.urandom(10_000)}


async def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    with tiny_disk(tmp_path, monkeypatch) as enlarge:
        path = tmp_path / "log.db"
        async with Recorder(path, max_pending_bytes=600_000) as recorder:
            log = begin(recorder)
            log.append(Kind.MARKER, chunk(0))
            await recorder.flush()
            for number in range(1, 200):
                log.append(Kind.MARKER, chunk(number))
                await asyncio.sleep(0)
            await until(lambda: "free space on the disk" in caplog.text)
            assert "free space on the disk" in str(await not_flushed(recorder))
            before = await only(path)
            assert before.entries
            enlarge()
            await flushed(recorder)
            log.append(Kind.MARKER, chunk(200))
        stored = await only(path)
        found = numbers(stored)
        assert found[:2] == [0, 1]
        assert found[-1] == 200
        assert sum(gap["lost"] for gap in stored.payloads(Kind.GAP)) == 201 - len(found) > 0


FULL = """
import asyncio, os, resource, sys
sys.path.insert(0, sys.argv[2])
from realtape.recorder import Recorder
from realtape.schema.entries import Kind
from realtape.schema.errors import StoreWriteError
from support.stored import begin, mark, numbers, only

async def main():
    path = sys.argv[1]
    recorder = Recorder(path)
    log = begin(recorder)
    mark(log, 0)
    await recorder.flush()
    recorder._drain_seconds = 0.3
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, resource.RLIM_INFINITY))
    for number in range(1, 100):
        log.append(Kind.MARKER, {"number": number, "bytes": os.urandom(10_000)})
    try:
        await recorder.close()
    except StoreWriteError as error:
        print("raised", "the end of the recording is lost" in str(error))
    print(numbers(await only(path)))

asyncio.run(main())
"""


def test_a_disk_that_stays_full_loses_the_end_and_nothing_else(tmp_path: Path):
    path = tmp_path / "log.db"
    tests = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path), tests], capture_output=True, text=True, check=False
    )
    assert done.stdout == "raised True\n[0]\n", done.stderr
