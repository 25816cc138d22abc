"""Processes that record into one store on a disk that is slow to sync: what waits, and what is lost.

`python benchmarks/slow_disks.py` writes the rows of a table in `docs/reliability.md`. A disk is made slow by
a pause before each commit of SQLite's, while the file is locked, as a sync would hold it.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from realtape.recorder import Recorder, store
from realtape.schema.entries import Kind, Status
from sqlalchemy import Connection, Engine, event

SYNC_SECONDS = (0.005, 0.05)
PROCESSES = (1, 4, 16)
SESSIONS = 2
SECONDS = 5.0
PERIOD = 0.04


def slow_down(sync_seconds: float) -> None:
    """Let each commit of this process take so much longer."""
    real = store.open_for_writing

    def sync(connection: Connection) -> None:
        time.sleep(sync_seconds)

    def open_slowly(*args: Any, **facts: Any) -> Engine:
        engine = real(*args, **facts)
        event.listen(engine, "commit", sync)
        return engine

    store.open_for_writing = open_slowly


async def record(path: Path, sync_seconds: float) -> dict[str, float]:
    """What one process appended, and what it cost."""
    slow_down(sync_seconds)
    recorder = Recorder(path, drain_seconds=60)
    logs = [recorder.begin({}) for _ in range(SESSIONS)]
    appends: list[float] = []
    count, failing, due = 0, 0.0, time.monotonic()
    end = due + SECONDS
    while due < end:
        due += PERIOD
        await asyncio.sleep(max(due - time.monotonic(), 0))
        for log in logs:
            began = time.thread_time()
            log.append(Kind.MARKER, {"number": count, "text": "x" * 300})
            appends.append(time.thread_time() - began)
        count += 1
        failing = max(failing, recorder.status().failing_seconds)
    status = recorder.status()
    for log in logs:
        log.finish(Status.CLOSED)
    await recorder.close()
    return {
        "appended": count * SESSIONS,
        "lost": status.lost_entries,
        "window": status.loss_window_seconds,
        "failing": failing,
        "append": sorted(appends)[len(appends) * 99 // 100],
    }


def measure(sync_seconds: float, processes: int) -> str:
    """A row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.db"
        command = [sys.executable, __file__, str(path), str(sync_seconds)]
        running = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            for _ in range(processes)
        ]
        found: list[dict[str, float]] = [json.loads(one.communicate()[0]) for one in running]
        with closing(sqlite3.connect(path)) as connection:
            kept, gaps = connection.execute(
                "SELECT sum(kind = 'marker'), sum(kind = 'gap') FROM entries"
            ).fetchone()
    appended = sum(one["appended"] for one in found)
    window, failing = (max(one[name] for one in found) for name in ("window", "failing"))
    append = max(one["append"] for one in found)
    return (
        f"| {sync_seconds * 1000:.0f} ms | {processes} | {appended:,.0f} | {kept:,} | {gaps} "
        f"| {append * 1000:.2f} ms | {window:.2f} s | {failing:.1f} s |"
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.stdout.write(json.dumps(asyncio.run(record(Path(sys.argv[1]), float(sys.argv[2])))))
    else:
        for seconds in SYNC_SECONDS:
            for number in PROCESSES:
                sys.stdout.write(f"{measure(seconds, number)}\n")
