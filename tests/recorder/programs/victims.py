"""Processes that record, and are killed at random moments: `victims.py FOLDER COUNT SEED FRESH`.

Forks them from one process, so that each begins within milliseconds. After every death the store is
checked. With FRESH each victim gets a store of its own, and dies early: while the tables are made.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from realtape.recorder import Recorder
from realtape.schema.entries import Kind, Status
from realtape.schema.errors import StoreError
from support.stored import intact, numbers

TOGETHER = 25
"""So many die in one store, which is read whole after each."""


async def record(store: Path, rng: random.Random, told: int) -> None:
    """Until killed: recorders one after another, each with a few sessions."""
    while True:
        async with Recorder(store) as recorder:
            logs = [recorder.begin({"name": "victim"}) for _ in range(3)]
            until = time.monotonic() + rng.uniform(0.01, 0.1)
            number = 0
            while time.monotonic() < until:
                for log in logs:
                    log.append(Kind.MARKER, {"number": number, "bytes": rng.randbytes(rng.randrange(5_000))})
                number += 1
                await asyncio.sleep(0)
            if rng.random() < 0.5:
                logs[0].finish(Status.CLOSED)
        os.write(told, b".")


def kill_one(store: Path, rng: random.Random, fresh: bool) -> None:
    """One victim's life."""
    seed = rng.random()
    hear, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        asyncio.run(record(store, random.Random(seed), told))
    if not fresh:  # however slow the machine, it shall have recorded something
        os.read(hear, 1)
    time.sleep(rng.uniform(0, 0.06 if fresh else 0.2))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(hear)
    os.close(told)


async def check(store: Path) -> int:
    """Every session is whole up to its end, and none seems to go on; how many there are."""
    found = await intact(store)
    for stored in found:
        assert stored.status in (Status.INTERRUPTED, Status.CLOSED), stored.status
        assert numbers(stored) == list(range(len(stored.entries)))
    return len(found)


async def survivor(store: Path) -> None:
    """The next recorder on the same store."""
    async with Recorder(store) as recorder:
        recorder.begin({"name": "survivor"}).append(Kind.MARKER, {"number": 0})


def main(folder: Path, count: int, seed: int, fresh: bool) -> None:
    """Kill, and check."""
    rng = random.Random(seed)
    sessions, store = 0, folder
    for number in range(count):
        store = folder / f"log{number if fresh else number // TOGETHER}.db"
        if not fresh and not store.exists():
            sessions = 0
        kill_one(store, rng, fresh)
        try:
            sessions = asyncio.run(check(store)) if store.exists() else 0
        except StoreError:
            # It died before it had made the tables: nothing was recorded, and nothing is in the way.
            if sessions:
                raise
        if fresh:
            sessions = 0
            asyncio.run(survivor(store))
            asyncio.run(check(store))
            assert {found.name for found in folder.iterdir()} == {store.name}
            store.unlink()
    if not fresh:
        asyncio.run(survivor(store))
    sys.stdout.write(f"{sessions}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "fresh")
